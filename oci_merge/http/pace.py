"""How fast a server has to be: bounds for one that says something all the time, and nothing of use.

The waits for one byte are ended by the connection's time-outs. A server that sends a byte now and
then, interim responses or HTTP/2 frames would keep a request for ever (slow loris).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator

from oci_merge.http.timings import Timings

#: The most bytes that bring no response further: interim responses, frames of HTTP/2 without
#: content. They take more memory than their few bytes, and a head is shorter.
_MOST_OVERHEAD = 256 * 1024
_FRAME_HEADER = 9
_DATA = 0


class Overhead:
    """Counts the bytes on a connection that bring no response further.

    HTTP/1.1 carries one response at a time, so every byte counts until a part of one has come. Over
    HTTP/2 the content of the other responses does not count (RFC 9113, section 4.1).

    Args:
        is_http2: whether that is spoken.
    """

    def __init__(self, *, is_http2: bool) -> None:
        self._is_http2 = is_http2
        self._count = 0
        self._ahead = 0  # of the payload that the last frame has still to come
        self._header = b""

    def reset(self) -> None:
        """Begin anew, as a part of a response has come."""
        self._count = 0

    def is_endless(self, content: bytes) -> bool:
        """Count bytes that have come; say whether there are too many."""
        self._count += self._count_frames(content) if self._is_http2 else len(content)
        return self._count > _MOST_OVERHEAD

    def _count_frames(self, content: bytes) -> int:
        counted, at = 0, min(self._ahead, len(content))
        self._ahead -= at
        while at < len(content):
            missing = _FRAME_HEADER - len(self._header)
            self._header += content[at : at + missing]
            at += missing
            if len(self._header) < _FRAME_HEADER:
                break
            length, kind = int.from_bytes(self._header[:3], "big"), self._header[3]
            self._header = b""
            counted += _FRAME_HEADER + (0 if kind == _DATA else length)
            self._ahead = max(at + length - len(content), 0)
            at += length
        return counted


class Pace:
    """The bounds of one request and its response.

    Args:
        timings: how fast a server has to be.
        wait: how long to wait for one byte, in seconds.
        connect: how long to wait for a connection, in seconds.
    """

    def __init__(self, timings: Timings, wait: float, connect: float) -> None:
        self._connect = connect
        self._head = timings.head * wait
        self._window = timings.window * wait
        self._least = timings.least_rate * self._window
        self._rate = timings.least_rate
        self._waited = 0.0
        self._moved = 0

    def scope(self, length: int) -> asyncio.Timeout:
        """Return a context manager whose block sends a request and reads the response.

        Its block ends with a TimeoutError where that takes too long. The time is that of the
        response's head, until ``received`` begins with its body: one timer serves a request.

        Args:
            length: how many bytes of a body are sent, but for a body in pieces (``sent``).
        """
        return asyncio.timeout(self._connect + self._head + length / self._rate)

    async def sent(
        self, pieces: AsyncIterator[bytes], scope: asyncio.Timeout
    ) -> AsyncIterator[bytes]:
        """Yield the pieces of a request's body, each once the server has taken those before it.

        Only the time that the server takes counts, and not the making of the pieces.

        Args:
            pieces: the pieces.
            scope: the request's (``scope``).
        """
        now = asyncio.get_running_loop().time
        async for piece in pieces:
            scope.reschedule(now() + self._left)
            began = time.monotonic()
            yield piece
            scope.reschedule(None)
            self._note(began, len(piece))
        scope.reschedule(now() + self._head)

    async def received(
        self, pieces: AsyncIterable[bytes], scope: asyncio.Timeout
    ) -> AsyncIterator[bytes]:
        """Yield the pieces of a response's body; what is done with them does not count.

        Args:
            pieces: the pieces.
            scope: the request's (``scope``), whose block reads the body, too. It ends where they
                come too slowly.
        """
        self._waited, self._moved = 0.0, 0
        now = asyncio.get_running_loop().time
        began = time.monotonic()
        scope.reschedule(now() + self._left)
        async for piece in pieces:
            scope.reschedule(None)
            self._note(began, len(piece))
            yield piece
            began = time.monotonic()
            scope.reschedule(now() + self._left)

    @property
    def _left(self) -> float:
        return max(self._window - self._waited, 0.0)

    def _note(self, began: float, length: int) -> None:
        """Note how long some bytes took; once enough have come, count anew."""
        self._waited += time.monotonic() - began
        self._moved += length
        if self._moved >= self._least:
            self._waited, self._moved = 0.0, 0
