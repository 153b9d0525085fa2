"""The connection for HTTP/1.1 alone, on a network that answers at once."""

from __future__ import annotations

import ssl

import httpcore
import pytest

from oci_merge.http.http1 import Http1Connection
from tests.edge.http.fake_network import FakeBackend, FakeStream

pytestmark = pytest.mark.anyio

_ORIGIN = httpcore.Origin(b"http", b"reg.test", 80)
_ENCRYPTED = httpcore.Origin(b"https", b"reg.test", 443)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class _Stream(FakeStream):
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return _ANSWER


def _connection(backend: FakeBackend, origin: httpcore.Origin = _ORIGIN) -> Http1Connection:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return Http1Connection(origin, backend=backend, tls=tls, expiry=60)


async def _exchange(connection: Http1Connection, origin: str = "http://reg.test") -> bytes:
    request = httpcore.Request(
        "GET",
        f"{origin}/v2/",
        headers=[(b"Host", b"reg.test")],
        extensions={"timeout": {"connect": 1.0, "read": 1.0, "write": 1.0}},
    )
    response = await connection.handle_async_request(request)
    content = await response.aread()
    await response.aclose()
    return content


async def test_a_request_gives_the_event_loop_no_turn_while_the_network_does_not_wait() -> None:
    connection = _connection(FakeBackend([_Stream()]))
    for _ in range(2):
        with pytest.raises(StopIteration) as ended:
            _exchange(connection).send(None)
        assert ended.value.value == b"{}"


async def test_it_connects_once_and_is_available_between_requests() -> None:
    stream = _Stream()
    backend = FakeBackend([stream])
    connection = _connection(backend)
    assert not connection.is_available()
    assert not connection.is_closed()
    for _ in range(3):
        assert await _exchange(connection) == b"{}"
        assert connection.is_available()
        assert connection.is_idle()
    await connection.aclose()
    assert backend.given == [stream]
    assert stream.is_closed
    assert connection.is_closed()


async def test_it_is_closed_once_it_could_not_connect() -> None:
    connection = _connection(FakeBackend([httpcore.ConnectError("refused")]))
    with pytest.raises(httpcore.ConnectError):
        await _exchange(connection)
    assert connection.is_closed()
    assert connection.has_expired()
    assert not connection.is_available()


async def test_a_connection_on_which_http2_was_chosen_ahead_is_not_taken() -> None:
    streams = [_Stream("h2"), _Stream("h2"), _Stream("http/1.1")]
    connection = _connection(FakeBackend(streams), _ENCRYPTED)
    assert await _exchange(connection, "https://reg.test") == b"{}"
    assert [stream.is_closed for stream in streams] == [True, True, False]
    await connection.aclose()
