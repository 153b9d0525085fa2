"""Sends one request to a registry: scheme and protocol, redirects, limits. It knows no images.

httpx and httpcore are known in this package alone; none of their exceptions leave it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import httpx

from oci_merge._text import shown_host, shown_path
from oci_merge._version import __version__
from oci_merge.errors import ManifestError, OciMergeError, TransportError
from oci_merge.http.connections import CONNECTIONS, KIND, Connections, Kind
from oci_merge.http.errors import LIBRARY_ERRORS, mask_causes, outage
from oci_merge.http.lifetime import Lifetime
from oci_merge.http.masking import secrets_of
from oci_merge.http.message import MAX_ERROR_BODY, Request, Response
from oci_merge.http.negotiation import Negotiation
from oci_merge.http.pace import Pace
from oci_merge.http.quiet import unlogged
from oci_merge.http.rate_limit import RateLimiter
from oci_merge.http.timings import Timings
from oci_merge.http.url_policy import Origin, check_redirect, cut_plain, same_origin
from oci_merge.model.host import is_loopback, registry_endpoint
from oci_merge.options import RegistryOptions

_logger = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
#: The bytes that HTTP/2 sends without the server's leave (RFC 9113, section 6.9.2). While a longer
#: body waits for leave, httpcore does not see that the server has answered and closed the stream.
_MOST_OVER_HTTP2 = 65_535
#: What is raised where no usable response comes; a TimeoutError ends a block of ``Pace``.
_NO_RESPONSE = (TimeoutError, *LIBRARY_ERRORS)
#: The headers of every request, by lower-case name. A request's own take the place of these.
_HEADERS = {
    "accept": ("Accept", "*/*"),
    "connection": ("Connection", "keep-alive"),
    "user-agent": ("User-Agent", f"oci-merge/{__version__}"),
    "accept-encoding": ("Accept-Encoding", "identity"),
}
#: Methods whose requests say that they have no body (RFC 9110, section 8.6).
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Transport:
    """Connections to one registry, opened when they are first needed.

    Args:
        registry: the authority, or ``docker.io``.
        options: how to reach it.
        timings: how long to wait for what.

    Attributes:
        registry: the registry's name.
        timings: how long to wait for what.
        rate_limiter: how fast requests go to the registry, over all runs.

    Raises:
        UsageError, TransportError: a file of certificates cannot be used.
    """

    def __init__(
        self, registry: str, options: RegistryOptions | None = None, timings: Timings | None = None
    ) -> None:
        options = options or RegistryOptions()
        self.registry = registry
        self.timings = timings = timings or Timings()
        self.rate_limiter = RateLimiter(options.rate)
        self._authority = registry_endpoint(registry)
        self._plain = Origin(f"http://{self._authority}", is_insecure=True)
        self._encrypted = Origin(f"https://{self._authority}", is_insecure=options.insecure)
        self._plain_http = options.plain_http
        self._seconds = options.timeout
        self._connections = Connections(registry, options, timings)
        self._negotiation = Negotiation(
            self._send_once,
            self._begin_tls,
            plain_http=options.plain_http,
            is_loopback=is_loopback(registry),
            timings=timings,
        )
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._lifetime = Lifetime()

    @property
    def origin(self) -> Origin:
        """The registry's origin; its scheme is known once a first response has come."""
        return self._plain if self._negotiation.protocol == "plain" else self._encrypted

    async def send(self, request: Request) -> Response:
        """Send a request and follow redirects (``Request.is_followed``).

        Raises:
            TransportError: no usable response came.
            ManifestError: the response is larger than the request's limit.
            RuntimeError: the transport is closed, or was closed meanwhile.
        """
        with self._lifetime.use(), unlogged():
            response = None
            if self._negotiation.protocol is None and self.origin.owns(request.url):
                response = await self._negotiation.first(request)
            first = url = self.origin.at(request.url)
            kind = self._kind(url, request)
            # Redirects are followed by hand, so that credentials stay at their origin.
            for _ in range(_MAX_REDIRECTS + 1):
                if response is None:
                    # In line, as in _send_once: a request passes few frames of ours.
                    async with self._slots:
                        is_own = url == first or same_origin(url, first)
                        pace = self._pace(request)
                        try:
                            async with pace.scope(len(request.content)) as scope:
                                built = self._build(request, url, kind, pace, scope, is_own=is_own)
                                received = await self._connections.handle_async_request(built)
                                response = await self._read(
                                    received, request, url, pace, scope, is_own=is_own
                                )
                        except _NO_RESPONSE as error:
                            cause = _as_httpx(error)
                            raise self._outage(cause, request, url) from cause
                location = response.headers.get("location")
                if not request.is_followed(response.status) or not location:
                    return response
                writes_for = None if request.is_reading else self.origin
                url = check_redirect(location, response.url, writes_for)
                if request.check_redirect:
                    request.check_redirect(urljoin(response.url, location))
                kind, response = self._kind(url, request), None
        raise TransportError(
            f"{self._authority} redirects {request.method} {shown_path(request.url)} "
            f"more than {_MAX_REDIRECTS} times",
            hint="the registry, or a proxy before it, is misconfigured",
        )

    async def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            RuntimeError: the transport is closed, or was closed meanwhile.
        """
        with self._lifetime.use():
            await self.timings.sleep(seconds)

    async def open_tls(self) -> None:
        """Open a TLS connection for the first request, and find out what is spoken on it.

        Requests can go side by side then, as soon as what they carry is there. Where no connection
        comes of it soon, they find out for themselves.
        """
        with self._lifetime.use(), suppress(TimeoutError):
            async with asyncio.timeout(self.timings.brief):
                self._begin_tls()
                if protocol := await self._connections.opened_ahead("h2"):
                    self._negotiation.settle(protocol)

    async def open_ahead(self, count: int) -> None:
        """Open connections for requests that will go side by side, while others are waited for.

        It ends when they are being opened. Over HTTP/2 requests share a connection, so none is
        opened, and none over plain HTTP to a registry that is near.

        Args:
            count: how many.
        """
        count = min(count, CONNECTIONS)
        if self._negotiation.may_be_plain and await self._is_far():
            self._connections.open_ahead("plain", count)
        await self._negotiation.known.wait()
        if self._negotiation.protocol == "http/1.1":
            self._connections.open_ahead("http/1.1", count)

    async def aclose(self) -> None:
        """Close every connection; requests under way end with a RuntimeError."""
        self._lifetime.end()
        with unlogged():
            await self._connections.aclose()

    async def _is_far(self) -> bool:
        """Wait a moment, and say whether plain HTTP is spoken to a registry that is not near.

        A registry that answers its first request at once is near: a few new connections take less
        time there than many that may not be needed. If the protocol is known already, this waits
        as long; the caller cancels it if its responses have come by then.
        """
        await self._connections.connected("plain")
        if self._negotiation.protocol is not None:
            await asyncio.sleep(self.timings.far)
            return True
        try:
            async with asyncio.timeout(self.timings.far):
                await self._negotiation.known.wait()
        except TimeoutError:
            return self._negotiation.may_be_plain
        return False

    async def _send_once(self, request: Request, kind: Kind) -> Response:
        """Send a first request to the registry over plain HTTP or TLS, and follow nothing."""
        url = (self._plain if kind == "plain" else self._encrypted).at(request.url)
        async with self._slots:
            pace = self._pace(request)
            try:
                async with pace.scope(len(request.content)) as scope:
                    built = self._build(request, url, kind, pace, scope, is_own=True)
                    received = await self._connections.handle_async_request(built)
                    return await self._read(received, request, url, pace, scope, is_own=True)
            except _NO_RESPONSE as error:
                cause = _as_httpx(error)
                raise self._outage(cause, request, url, is_first=kind == "h2") from cause

    def _begin_tls(self) -> None:
        """Begin to open a TLS connection, for a registry that may turn out to want one."""
        with suppress(OciMergeError):  # raised again where the connection is needed
            self._connections.open_ahead("h2", 1)

    def _kind(self, url: str, request: Request) -> Kind:
        """Choose over which kind of connection a URL is asked."""
        if url.startswith("http:"):
            return "plain"
        if self._negotiation.protocol is not None and self.origin.owns(url):
            return "stream" if _avoids_http2(request) else self._negotiation.protocol
        return "foreign stream" if _avoids_http2(request) else "foreign"

    def _build(
        self,
        request: Request,
        url: str,
        kind: Kind,
        pace: Pace,
        scope: asyncio.Timeout,
        *,
        is_own: bool,
    ) -> httpx.Request:
        """Make the request that the connections take.

        httpx's client would add cookies, redirects and logins of its own, all of which would have
        to be switched off, and takes as long as the rest of a request's way through httpx.
        """
        wait, connect = self._waits(request)
        timeout = {"connect": connect, "read": wait, "write": wait, "pool": None}
        pieces = pace.sent(request.body_stream(), scope) if request.body_stream else None
        try:
            origin, target = cut_plain(url) or (url, "")
            at = _parsed(origin) if target else httpx.URL(url)
            _ = at.host  # says whether it is a name
            return httpx.Request(
                request.method,
                at,
                headers=_headers(request, at, with_authorization=is_own),
                content=pieces,
                stream=None if pieces else httpx.ByteStream(request.content),
                extensions={KIND: kind, "timeout": timeout, **_target(target)},
            )
        except UnicodeError:  # of a name in Punycode that says nothing
            raise TransportError(
                f"{shown_host(url)} is no host name",
                hint="check the registry's name, or what the registry redirects to",
            ) from None

    def _pace(self, request: Request) -> Pace:
        return Pace(self.timings, *self._waits(request))

    def _waits(self, request: Request) -> tuple[float, float]:
        """Return how long to wait for one byte, and for a connection, in seconds."""
        usual = self.timings.stream if request.is_streamed else self.timings.answer
        patience = request.patience or math.inf
        return (
            min(self._seconds or usual, patience),
            min(self._seconds or self.timings.connect, patience),
        )

    def _outage(
        self, error: Exception, request: Request, url: str, *, is_first: bool = False
    ) -> TransportError:
        """Return the error for what httpx raised."""
        what, host = f"{request.method} {shown_path(url)}", shown_host(url)
        secrets = (*secrets_of(request), *self._connections.proxy_secrets(url))
        mask_causes(error, secrets)
        return outage(
            what,
            host,
            self._connections.proxy_of(url),
            error,
            is_first=is_first,
            role=self._role(request, url),
            is_plain=self._plain_http and url.startswith("http:"),
        )

    def _role(self, request: Request, url: str) -> str:
        """Say what the server of a URL is, where it is not the registry."""
        is_registry = urlsplit(url).netloc == urlsplit(self.origin.url).netloc
        return "" if is_registry else request.role or "the object store"

    async def _read(
        self,
        received: httpx.Response,
        request: Request,
        url: str,
        pace: Pace,
        scope: asyncio.Timeout,
        *,
        is_own: bool,
    ) -> Response:
        """Read a response, and give its connection back."""
        assert isinstance(received.stream, httpx.AsyncByteStream)
        pieces = pace.received(received.stream, scope)
        try:
            content = await _read_body(received.status_code, pieces, request, url)
        finally:
            await received.aclose()
        if _logger.isEnabledFor(logging.DEBUG):  # to make the words takes longer than to ask
            _logger.debug("%s %s: %d", request.method, shown_path(url), received.status_code)
        wants_login = received.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        if wants_login and self._connections.proxy_of(url):
            # A plain HTTP request gets a proxy's own answer as if it were the registry's.
            raise httpx.ProxyError("it wants a login")
        return Response(
            received.status_code,
            received.headers,
            content,
            url,
            not is_own,
            received.http_version,
        )


def _as_httpx(error: Exception) -> Exception:
    """Return httpx's exception for a response that does not come in time (``Pace``)."""
    if not isinstance(error, TimeoutError):
        return error
    late = httpx.ReadTimeout("")
    late.__cause__ = error
    return late


