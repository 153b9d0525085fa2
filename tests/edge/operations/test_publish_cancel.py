"""Cancelled runs leave no upload open, move no tag and log nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.server import RunningServer
from oci_merge import Event, MergeResult, ServerError, StageAdvanced
from oci_merge.operations import transfer
from oci_merge.registry.types import RefusedMount
from tests.edge.support import (
    ARM64,
    OLD,
    REPOSITORY,
    Answers,
    Delays,
    add_old,
    asks,
    paths,
    reply,
    sources,
    tags,
    target,
    until,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def noise(caplog: pytest.LogCaptureFixture) -> AsyncIterator[list[dict[str, Any]]]:
    """What the event loop complains about; there must be none of it in the end."""
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    yield heard
    gc.collect()
    await asyncio.sleep(0)
    loop.set_exception_handler(before)
    assert heard == []
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [record for record in loud if record.name.startswith(("asyncio", "oci_merge"))]


def _start(server: RunningServer, **options: Any) -> asyncio.Task[MergeResult]:
    host = server.host
    return asyncio.create_task(
        oci_merge.merge_async(target(host), sources=sources(host), **options)
    )


async def _cancel(task: asyncio.Task[MergeResult], when: Callable[[], bool]) -> None:
    assert await until(when)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def _others() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_uploads_that_were_opened_when_a_run_is_cancelled_are_cancelled(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.refuse_mounts = True
    registry.hooks.append(Delays(asks("POST"), 0.2, answers=True))
    add_old(registry, "latest")
    task = _start(server)
    await _cancel(task, lambda: len(registry.open_uploads) >= 3)
    assert registry.open_uploads == []
    assert paths(registry.requests, "DELETE")
    assert tags(registry) == {"latest": OLD.digest}


async def test_a_run_that_is_cancelled_while_it_mounts_moves_no_tag_later(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Delays(asks("POST"), 0.2))
    add_old(registry, "latest")
    begun = len(_others())
    task = _start(server)
    await _cancel(task, lambda: len(paths(registry.requests, "GET", "/blobs/")) == 3)
    await asyncio.sleep(0.3)
    assert tags(registry) == {"latest": OLD.digest}
    assert not paths(registry.requests, "PUT")
    assert len(_others()) == begun


@pytest.mark.parametrize(
    ("method", "part"),
    [
        ("GET", "/manifests/1.0"),
        ("GET", f"/{REPOSITORY}/manifests/latest"),
        ("GET", "/blobs/"),
        ("POST", "mount="),
        ("PUT", "/manifests/sha256:"),
        ("PUT", "/manifests/latest"),
    ],
)
async def test_a_run_may_be_cancelled_at_any_step(
    method: str, part: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    waiting: list[str] = []

    def held(request: Any) -> bool:
        if asks(method, part)(request):
            waiting.append(request.url.path)
            return True
        return False

    registry.hooks.append(Delays(held, 0.2))
    add_old(registry, "latest")
    await _cancel(_start(server), lambda: bool(waiting))
    assert tags(registry) == {"latest": OLD.digest}
    assert registry.open_uploads == []


async def test_a_run_that_times_out_says_so_as_asyncio_does(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.refuse_mounts = True
    registry.hooks.append(Delays(asks("POST"), 0.3, answers=True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_start(server), 0.2)
    assert registry.open_uploads == []


async def test_a_mount_that_takes_too_long_is_not_waited_for(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    set_timings(closing=0.05)
    registry.hooks.append(Delays(asks("POST"), 0.5))
    begun = len(_others())
    task = _start(server)
    await _cancel(task, lambda: len(paths(registry.requests, "GET", "/blobs/")) == 3)
    assert not paths(registry.requests, "POST")
    assert await until(lambda: len(_others()) == begun, seconds=0.3)


async def test_an_upload_that_is_opened_in_the_turn_of_the_cancellation_is_cancelled_too() -> None:
    is_answered = asyncio.Event()
    cancelled: list[str] = []

    async def mount() -> RefusedMount:
        await is_answered.wait()
        return RefusedMount("it offered an upload instead", "/v2/team/app/blobs/uploads/1")

    async def discard(refusal: RefusedMount) -> None:
        cancelled.append(refusal.upload)

    mounting = transfer._MountTask(mount(), discard)
    run = asyncio.create_task(mounting.answer())
    await asyncio.sleep(0)  # run waits for the answer now
    mounting.task.add_done_callback(lambda _: run.cancel())
    is_answered.set()
    with pytest.raises(asyncio.CancelledError):
        await run
    await mounting.task
    assert cancelled == ["/v2/team/app/blobs/uploads/1"]


async def test_a_run_that_fails_while_it_mounts_cancels_the_uploads_that_were_opened(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.refuse_mounts = True
    part = ARM64.config.digest.removeprefix("sha256:")
    registry.hooks += [
        Delays(asks("POST", part), 0.05),
        Answers(asks("POST", part), reply(500)),
        Delays(asks("POST", "mount"), 0.2, answers=True),
    ]
    with pytest.raises(ServerError):
        await _start(server)
    assert registry.open_uploads == []


async def test_a_config_that_fails_ends_the_mounts_and_leaves_no_upload_open(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.refuse_mounts = True
    registry.hooks += [
        Answers(asks("GET", f"/blobs/{ARM64.config.digest}"), reply(500)),
        Delays(asks("POST", "mount"), 0.2, answers=True),
    ]
    with pytest.raises(ServerError, match="the config of"):
        await _start(server)
    assert registry.open_uploads == []
    assert tags(registry) == {}


async def test_a_listener_that_raises_ends_the_run_before_a_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    def raises(event: Event) -> None:
        if isinstance(event, StageAdvanced) and event.stage == "mounts":
            raise LookupError("the listener's own")

    add_old(registry, "latest")
    with pytest.raises(LookupError, match="the listener's own"):
        await _start(server, on_event=raises)
    assert tags(registry) == {"latest": OLD.digest}


async def test_two_runs_in_one_loop_do_not_disturb_each_other(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    host = server.host
    runs = [
        oci_merge.merge_async(target(host, tag), sources=sources(host)) for tag in ("one", "two")
    ]
    first, second = await asyncio.gather(*runs)
    assert first.digest == second.digest
    assert tags(registry) == {"one": first.digest, "two": second.digest}
