"""Credential helpers within a run: its deadline and its end are theirs too; warnings."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.server import RunningServer
from oci_merge import Event, TransportError, Warned
from tests.edge.support import CI, PASSWORD, merge, until

_SLEEP = 60


@pytest.fixture
def helper(
    registry: EmbeddedRegistry, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A helper that sleeps; the file gets the process id of its child."""
    registry.settings.auth = BasicAuth([CI])
    left, folder = tmp_path / "pid", tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-slow"
    program.write_text(
        f"#!/bin/sh\nsleep {_SLEEP} & echo $! > {left}.new; mv {left}.new {left}; wait\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"credsStore": "slow"}))
    return left


def _has_ended(pid: Path) -> bool:
    try:
        state = Path(f"/proc/{pid.read_text().strip()}/stat").read_text()
    except FileNotFoundError:
        return True
    return state.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.anyio
async def test_a_helper_gets_what_is_left_of_the_deadline(
    server: RunningServer, helper: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(TransportError, match=rf"still waited for a login for {server.host}"):
        await oci_merge.inspect_async(f"{server.host}/team/app-amd64:1.0", deadline=1.5)
    assert time.monotonic() - began < _SLEEP / 2
    assert await until(lambda: _has_ended(helper))


@pytest.mark.anyio
async def test_a_helper_is_ended_with_a_run_that_is_cancelled(
    server: RunningServer, helper: Path
) -> None:
    run = asyncio.ensure_future(oci_merge.inspect_async(f"{server.host}/team/app-amd64:1.0"))
    assert await until(helper.exists, _SLEEP)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert await until(lambda: _has_ended(helper))


@pytest.mark.anyio
async def test_the_end_of_one_run_does_not_end_the_helper_that_another_waits_for(
    server: RunningServer, helper: Path
) -> None:
    image = f"{server.host}/team/app-amd64:1.0"
    async with oci_merge.AsyncClient() as client:
        first = asyncio.ensure_future(client.inspect(image))
        assert await until(helper.exists, _SLEEP)
        second = asyncio.ensure_future(client.inspect(image))
        await asyncio.sleep(0.3)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not _has_ended(helper)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
    assert await until(lambda: _has_ended(helper))


def test_a_line_break_in_a_secret_is_warned_of_once_and_the_login_works(
    server: RunningServer, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.settings.auth = BasicAuth([CI])
    monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", f"{PASSWORD}\n")
    warning = (
        "the password of ci (from OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD) ends in a line break, "
        "which is not sent: printf writes none, echo does"
    )
    assert merge(server.host).warnings == (warning,)
    events: list[Event] = []
    oci_merge.inspect(f"{server.host}/team/app-amd64:1.0", on_event=events.append)
    assert [event.message for event in events if isinstance(event, Warned)] == [warning]
