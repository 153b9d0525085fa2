"""The oci-merge command."""
