"""A transport that is closed under use: every request ends at once, and says that it was closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.server import RunningServer
from oci_merge.http.lifetime import Lifetime
from oci_merge.http.message import Request
from oci_merge.http.timings import Timings
from tests.edge.support import Answers, asks, reply, session, speaking, until

pytestmark = pytest.mark.anyio

_PING = Request("GET", "/v2/")


async def _is_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def _cancellations() -> int:
    """Return how many cancellations of the current task are left, unless one ends it here."""
    await asyncio.sleep(0.01)
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def test_nothing_is_sent_after_the_end(server: RunningServer) -> None:
    made = session(server.host)
    await made.send(_PING)
    await made.transport.aclose()
    for sending in (made.send(_PING), made.transport.send(_PING)):
        with pytest.raises(RuntimeError, match="the client is closed"):
            await sending


@pytest.mark.parametrize("plain_http", [True, False], ids=["settled", "not settled"])
@pytest.mark.parametrize("count", [1, 100])
async def test_requests_under_way_end_at_once(plain_http: bool, count: int) -> None:
    async with speaking(_is_silent) as host:
        made = session(host, plain_http=plain_http)
        sending = [asyncio.create_task(made.send(_PING)) for _ in range(count)]
        await asyncio.sleep(0.05)
        await made.transport.aclose()
        async with asyncio.timeout(2):
            outcomes = await asyncio.gather(*sending, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {RuntimeError}
    assert {str(outcome) for outcome in outcomes} == {"the client is closed; make another one"}


async def test_a_tls_handshake_under_way_ends_at_once() -> None:
    async with speaking(_is_silent) as host:
        made = session(host, timings=Timings(answer=0.01, brief=5, first_retry=0.001))
        sending = asyncio.create_task(made.send(_PING))
        await asyncio.sleep(0.1)
        await made.transport.aclose()
        with pytest.raises(RuntimeError, match="the client is closed"):
            async with asyncio.timeout(2):
                await sending


async def test_a_retry_that_waits_is_not_made(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for status in (503, 429):
        registry.hooks[:] = [Answers(asks("GET"), reply(status, retry_after="60"))]
        registry.requests.clear()
        made = session(server.host)
        sending = [asyncio.create_task(made.send(_PING)) for _ in range(3)]
        assert await until(lambda: len(registry.requests) == 3)
        await asyncio.sleep(0.05)
        await made.transport.aclose()
        async with asyncio.timeout(2):
            outcomes = await asyncio.gather(*sending, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {RuntimeError}
        assert len(registry.requests) == 3


async def test_a_body_that_is_read_ends_at_once() -> None:
    async def never_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await _is_silent(reader, writer)

    async with speaking(never_ends) as host:
        made = session(host, plain_http=True)
        sending = asyncio.create_task(made.send(_PING))
        await asyncio.sleep(0.05)
        await made.transport.aclose()
        with pytest.raises(RuntimeError, match="the client is closed"):
            async with asyncio.timeout(2):
                await sending


async def test_a_request_that_was_cancelled_is_no_closed_one(server: RunningServer) -> None:
    async with speaking(_is_silent) as host:
        made = session(host)
        sending = asyncio.create_task(made.send(_PING))
        await asyncio.sleep(0.02)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await made.transport.aclose()


async def test_a_merge_whose_client_is_closed_ends_with_a_runtime_error(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    client = oci_merge.AsyncClient()
    registry.hooks.append(Answers(asks("POST"), reply(503, retry_after="60")))
    names = [f"{server.host}/team/app-{name}:1.0" for name in ("amd64", "arm64")]
    merging = asyncio.create_task(client.merge(f"{server.host}/team/app:1", sources=names))
    assert await until(lambda: any(seen.method == "POST" for seen in registry.requests))
    await client.aclose()
    with pytest.raises(RuntimeError, match="the client was closed"):
        async with asyncio.timeout(2):
            await merging


@pytest.mark.parametrize("seconds", [None, 60], ids=["then ends", "then waits"])
async def test_a_block_that_ends_its_lifetime_itself_leaves_no_cancellation_behind(
    seconds: int | None,
) -> None:
    async def block() -> None:
        lifetime = Lifetime()
        with lifetime.use():
            lifetime.end()
            if seconds is not None:
                await asyncio.sleep(seconds)

    async def ends() -> int:
        with pytest.raises(RuntimeError, match="the client is closed"):
            await block()
        return await _cancellations()

    # In a task of its own, which a cancellation that is left behind ends.
    assert await asyncio.create_task(ends()) == 0


async def test_a_lifetime_may_end_twice() -> None:
    async def runs() -> int:
        with pytest.raises(RuntimeError, match="the client is closed"), lifetime.use():
            await asyncio.sleep(60)
        return await _cancellations()

    lifetime = Lifetime()
    running = asyncio.create_task(runs())
    await asyncio.sleep(0)
    lifetime.end()
    lifetime.end()
    assert await running == 0


async def test_a_cancelled_block_whose_lifetime_ends_as_well_stays_cancelled() -> None:
    async def runs() -> None:
        with lifetime.use():
            await asyncio.sleep(60)

    lifetime = Lifetime()
    running = asyncio.create_task(runs())
    await asyncio.sleep(0)
    lifetime.end()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_operation_that_closes_its_client_at_its_end_leaves_its_task_uncancelled(
    server: RunningServer,
) -> None:
    """As on_event can with eager tasks: the closing begins inside the operation's own task."""
    closing: list[Coroutine[Any, Any, None]] = []
    target = f"{server.host}/team/app:1"
    sources = [f"{server.host}/team/app-{name}:1.0" for name in ("amd64", "arm64")]

    async def closes() -> int:
        client = oci_merge.AsyncClient()

        def on_event(event: oci_merge.Event) -> None:
            if isinstance(event, oci_merge.TagMoved):  # the last one, as the tag is there
                closing.append(client.aclose())
                closing[0].send(None)

        await client.merge(target, sources=sources)
        assert (await client.merge(target, sources=sources, on_event=on_event)).digest
        closing[0].close()
        await client.aclose()
        return await _cancellations()

    assert await asyncio.create_task(closes()) == 0
