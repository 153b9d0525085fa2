"""Which connection a request takes. It takes the place of httpcore's own pool in httpx.

That one looks at every connection for every other one, each time a request begins or ends, which
for 64 connections is most of what a run computes. Here nothing waits for a connection: the
transport bounds how many requests are under way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Protocol, cast

import httpcore

_Key = tuple[bytes, bytes, int]


class _Stream(Protocol):
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class Pool:
    """Connections, by what they lead to; one that carries one request at a time is lent out.

    Args:
        create: makes a connection to an origin, which connects when it is first used.
    """

    def __init__(
        self, create: Callable[[httpcore.Origin], httpcore.AsyncConnectionInterface]
    ) -> None:
        self._create = create
        self._free: defaultdict[_Key, list[httpcore.AsyncConnectionInterface]] = defaultdict(list)
        self._shared: defaultdict[_Key, list[httpcore.AsyncConnectionInterface]] = defaultdict(list)
        self._all: set[httpcore.AsyncConnectionInterface] = set()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; closing the response's stream gives the connection back.

        Raises:
            httpcore's errors.
        """
        while True:
            connection = await self._take(request.url.origin)
            try:
                response = await connection.handle_async_request(request)
            except httpcore.ConnectionNotAvailable:
                continue  # it turned out to carry one at a time, or it was just closed
            except BaseException:
                self._put(request.url.origin, connection)
                raise
            return httpcore.Response(
                response.status,
                headers=response.headers,
                content=_Body(
                    cast("_Stream", response.stream),
                    partial(self._put, request.url.origin, connection),
                ),
                extensions=response.extensions,
            )

    async def aclose(self) -> None:
        """Close every connection."""
        while self._all:
            await self._all.pop().aclose()

    async def _take(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        """Return a connection that can carry a request now; of many, the one used last."""
        key = _key(origin)
        free, shared = self._free[key], self._shared[key]
        while free:
            connection = free.pop()
            if await self._is_good(connection):
                return connection
        for connection in list(shared):
            if not await self._is_good(connection):
                shared.remove(connection)
            elif connection.is_available():
                return connection
        connection = self._create(origin)
        self._all.add(connection)
        if connection.is_available():  # before it is connected: it may turn out to be HTTP/2
            shared.append(connection)
        return connection

    def _put(self, origin: httpcore.Origin, connection: httpcore.AsyncConnectionInterface) -> None:
        key = _key(origin)
        if connection.is_closed():
            self._all.discard(connection)
        elif connection.is_idle() and connection not in self._shared[key]:
            self._free[key].append(connection)

    async def _is_good(self, connection: httpcore.AsyncConnectionInterface) -> bool:
        """Say whether a connection is still there; if it has had its time, it is closed."""
        if not connection.is_closed() and not connection.has_expired():
            return True
        self._all.discard(connection)
        await connection.aclose()
        return False


class _Body:
    """The body of a response, at whose end something is done once."""

    def __init__(self, stream: _Stream, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._ended: Callable[[], None] | None = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if self._ended is not None:
                self._ended()
                self._ended = None


def _key(origin: httpcore.Origin) -> _Key:
    return origin.scheme, origin.host, origin.port
