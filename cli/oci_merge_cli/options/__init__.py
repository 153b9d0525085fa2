"""Declares the options of the command line, and parses their values."""
