"""Writes to stdout and stderr."""
