"""The values that the OCI specifications define. Pure."""
