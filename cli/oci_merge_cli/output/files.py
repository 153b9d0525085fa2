"""Writes files that the user named: checked before a merge begins, replaced as a whole after it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from oci_merge import UsageError

#: Where a folder takes no new file, one in it may still be written; a file that is mounted into a
#: container cannot be replaced.
_NOT_REPLACED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY})


def check_file(path: Path, *, option: str, what: str, dry_run: bool) -> None:
    """Check that a file can be written, before a merge begins. The check leaves no file behind.

    Args:
        path: the file.
        option: the option that names it.
        what: names the file in an error, for example ``digest file``.
        dry_run: create the file for no moment either.

    Raises:
        UsageError: it cannot be written, or is ``-``, which other programs take for stdout.
    """
    if str(path) == "-":
        raise UsageError(
            f"{option} - names no file, and stdout has the digest in any case",
            hint="leave it out and read stdout, or name a file",
        )
    try:
        _open_once(path, creates=not dry_run)
    except OSError as error:
        raise UsageError(
            f"the {what} {path} cannot be written: {error.strerror}",
            # An empty name is the working directory to pathlib.
            hint="name a file in a folder that exists and is writable"
            if path.parts
            else "name a file; perhaps the variable for it is empty",
        ) from error


def write_file(path: Path, content: str) -> None:
    """Write a file as a whole: whoever reads it finds what was there before, or all of the new.

    A pipe, a device, and a file that may be written but not replaced are written in their place.
    What is a stream of this process gets a line more.

    Args:
        path: the file; a link is followed, and a file that is there keeps its mode and its owner.
        content: its text, written as UTF-8.

    Raises:
        OSError: it cannot be written.
    """
    stream = _stream(path)
    if stream is not None:
        # Opening /dev/stdout would empty the file that a shell sends stdout to.
        with open(stream, "wb", closefd=False) as opened:
            opened.write(content.removesuffix("\n").encode() + b"\n")
        return
    if (path.exists() and not path.is_file()) or path.is_relative_to("/dev"):
        path.write_bytes(content.encode())
        return
    try:
        _replace(Path(os.path.realpath(path)), content.encode())
    except OSError as error:
        if error.errno not in _NOT_REPLACED:
            raise
        path.write_bytes(content.encode())


def _stream(path: Path) -> int | None:
    """Return the descriptor of stdout or stderr where the path is the same file, else None."""
    for descriptor in (1, 2):
        with suppress(OSError):  # one of the two is not there
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
    return None


def _replace(file: Path, content: bytes) -> None:
    made = file.with_name(f".oci-merge-{os.urandom(8).hex()}")
    try:
        with made.open("xb") as stream:
            if file.exists():
                before = file.stat()
                if os.fstat(stream.fileno()).st_uid != before.st_uid:
                    # It stays its owner's, who may want to add something.
                    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
                os.chmod(made, stat.S_IMODE(before.st_mode))
            stream.write(content)
        os.replace(made, file)
    except BaseException:
        with suppress(OSError):
            made.unlink()
        raise


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
