"""A connection that speaks HTTP/1.1 and nothing else, on httpcore's.

httpcore's general connection finds out by TLS what is spoken, and each of its layers has a lock for
that. Where HTTP/2 is not offered, nothing has to be found out.
"""

from __future__ import annotations

import ssl

import httpcore

from oci_merge.http.http2 import speaks_http2


class _Unlocked:
    """What takes the place of a lock where nothing within waits.

    anyio's lock gives the event loop a turn whenever it is taken, though nobody else wants it: two
    for each request, in which every coroutine of the request's way is woken.
    """

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *error: object) -> None:
        pass


class _Exchange(httpcore.AsyncHTTP11Connection):
    """httpcore's connection of HTTP/1.1, which the pool lends to one request at a time."""

    def __init__(
        self, origin: httpcore.Origin, stream: httpcore.AsyncNetworkStream, expiry: float
    ) -> None:
        super().__init__(origin, stream, expiry)
        # It guards changes of state between which nothing waits, so asyncio needs none. The name is
        # not public: in an httpcore that has another one, its own lock stays in use.
        self._state_lock = _Unlocked()  # type: ignore[assignment]


class Http1Connection(httpcore.AsyncConnectionInterface):
    """A connection that connects for its first request.

    Args:
        origin: where to.
        backend: opens the connection.
        tls: the TLS settings, for an origin with https.
        expiry: for how many seconds it may be idle.
    """

    def __init__(
        self,
        origin: httpcore.Origin,
        *,
        backend: httpcore.AsyncNetworkBackend,
        tls: ssl.SSLContext,
        expiry: float,
    ) -> None:
        self._origin = origin
        self._backend = backend
        self._tls = tls
        self._expiry = expiry
        self._exchange: _Exchange | None = None
        self._has_failed = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request (httpcore's interface); no other one may be under way.

        Raises:
            httpcore's errors.
        """
        if self._exchange is None:
            try:
                self._exchange = await self._connected(request.extensions["timeout"]["connect"])
            except BaseException:
                self._has_failed = True
                raise
        return await self._exchange.handle_async_request(request)

    async def _connected(self, timeout: float) -> _Exchange:  # noqa: ASYNC109 - httpcore's way
        host = self._origin.host.decode("ascii")
        while True:
            stream = await self._backend.connect_tcp(host, self._origin.port, timeout)
            if self._origin.scheme == b"https":
                self._tls.set_alpn_protocols(["http/1.1"])
                stream = await stream.start_tls(self._tls, host, timeout)
                # One that was opened ahead may have been offered HTTP/2. The registry's other
                # servers do not speak it, and this one does. A new one is not offered it.
                if speaks_http2(stream):
                    await stream.aclose()
                    continue
            return _Exchange(self._origin, stream, self._expiry)

    async def aclose(self) -> None:
        """Close the connection."""
        if self._exchange is not None:
            await self._exchange.aclose()

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        """Say whether it leads to an origin."""
        return origin == self._origin

    def is_available(self) -> bool:
        """Say whether it may carry a request now, after the first one."""
        return self._exchange is not None and self._exchange.is_available()

    def has_expired(self) -> bool:
        """Say whether it was idle for too long, or the server has closed it."""
        return self._has_failed if self._exchange is None else self._exchange.has_expired()

    def is_idle(self) -> bool:
        """Say whether it carries no request."""
        return self._has_failed if self._exchange is None else self._exchange.is_idle()

    def is_closed(self) -> bool:
        """Say whether it is closed, or was never opened."""
        return self._has_failed if self._exchange is None else self._exchange.is_closed()

    def info(self) -> str:
        """Describe it (httpcore's interface)."""
        return "HTTP/1.1" if self._exchange is None else self._exchange.info()
