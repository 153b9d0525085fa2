"""The command line and the output of manifest-tool."""
