"""Connections of httpcore's network that nobody has to open."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore


class FakeStream(httpcore.AsyncNetworkStream):
    """A connection that takes all that is written, and is at once encrypted.

    Args:
        protocol: what TLS has chosen on it, ``h2`` or ``http/1.1``; None without ALPN.
    """

    def __init__(self, protocol: str | None = None) -> None:
        self.is_closed = False
        self._protocol = protocol

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


class FakeBackend(httpcore.AsyncNetworkBackend):
    """A network with the connections that it is given, one after the other.

    Args:
        streams: the connections, or the error in the place of one.
    """

    def __init__(self, streams: Iterable[httpcore.AsyncNetworkStream | Exception]) -> None:
        self.given: list[httpcore.AsyncNetworkStream] = []
        self._streams: Iterator[httpcore.AsyncNetworkStream | Exception] = iter(streams)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = next(self._streams)
        if isinstance(stream, Exception):
            raise stream
        self.given.append(stream)
        return stream
