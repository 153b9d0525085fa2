"""The endpoints of the OCI distribution specification."""
