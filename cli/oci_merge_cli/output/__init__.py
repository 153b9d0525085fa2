"""What the command writes to stdout and stderr."""
