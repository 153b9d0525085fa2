"""The answer to ``--version``."""

from __future__ import annotations

from oci_merge import __version__
from oci_merge_cli.output import OutputError, say, write


def print_version() -> int:
    """Print the version and return the exit status."""
    try:
        write(f"oci-merge version {__version__}\n")
    except OutputError as error:
        if error.message:
            say(f"error: {error.message}")
        return 1
    return 0
