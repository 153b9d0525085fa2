"""The version of oci-merge, in one place that the build and the program both read."""

__version__ = "0.1.0"