def _avoids_http2(request: Request) -> bool:
    is_long = len(request.content) > _MOST_OVER_HTTP2
    return request.is_streamed or request.avoids_http2 or is_long


@lru_cache(maxsize=64)
def _parsed(origin: str) -> httpx.URL:
    """Return the URL of an origin: httpx looks at each character of one, which takes long."""
    return httpx.URL(origin)


def _target(target: str) -> dict[str, bytes]:
    """Return the extension of a request that names its target, where the URL does not."""
    return {"target": target.encode("ascii")} if target else {}


def _headers(
    request: Request, url: httpx.URL, *, with_authorization: bool
) -> list[tuple[str, str]]:
    """Return the headers of a request, in the order in which httpx's client sends them.

    Args:
        request: the request.
        url: where it goes.
        with_authorization: whether it goes to the origin that its credentials are for.
    """
    own = list(request.headers.items())
    if request.authorization and with_authorization:
        own.append(("Authorization", request.authorization))
    names = {name.lower() for name, _ in own}
    headers = [("Host", url.netloc.decode("ascii"))]
    is_empty = not request.content and request.body_stream is None
    if is_empty and request.method in _WITH_BODY:
        headers.append(("Content-Length", "0"))
    headers += (header for name, header in _HEADERS.items() if name not in names)
    headers += own
    if request.content:
        headers.append(("Content-Length", str(len(request.content))))
    return headers


async def _read_body(
    status: int, pieces: AsyncIterator[bytes], request: Request, url: str
) -> bytes:
    """Read a body, no more of it than the request allows, or give it to ``write_to``."""
    if request.write_to is not None and status == HTTPStatus.OK:
        await request.write_to(pieces)
        return b""
    is_error = status >= 400
    limit = MAX_ERROR_BODY if is_error else request.limit
    content = bytearray()
    async for chunk in pieces:
        content += chunk
        if len(content) > limit:
            if is_error:
                return bytes(content[:limit])
            host, what = shown_host(url), shown_path(request.url)
            raise ManifestError(
                f"{host} sends more than {limit} bytes for {what}",
                hint="no manifest, config or token is that large; nothing more of it was read",
            )
    return bytes(content)
