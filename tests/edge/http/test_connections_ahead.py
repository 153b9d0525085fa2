"""Connections that are opened before a request asks for one, and how requests share them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpcore
import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.server import RunningServer, ServerTLS, serve
from oci_merge.http.dialer import Dialer
from oci_merge.http.message import Request
from oci_merge.http.pool import Pool
from oci_merge.http.timings import Timings
from tests.edge.support import (
    Delays,
    asks,
    merge,
    relays,
    session,
    speaking,
    stocked,
    tags,
    until,
)

pytestmark = pytest.mark.anyio

_PING = Request("GET", "/v2/")


@pytest.fixture
def far(set_timings: Callable[..., None]) -> None:
    """Every registry counts as far away."""
    set_timings(far=0.0, plain_alone=0.0)


class _Counted:
    """A server of this event loop that counts its connections, and says nothing."""

    def __init__(self) -> None:
        self.came = 0
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        self.open += 1
        try:
            await reader.read()
        finally:
            self.open -= 1


@asynccontextmanager
async def _dialing(
    server: _Counted, timings: Timings | None = None
) -> AsyncIterator[tuple[Dialer, str, int]]:
    async with speaking(server) as at:
        host, _, port = at.rpartition(":")
        dialer = Dialer(host, int(port), timings or Timings())
        try:
            yield dialer, host, int(port)
        finally:
            await dialer.aclose()


def _open(dialer: Dialer, count: int) -> None:
    dialer.open_ahead(count, tls=None, protocols=[], timeout=5)


async def test_a_connection_that_is_asked_for_is_one_that_was_opened_ahead() -> None:
    server = _Counted()
    async with _dialing(server) as (dialer, host, port):
        _open(dialer, 2)
        assert await until(lambda: server.came == 2)
        streams = [await dialer.connect_tcp(host, port) for _ in range(3)]
        assert await until(lambda: server.came == 3)
        for stream in streams:
            await stream.aclose()


async def test_what_is_open_counts_among_those_that_shall_be() -> None:
    server = _Counted()
    async with _dialing(server) as (dialer, host, port):
        streams = [await dialer.connect_tcp(host, port) for _ in range(3)]
        _open(dialer, 4)
        _open(dialer, 4)
        assert await until(lambda: server.came == 4)
        for stream in streams:
            await stream.aclose()
    assert server.came == 4


async def test_what_nobody_asked_for_is_closed_at_the_end() -> None:
    server = _Counted()
    async with _dialing(server) as (dialer, _, _):
        _open(dialer, 5)
        assert await until(lambda: server.open == 5)
        await dialer.aclose()
        assert await until(lambda: server.open == 0)


async def test_another_host_never_gets_a_connection_that_was_opened_to_this_one() -> None:
    """The client of plain HTTP is the one for foreign hosts in the clear, too."""
    own, foreign = _Counted(), _Counted()
    async with _dialing(own) as (dialer, _, _), _dialing(foreign) as (_, host, port):
        _open(dialer, 1)
        assert await until(lambda: own.came == 1)
        stream = await dialer.connect_tcp(host, port)
        assert await until(lambda: foreign.came == 1)
        await stream.aclose()


async def test_a_connection_that_was_closed_meanwhile_is_not_given_out() -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        if len(came) > 1:
            await reader.read()

    came: list[asyncio.StreamWriter] = []
    async with speaking(hangs_up) as at:
        host, _, port = at.rpartition(":")
        dialer = Dialer(host, int(port), Timings())
        _open(dialer, 1)
        assert await until(lambda: len(came) == 1)
        await asyncio.sleep(0.02)
        stream = await dialer.connect_tcp(host, int(port))
        assert await until(lambda: len(came) == 2)
        assert not stream.get_extra_info("is_readable")
        await stream.aclose()


async def test_a_failure_ahead_is_the_failure_of_who_asks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    dialer = Dialer("127.0.0.1", port, Timings())
    _open(dialer, 1)
    with pytest.raises(httpcore.ConnectError):
        await dialer.connect_tcp("127.0.0.1", port)
    await dialer.aclose()


async def test_a_request_that_is_given_up_leaves_the_connection_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = asyncio.Event()
    connect = asyncio.open_connection

    async def slow(*arguments: object, **options: object) -> object:
        await go.wait()
        return await connect(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "open_connection", slow)
    server = _Counted()
    async with speaking(server) as at:
        host, _, port = at.rpartition(":")
        dialer = Dialer(host, int(port), Timings())
        _open(dialer, 1)
        asked = asyncio.create_task(dialer.connect_tcp(host, int(port)))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        go.set()
        stream = await dialer.connect_tcp(host, int(port))
        assert await until(lambda: server.came == 1)
        await stream.aclose()


def _dialing_tasks() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if "_dial" in str(task.get_coro())]


async def test_a_connection_that_a_request_waited_for_is_not_opened_after_the_end(
    tls: ServerTLS, trusted: Path
) -> None:
    """The server accepts the connection, and is silent in the handshake."""
    context = ssl.create_default_context(cafile=trusted)
    server = _Counted()
    async with _dialing(server) as (dialer, host, port):
        dialer.open_ahead(1, tls=context, protocols=["http/1.1"], timeout=60)
        assert await until(lambda: server.open == 1)
        asked = asyncio.create_task(dialer.connect_tcp(host, port))
        await asyncio.sleep(0)
        await dialer.aclose()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await until(lambda: server.open == 0)
        assert not _dialing_tasks()


async def test_a_connection_that_came_as_its_request_was_cancelled_is_closed_after_the_end() -> (
    None
):
    server = _Counted()
    async with _dialing(server) as (dialer, host, port):
        _open(dialer, 1)
        asked = asyncio.create_task(dialer.connect_tcp(host, port))
        await asyncio.sleep(0)
        (dial,) = _dialing_tasks()
        dial.add_done_callback(lambda _: asked.cancel())
        await dialer.aclose()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await until(lambda: server.came == 1 and server.open == 0)


async def test_nothing_is_opened_ahead_after_the_end() -> None:
    async with _dialing(_Counted()) as (dialer, _, _):
        await dialer.aclose()
        _open(dialer, 3)
        assert not _dialing_tasks()


async def test_who_closes_may_be_cancelled_while_connections_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tidied = asyncio.Event()

    async def stubborn(*arguments: object, **options: object) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await tidied.wait()

    monkeypatch.setattr(asyncio, "open_connection", stubborn)
    dialer = Dialer("127.0.0.1", 1, Timings())
    _open(dialer, 2)
    await asyncio.sleep(0)
    closing = asyncio.create_task(dialer.aclose())
    await asyncio.sleep(0.01)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    tidied.set()
    assert await until(lambda: not _dialing_tasks())


async def test_tls_that_was_begun_ahead_is_not_begun_again(tls: ServerTLS, trusted: Path) -> None:
    context = ssl.create_default_context(cafile=trusted)
    server = _Counted()
    async with speaking(server, tls.context()) as at:
        host, _, port = at.rpartition(":")
        dialer = Dialer(host, int(port), Timings())
        dialer.open_ahead(1, tls=context, protocols=["http/1.1"], timeout=5)
        stream = await dialer.connect_tcp(host, int(port))
        assert await stream.start_tls(context, host) is stream
        assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
        await stream.aclose()
        assert await until(lambda: server.came == 1)


@contextmanager
def _slow(registry: EmbeddedRegistry, tls: ServerTLS | None = None) -> Iterator[RunningServer]:
    """Serve a registry that takes its time for manifests, so that there is time to go ahead."""
    registry.hooks.append(Delays(asks("GET", "/manifests/"), 0.1))
    with serve(registry.app, tls=tls) as server:
        yield server


@pytest.mark.usefixtures("far")
async def test_a_merge_finds_the_connections_for_its_mounts_open(
    registry: EmbeddedRegistry,
) -> None:
    starts: list[bytes] = []
    with _slow(registry) as server:
        async with speaking(relays(server.port, starts)) as host:
            result = await asyncio.to_thread(merge, host, plain_http=True)
    assert tags(registry) == {"latest": result.digest}
    # 24 were made ready, those of the manifests included, and fewer requests than that follow.
    assert len(starts) <= 24 + 5


async def test_over_http1_and_tls_they_are_opened_as_soon_as_that_is_known(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    starts: list[bytes] = []
    with serve(registry.app, tls=tls) as server:
        async with speaking(relays(server.port, starts)) as host:
            made = session(host)
            opening = asyncio.create_task(made.open_ahead(3))
            assert (await made.send(_PING)).protocol == "HTTP/1.1"
            await opening
            starts[:] = [
                start for start in starts if start.startswith(b"\x16")
            ]  # plain comes first
            assert await until(lambda: len(starts) == 3)
            await asyncio.gather(*(made.send(_PING) for _ in range(3)))
            await made.transport.aclose()
    assert len(starts) == 3  # that of the first request included
    assert [seen.status for seen in registry.requests] == [200] * 4


@pytest.mark.usefixtures("far")
async def test_a_loopback_registry_that_wants_tls_is_greeted_while_the_clear_is_tried(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    starts: list[bytes] = []

    async def held_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.read(65536)
        starts.append(start[:1])
        if start[:1] == b"G":
            assert await until(lambda: b"\x16" in starts)
            writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            await writer.drain()
            return
        await onward(_Again(start, reader), writer)  # type: ignore[arg-type]

    with serve(registry.app, tls=tls) as server:
        onward = relays(server.port, [])
        async with speaking(held_back) as host:
            found = await asyncio.to_thread(_inspect, host)
    assert found
    assert starts[:2] == [b"G", b"\x16"]


class _Again:
    """A reader that gives once more what was read of it."""

    def __init__(self, start: bytes, reader: asyncio.StreamReader) -> None:
        self._start = start
        self._reader = reader

    async def read(self, count: int) -> bytes:
        start, self._start = self._start, b""
        return start or await self._reader.read(count)


def _inspect(host: str) -> str:
    return oci_merge.inspect(f"{host}/team/app-amd64:1.0").digest


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    """A pool of connections in the clear."""
    made = Pool(httpcore.AsyncConnectionPool().create_connection)
    yield made
    await made.aclose()


def _get(url: str) -> httpcore.Request:
    return httpcore.Request("GET", url, headers=[("Host", "reg.test")])


async def test_a_connection_is_lent_to_one_request_at_a_time_and_then_to_the_next(
    pool: Pool, registry: EmbeddedRegistry
) -> None:
    starts: list[bytes] = []
    with serve(registry.app) as server:
        async with speaking(relays(server.port, starts)) as host:
            first, second = await asyncio.gather(
                *(pool.handle_async_request(_get(f"http://{host}/v2/")) for _ in range(2))
            )
            assert len(starts) == 2
            for response in (first, second):
                await response.aread()
                await response.aclose()
            for _ in range(3):
                third = await pool.handle_async_request(_get(f"http://{host}/v2/"))
                await third.aread()
                await third.aclose()
            assert len(starts) == 2
            await pool.aclose()


async def test_a_response_that_is_closed_unread_takes_its_connection_along(
    pool: Pool, registry: EmbeddedRegistry
) -> None:
    starts: list[bytes] = []
    with serve(registry.app) as server:
        async with speaking(relays(server.port, starts)) as host:
            for _ in range(2):
                response = await pool.handle_async_request(_get(f"http://{host}/v2/"))
                await response.aclose()
            assert len(starts) == 2


async def test_two_hosts_share_no_connection(pool: Pool) -> None:
    one, other = stocked(), stocked()
    with serve(one.app) as here, serve(other.app) as there:
        for server in (here, there, here):
            response = await pool.handle_async_request(_get(f"{server.url}/v2/"))
            await response.aread()
            await response.aclose()
        await pool.aclose()
    assert (len(one.requests), len(other.requests)) == (2, 1)


async def test_a_failed_connection_is_not_used_again(
    pool: Pool, registry: EmbeddedRegistry
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v2/"
    with pytest.raises(httpcore.ConnectError):
        await pool.handle_async_request(_get(url))
    with serve(registry.app, port=port):
        response = await pool.handle_async_request(_get(url))
        assert response.status == 200
        await response.aread()
        await response.aclose()
        await pool.aclose()


async def test_a_connection_that_was_opened_too_long_ago_is_not_given_out() -> None:
    server = _Counted()
    async with _dialing(server, Timings(ahead=0.0)) as (dialer, host, port):
        _open(dialer, 1)
        assert await until(lambda: server.came == 1)
        stream = await dialer.connect_tcp(host, port)
        assert await until(lambda: server.came == 2)
        await stream.aclose()


async def test_a_connection_that_is_being_opened_is_waited_for_as_long_as_the_request_allows(
    tls: ServerTLS, trusted: Path
) -> None:
    """The server accepts the connection, and is silent in the handshake."""
    context = ssl.create_default_context(cafile=trusted)
    server = _Counted()
    async with _dialing(server) as (dialer, host, port):
        dialer.open_ahead(1, tls=context, protocols=["http/1.1"], timeout=60)
        assert await until(lambda: server.came == 1)
        with pytest.raises(httpcore.ConnectTimeout):
            await dialer.connect_tcp(host, port, timeout=0.05)


async def test_a_failure_of_long_ago_is_nobody_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    dialer = Dialer("127.0.0.1", port, Timings())
    _open(dialer, 3)
    await asyncio.sleep(0.05)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with speaking(silent, port=port):
        stream = await dialer.connect_tcp("127.0.0.1", port)
        await stream.aclose()
    await dialer.aclose()


async def test_a_server_that_speaks_unasked_has_given_the_connection_up() -> None:
    came: list[int] = []

    async def gives_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(1)
        if len(came) == 1:
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
            await writer.drain()
        await reader.read()

    async with speaking(gives_up) as at:
        host, _, port = at.rpartition(":")
        dialer = Dialer(host, int(port), Timings())
        _open(dialer, 1)
        assert await until(lambda: len(came) == 1)
        await asyncio.sleep(0.02)
        stream = await dialer.connect_tcp(host, int(port))
        assert await until(lambda: len(came) == 2)
        await stream.aclose()


class _Shared(httpcore.AsyncConnectionInterface):
    """A connection of HTTP/2 to nowhere."""

    def __init__(self, *, is_known: bool) -> None:
        self.is_known = is_known
        self.is_broken = False
        self.active = 0
        self.is_ended = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        self.is_known = True
        if self.is_broken:
            raise httpcore.ReadError
        self.active += 1
        return httpcore.Response(200, content=_Ends(self))

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.is_ended = True

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return True

    def is_available(self) -> bool:
        return self.is_known and not self.is_broken and not self.is_ended

    def has_expired(self) -> bool:
        return False

    def is_idle(self) -> bool:
        return self.is_known and self.active == 0

    def is_closed(self) -> bool:
        return self.is_ended

    def info(self) -> str:
        return "HTTP/2"


class _Ends:
    def __init__(self, connection: _Shared) -> None:
        self._connection = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""

    async def aclose(self) -> None:
        self._connection.active -= 1


async def test_http2_behind_a_proxy_is_shared_once_it_is_known() -> None:
    made: list[_Shared] = []
    pool = Pool(lambda _: made.append(_Shared(is_known=False)) or made[-1])  # type: ignore[func-returns-value]
    first = await pool.handle_async_request(_get("https://reg.test/v2/"))
    others = [await pool.handle_async_request(_get("https://reg.test/v2/")) for _ in range(3)]
    assert len(made) == 1
    for response in (first, *others):
        await response.aclose()
    await pool.aclose()
    assert made[0].is_ended


async def test_a_broken_http2_connection_is_left_by_all_who_shared_it() -> None:
    made: list[_Shared] = []
    pool = Pool(lambda _: made.append(_Shared(is_known=True)) or made[-1])  # type: ignore[func-returns-value]
    response = await pool.handle_async_request(_get("https://reg.test/v2/"))
    await response.aclose()
    made[0].is_broken = True
    replies = await asyncio.gather(
        *(pool.handle_async_request(_get("https://reg.test/v2/")) for _ in range(4))
    )
    assert [reply.status for reply in replies] == [200] * 4
    assert made[0].is_ended
    assert len(made) <= 1 + 4
    for reply in replies:
        await reply.aclose()
    await pool.aclose()
