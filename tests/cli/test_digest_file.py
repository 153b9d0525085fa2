"""Which files a run writes: the digest file, and nothing in a dry run."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from tests.cli.running import PROGRAM, Program, run_process


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


def test_a_pipe_is_given_the_digest(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], tmp_path: Path
) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert program(*merge_arguments, "--digest-file", str(pipe)).status == 0
    reader.join(10)
    assert read == [registry.storage.repositories["team/img"].tags["1.0"]]


def test_a_pipe_that_is_stdout_has_the_digest_in_a_line_of_its_own(
    registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    outcome = run_process(*merge_arguments, "--digest-file", "/dev/stdout")
    digest = registry.storage.repositories["team/img"].tags["1.0"]
    assert outcome.status == 0
    assert outcome.stdout.startswith(f"{digest}\nDigest: {digest} ")


def test_a_file_that_is_stdout_keeps_what_stood_there(
    registry: EmbeddedRegistry, merge_arguments: list[str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("w") as stdout:
        print("before", file=stdout, flush=True)
        words = [*PROGRAM, *merge_arguments, "--digest-file", "/dev/stdout"]
        subprocess.run(words, stdout=stdout, stderr=subprocess.DEVNULL, check=True, timeout=60)
    digest = registry.storage.repositories["team/img"].tags["1.0"]
    assert log.read_text().startswith(f"before\n{digest}\nDigest: {digest} ")
