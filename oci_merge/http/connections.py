"""httpx's clients for one registry and for the hosts that it points at, made when first needed."""

from __future__ import annotations

import os
import ssl
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import Literal
from urllib.parse import urlsplit

import httpx

from oci_merge._version import __version__
from oci_merge.errors import TransportError
from oci_merge.http.dialer import Dialer
from oci_merge.http.pool import Pool
from oci_merge.http.proxy import find_proxies
from oci_merge.http.tls import find_trust, public_context
from oci_merge.model.host import DEFAULT_PORTS, registry_endpoint
from oci_merge.options import RegistryOptions

#: Enough for the mounts of eight platforms at once; idle ones are kept, since the next step
#: needs them again.
CONNECTIONS = 64
#: Idle connections are kept for so many seconds, since the next step needs them again.
_LIMITS = httpx.Limits(keepalive_expiry=30)
#: How long to wait for a connection, and for what comes next on it, unless the caller says.
_CONNECT_SECONDS = 15.0
_ANSWER_SECONDS = 60.0
#: A registry answers a large upload only once its storage has put it together.
_STREAM_SECONDS = 300.0

#: ``h2`` offers HTTP/2 and HTTP/1.1 to the registry, ``http/1.1`` only that, ``plain`` has no
#: TLS at all; ``cross_origin`` is for other hosts, and has none of the registry's TLS settings.
#: Bodies of any length go over HTTP/1.1, by ``stream`` to the registry and by ``foreign stream``
#: to others: some registries end an HTTP/2 connection under a long upload.
Kind = Literal["h2", "http/1.1", "plain", "foreign", "stream", "foreign stream"]
_HTTP2 = frozenset({"h2", "foreign"})


class Clients:
    """The clients for one registry, by kind and by the proxy that they use.

    Args:
        registry: the authority, or ``docker.io``.
        options: how to reach it; over plain HTTP, no file of certificates is read.

    Raises:
        UsageError, TransportError: a file of certificates cannot be used.
    """

    def __init__(self, registry: str, options: RegistryOptions) -> None:
        self._authority = registry_endpoint(registry)
        self._proxies = find_proxies(os.environ)
        self._trust = None if options.plain_http else find_trust(registry, options)
        if self._trust is not None:
            self._trust.check()
        self._insecure = options.insecure
        self._seconds = options.timeout
        self._clients: dict[tuple[Kind, str | None], httpx.AsyncClient] = {}
        self._dialers: dict[Kind, Dialer] = {}

    def client(self, kind: Kind, url: str) -> httpx.AsyncClient:
        """Return the client of a kind for a URL.

        Raises:
            TransportError: the URL's proxy, or a file of certificates, cannot be used.
        """
        proxy = self._proxies.url_for(url)
        if (kind, proxy) not in self._clients:
            self._clients[kind, proxy] = self._new(kind, proxy)
        return self._clients[kind, proxy]

    def proxy_of(self, url: str) -> str:
        """Return the host and port of a URL's proxy, without its password; empty for none."""
        proxy = self._proxies.url_for(url)
        return httpx.URL(proxy).netloc.decode() if proxy else ""

    async def connected(self, kind: Kind) -> None:
        """Wait until a client has connected to the registry, where no proxy leads there.

        Raises:
            TransportError, UsageError: a file of certificates cannot be used.
        """
        self.client(kind, self._url(kind))
        if kind in self._dialers:
            await self._dialers[kind].connected.wait()

    def open_ahead(self, kind: Kind, count: int) -> None:
        """Begin to open connections to the registry, for the next requests to find.

        Where a proxy leads there, nothing is done.

        Args:
            kind: of which client.
            count: how many.

        Raises:
            TransportError, UsageError: a file of certificates cannot be used.
        """
        url = self._url(kind)
        if self._proxies.url_for(url):
            return
        self.client(kind, url)
        self._dialers[kind].open_ahead(
            count,
            tls=None if kind == "plain" else self._tls(kind),
            protocols=["http/1.1", "h2"] if kind in _HTTP2 else ["http/1.1"],
            timeout=self._seconds or _CONNECT_SECONDS,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()
        for dialer in self._dialers.values():
            await dialer.aclose()

    def _new(self, kind: Kind, proxy: str | None) -> httpx.AsyncClient:
        try:
            client = httpx.AsyncClient(
                transport=self._transport(kind, proxy),
                timeout=self._timeout(kind),
                follow_redirects=False,
                trust_env=False,
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

    def _transport(self, kind: Kind, proxy: str | None) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(
            http2=kind in _HTTP2,
            verify=self._tls(kind),
            limits=_LIMITS,
            trust_env=False,
            proxy=self._proxy(proxy) if proxy else None,
        )
        # httpx has no words for either: how connections are opened, and how they are shared out.
        made = transport._pool
        if proxy is None:
            self._dialers[kind] = made._network_backend = Dialer(*self._address(kind))
        transport._pool = Pool(made.create_connection)  # type: ignore[assignment]
        return transport

    def _url(self, kind: Kind) -> str:
        """Return the registry's URL, as a client of this kind has it."""
        return f"{'http' if kind == 'plain' else 'https'}://{self._authority}"

    def _address(self, kind: Kind) -> tuple[str, int]:
        """Return the registry's host and port."""
        parts = urlsplit(self._url(kind))
        return parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]

    def _timeout(self, kind: Kind) -> httpx.Timeout:
        """Return how long to wait; for a free connection, that is as long as it takes."""
        answer = _STREAM_SECONDS if "stream" in kind else _ANSWER_SECONDS
        connect = self._seconds or _CONNECT_SECONDS
        return httpx.Timeout(self._seconds or answer, connect=connect, pool=None)

    def _tls(self, kind: Kind) -> ssl.SSLContext:
        """Return TLS settings; loading the system's roots is slow, so plain HTTP loads none."""
        if kind == "plain":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return self._public if kind.startswith("foreign") or self._trust is None else self._own

    def _proxy(self, url: str) -> httpx.Proxy:
        return httpx.Proxy(url, ssl_context=self._public if url.startswith("https:") else None)

    @cached_property
    def _own(self) -> ssl.SSLContext:
        """The registry's settings; no other host's connection has them."""
        assert self._trust is not None
        if not (self._trust.authorities or self._trust.client or self._insecure):
            return self._public  # there is nothing of its own, and loading roots takes long
        return self._trust.context(insecure=self._insecure)

    @cached_property
    def _public(self) -> ssl.SSLContext:
        return public_context()
