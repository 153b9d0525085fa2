"""Writes the digest of what was published to a file."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from oci_merge import MergeResult, UsageError
from oci_merge_cli.output.stdout import OutputError


def check_digest_file(path: Path, *, dry_run: bool) -> None:
    """Check that a file can be written, before a merge begins. The check leaves no file behind.

    Args:
        path: the file.
        dry_run: create the file for no moment either.

    Raises:
        UsageError: it cannot be written, or is ``-``, which other programs take for stdout.
    """
    if str(path) == "-":
        raise UsageError(
            "--digest-file - names no file, and stdout has the digest in any case",
            hint="leave it out and read stdout, or name a file",
        )
    try:
        _open_once(path, creates=not dry_run)
    except OSError as error:
        raise UsageError(
            f"the digest file {path} cannot be written: {error.strerror}",
            hint="name a file in a folder that exists and is writable",
        ) from error


def write_digest_file(path: Path, result: MergeResult) -> None:
    """Write the digest of a published image to a file, or as a line to a stream of this process.

    Args:
        path: the file, which may be a pipe, a device, or what stdout or stderr lead to.
        result: what was published.

    Raises:
        OutputError: it cannot be written; the error has the digest.
    """
    try:
        stream = _stream(path)
        if stream is None:
            path.write_text(result.digest)
            return
        # Opening /dev/stdout would empty the file that a shell sends stdout to.
        with open(stream, "w", closefd=False) as file:
            file.write(f"{result.digest}\n")
    except OSError as error:
        raise OutputError(
            f"{result.target} is published as {result.digest}, "
            f"but the digest file {path} could not be written: {error.strerror}"
        ) from error


def _stream(path: Path) -> int | None:
    """Return the descriptor of stdout or stderr where the path is the same file, else None."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # one of the two is not there
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
    return None


def _open_once(path: Path, *, creates: bool) -> None:
    if path.is_fifo():
        return  # opening a FIFO waits for its reader
    if path.exists() or (os.path.lexists(path) and creates):
        path.open("ab").close()
    elif creates:
        # Only opening it tells for sure: root and network file systems do not go by permissions.
        path.open("ab").close()
        path.unlink()
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        code = errno.EACCES if path.parent.is_dir() else errno.ENOENT
        raise OSError(code, os.strerror(code))
