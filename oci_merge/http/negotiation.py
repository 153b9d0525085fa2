"""Finds out how a registry speaks: plain HTTP or TLS, HTTP/1.1 or HTTP/2.

One request goes ahead and the others wait, because requests queue on a connection that may still
become HTTP/2: with HTTP/1.1 known, they get connections of their own. A registry on a
loopback address is tried over plain HTTP first, as docker and podman do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Literal

from oci_merge._concurrency import SingleFlight
from oci_merge._text import shown_host
from oci_merge.errors import TransportError
from oci_merge.http.errors import has_no_connection, is_time_out, speaks_no_tls
from oci_merge.http.message import Request, Response
from oci_merge.http.timings import Timings

_logger = logging.getLogger(__name__)

#: ``plain`` is HTTP/1.1 without TLS; ``h2`` offers HTTP/2 and HTTP/1.1 over TLS, ``http/1.1`` only
#: the latter.
Protocol = Literal["plain", "h2", "http/1.1"]
_Scheme = Literal["plain", "h2"]
_Send = Callable[[Request, _Scheme], Awaitable[Response]]


class Negotiation:
    """What is known about one registry's scheme and protocol, which outlives a run.

    Args:
        send: sends a request over plain HTTP or TLS and reads the response, without redirects.
        open_tls: begins to open a TLS connection.
        plain_http: whether the user asks for plain HTTP, so that nothing has to be found out.
        is_loopback: whether the registry is on this machine, so that plain HTTP is tried first.
        timings: how long plain HTTP is tried alone.

    Attributes:
        protocol: what the registry speaks; None until a response has come.
        known: set when ``protocol`` is.
    """

    def __init__(
        self,
        send: _Send,
        open_tls: Callable[[], None],
        *,
        plain_http: bool,
        is_loopback: bool,
        timings: Timings,
    ) -> None:
        self.protocol: Protocol | None = None
        self.known = asyncio.Event()
        self._send = send
        self._open_tls = open_tls
        self._timings = timings
        self._usual: tuple[_Scheme, ...] = ("plain", "h2") if is_loopback else ("h2",)
        self._schemes: tuple[_Scheme, ...] = self._usual
        self._tried: Request | None = None
        self._flight: SingleFlight[str, tuple[object, Response]] = SingleFlight()
        if plain_http:
            self.settle("plain")

    @property
    def may_be_plain(self) -> bool:
        """Whether plain HTTP is spoken, or may turn out to be."""
        if self.protocol is None:
            return "plain" in self._schemes
        return self.protocol == "plain"

    async def first(self, request: Request) -> Response | None:
        """Send a request ahead of all others, or wait for the one that was sent ahead.

        Returns:
            The response, or None where another request went ahead; the protocol is known then.

        Raises:
            TransportError: no usable response came, for everybody who waits.
            ManifestError: the response is larger than the limit of the request that went ahead.
        """
        me = object()
        ahead, response = await self._flight.run("", partial(self._go_ahead, me, request))
        return response if ahead is me else None

    async def _go_ahead(self, me: object, request: Request) -> tuple[object, Response]:
        """Try each scheme that may be spoken, until one is.

        A request that is sent again tries one scheme at a time, in turn: each retry that the user
        allows is one more attempt, not two. A sign that the other scheme is spoken leads to that
        at once.
        """
        is_retry = request is self._tried
        if not is_retry:
            self._tried, self._schemes = request, self._usual
        errors: list[TransportError] = []
        left: deque[_Scheme] = deque(self._schemes[:1] if is_retry else self._schemes)
        while left:
            scheme = left.popleft()
            try:
                if scheme == "plain":
                    response = await self._try_plain(request, left)
                elif errors and is_time_out(errors[-1]):
                    # A server that accepted a request and said nothing hardly waits for TLS.
                    brief = replace(request, patience=self._timings.brief)
                    response = await self._send(brief, scheme)
                else:
                    response = await self._send(request, scheme)
            except TransportError as error:
                errors.append(error)
                if has_no_connection(error):
                    break  # the other scheme would use the same port
                if scheme == "h2" and "plain" in self._schemes and speaks_no_tls(error):
                    self._schemes = ("plain",)
                    left.extend(self._schemes if is_retry else ())
                continue
            if scheme == "h2" or not response.wants_tls:
                self.settle("plain" if scheme == "plain" else _protocol(response))
                return me, response
            self._schemes = ("h2",)
            left = deque(self._schemes)
        if is_retry:
            self._schemes = self._schemes[::-1]
        # Of two failures, the one over the scheme that may be spoken helps.
        raise next((error for error in errors[::-1] if not speaks_no_tls(error)), errors[-1])

    async def _try_plain(self, request: Request, left: Collection[_Scheme]) -> Response:
        # No secret goes over plain HTTP to a registry that may want TLS.
        request = replace(request, authorization=None)
        if not left:
            return await self._send(request, "plain")
        # A loopback address may lead far away, by a forwarded port. Then the two round trips of a
        # TLS connection pass while plain HTTP is tried.
        later = asyncio.get_running_loop().call_later(self._timings.plain_alone, self._open_tls)
        try:
            return await self._send(request, "plain")
        finally:
            later.cancel()

    def settle(self, protocol: Protocol) -> None:
        """Note what is spoken, for every request from here on."""
        self.protocol = protocol
        self.known.set()
        self._tried = None


def _protocol(response: Response) -> Protocol:
    _logger.debug("%s speaks %s", shown_host(response.url), response.protocol)
    return "h2" if response.protocol == "HTTP/2" else "http/1.1"
