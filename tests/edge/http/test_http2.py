"""Which protocol is spoken over TLS, and over how many connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, RequestReceived

from fixtures.server import ServerTLS
from oci_merge.http.connections import KIND, Connections
from oci_merge.http.message import Request, Response
from oci_merge.http.session import Session
from tests.edge.support import says, session, speaking

pytestmark = pytest.mark.anyio

_PING = Request("GET", "/v2/")
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class _Http2:
    """A server that speaks HTTP/2, and counts its connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.headers: list[dict[str, str]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        config = H2Configuration(client_side=False, header_encoding="utf-8")
        connection = H2Connection(config=config)
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                self._answer(connection, event)
            writer.write(connection.data_to_send())
            await writer.drain()

    def _answer(self, connection: H2Connection, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self.headers.append({str(name): str(value) for name, value in event.headers})
            headers = [(":status", "200"), ("content-length", "2")]
            connection.send_headers(event.stream_id, headers)
            connection.send_data(event.stream_id, b"{}", end_stream=True)


def _offering(tls: ServerTLS, *protocols: str) -> ssl.SSLContext:
    context = tls.context()
    context.set_alpn_protocols(list(protocols))
    return context


async def _ask(host: str, count: int) -> list[Response]:
    transport = session(host)
    try:
        first = await transport.send(_PING)
        return [first, *await asyncio.gather(*(transport.send(_PING) for _ in range(count)))]
    finally:
        await transport.transport.aclose()


async def test_a_registry_that_offers_http2_gets_all_requests_on_one_connection(
    tls: ServerTLS,
) -> None:
    server = _Http2()
    async with speaking(server, _offering(tls, "h2", "http/1.1")) as host:
        replies = await _ask(host, 20)
    assert {reply.protocol for reply in replies} == {"HTTP/2"}
    assert {(reply.status, reply.content) for reply in replies} == {(200, b"{}")}
    assert server.connections == 1
    assert {headers["accept-encoding"] for headers in server.headers} == {"identity"}


async def test_first_requests_at_once_share_the_connection_that_the_first_of_them_opens(
    tls: ServerTLS,
) -> None:
    server = _Http2()
    async with speaking(server, _offering(tls, "h2")) as host:
        transport = session(host)
        await asyncio.gather(*(transport.send(_PING) for _ in range(20)))
        await transport.transport.aclose()
    assert server.connections == 1
    assert len(server.headers) == 20


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)], ids=["no alpn", "http/1.1"])
async def test_a_registry_that_does_not_offer_http2_is_not_spoken_to_so(
    protocols: tuple[str, ...], tls: ServerTLS
) -> None:
    heads: list[bytes] = []
    context = _offering(tls, *protocols) if protocols else tls.context()
    async with speaking(says(_OK, heads=heads), context) as host:
        replies = await _ask(host, 5)
    assert {reply.protocol for reply in replies} == {"HTTP/1.1"}
    assert len(heads) == 6


class _Early(asyncio.Protocol):
    """Answers a request as soon as its HEADERS have come, as Go's server does.

    It resets the stream with NO_ERROR if the request had not ended with them (RFC 9113, 8.1). Over
    HTTP/1.1 it answers as usual.

    Args:
        frames: what came of each request over HTTP/2: the flags END_STREAM of HEADERS.
        bodies: the requests that came over HTTP/1.1.
    """

    transport: asyncio.Transport

    def __init__(self, ended: list[bool], bodies: list[bytes]) -> None:
        self._ended = ended
        self._bodies = bodies
        self._received = b""
        self._wire: H2Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            config = H2Configuration(client_side=False, header_encoding="utf-8")
            self._wire = H2Connection(config=config)
            self._wire.initiate_connection()
            transport.write(self._wire.data_to_send())

    def data_received(self, data: bytes) -> None:
        if self._wire is None:
            self._received += data
            if self._received.endswith(b"{}"):
                self._bodies.append(self._received)
                self.transport.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            return
        for event in self._wire.receive_data(data):
            if isinstance(event, RequestReceived):
                self._answer(event)
        self.transport.write(self._wire.data_to_send())

    def _answer(self, event: RequestReceived) -> None:
        assert self._wire is not None
        headers = {str(name): str(value) for name, value in event.headers}
        is_ended = event.stream_ended is not None
        self._ended.append(is_ended)
        if headers[":method"] == "GET":
            self._wire.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
            return
        self._wire.send_headers(event.stream_id, [(":status", "201")], end_stream=True)
        if not is_ended:
            self._wire.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)


