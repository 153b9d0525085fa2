"""The httpx transport: connections to one registry and to the hosts that it points at.

It stands on httpcore's public connection classes with a network backend and a pool of ours, since
httpx's own transport offers neither.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, Literal

import h2.exceptions
import h11
import httpcore
import httpx

from oci_merge.errors import TransportError
from oci_merge.http.certificates import CertificateRefused, read_certificate, refusal_of
from oci_merge.http.dialer import Dialer, Stream
from oci_merge.http.http1 import Http1Connection
from oci_merge.http.http2 import NegotiatedConnection
from oci_merge.http.pool import Pool
from oci_merge.http.proxy import find_proxies
from oci_merge.http.timings import Timings
from oci_merge.http.tls import find_trust, public_context
from oci_merge.http.tunnel import Tunnel
from oci_merge.http.vicinity import Vicinity
from oci_merge.model.host import DEFAULT_PORTS, registry_address, registry_endpoint
from oci_merge.options import RegistryOptions

#: ``h2`` offers HTTP/2 and HTTP/1.1 to the registry, ``http/1.1`` only that, and ``plain`` has no
#: TLS. ``foreign`` is for other hosts and has none of the registry's TLS settings. Long
#: bodies go over HTTP/1.1, by ``stream`` to the registry and by ``foreign stream`` to other hosts:
#: some registries end an HTTP/2 connection under a long upload.
Kind = Literal["h2", "http/1.1", "plain", "foreign", "stream", "foreign stream"]
#: The key of ``httpx.Request.extensions`` under which a request names its kind.
KIND = "oci_merge.kind"
#: Enough for the mounts of eight platforms side by side; a server has to bear them all.
CONNECTIONS = 64

_HTTP2 = frozenset({"h2", "foreign"})
#: httpx's exception for each of httpcore's; the first class that fits counts.
_HTTPX_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.TimeoutException: httpx.TimeoutException,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.NetworkError: httpx.NetworkError,
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.ProtocolError: httpx.RemoteProtocolError,
    # httpcore lets these through where a server breaks the protocol within a body.
    h2.exceptions.H2Error: httpx.RemoteProtocolError,
    h11.ProtocolError: httpx.RemoteProtocolError,
    # ssl.SSLError is one. An OSError of the code that makes a body is a bug; see _is_theirs.
    OSError: httpx.NetworkError,
    # An HTTP/2 status that is no number. Any other ValueError is a bug; see _is_theirs.
    ValueError: httpx.RemoteProtocolError,
}


_RAISED = tuple(_HTTPX_ERRORS)
#: The packages that raise these over what a server does. Others raise them over a bug of ours.
_RAISED_BY = {
    OSError: frozenset({"anyio", "asyncio", "httpcore", "selectors", "socket", "ssl"}),
    ValueError: frozenset({"httpcore"}),
}


class Connections(httpx.AsyncBaseTransport):
    """Pools of connections for one registry, by kind and by proxy, made when first needed.

    No setting that is for the registry serves another host. httpx reads nothing of the
    environment, since it does not know networks in ``NO_PROXY``.

    Args:
        registry: the authority, or ``docker.io``.
        options: how to reach it. For plain HTTP no file of certificates is read.
        timings: how long connections are waited for and kept.

    Raises:
        UsageError, TransportError: a file of certificates cannot be used.
    """

    def __init__(self, registry: str, options: RegistryOptions, timings: Timings) -> None:
        self._authority = registry_endpoint(registry)
        self._proxies = find_proxies(os.environ)
        self._trust = None if options.plain_http else find_trust(registry, options)
        if self._trust is not None:
            self._trust.check()
        self._insecure = options.insecure
        self._seconds = options.timeout
        self._timings = timings
        self._pools: dict[tuple[Kind, str | None], Pool] = {}
        # What was found for an origin before, as the rules of NO_PROXY take time.
        self._by_origin: dict[tuple[Kind, str, bytes], Pool] = {}
        self._dialers: list[Dialer] = []
        # Those that open connections ahead, to the registry.
        self._ahead: dict[tuple[Kind, str | None], Dialer] = {}
        self._vicinity = Vicinity(registry)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over a connection of its kind (httpx's interface).

        Raises:
            httpx.TransportError: no usable response came.
            TransportError: the URL's proxy, or a file of certificates, cannot be used.
        """
        key = request.extensions[KIND], request.url.scheme, request.url.netloc
        if (pool := self._by_origin.get(key)) is None:
            pool = self._by_origin[key] = self._pool(request.extensions[KIND], str(request.url))
        try:
            with _AS_HTTPX:
                response = await pool.handle_async_request(_for_httpcore(request))
        except httpx.ConnectError as error:
            await self._read_refused(error, request)
            raise
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def _read_refused(self, error: httpx.ConnectError, request: httpx.Request) -> None:
        """Raise the refusal of the registry's certificate with what is in the certificate.

        Other hosts are not asked again: a registry could point at any.
        """
        kind: Kind = request.extensions[KIND]
        refusal = refusal_of(error)
        if refusal is None or kind.startswith("foreign") or self._proxies.url_for(str(request.url)):
            return
        context = self._trust.context() if self._trust else public_context()
        port = request.url.port or DEFAULT_PORTS["https"]
        refused = CertificateRefused(str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds or self._timings.brief):
                refused.presented = await read_certificate(
                    request.url.host, port, context, refusal=refusal
                )
        raise refused from error

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        for dialer in self._dialers:
            await dialer.aclose()

    def proxy_of(self, url: str) -> str:
        """Return the host and port of a URL's proxy, without its password; empty for none."""
        proxy = self._proxies.url_for(url)
        return httpx.URL(proxy).netloc.decode() if proxy else ""

    def proxy_secrets(self, url: str) -> tuple[str, ...]:
        """Return the password of a URL's proxy, and the header that it is sent in."""
        proxy = self._proxies.url_for(url)
        if not proxy or not (login := httpx.Proxy(proxy).raw_auth):
            return ()
        return login[1].decode(), base64.b64encode(b":".join(login)).decode()

    async def connected(self, kind: Kind) -> None:
        """Wait until a request has a connection to the registry, if some can be opened ahead.

        Raises:
            TransportError, UsageError: a file of certificates cannot be used.
        """
        if (dialer := self._dialer(kind)) is not None:
            await dialer.connected.wait()

    def open_ahead(self, kind: Kind, count: int) -> None:
        """Begin to open connections to the registry for the next requests.

        Nothing is done where a proxy leads there that knows SOCKS, or forwards plain HTTP.

        Args:
            kind: their kind.
            count: how many there should be, with those that are open.

        Raises:
            TransportError, UsageError: a file of certificates cannot be used.
        """
        if (dialer := self._dialer(kind)) is not None:
            dialer.open_ahead(
                count,
                tls=None if kind == "plain" else self._tls(kind),
                protocols=["http/1.1", "h2"] if kind in _HTTP2 else ["http/1.1"],
                timeout=self._seconds or self._timings.connect,
            )

    async def opened_ahead(self, kind: Kind) -> Literal["h2", "http/1.1"] | None:
        """Wait for the first connection that ``open_ahead`` opens, if there is one.

        Returns:
            The protocol that was chosen on it; None if there is no connection, or it failed.
        """
        dialer = self._dialer(kind)
        return await dialer.opened_ahead() if dialer is not None else None

    def _dialer(self, kind: Kind) -> Dialer | None:
        url = f"{'http' if kind == 'plain' else 'https'}://{self._authority}"
        self._pool(kind, url)
        return self._ahead.get((kind, self._proxies.url_for(url)))

    def _pool(self, kind: Kind, url: str) -> Pool:
        proxy = self._proxies.url_for(url)
        if (kind, proxy) not in self._pools:
            connect = self._proxied(kind, proxy) if proxy else self._directly(kind)
            pool = self._pools.get(("h2", proxy)) if kind == "http/1.1" else None
            if pool is None:
                pool = Pool(connect)
            else:  # the first request has found out what is spoken, and its connection serves on
                pool.create = connect
            self._pools[kind, proxy] = pool
        return self._pools[kind, proxy]

    def _directly(
        self, kind: Kind
    ) -> Callable[[httpcore.Origin], httpcore.AsyncConnectionInterface]:
        scheme = "http" if kind == "plain" else "https"
        return self._dialed(kind, None, lambda: self._new_dialer(scheme, self._vicinity))

    def _dialed(
        self, kind: Kind, proxy: str | None, make: Callable[[], Dialer]
    ) -> Callable[[httpcore.Origin], httpcore.AsyncConnectionInterface]:
        # The connections that were opened for the first request count for those after it, too.
        dialer = self._ahead.get(("h2", proxy)) if kind == "http/1.1" else None
        dialer = self._ahead[kind, proxy] = dialer or make()
        if kind not in _HTTP2:
            return partial(
                Http1Connection,
                backend=dialer,
                tls=self._tls(kind),
                expiry=self._timings.keep_alive,
            )
        return partial(
            NegotiatedConnection,
            ssl_context=self._tls(kind),
            http2=True,
            keepalive_expiry=self._timings.keep_alive,
            network_backend=dialer,
        )

    def _proxied(
        self, kind: Kind, url: str
    ) -> Callable[[httpcore.Origin], httpcore.AsyncConnectionInterface]:
        """Return the function that makes connections through a proxy."""
        try:
            proxy = httpx.Proxy(url)
            proxy_tls = self._public if proxy.url.scheme == "https" else None
            at = httpcore.URL(
                scheme=proxy.url.raw_scheme,
                host=proxy.url.raw_host,
                port=proxy.url.port,
                target=proxy.url.raw_path,
            )
            if kind != "plain" and not proxy.url.scheme.startswith("socks5"):
                tunnel = Tunnel(at.origin, proxy.raw_auth, proxy_tls)
                return self._dialed(kind, url, lambda: self._new_dialer("https", tunnel=tunnel))
            options: dict[str, Any] = {
                "proxy_auth": proxy.raw_auth,
                "ssl_context": self._tls(kind),
                "http2": kind in _HTTP2,
                "keepalive_expiry": self._timings.keep_alive,
                "network_backend": self._new_dialer("http"),
            }
            if proxy.url.scheme.startswith("socks5"):
                return httpcore.AsyncSOCKSProxy(at, **options).create_connection
            return httpcore.AsyncHTTPProxy(
                at, proxy_ssl_context=proxy_tls, **options
            ).create_connection
        except (ValueError, RuntimeError, httpx.InvalidURL):  # RuntimeError: no SOCKS here
            # The reason is not repeated: a proxy's URL may hold a password.
            raise TransportError(
                "a proxy that the environment names cannot be used",
                hint="give HTTPS_PROXY, HTTP_PROXY and ALL_PROXY http:// or https:// URLs, "
                "or unset them",
            ) from None

    def _new_dialer(
        self, scheme: str, vicinity: Vicinity | None = None, tunnel: Tunnel | None = None
    ) -> Dialer:
        host, port = registry_address(self._authority, scheme)
        self._dialers.append(Dialer(host, port, self._timings, vicinity, tunnel))
        return self._dialers[-1]

    def _tls(self, kind: Kind) -> ssl.SSLContext:
        """Return TLS settings; loading the system's roots is slow, so plain HTTP loads none."""
        if kind == "plain":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return self._public if kind.startswith("foreign") or self._trust is None else self._own

    @cached_property
    def _own(self) -> ssl.SSLContext:
        """The registry's settings; no other host's connection has them."""
        assert self._trust is not None
        if not (self._trust.authorities or self._trust.client or self._insecure):
            return self._public  # nothing is special about it, and loading roots takes long
        return self._trust.context(insecure=self._insecure)

    @cached_property
    def _public(self) -> ssl.SSLContext:
        return public_context()


