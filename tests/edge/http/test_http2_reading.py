"""Who reads from an HTTP/2 connection that several requests share, with a server that is told."""

from __future__ import annotations

import asyncio
import ssl

import h2.config
import h2.connection
import h2.events
import httpcore
import pytest

from oci_merge.http.http2 import NegotiatedConnection
from tests.edge.http.fake_network import FakeBackend, FakeStream

pytestmark = pytest.mark.anyio

_URL = "https://reg.test"


class _Server(FakeStream):
    """The client's end of a connection, and the server at the other one."""

    def __init__(self) -> None:
        super().__init__("h2")
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._h2.initiate_connection()
        self._sent: asyncio.Queue[bytes] = asyncio.Queue()
        self._flush()
        self._asked: dict[str, int] = {}
        self._has_come = asyncio.Event()

    async def asked(self, count: int) -> None:
        """Wait until so many requests have come, and all of them wait for a response."""
        async with asyncio.timeout(10):
            while len(self._asked) < count:
                self._has_come.clear()
                await self._has_come.wait()
        for _ in range(100):
            await asyncio.sleep(0)

    def answer(self, path: str) -> None:
        self._h2.send_headers(self._asked[path], [(":status", "200")], end_stream=True)
        self._flush()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        for event in self._h2.receive_data(buffer) if buffer else ():
            if isinstance(event, h2.events.RequestReceived):
                path = dict(event.headers or ())[b":path"].decode()
                assert event.stream_id is not None
                self._asked[path] = event.stream_id
                self._has_come.set()
        self._flush()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._sent.get()

    def _flush(self) -> None:
        if content := self._h2.data_to_send():
            self._sent.put_nowait(content)


class _Client:
    def __init__(self, server: _Server) -> None:
        self._connection = NegotiatedConnection(
            httpcore.Origin(b"https", b"reg.test", 443),
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            http2=True,
            network_backend=FakeBackend([server]),
        )

    def ask(self, path: str) -> asyncio.Task[int]:
        return asyncio.create_task(self._ask(path))

    async def _ask(self, path: str) -> int:
        request = httpcore.Request("GET", f"{_URL}{path}", headers=[(b"Host", b"reg.test")])
        response = await self._connection.handle_async_request(request)
        await response.aread()
        await response.aclose()
        return response.status


async def _three() -> tuple[_Server, list[asyncio.Task[int]]]:
    server = _Server()
    client = _Client(server)
    tasks = [client.ask(path) for path in ("/1", "/2", "/3")]
    await server.asked(3)
    return server, tasks


async def test_a_response_that_has_come_waits_for_no_request_that_was_there_before() -> None:
    for order in ((2, 1, 0), (1, 2, 0), (0, 2, 1)):
        server, tasks = await _three()
        for number in order:
            server.answer(f"/{number + 1}")
            assert await asyncio.wait_for(tasks[number], 5) == 200


async def test_another_request_reads_on_when_the_one_that_reads_is_cancelled() -> None:
    for cancelled in range(3):
        server, tasks = await _three()
        tasks[cancelled].cancel()
        await asyncio.wait([tasks[cancelled]])
        for number in {0, 1, 2} - {cancelled}:
            server.answer(f"/{number + 1}")
            assert await asyncio.wait_for(tasks[number], 5) == 200


async def test_a_request_whose_turn_has_come_may_be_cancelled_then() -> None:
    server, tasks = await _three()
    server.answer("/1")
    await tasks[0]
    tasks[1].cancel()
    server.answer("/3")
    assert await asyncio.wait_for(tasks[2], 5) == 200
    await asyncio.wait([tasks[1]])
