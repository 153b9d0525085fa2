"""Leads a connection through an HTTP proxy (CONNECT, RFC 9110, section 9.3.6).

httpcore does this too, but only when a request needs the connection. ``Dialer`` opens some earlier.
"""

from __future__ import annotations

import base64
import ssl
from http import HTTPStatus
from typing import Any

import httpcore


class Tunnel:
    """An HTTP proxy that leads connections to other hosts.

    Args:
        origin: the proxy.
        login: its user and password, None if it wants none.
        tls: the TLS settings of the proxy itself, None where it is spoken to over plain TCP.

    Attributes:
        address: the proxy's host and port.
    """

    def __init__(
        self,
        origin: httpcore.Origin,
        login: tuple[bytes, bytes] | None,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._origin = origin
        self._tls = tls
        self._login: list[tuple[bytes, bytes]] = []
        if login:
            word = base64.b64encode(b":".join(login))
            self._login = [(b"Proxy-Authorization", b"Basic " + word)]
        # Asked again, it would count one more wrong password, and some accounts are locked soon.
        self._refused_login = ""
        self.address = self._origin.host.decode("ascii"), self._origin.port

    async def extend(
        self, stream: httpcore.AsyncNetworkStream, host: str, port: int, seconds: float | None
    ) -> None:
        """Let the proxy lead a connection on; what is sent then goes to the host.

        Args:
            stream: a connection to the proxy, on which nothing was sent yet.
            host: where to.
            port: its port.
            seconds: how long the proxy may take for each part of its answer.

        Raises:
            httpcore.ProxyError: the proxy refused, now or, where it was the login, before.
            httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError: it gave no
                usable answer.
        """
        if self._refused_login:
            raise httpcore.ProxyError(self._refused_login)
        name = f"[{host}]" if ":" in host else host
        target = f"{name}:{port}".encode("ascii")
        request = httpcore.Request(
            "CONNECT",
            httpcore.URL(
                scheme=self._origin.scheme,
                host=self._origin.host,
                port=self._origin.port,
                target=target,
            ),
            headers=[(b"Host", target), (b"Accept", b"*/*"), *self._login],
            extensions={"timeout": dict.fromkeys(("connect", "read", "write"), seconds)},
        )
        connection = httpcore.AsyncHTTPConnection(
            self._origin, ssl_context=self._tls, network_backend=_Opened(stream)
        )
        response = await connection.handle_async_request(request)
        if not 200 <= response.status <= 299:
            reason: bytes = response.extensions.get("reason_phrase", b"")
            refusal = f"{response.status} {reason.decode('ascii', 'ignore')}"
            if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                self._refused_login = refusal
            raise httpcore.ProxyError(refusal)


class _Opened(httpcore.AsyncNetworkBackend):
    """Gives httpcore a connection that is open already."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return self._stream
