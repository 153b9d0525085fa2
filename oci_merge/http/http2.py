"""A connection on which HTTP/2 may be spoken, on httpcore's.

Of the requests that share a connection, one reads for all. httpcore lets them queue for that, so a
response that has come waits until those before it in the queue have read something: a round trip,
where they wait for responses to later requests. Here a request goes on as soon as its response is
there.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpcore


def speaks_http2(stream: httpcore.AsyncNetworkStream) -> bool:
    """Say whether HTTP/2 was chosen on a connection, by TLS (RFC 7301)."""
    encrypted = stream.get_extra_info("ssl_object")
    return bool(encrypted) and encrypted.selected_alpn_protocol() == "h2"


class _Streams(httpcore.AsyncHTTP2Connection):
    """httpcore's connection of HTTP/2, in which nobody waits for what is there already.

    The methods and fields of httpcore's that are used here are not public. In an httpcore that has
    other ones, its own queue stays in use.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_reading = False
        # Who waits, and for which stream; None where any event may be what is waited for.
        self._waiting: dict[asyncio.Future[None], int | None] = {}

    async def _receive_events(
        self, request: httpcore.Request, stream_id: int | None = None
    ) -> None:
        """Read once, or wait until another request has read what this one waits for."""
        while self._is_reading:
            if await self._is_served(stream_id):
                return
        self._is_reading = True
        try:
            await super()._receive_events(request, stream_id)
        finally:
            self._is_reading = False
            self._wake()

    async def _is_served(self, stream_id: int | None) -> bool:
        """Wait until something is there for a stream, or it is this one's turn to read."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = stream_id
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._wake()  # it was this one's turn, so another one has to read
            raise
        finally:
            del self._waiting[turn]
        return stream_id is None or bool(self._events.get(stream_id))

    def _wake(self) -> None:
        """Wake those for whom something is there, and one of the others, who reads on."""
        has_reader = self._is_reading
        for turn, stream_id in self._waiting.items():
            is_served = stream_id is None or bool(self._events.get(stream_id))
            if not turn.done() and (is_served or not has_reader):
                turn.set_result(None)
                has_reader = has_reader or not is_served


class NegotiatedConnection(httpcore.AsyncHTTPConnection):
    """httpcore's connection, which finds out by TLS what is spoken."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request (httpcore's interface); the first one connects.

        Raises:
            httpcore's errors.
        """
        async with self._request_lock:
            if self._connection is None:
                try:
                    self._connection = await self._opened(request)
                except BaseException:
                    self._connect_failed = True
                    raise
        return await super().handle_async_request(request)

    async def _opened(self, request: httpcore.Request) -> httpcore.AsyncConnectionInterface:
        stream = await self._connect(request)
        make = _Streams if speaks_http2(stream) else httpcore.AsyncHTTP11Connection
        return make(self._origin, stream, self._keepalive_expiry)
