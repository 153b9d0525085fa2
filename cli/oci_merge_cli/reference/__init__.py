"""Describes the commands and options: reference page, man page, and completion of shells."""
