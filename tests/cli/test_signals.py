"""SIGINT and SIGTERM: the run is cancelled, the tags stay, and no upload is left open."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from tests.cli.running import Outcome, ended, started

BOTH = pytest.mark.parametrize(
    ("number", "name", "status"),
    [(signal.SIGINT, "SIGINT", 130), (signal.SIGTERM, "SIGTERM", 143)],
)
_SECONDS = 30


class Slow(Hook):
    """Holds requests up, before or after the registry has dealt with them.

    Args:
        method: the method of the requests to hold up.
        part: what is in their path.
        seconds: for how long.
        after: whether the registry has dealt with them already.
    """

    def __init__(
        self, method: str, part: str, *, seconds: float = _SECONDS, after: bool = False
    ) -> None:
        self._method, self._part, self._seconds, self._after = method, part, seconds, after
        self.reached = threading.Event()

    async def before(self, request: Request) -> Response | None:
        if not self._after:
            await self._hold_up(request)
        return None

    async def after(self, request: Request, response: Response) -> Response:
        if self._after:
            await self._hold_up(request)
        return response

    async def _hold_up(self, request: Request) -> None:
        if request.method == self._method and self._part in request.url.path:
            self.reached.set()
            await asyncio.sleep(self._seconds)


def interrupted(slow: Slow, number: signal.Signals, *arguments: str, times: int = 1) -> Outcome:
    """Run the program, and send it a signal once a request is held up."""
    with started(*arguments) as process:
        assert slow.reached.wait(_SECONDS)
        for _ in range(times):
            process.send_signal(number)
        return ended(process)


@BOTH
@pytest.mark.parametrize("command", [[], ["push", "from-args"]])
def test_a_signal_ends_a_merge_with_one_line_and_moves_no_tag(
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    command: list[str],
    number: signal.Signals,
    name: str,
    status: int,
) -> None:
    slow = Slow("GET", "/manifests/")
    registry.hooks.append(slow)
    began = time.monotonic()
    outcome = interrupted(slow, number, *command, *merge_arguments)
    assert outcome == Outcome(status, "", f"error: interrupted by {name} before any tag moved\n")
    assert "team/img" not in registry.storage.repositories
    assert time.monotonic() - began < 10


@BOTH
def test_a_signal_among_the_mounts_leaves_no_upload_open(
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    number: signal.Signals,
    name: str,
    status: int,
) -> None:
    slow = Slow("POST", "/blobs/uploads/", seconds=0.5, after=True)
    registry.settings.refuse_mounts = True
    registry.hooks.append(slow)
    outcome = interrupted(slow, number, *merge_arguments)
    assert outcome == Outcome(status, "", f"error: interrupted by {name} before any tag moved\n")
    assert registry.open_uploads == []
    assert [request.method for request in registry.requests].count("DELETE") == 7
    assert not registry.storage.repositories.get("team/img")


def test_the_same_signal_twice_at_once_still_leaves_no_upload_open(
    registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    slow = Slow("POST", "/blobs/uploads/", seconds=0.5, after=True)
    registry.settings.refuse_mounts = True
    registry.hooks.append(slow)
    outcome = interrupted(slow, signal.SIGINT, *merge_arguments, times=3)
    assert outcome.status == 130
    assert len(outcome.errors) == 1
    assert registry.open_uploads == []


def test_a_signal_among_the_tags_names_those_that_moved(
    registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    registry.hooks.append(Slow("PUT", "/manifests/latest"))
    with started(*merge_arguments, "--tags", "latest", "--output", "json") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "tag 1.0 moved\n"
        process.send_signal(signal.SIGTERM)
        outcome = ended(process)
    sentence = "interrupted by SIGTERM while the tags were being moved; moved already: 1.0"
    assert outcome.status == 143
    assert outcome.errors == [f"error: {sentence}"]
    shown = {"kind": "Interrupted", "message": sentence, "hint": "", "moved": ["1.0"]}
    assert json.loads(outcome.stdout) == shown | {"error": {"code": "interrupted", **shown}}
    assert set(registry.storage.repositories["team/img"].tags) == {"1.0"}


def test_a_signal_at_the_first_tag_does_not_claim_that_none_moved(
    registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    slow = Slow("PUT", "/manifests/1.0", after=True)
    registry.hooks.append(slow)
    outcome = interrupted(slow, signal.SIGINT, *merge_arguments)
    assert outcome.errors == [
        "error: interrupted by SIGINT while the tags were being moved; none is known to have moved"
    ]


@BOTH
def test_a_signal_ends_inspect(
    registry: EmbeddedRegistry, host: str, number: signal.Signals, name: str, status: int
) -> None:
    slow = Slow("GET", "/manifests/")
    registry.hooks.append(slow)
    outcome = interrupted(slow, number, "inspect", f"{host}/team/img-amd64:1.0")
    assert outcome == Outcome(status, "", f"error: interrupted by {name}\n")


@BOTH
def test_a_signal_before_the_event_loop_runs_is_no_traceback(
    number: signal.Signals, name: str, status: int
) -> None:
    arguments = ["--username", "u", "--password-stdin", "inspect", "reg.example/a:1"]
    with started(*arguments, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        # More than a pipe holds: once it is written, the program is reading.
        process.stdin.write("x" * 200_000)
        process.stdin.flush()
        process.send_signal(number)
        outcome = ended(process)
    assert outcome == Outcome(status, "", f"error: interrupted by {name}\n")


@BOTH
def test_a_signal_ends_a_merge_that_waits_for_digests_on_stdin(
    number: signal.Signals, name: str, status: int
) -> None:
    arguments = ("--source-file", "-", "--target", "reg.example/app:1.0")
    with started(*arguments, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        # More than a pipe holds: once it is written, the program is reading.
        process.stdin.write("# \n" * 100_000)
        process.stdin.flush()
        process.send_signal(number)
        process.wait(_SECONDS)  # before stdin ends
        outcome = ended(process)
    sentence = f"interrupted by {name} before any tag moved"
    assert outcome == Outcome(status, "", f"error: {sentence}\n")


@BOTH
@pytest.mark.parametrize("command", ["inspect", "credentials"])
def test_a_signal_ends_a_credential_helper_too(
    registry: EmbeddedRegistry,
    host: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    number: signal.Signals,
    name: str,
    status: int,
) -> None:
    registry.settings.auth = BasicAuth([])
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text('{"credsStore": "slow"}')
    program, pid = home / "docker-credential-slow", home / "pid"
    program.write_text(f"#!/bin/sh\nsleep 60 & echo $! > {pid}.new; mv {pid}.new {pid}; wait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    with started(command, f"{host}/team/img-amd64:1.0") as process:
        began = time.monotonic()
        while not pid.exists():
            assert time.monotonic() - began < _SECONDS
            time.sleep(0.01)
        process.send_signal(number)
        outcome = ended(process)
    assert outcome.status == status
    assert outcome.errors[0].startswith(f"error: interrupted by {name}")
    while _runs(int(pid.read_text())):
        assert time.monotonic() - began < _SECONDS
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """Say whether a process runs; a zombie, which nobody has waited for, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
