"""A transport without a network, for tests of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from oci_merge.errors import TransportError
from oci_merge.http.message import Request, Response
from oci_merge.http.rate_limit import RateLimiter
from oci_merge.http.timings import Timings
from oci_merge.http.url_policy import Origin


class FakeTransport:
    """Answers requests by a function, and notes them and the waits between them.

    Args:
        answer: makes the response to a request; it may raise.
    """

    registry = "reg.test"
    origin = Origin("https://reg.test")
    timings = Timings()

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self.rate_limiter = RateLimiter(None)
        self.requests: list[Request] = []
        self.waits: list[float] = []
        self._answer = answer

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        return await self._answer(request)

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    async def open_tls(self) -> None:
        pass

    async def open_ahead(self, count: int) -> None:
        pass


def answered(request: Request, status: int = 200, **headers: str) -> Response:
    """Return a response to a request."""
    named = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    url = f"https://reg.test{request.url}"
    return Response(status, named, b"", url, cross_origin=False, protocol="HTTP/1.1")


def refused() -> TransportError:
    """Return the error for a server that refuses connections."""
    return _caused(httpx.ConnectError("connection refused"))


def timed_out() -> TransportError:
    """Return the error for a server that accepts a request and stays silent."""
    return _caused(httpx.ReadTimeout("timed out"))


def _caused(cause: Exception) -> TransportError:
    error = TransportError(f"reg.test failed: {cause}")
    error.__cause__ = cause
    return error