@asynccontextmanager
async def _answering_early(tls: ServerTLS) -> AsyncIterator[tuple[str, list[bool], list[bytes]]]:
    ended: list[bool] = []
    bodies: list[bytes] = []
    loop = asyncio.get_running_loop()
    context = _offering(tls, "h2", "http/1.1")
    server = await loop.create_server(lambda: _Early(ended, bodies), "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", ended, bodies
    finally:
        server.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_a_request_without_a_body_ends_with_its_headers(method: str, tls: ServerTLS) -> None:
    async with _answering_early(tls) as (host, ended, _):
        made = session(host)
        replies = [await made.send(_PING)]
        replies += await asyncio.gather(*(made.send(Request(method, "/v2/x")) for _ in range(30)))
        await made.transport.aclose()
    assert {reply.protocol for reply in replies} == {"HTTP/2"}
    assert ended == [True] * 31


async def test_the_first_request_of_all_ends_with_its_headers_too(tls: ServerTLS) -> None:
    async with _answering_early(tls) as (host, ended, _):
        made = session(host)
        assert (await made.send(Request("POST", "/v2/x"))).status == 201
        await made.transport.aclose()
    assert ended == [True]


async def test_over_http1_a_request_without_a_body_says_so(tls: ServerTLS) -> None:
    heads: list[bytes] = []
    async with speaking(says(_OK, heads=heads)) as host:
        made = session(host, plain_http=True)
        for method in ("POST", "PUT", "GET"):
            await made.send(Request(method, "/v2/x"))
        await made.transport.aclose()
    assert [b"content-length: 0\r\n" in head.lower() for head in heads] == [True, True, False]


async def test_an_answer_before_the_end_of_a_body_is_asked_for_again_over_http1(
    tls: ServerTLS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the reset comes before the body is sent is a race, so the test decides it."""

    async def body() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.05)
        yield b"{}"

    handle = Connections.handle_async_request

    async def slow(self: Connections, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and request.extensions[KIND] == "h2":
            request = httpx.Request(
                request.method,
                request.url,
                headers=request.headers,
                content=body(),
                extensions=request.extensions,
            )
        return await handle(self, request)

    monkeypatch.setattr(Connections, "handle_async_request", slow)
    async with _answering_early(tls) as (host, ended, bodies):
        made = session(host)
        await made.send(_PING)
        reading = asyncio.gather(*(made.send(_PING) for _ in range(3)))
        sending = made.send(Request("PUT", "/v2/x", content=b"{}"))
        # Another request's response has to be waited for, so that the reset is read.
        other = asyncio.create_task(_ping_for(made, 0.2))
        reply = await sending
        await reading
        await other
        await made.transport.aclose()
    assert (reply.status, reply.protocol) == (201, "HTTP/1.1")
    assert ended.count(False) == 1
    assert len(bodies) == 1


async def _ping_for(made: Session, seconds: float) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await made.send(_PING)


async def test_a_body_longer_than_http2_s_first_window_goes_over_http1(tls: ServerTLS) -> None:
    """There an answer that comes before the end of the body is read; see ``_avoids_http2``."""
    async with _answering_early(tls) as (host, _, bodies):
        made = session(host)
        await made.send(_PING)
        reply = await made.send(Request("PUT", "/v2/x", content=b" " * 65_534 + b"{}"))
        await made.transport.aclose()
    assert (reply.status, reply.protocol) == (201, "HTTP/1.1")
    assert len(bodies) == 1
