"""Writes results to stdout, and progress and errors to stderr."""
