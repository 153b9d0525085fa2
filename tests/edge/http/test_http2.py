"""Which protocol is spoken over TLS, and over how many connections."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, RequestReceived

from fixtures.server import ServerTLS
from oci_merge.http.message import Request, Response
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
