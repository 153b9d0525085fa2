"""Reads the text of YAML files that users name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from oci_merge import SpecError
from oci_merge_cli.options.values import decode


def read_yaml(file: Path, what: str, *, most: int, stdin: bool = False) -> str:
    """Read the text of a file.

    Args:
        file: the file.
        what: what it is, such as ``spec``, for errors.
        most: how many bytes it may have.
        stdin: read stdin where the file is ``-``.

    Raises:
        SpecError: the file cannot be read, or is not text.
    """
    try:
        if stdin and str(file) == "-":
            content = b"" if sys.stdin is None else _read(sys.stdin.buffer, most)
        else:
            with file.open("rb") as opened:
                content = _read(opened, most)
    except OSError as error:
        raise SpecError(
            f"the {what} {file} cannot be read: {error.strerror}",
            hint="name a YAML file that exists and is readable",
        ) from error
    if len(content) > most:
        raise SpecError(f"the {what} {file} has more than {most} bytes", hint=f"name a {what}")
    try:
        return decode(content)
    except UnicodeDecodeError:
        raise SpecError(
            f"the {what} {file} is not UTF-8 text", hint="name a YAML file, saved as UTF-8"
        ) from None


def _read(opened: BinaryIO, most: int) -> bytes:
    return opened.read(most + 1)  # /dev/zero is endless
