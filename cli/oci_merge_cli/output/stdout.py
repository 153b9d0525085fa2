"""Writes results to stdout and lines to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping

#: A message may name all platforms, each with its reference.
_LONGEST_LINE = 10_000


class OutputError(Exception):
    """Stdout, or a file that the user named, cannot be written.

    Args:
        message: one sentence; empty if the reader of stdout closed the pipe.
    """

    code = "output"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


def write(content: str | bytes) -> None:
    """Write to stdout, and flush.

    Args:
        content: bytes are written as they are; text line by line, made safe to print.

    Raises:
        OutputError: stdout cannot be written.
    """
    if sys.stdout is None:
        raise OutputError("stdout is closed, so the result cannot be written")
    if isinstance(content, str):
        from oci_merge_cli.output.escape import printable_lines  # not needed by --version

        content = printable_lines(content).encode()
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise stdout_error(error) from error


def write_json(document: Mapping[str, object]) -> None:
    """Write a document to stdout as indented JSON that no CI system obeys.

    Raises:
        OutputError: stdout cannot be written.
    """
    from oci_merge_cli.output.escape import printable_json  # not needed by --help

    write(f"{printable_json(document)}\n".encode())


def stdout_error(error: OSError) -> OutputError:
    """Return the error for a stdout that cannot be written, and redirect stdout to nowhere.

    Args:
        error: why it cannot be written.
    """
    # Otherwise the rest of its buffer fails again when the interpreter ends.
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    if isinstance(error, BrokenPipeError):
        return OutputError()
    return OutputError(f"stdout cannot be written: {error.strerror or error}")


def shown(text: str) -> str:
    """Return text as one line that is safe to print."""
    from oci_merge_cli.output.escape import printable  # not needed by --version

    return printable(text, limit=_LONGEST_LINE)


def say(line: str) -> None:
    """Write a line to stderr; ignore a stderr that cannot be written."""
    _say(shown(line))


def say_json(document: Mapping[str, object]) -> None:
    """Write a document to stderr as one line of JSON; ignore a stderr that cannot be written."""
    from oci_merge_cli.output.escape import printable_json  # not needed by --help

    _say(printable_json(document, indent=None))


def _say(line: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
