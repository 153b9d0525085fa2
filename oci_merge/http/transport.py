"""HTTP to one registry: the scheme, the protocol, redirects, limits. No word of images.

httpx stays in here, in ``clients``, ``exchange`` and ``outages``; none of its errors leave them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from http import HTTPStatus
from urllib.parse import urljoin

import httpx

from oci_merge._text import shown_host, shown_path
from oci_merge.errors import ManifestError, OciMergeError, TransportError
from oci_merge.http.connections import CONNECTIONS, Clients, Kind
from oci_merge.http.errors import may_pass, outage, speaks_no_tls
from oci_merge.http.message import MAX_ERROR_BODY, Request, Response
from oci_merge.http.rate_limit import RateLimiter
from oci_merge.http.url_policy import Origin, check_redirect, same_origin
from oci_merge.model.host import is_loopback, registry_endpoint
from oci_merge.options import RegistryOptions

_logger = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
#: A registry that has said nothing for so long is not near, in seconds.
FAR = 0.005
#: How long a loopback registry is waited for in the clear before TLS is made ready, in seconds.
HEAD_START = 0.025
#: What TLS servers say to a request in the clear.
_TLS_HINTS = (b"HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS port")


class Transport:
    """Connections to one registry, opened when they are first needed.

    A registry on a loopback address is spoken to in the clear if it answers so, else over TLS.
    Over TLS the first response tells whether HTTP/2 was chosen; if not, everything after it goes
    through a client that speaks HTTP/1.1 alone, as httpx would queue requests on one connection
    that might still become HTTP/2.

    Args:
        registry: the authority, or ``docker.io``.
        options: how to reach it.

    Attributes:
        rate_limiter: how fast its requests go.

    Raises:
        UsageError, TransportError: a file of certificates cannot be used.
    """

    def __init__(self, registry: str, options: RegistryOptions | None = None) -> None:
        options = options or RegistryOptions()
        plain_http = options.plain_http
        self.registry = registry
        self._authority = registry_endpoint(registry)
        self._insecure = options.insecure
        self._clients = Clients(registry, options)
        self._first = asyncio.Lock()
        # So many connections are enough, and a server has to bear them all.
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._may_be_plain = self._try_plain = not plain_http and is_loopback(registry)
        self._scheme = "http" if plain_http else "https"
        self._settled: Kind | None = "plain" if plain_http else None
        self._settling = asyncio.Event()
        if plain_http:
            self._settling.set()
        self.rate_limiter = RateLimiter(options.rate)
        self._tls_ahead: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        """Close every connection."""
        if self._tls_ahead is not None:
            self._tls_ahead.cancel()
        await self._clients.aclose()

    async def open_ahead(self, count: int) -> None:
        """Open connections for requests that will go side by side, while others are waited for.

        It ends when they are being opened. Where requests share a connection, there are none to
        open, and where the registry is near and TLS is not spoken, a new one takes no time.

        Args:
            count: how many.
        """
        count = min(count, CONNECTIONS)
        if self._is_clear:
            await self._clients.connected("plain")
            await asyncio.sleep(FAR)
            if self._is_clear:
                self._clients.open_ahead("plain", count)
        await self._settling.wait()
        if self._settled == "http/1.1":
            self._clients.open_ahead("http/1.1", count)

    @property
    def _is_clear(self) -> bool:
        """Whether plain HTTP is spoken, or that is not known yet."""
        return self._settled == "plain" or (self._settled is None and self._try_plain)

    def is_own(self, url: str) -> bool:
        """Say whether a path or URL is the registry's own, so that its credentials may go there."""
        try:
            return same_origin(urljoin(self.base_url, url), self.base_url)
        except ValueError:
            return False

    @property
    def base_url(self) -> str:
        """The registry's URL; its scheme is known once a first response has come."""
        return f"{self._scheme}://{self._authority}"

    @property
    def origin(self) -> Origin:
        """The registry's origin; its scheme is known once a first response has come."""
        return Origin(self.base_url, is_insecure=self._scheme == "http" or self._insecure)

    @property
    def is_settled(self) -> bool:
        """Whether scheme and protocol are known, so that requests may go out side by side."""
        return self._settled is not None

    def start_over(self) -> None:
        """Forget that a registry did not answer in the clear, as it answered to nothing."""
        self._try_plain = self._may_be_plain

    @property
    def tries_clear(self) -> bool:
        """Whether a loopback registry is still to be tried in the clear."""
        return self._try_plain

    def may_pass(self, error: TransportError) -> bool:
        """Say whether to try again; what failed in the clear may be no TLS server at all."""
        # Another first request may have been answered in the clear while this one tried TLS.
        is_open = self._settled in (None, "plain") and self._may_be_plain
        return may_pass(error) or (is_open and speaks_no_tls(error))

    async def once(self, request: Request) -> Response:
        """Send a request and follow redirects (``Request.is_followed``).

        Raises:
            TransportError: no usable response came.
            ManifestError: the response is larger than the request's limit.
        """
        if self._settled is None:
            async with self._first:
                if self._settled is None:
                    return await self._follow(request, await self._settle_protocol(request))
        return await self._follow(request, await self._exchange(request, self._url(request)))

    async def once_more(self, request: Request) -> Response:
        """Send again what failed, in the clear too as long as nothing came of either scheme.

        Raises:
            TransportError, ManifestError: as ``once`` does.
        """
        if self._settled is None and self._may_be_plain:
            with contextlib.suppress(NotInClearError):
                return await self.in_clear(request)
        return await self.once(request)

    async def in_clear(self, request: Request) -> Response:
        """Send a request in the clear.

        Raises:
            NotInClearError: the registry does not speak plain HTTP, as far as can be seen.
        """
        url = urljoin(f"http://{self._authority}", request.url)
        if self._tls_ahead is None:
            self._tls_ahead = asyncio.create_task(self._open_tls_ahead())
        try:
            response = await self._exchange(request, url, "plain")
        except TransportError as error:
            if self._settled == "plain":
                raise
            self._try_plain = False
            raise NotInClearError from error
        if _is_tls_servers(response):
            self._try_plain = self._may_be_plain = False
            raise NotInClearError
        self._scheme = "http"
        self._settle("plain")
        return await self._follow(request, response)

    async def _open_tls_ahead(self) -> None:
        """Have a connection with TLS at hand, should it turn out that the clear is not spoken."""
        await asyncio.sleep(HEAD_START)
        if self._settled is None and self._try_plain:
            with contextlib.suppress(OciMergeError):  # it will be raised where it is asked for
                self._clients.open_ahead("h2", 1)

    async def _settle_protocol(self, request: Request) -> Response:
        """Send the first request over TLS and learn from its response how to go on."""
        response = await self._exchange(request, self._url(request), "h2")
        self._settle("h2" if response.protocol == "HTTP/2" else "http/1.1")
        _logger.debug("%s speaks %s", self._authority, response.protocol)
        return response

    def _settle(self, kind: Kind) -> None:
        self._settled = kind
        self._settling.set()

    async def _follow(self, request: Request, response: Response) -> Response:
        """Follow redirects by hand, so that credentials stay where they belong."""
        for followed in range(_MAX_REDIRECTS + 1):
            location = response.headers.get("location")
            if not request.is_followed(response.status) or not location:
                return response
            if followed < _MAX_REDIRECTS:
                url = check_redirect(location, response.url)
                if request.check_redirect:
                    request.check_redirect(urljoin(response.url, location))
                response = await self._exchange(request, url)
        raise TransportError(
            f"{self._authority} redirects {request.method} {shown_path(request.url)} "
            f"more than {_MAX_REDIRECTS} times",
            hint="the registry, or a proxy before it, is misconfigured",
        )

    async def _exchange(self, request: Request, url: str, kind: Kind | None = None) -> Response:
        """Send one request and read its response, without following anything."""
        cross_origin = kind is None and not same_origin(url, self._url(request))
        headers = dict(request.headers)
        if request.authorization and not cross_origin:
            headers["Authorization"] = request.authorization
        client = self._clients.client(kind or self._kind(url, request), url)
        body = request.body_stream() if request.body_stream else request.content
        what, host = f"{request.method} {shown_path(url)}", shown_host(url)
        async with self._slots:
            try:
                built = client.build_request(request.method, url, headers=headers, content=body)
                received = await client.send(built, stream=True)
                try:
                    content = await _read(received, request)
                finally:
                    await received.aclose()
            except OciMergeError:
                raise
            except Exception as error:  # whatever an HTTP stack makes of a broken response
                proxy = self._clients.proxy_of(url)
                raise outage(what, host, proxy, error, is_first=kind == "h2") from error
        _logger.debug("%s: %d", what, received.status_code)
        if received.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            self._refuse_proxy_login(url)
        return Response(
            received.status_code,
            received.headers,
            content,
            url,
            cross_origin,
            received.http_version,
        )

    def _refuse_proxy_login(self, url: str) -> None:
        """Say of a proxy's own answer that it is no registry's."""
        if proxy := self._clients.proxy_of(url):
            raise outage("", shown_host(url), proxy, httpx.ProxyError("it wants a login"))

    def _url(self, request: Request) -> str:
        return urljoin(self.base_url, request.url)

    def _kind(self, url: str, request: Request) -> Kind:
        is_plain = url.startswith("http:")
        if self._settled is not None and self.is_own(url):
            return "stream" if request.is_streamed and not is_plain else self._settled
        if is_plain:
            return "plain"
        return "foreign stream" if request.is_streamed else "foreign"


class NotInClearError(Exception):
    """The registry did not answer as plain HTTP has it."""


async def _read(received: httpx.Response, request: Request) -> bytes:
    """Read a body that may be as long as it likes only if nobody wants it."""
    if request.write_to is not None and received.status_code == 200:
        await request.write_to(received.aiter_raw())
        return b""
    is_error = received.status_code >= 400
    limit = MAX_ERROR_BODY if is_error else request.limit
    content = bytearray()
    async for chunk in received.aiter_raw():
        content += chunk
        if len(content) > limit:
            if is_error:
                return bytes(content[:limit])
            raise ManifestError(
                f"{received.url.host} sends more than {limit} bytes for {shown_path(request.url)}",
                hint="no manifest, config or token is that large; nothing more of it was read",
            )
    return bytes(content)


def _is_tls_servers(response: Response) -> bool:
    """Say whether a response in the clear is a TLS server's complaint; its body may be cut."""
    hinted = response.protocol == "HTTP/1.0" or any(hint in response.content for hint in _TLS_HINTS)
    return response.status == 400 and hinted
