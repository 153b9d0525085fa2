"""Runs a command: event loop, signals, log, errors and exit status."""
