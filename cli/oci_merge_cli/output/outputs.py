"""Writes what was published to everything that the next job reads: files, and a runner's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from oci_merge import MergeResult, UsageError
from oci_merge_cli.output.stdout import OutputError

_Warn = Callable[[str], None]


class Files(Protocol):
    """The files that the user named; ``FileOptions`` is one."""

    @property
    def digest_file(self) -> Path | None:
        """Gets the digest alone."""

    @property
    def metadata_file(self) -> Path | None:
        """Gets buildx's metadata."""

    @property
    def dotenv(self) -> Path | None:
        """Gets variables."""

    @property
    def no_github(self) -> bool:
        """Whether to leave a runner's files alone."""


class _File(NamedTuple):
    """A file that the user named.

    Args:
        option: the option that names it.
        what: what it is called in an error.
        path: where it is.
        text: returns its content; takes the result, the path and what to tell of warnings.
    """

    option: str
    what: str
    path: Path
    text: Callable[[MergeResult, Path, _Warn], str]


def check_outputs(files: Files, *, dry_run: bool = False) -> None:
    """Check that all files can be written, before the first request. No file is left behind.

    Args:
        files: the files.
        dry_run: create no file for a moment either.

    Raises:
        UsageError: one cannot be written, or two options name the same one.
    """
    if not (named := list(_named(files))):
        return
    from oci_merge_cli.output.files import check_file

    taken: dict[str, str] = {}
    for file in named:
        check_file(file.path, option=file.option, what=file.what, dry_run=dry_run)
        real = os.path.realpath(file.path)
        other = taken.setdefault(real, file.option)
        if other != file.option and (os.path.isfile(real) or not os.path.exists(real)):
            raise UsageError(
                f"{other} and {file.option} name the same file", hint="give each a file of its own"
            )
    if files.dotenv:
        from oci_merge_cli.output.dotenv import other_text

        other_text(files.dotenv)


def write_outputs(result: MergeResult, files: Files, warn: _Warn) -> None:
    """Write what was published to all files, and to a runner's. A dry run writes nothing.

    Args:
        result: what was published.
        files: the files, which ``check_outputs`` has checked before.
        warn: is told what is left out, which file of a runner cannot be written, and that every
            tag was kept.

    Raises:
        OutputError: some files cannot be written; all others are. The message has the digest.
    """
    if result.dry_run:
        return
    named = list(_named(files))
    for_runner = not files.no_github and os.environ.get("GITHUB_ACTIONS") == "true"
    if named or for_runner:
        _warn_of_kept(result, warn)
    failed = [reason for file in named if (reason := _write(file, result, warn))]
    if for_runner:
        from oci_merge_cli.output.github import write_step

        write_step(result, os.environ, warn)
    if failed:
        raise OutputError(
            f"{result.target} is published as {result.digest}, but {', and '.join(failed)}"
        )


def _warn_of_kept(result: MergeResult, warn: _Warn) -> None:
    from oci_merge_cli.output.published import is_kept

    if all(is_kept(target) for target in result.targets):
        warn(
            f"every tag was kept, so nothing was published: {result.digest}, which the next job "
            "is told, may not be in the registry"
        )


def _write(file: _File, result: MergeResult, warn: _Warn) -> str:
    """Write a file, and return why it cannot be written, or an empty string."""
    from oci_merge_cli.output.files import write_file

    try:
        write_file(file.path, file.text(result, file.path, warn))
    except (OSError, UsageError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        return f"the {file.what} {file.path} could not be written: {reason}"
    return ""


def _named(files: Files) -> Iterator[_File]:
    if files.digest_file:
        yield _File("--digest-file", "digest file", files.digest_file, _digest)
    if files.metadata_file:
        yield _File("--metadata-file", "metadata file", files.metadata_file, _metadata)
    if files.dotenv:
        yield _File("--dotenv", "dotenv file", files.dotenv, _dotenv)


def _digest(result: MergeResult, path: Path, warn: _Warn) -> str:
    return result.digest


def _metadata(result: MergeResult, path: Path, warn: _Warn) -> str:
    from oci_merge_cli.output.metadata_file import metadata_text

    return metadata_text(result)


def _dotenv(result: MergeResult, path: Path, warn: _Warn) -> str:
    from oci_merge_cli.output.dotenv import dotenv_text, other_text

    return dotenv_text(result, other_text(path), warn)
