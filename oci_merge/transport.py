"""HTTP to one registry: the scheme, the protocol, redirects, limits. Knows nothing of images.

httpx stays in here; none of its errors leave this module.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Literal
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import httpx

from oci_merge._version import __version__
from oci_merge.errors import ManifestError, OciMergeError, TransportError
from oci_merge.reference import is_loopback, registry_endpoint, registry_host
from oci_merge.text import printable

_logger = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Those that ask for the same request again, its method and body included (RFC 9110, 15.4).
_REPEATED = frozenset({307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Enough for the mounts of eight platforms at once; idle ones are kept, since the next step
#: needs them again.
_CONNECTIONS = 64
_LIMITS = httpx.Limits(
    max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=30
)
#: Requests wait for a free connection as long as it takes; a connection itself must answer.
_TIMEOUT = httpx.Timeout(connect=15, read=60, write=60, pool=None)
#: A registry answers a large upload only once its storage has put it together.
_STREAM_TIMEOUT = httpx.Timeout(connect=15, read=300, write=300, pool=None)
_MAX_ERROR_BODY = 64 * 1024
#: What TLS servers say to a request in the clear.
_TLS_HINTS = (b"HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS port")

#: ``h2`` offers HTTP/2 and HTTP/1.1 to the registry, ``http/1.1`` only that, ``plain`` has no
#: TLS at all; ``foreign`` is for other hosts, and has none of the registry's TLS settings.
#: Bodies of any length go over HTTP/1.1, by ``stream`` to the registry and by ``foreign stream``
#: to others: some registries end an HTTP/2 connection under a long upload.
_Kind = Literal["h2", "http/1.1", "plain", "foreign", "stream", "foreign stream"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request, before anything of the connection is known.

    Attributes:
        method: for example ``GET``.
        url: a path at the registry such as ``/v2/team/app/manifests/1.0``, or a whole URL.
        headers: headers beside those that every request has.
        content: the body.
        limit: the most bytes that a successful reply's body may have.
        authorization: the ``Authorization`` header; it goes to the origin of ``url`` alone,
            never to where that redirects.
        check_redirect: called with each URL that a redirect leads to; it may raise.
        pieces: instead of ``content``, makes the body piece by piece; ``headers`` have its length.
        sink: takes a 200's body piece by piece; the reply has none of it.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    limit: int = _MAX_ERROR_BODY
    authorization: str | None = field(default=None, repr=False)
    check_redirect: Callable[[str], object] | None = None
    pieces: Callable[[], AsyncIterator[bytes]] | None = None
    sink: Callable[[AsyncIterator[bytes]], Awaitable[None]] | None = None

    @property
    def is_streamed(self) -> bool:
        """Whether a body goes by in pieces: then nobody but its sender can send it again."""
        return self.pieces is not None or self.sink is not None

    def is_followed(self, status: int) -> bool:
        """Say whether a redirect with this status is followed; no method becomes another."""
        if self.method in ("GET", "HEAD"):
            return status in _REDIRECTS
        return self.method != "DELETE" and status in _REPEATED and self.pieces is None


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, read whole. What may hold a token or a signature is kept out of ``repr``.

    Attributes:
        status: the HTTP status.
        headers: its headers.
        content: its body, not decoded; cut where it is long and the status an error's.
        url: the URL that answered, after redirects.
        foreign: whether another origin answered than the one that was asked.
        protocol: ``HTTP/1.1`` or ``HTTP/2``.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    url: str = field(repr=False)
    foreign: bool
    protocol: str


class Transport:
    """Connections to one registry, opened when they are first needed.

    A registry on a loopback address is spoken to in the clear if it answers so, else over TLS.
    Over TLS the first reply tells whether HTTP/2 was chosen; if not, everything after it goes
    through a client that speaks HTTP/1.1 alone, as httpx would queue requests on one connection
    that might still become HTTP/2.

    Args:
        registry: the authority, or ``docker.io``.
        plain_http: speak plain HTTP.
        insecure: do not verify the registry's certificate.
    """

    def __init__(self, registry: str, *, plain_http: bool = False, insecure: bool = False) -> None:
        self.registry = registry
        self._authority = registry_endpoint(registry)
        self._insecure = insecure
        self._clients: dict[_Kind, httpx.AsyncClient] = {}
        self._first = asyncio.Lock()
        # The time that httpx's own queue takes grows with the square of its length.
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._try_plain = not plain_http and is_loopback(registry)
        self._scheme = "http" if plain_http else "https"
        self._settled: httpx.AsyncClient | None = self._client("plain") if plain_http else None

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    def is_own(self, url: str) -> bool:
        """Say whether a path or URL is the registry's own, so that its credentials may go there."""
        try:
            return _origin(urljoin(self.base_url, url)) == _origin(self.base_url)
        except ValueError:
            return False

    @property
    def base_url(self) -> str:
        """The registry's URL; its scheme is known once a first reply has come."""
        return f"{self._scheme}://{self._authority}"

    @property
    def is_plain_or_unverified(self) -> bool:
        """Whether anyone on the way could listen to what is said to the registry."""
        return self._scheme == "http" or self._insecure

    @property
    def is_settled(self) -> bool:
        """Whether scheme and protocol are known, so that requests may go out side by side."""
        return self._settled is not None

    async def send_in_clear(self, request: Request) -> Reply | None:
        """Try a loopback registry in the clear.

        All first requests may try at once: none of them carries a credential, as no challenge
        has come yet.

        Returns:
            The reply, or None if the registry is on another machine or does not speak plain HTTP.
        """
        if not self._try_plain:
            return None
        client = self._client("plain")
        url = urljoin(f"http://{self._authority}", request.url)
        try:
            reply = await self._exchange(request, url, client)
        except TransportError:
            if self._settled is client:
                raise
        else:
            if not _is_tls_servers(reply):
                self._scheme, self._settled = "http", client
                return await self._follow(request, reply)
        self._try_plain = False
        return None

    async def send(self, request: Request) -> Reply:
        """Send a request, and follow where it is redirected (``Request.is_followed``).

        Raises:
            TransportError: no usable reply came.
            ManifestError: the reply is larger than the request's limit.
        """
        if self._settled is None:
            async with self._first:
                if self._settled is None:
                    return await self._follow(request, await self._settle_protocol(request))
        return await self._follow(request, await self._exchange(request, self._url(request)))

    async def _settle_protocol(self, request: Request) -> Reply:
        """Send the first request over TLS and learn from its reply how to go on."""
        client = self._client("h2")
        reply = await self._exchange(request, self._url(request), client)
        self._settled = client if reply.protocol == "HTTP/2" else self._client("http/1.1")
        _logger.debug("%s speaks %s", self._authority, reply.protocol)
        return reply

    async def _follow(self, request: Request, reply: Reply) -> Reply:
        """Follow redirects by hand, so that credentials stay where they belong."""
        for followed in range(_MAX_REDIRECTS + 1):
            location = reply.headers.get("location")
            if not request.is_followed(reply.status) or not location:
                return reply
            if followed < _MAX_REDIRECTS:
                reply = await self._exchange(request, _redirected(request, reply, location))
        raise TransportError(
            f"{self._authority} redirects {request.method} {_shown(request.url)} "
            f"more than {_MAX_REDIRECTS} times",
            hint="the registry, or a proxy before it, is misconfigured",
        )

    async def _exchange(
        self, request: Request, url: str, client: httpx.AsyncClient | None = None
    ) -> Reply:
        """Send one request and read its reply, without following anything."""
        foreign = _origin(url) != _origin(self._url(request)) and client is None
        headers = dict(request.headers)
        if request.authorization and not foreign:
            headers["Authorization"] = request.authorization
        client = client or self._client_for(url, request)
        body = request.pieces() if request.pieces else request.content
        try:
            built = client.build_request(request.method, url, headers=headers, content=body)
            async with self._slots:
                response = await client.send(built, stream=True)
                try:
                    content = await _read(response, request)
                finally:
                    await response.aclose()
        except OciMergeError:
            raise
        except Exception as error:  # whatever an HTTP stack makes of a broken reply
            raise _no_reply(request, url, error) from error
        _logger.debug("%s %s: %d", request.method, _shown(url), response.status_code)
        return Reply(
            response.status_code, response.headers, content, url, foreign, response.http_version
        )

    def _url(self, request: Request) -> str:
        return urljoin(self.base_url, request.url)

    def _client_for(self, url: str, request: Request) -> httpx.AsyncClient:
        if self._settled is not None and self.is_own(url):
            is_plain = url.startswith("http:")
            return self._client("stream") if request.is_streamed and not is_plain else self._settled
        if url.startswith("http:"):
            return self._client("plain")
        return self._client("foreign stream" if request.is_streamed else "foreign")

    def _client(self, kind: _Kind) -> httpx.AsyncClient:
        """Return the client of a kind, made on first use."""
        if kind not in self._clients:
            self._clients[kind] = self._new_client(kind)
        return self._clients[kind]

    def _new_client(self, kind: _Kind) -> httpx.AsyncClient:
        try:
            client = httpx.AsyncClient(
                http2=kind in ("h2", "foreign"),
                verify=self._tls(kind),
                limits=_LIMITS,
                timeout=_STREAM_TIMEOUT if "stream" in kind else _TIMEOUT,
                follow_redirects=False,
                mounts=self._without_proxy(),
                headers={"User-Agent": f"oci-merge/{__version__}", "Accept-Encoding": "identity"},
            )
        except (ImportError, ValueError, httpx.InvalidURL):
            # What is wrong with it is not repeated: a proxy's URL may hold a password.
            raise TransportError(
                "a proxy that the environment names cannot be used",
                hint="give HTTPS_PROXY, HTTP_PROXY and ALL_PROXY http:// or https:// URLs, "
                "or unset them",
            ) from None
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client

    def _tls(self, kind: _Kind) -> ssl.SSLContext:
        """Return TLS settings; loading the system's roots is slow, so plain HTTP loads none."""
        if kind == "plain":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context = ssl.create_default_context()
        if self._insecure and not kind.startswith("foreign"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _without_proxy(self) -> dict[str, httpx.AsyncBaseTransport | None]:
        """Name the hosts that no proxy can reach for us: those on this machine."""
        hosts = {"localhost", "127.0.0.1", "[::1]"}
        if is_loopback(self.registry):
            host = registry_host(self.registry)
            hosts.add(f"[{host}]" if ":" in host else host)
        return {f"all://{host}": None for host in hosts}


async def _read(response: httpx.Response, request: Request) -> bytes:
    """Read a body that may be as long as it likes only if nobody wants it."""
    if request.sink is not None and response.status_code == 200:
        await request.sink(response.aiter_raw())
        return b""
    is_error = response.status_code >= 400
    limit = _MAX_ERROR_BODY if is_error else request.limit
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > limit:
            if is_error:
                return bytes(content[:limit])
            raise ManifestError(
                f"{response.url.host} sends more than {limit} bytes for {_shown(request.url)}",
                hint="no manifest, config or token is that large; nothing more of it was read",
            )
    return bytes(content)


def _is_tls_servers(reply: Reply) -> bool:
    """Say whether a reply in the clear is a TLS server's complaint; its body is often cut off."""
    hinted = reply.protocol == "HTTP/1.0" or any(hint in reply.content for hint in _TLS_HINTS)
    return reply.status == 400 and hinted


def _redirected(request: Request, reply: Reply, location: str) -> str:
    """Return where a redirect leads, without user name and password."""
    asked = urlsplit(reply.url)
    hint = "the registry, or a proxy before it, is misconfigured"
    try:
        url = urljoin(reply.url, location)
        parts = urlsplit(url)
        is_usable = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that are none
        is_usable = False
    if not is_usable:
        raise TransportError(
            f"{asked.netloc} redirects {_shown(request.url)} to what is no http or https URL",
            hint=hint,
        )
    if parts.scheme == "http" and asked.scheme == "https":
        raise TransportError(
            f"{asked.netloc} redirects {_shown(request.url)} "
            f"to {_shown_origin(parts)}, which is not https",
            hint=hint,
        )
    if request.check_redirect:
        request.check_redirect(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _no_reply(request: Request, url: str, error: Exception) -> TransportError:
    host = printable(urlsplit(url).netloc)
    reason = printable(_root_cause(error)) or type(error).__name__
    what = f"{request.method} {_shown(url)}"
    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout | httpx.WriteTimeout):
        return TransportError(
            f"{host} did not answer {what} in time",
            hint="try again; if it stays so, ask whether the registry or a proxy is down",
        )
    if isinstance(error, httpx.ConnectError) and "certificate" in reason.lower():
        return TransportError(
            f"the certificate of {host} is not trusted: {reason}",
            hint="point SSL_CERT_FILE at the CA that signed it, or give --insecure",
        )
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return TransportError(
            f"could not connect to {host}: {reason}",
            hint="check the registry's name and port, and give --plain-http if it has no TLS",
        )
    return TransportError(
        f"{host} broke off its answer to {what}: {reason}",
        hint="try again; if it stays so, ask whether the registry or a proxy is down",
    )


def _root_cause(error: BaseException) -> str:
    """Return what the system says of a failure, which an HTTP stack wraps several times."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"certificate verify failed: {seen.verify_message}"
        if isinstance(seen, OSError) and seen.strerror and seen.errno is not None:
            # asyncio words a refused connection in a way of its own.
            said = os.strerror(seen.errno) if isinstance(seen, ConnectionError) else seen.strerror
            return said.lower()
        nested = seen.exceptions[0] if isinstance(seen, BaseExceptionGroup) else None
        seen = nested or seen.__cause__ or seen.__context__
    return str(error)


def _origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port: what a credential belongs to (RFC 6454)."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, parts.hostname or "", port or _DEFAULT_PORTS.get(parts.scheme)


def _shown(url: str) -> str:
    """Return a URL's path: a query may hold a signature."""
    return printable(urlsplit(url).path)


def _shown_origin(parts: SplitResult) -> str:
    return printable(f"{parts.scheme}://{parts.hostname or ''}")
