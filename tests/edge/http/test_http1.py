"""The connection for HTTP/1.1 alone, on a network that answers at once."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import pytest

from oci_merge.http.http1 import Http1Connection

pytestmark = pytest.mark.anyio

_ORIGIN = httpcore.Origin(b"http", b"reg.test", 80)
_ENCRYPTED = httpcore.Origin(b"https", b"reg.test", 443)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, protocol: str | None = None) -> None:
        self.is_closed = False
        self._protocol = protocol

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return _ANSWER

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        pass

    async def aclose(self) -> None:
        self.is_closed = True

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return self

    def get_extra_info(self, info: str) -> Any:
        return self if info == "ssl_object" else False

    def selected_alpn_protocol(self) -> str | None:
        return self._protocol


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, error: Exception | None = None, protocols: Iterable[str] = ()) -> None:
        self.streams: list[_Stream] = []
        self._error = error
        self._protocols = iter(protocols)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if self._error is not None:
            raise self._error
        self.streams.append(_Stream(next(self._protocols, None)))
        return self.streams[-1]


def _connection(backend: _Backend, origin: httpcore.Origin = _ORIGIN) -> Http1Connection:
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
    connection = _connection(_Backend())
    for _ in range(2):
        with pytest.raises(StopIteration) as ended:
            _exchange(connection).send(None)
        assert ended.value.value == b"{}"


async def test_it_connects_once_and_is_available_between_requests() -> None:
    backend = _Backend()
    connection = _connection(backend)
    assert not connection.is_available()
    assert not connection.is_closed()
    for _ in range(3):
        assert await _exchange(connection) == b"{}"
        assert connection.is_available()
        assert connection.is_idle()
    await connection.aclose()
    assert [stream.is_closed for stream in backend.streams] == [True]
    assert connection.is_closed()


async def test_it_is_closed_once_it_could_not_connect() -> None:
    connection = _connection(_Backend(httpcore.ConnectError("refused")))
    with pytest.raises(httpcore.ConnectError):
        await _exchange(connection)
    assert connection.is_closed()
    assert connection.has_expired()
    assert not connection.is_available()


async def test_a_connection_on_which_http2_was_chosen_ahead_is_not_taken() -> None:
    backend = _Backend(protocols=["h2", "h2", "http/1.1"])
    connection = _connection(backend, _ENCRYPTED)
    assert await _exchange(connection, "https://reg.test") == b"{}"
    assert [stream.is_closed for stream in backend.streams] == [True, True, False]
    await connection.aclose()
