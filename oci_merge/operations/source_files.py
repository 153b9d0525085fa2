"""Finds and reads the files that builders wrote: files, folders, patterns and open files."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator

from oci_merge._text import printable
from oci_merge.errors import UsageError
from oci_merge.options import Readable
from oci_merge.planning.builder_formats import read_builder_output
from oci_merge.planning.builder_output import BuilderOutput, BuiltImage, distinct_images

#: Bytes. buildx's files hold the whole provenance, which may have megabytes.
_MAX_FILE = 16 * 1024 * 1024
#: More than any image has platforms; a folder with more is not one of digests.
_MAX_FILES = 1000
#: Levels of folders. Links may lead in a circle.
_MAX_DEPTH = 8
#: The file by which a folder is known as an OCI image layout (OCI image spec, "Image Layout").
_LAYOUT_FILE = "oci-layout"
_PATTERN = frozenset("*?[")


def read_source_files(files: Iterable[str | Readable]) -> tuple[BuiltImage, ...]:
    """Read the images that builders' files name.

    A folder stands for the files in it and in its folders, in the order of their names; hidden
    ones are left out. A pattern stands for what matches it, in the same order.

    Args:
        files: paths of files and folders, patterns with ``*``, ``?``, ``[…]`` and ``**``, and open
            files.

    Returns:
        The images, each once, in the order of their first mention.

    Raises:
        UsageError: a file is not there, cannot be read or is none of a builder's; or a folder or
            pattern gives none.
    """
    return distinct_images([output for file in files for output in _outputs(file)])


def _outputs(file: str | Readable) -> Iterator[BuilderOutput]:
    if not isinstance(file, str):
        yield _read_open(file)
        return
    paths = _Paths(file)
    for path in paths.files():
        yield read_builder_output(_content(path), path)


def _read_open(file: Readable) -> BuilderOutput:
    name = getattr(file, "name", "")
    # Files without a path have numbers for names, or <stdin>.
    shown = printable(name).strip("<>") if isinstance(name, str) and name else "the open file"
    try:
        read = file.read(_MAX_FILE + 1)
        content = read.encode() if isinstance(read, str) else read
    except (OSError, ValueError) as error:  # ValueError: a closed file, or bytes that are no text
        raise _unreadable(shown, error) from error
    return read_builder_output(_bounded(content, shown), shown)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as opened:
            return _bounded(opened.read(_MAX_FILE + 1), path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _bounded(content: bytes, path: str) -> bytes:
    if len(content) > _MAX_FILE:
        raise UsageError(
            f"{printable(path)} has more than {_MAX_FILE // 2**20} MiB, and so is no digest file",
            hint="give the file that a builder wrote, and not an image",
        )
    return content


def _unreadable(path: str, error: Exception) -> UsageError:
    reason = (error.strerror if isinstance(error, OSError) else None) or printable(str(error))
    return UsageError(
        f"{printable(path)} cannot be read: {reason}",
        hint="check the path, and that the jobs before this one hand the file on",
    )


class _Paths:
    """The files that one path, folder or pattern stands for.

    Args:
        given: the path or pattern.
    """

    def __init__(self, given: str) -> None:
        self._given = given
        self._count = 0

    def files(self) -> Iterator[str]:
        """Yield the paths of the files.

        Raises:
            UsageError: there is none, or there are too many.
        """
        given = self._given
        if not given:
            raise UsageError(
                "a source file has an empty name",
                hint="name a file, a folder or a pattern; perhaps the variable for it is empty",
            )
        if os.path.lexists(given) or not _PATTERN & set(given):
            yield from self._expanded(given)
            return
        matches = sorted(glob.glob(given, recursive=True))
        if "**" in given:  # which matches folders and what is in them
            matches = [match for match in matches if not os.path.isdir(match)]
        if not matches:
            raise UsageError(
                f"no file matches {printable(given)!r}",
                hint="check the pattern, and that the jobs before this one hand their files on",
            )
        for match in matches:
            yield from self._expanded(match)

    def _expanded(self, path: str) -> Iterator[str]:
        if not os.path.isdir(path):
            yield self._counted(path)
            return
        found = False
        for file in self._within(path, 1):
            found = True
            yield file
        if not found:
            raise UsageError(
                f"the folder {printable(path)} has no file in it",
                hint="check that the build jobs uploaded their digests, and to where the folder "
                "was downloaded",
            )

    def _within(self, folder: str, depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            raise self._too_large(f"more than {_MAX_DEPTH} levels")
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise _unreadable(folder, error) from error
        if any(entry.name == _LAYOUT_FILE for entry in entries):
            raise UsageError(
                f"the folder {printable(folder)} is an OCI image layout, not a folder of digests",
                hint="push the layout to a registry, and give what the pushing tool prints",
            )
        for entry in entries:
            # Such as .gitkeep, and the folders behind the links of a Kubernetes volume.
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from self._within(entry.path, depth + 1)
            else:
                yield self._counted(_regular(entry.path))

    def _counted(self, path: str) -> str:
        self._count += 1
        if self._count > _MAX_FILES:
            raise self._too_large(f"more than {_MAX_FILES} files")
        return path

    def _too_large(self, what: str) -> UsageError:
        return UsageError(
            f"{printable(self._given)} has {what}, and so is no folder of digests",
            hint="name the folder with the digests alone, or a pattern such as 'build/*.json'",
        )


def _regular(path: str) -> str:
    """Return the path of a file in a folder; a pipe there would be waited for without an end.

    Raises:
        UsageError: it is another kind of file, or a link to nothing.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"{printable(path)} is neither a file nor a folder",
            hint="name the files with the digests, one by one or by a pattern",
        )
    return path
