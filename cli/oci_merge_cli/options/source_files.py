"""The files of builders that a merge takes its images from; ``-`` is stdin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import BinaryIO

from oci_merge import UsageError

_STDIN = "-"


def source_files(given: Sequence[str], *, password_stdin: bool) -> list[str | BinaryIO]:
    """Return the values of ``--source-file`` as the library takes them.

    Args:
        given: the values.
        password_stdin: whether the password is read from stdin.

    Returns:
        The paths, and stdin as an open file; the library reads it.

    Raises:
        UsageError: stdin is read twice, or there is none.
    """
    if _STDIN not in given:
        return [*given]
    if password_stdin:
        raise UsageError(
            "--source-file - and --password-stdin both read stdin",
            hint="write the digests into a file, or give the password by OCI_MERGE_PASSWORD",
        )
    if given.count(_STDIN) > 1:
        raise UsageError(
            "--source-file - is given twice, but stdin is read once", hint="keep one of the two"
        )
    if sys.stdin is None:
        raise UsageError(
            "--source-file - is given, but stdin is closed",
            hint="connect stdin to a pipe or to a file",
        )
    return [sys.stdin.buffer if file == _STDIN else file for file in given]
