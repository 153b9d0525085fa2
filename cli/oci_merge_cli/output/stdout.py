"""All that is written to stdout and stderr, but for live progress."""

from __future__ import annotations

import contextlib
import os
import sys

from oci_merge_cli.output.escape import printable

#: Messages may name all platforms, each with its reference.
_LONGEST_LINE = 10_000


class OutputError(Exception):
    """Stdout, or a file that was asked for, could not be written.

    Args:
        message: one sentence; empty where a reader of stdout has simply had enough.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


def write(content: str | bytes) -> None:
    """Write to stdout, exactly and at once.

    Raises:
        OutputError: it could not be written.
    """
    if sys.stdout is None:
        raise OutputError("stdout is closed, so the outcome cannot be written")
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise stdout_error(error) from error


def stdout_error(error: OSError) -> OutputError:
    """Return the error for a stdout that cannot be written, and let go of stdout.

    What is left in its buffer would otherwise fail once more when the interpreter ends.
    """
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    if isinstance(error, BrokenPipeError):
        return OutputError()
    return OutputError(f"stdout cannot be written: {error.strerror or error}")


def shown(text: str) -> str:
    """Return text, trusted or not, as one line that is safe on a terminal."""
    return printable(text, limit=_LONGEST_LINE)


def say(line: str) -> None:
    """Write a line to stderr; a stderr that nobody reads is no reason to break off."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{shown(line)}\n")
            sys.stderr.flush()
