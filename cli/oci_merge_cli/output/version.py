"""Answers ``--version``."""

from __future__ import annotations

from oci_merge import __version__
from oci_merge_cli.output.stdout import OutputError, say, write


def print_version(program: str) -> int:
    """Print the version and return the exit status.

    Args:
        program: the name that the program was called by.
    """
    try:
        write(f"{program} version {__version__}\n".encode())
    except OutputError as error:
        if error.message:
            say(f"error: {error.message}")
        return 1
    return 0
