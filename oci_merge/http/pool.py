"""Lends connections to requests.

httpcore's own pool compares each connection with every other one whenever a request begins or ends.
With 64 connections that took 10 of the 14 seconds of 50 merges under a profiler. In this pool no
request waits for a connection, since the transport bounds how many requests are under way.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol, cast

import httpcore

_Key = tuple[bytes, bytes, int]
_Connection = httpcore.AsyncConnectionInterface

_NETWORK_ERRORS = (
    OSError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
)


class _Stream(Protocol):
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class Pool:
    """Connections, by origin.

    A connection that carries one request at a time is lent to it. A connection that speaks
    HTTP/2, or may turn out to, is shared.

    Args:
        create: makes a connection to an origin, which connects when it is first used.

    Attributes:
        create: as given; it may be changed.
    """

    def __init__(self, create: Callable[[httpcore.Origin], _Connection]) -> None:
        self.create = create
        self._free: defaultdict[_Key, deque[_Connection]] = defaultdict(deque)
        self._shared: defaultdict[_Key, list[_Connection]] = defaultdict(list)
        self._all: set[_Connection] = set()
        self._is_closed = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; closing the response's stream gives the connection back.

        Raises:
            httpcore's errors.
        """
        key = _key(request.url.origin)
        while True:
            connection = await self._take(key, request.url.origin)
            try:
                response = await connection.handle_async_request(request)
            except httpcore.ConnectionNotAvailable:
                continue  # it carries one request at a time, or was just closed
            except BaseException:
                await self._put(key, connection)
                raise
            self._all.add(connection)
            if connection.is_available() and connection not in self._shared[key]:
                self._shared[key].append(connection)  # HTTP/2 behind a proxy is known late
            given_back = partial(self._put, key, connection)
            return httpcore.Response(
                response.status,
                headers=response.headers,
                content=_Body(cast("_Stream", response.stream), given_back),
                extensions=response.extensions,
            )

    async def aclose(self) -> None:
        """Close every connection.

        Raises:
            what closing a connection raised first, once all are closed, unless it is an error of
            the network: that connection is gone anyway.
        """
        self._is_closed = True
        first: Exception | None = None
        while self._all:
            try:
                await self._all.pop().aclose()
            except _NETWORK_ERRORS:
                pass
            except Exception as error:
                first = first or error
        if first is not None:
            raise first

    async def _take(self, key: _Key, origin: httpcore.Origin) -> _Connection:
        """Return a connection that can carry a request now, the one that was used last."""
        free, shared = self._free[key], self._shared[key]
        while free:
            connection = free.pop()
            if _is_good(connection):
                return connection
            await self._close(connection)
        for connection in list(shared):
            if not _is_good(connection):
                if connection in shared:  # other requests may remove it while one is closed
                    shared.remove(connection)
                await self._close(connection)
            elif connection.is_available():
                return connection
        connection = self.create(origin)
        self._all.add(connection)
        if connection.is_available():  # not connected yet, so it may become HTTP/2
            shared.append(connection)
        return connection

    async def _put(self, key: _Key, connection: _Connection) -> None:
        """Take a connection back, and close those that have expired."""
        if connection in self._shared[key] and not self._is_closed:
            return
        if not self._is_closed and _is_good(connection) and connection.is_available():
            free = self._free[key]
            free.append(connection)
            while free and not _is_good(free[0]):  # closing one lets others take the rest
                await self._close(free.popleft())
        else:
            await self._close(connection)

    async def _close(self, connection: _Connection) -> None:
        self._all.discard(connection)
        await connection.aclose()


def _is_good(connection: _Connection) -> bool:
    """Say whether a connection may carry another request, now or after its present one."""
    is_broken = connection.is_idle() and not connection.is_available()
    return not (connection.is_closed() or connection.has_expired() or is_broken)


class _Body:
    """The body of a response, which gives the connection back at its end."""

    def __init__(self, stream: _Stream, ended: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._ended: Callable[[], Awaitable[None]] | None = ended

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            ended, self._ended = self._ended, None
            if ended is not None:
                await ended()


def _key(origin: httpcore.Origin) -> _Key:
    return origin.scheme, origin.host, origin.port
