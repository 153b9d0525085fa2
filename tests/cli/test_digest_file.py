"""Which files a run writes: the digest file, and nothing in a dry run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from tests.cli.running import Program


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_dash_is_no_digest_file(
    output: str,
    program: Program,
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--dry-run"]):
        outcome = program(*merge_arguments, "--digest-file", "-", "--output", output, *more)
        assert outcome.status == 2
        assert outcome.errors == [
            "error: --digest-file - names no file, and stdout has the digest in any case",
            "hint: leave it out and read stdout, or name a file",
        ]
    assert not registry.requests
    assert not list(tmp_path.iterdir())


def test_a_dry_run_creates_no_digest_file_for_a_moment_either(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    before = tmp_path.stat().st_mtime_ns
    arguments = [*merge_arguments, "--dry-run", "--digest-file", str(tmp_path / "digest")]
    assert program(*arguments).status == 0
    assert not list(tmp_path.iterdir())
    assert tmp_path.stat().st_mtime_ns == before  # it changes where a file comes and goes


def test_a_dry_run_leaves_a_digest_file_that_is_there_as_it_is(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    file, link = tmp_path / "digest", tmp_path / "link"
    file.write_text("kept")
    link.symlink_to(tmp_path / "nothing")
    for path in (file, link):
        assert program(*merge_arguments, "--dry-run", "--digest-file", str(path)).status == 0
    assert file.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digest", "link"]


@pytest.mark.parametrize("path", [".", "none/digest", "x" * 300, "file/digest", "/dev/null/x"])
def test_a_dry_run_tells_of_a_digest_file_that_a_run_could_not_write(
    path: str,
    program: Program,
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    outcome = program(*merge_arguments, "--dry-run", "--digest-file", path)
    assert outcome.status == 2
    assert outcome.errors[0].startswith(f"error: the digest file {path} cannot be written: ")
    assert not registry.requests


def test_a_pipe_is_a_digest_file(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert program(*merge_arguments, "--dry-run", "--digest-file", str(pipe)).status == 0
