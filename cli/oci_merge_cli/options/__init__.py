"""The declarations of the command line's options."""