class _Body(httpx.AsyncByteStream):
    """The body of a response; closing it gives the connection back."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response
        self._note_use = _note_use(response)
        self._note_use()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _AS_HTTPX:
            async for part in self._response.stream:  # type: ignore[union-attr]  # an async one
                if part:
                    self._note_use()
                    yield part

    async def aclose(self) -> None:
        with _AS_HTTPX:
            await self._response.aclose()


def _note_use(response: httpcore.Response) -> Callable[[], None]:
    """Return what tells a response's connection that a part of a response has come."""
    stream = response.extensions.get("network_stream")
    return stream.note_use if isinstance(stream, Stream) else _ignore


def _ignore() -> None:
    """A connection of a test, or within another one."""


def _for_httpcore(request: httpx.Request) -> httpcore.Request:
    extensions = dict(request.extensions)
    # Not as an extension: httpcore would put it into a request to a proxy, too.
    target = extensions.pop("target", None) or request.url.raw_path
    # Over HTTP/1.1 it does nothing, and httpcore traces ten steps of a request.
    if extensions[KIND] in _HTTP2 and request.headers.get("content-length") == "0":
        extensions["trace"] = _end_stream_with_headers
    return httpcore.Request(
        request.method,
        httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=target,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=extensions,
    )


async def _end_stream_with_headers(event: str, info: dict[str, Any]) -> None:
    """Let the HEADERS of a request without a body end its HTTP/2 stream.

    HTTP/1.1 servers want a ``Content-Length: 0`` with a POST or PUT. Over HTTP/2, httpcore takes
    that header for a body and ends the stream by a DATA frame of its own. A server that answers
    before this frame comes resets the stream (RFC 9113, section 8.1), and the answer is lost.
    httpcore traces which protocol a connection speaks before it writes the headers.
    """
    if event == "http2.send_request_headers.started":
        request: httpcore.Request = info["request"]
        request.headers = [pair for pair in request.headers if pair[0].lower() != b"content-length"]


class _AsHttpx:
    """Raises what httpcore raises as httpx's. It is written out since every request passes it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, _RAISED):
            return
        found = next(kind for kind in _HTTPX_ERRORS if isinstance(error, kind))
        if found in _RAISED_BY and not _is_theirs(error, _RAISED_BY[found]):
            return
        raise _HTTPX_ERRORS[found](str(error)) from error


_AS_HTTPX = _AsHttpx()


def _is_theirs(error: Exception, packages: frozenset[str]) -> bool:
    """Say whether an exception was raised by one of some packages, over what a server did."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return module.partition(".")[0] in packages
