"""HTTP requests and responses as values. No ``repr`` of them shows a secret."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import field
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from oci_merge._frozen import frozen
from oci_merge._text import printable

#: The most bytes that are read of an error's body, and of any body unless a request says more.
MAX_ERROR_BODY = 64 * 1024
#: What TLS servers answer to a plain HTTP request: Go's, and nginx.
_TLS_HINTS = (b"HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS port")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Those that ask for the same request again, its method and body included (RFC 9110, 15.4).
_REPEATED = frozenset({307, 308})


@frozen(repr=False)
class Request:
    """A request, before anything about the connection is known.

    Attributes:
        method: for example ``GET``.
        url: a path at the registry such as ``/v2/team/app/manifests/1.0``, or a whole URL.
        headers: headers beside those that every request has.
        content: the body.
        limit: the most bytes that a successful response's body may have.
        authorization: the ``Authorization`` header. It goes to the origin of ``url`` alone, never
            to the target of a redirect at another origin.
        check_redirect: called with the URL of each redirect; it may raise.
        repeatable: whether the request may be sent again, if its method allows that.
        no_redirect: whether no redirect is followed: the content is for the origin of ``url``.
        body_stream: makes the body piece by piece, instead of ``content``; ``headers`` have its
            length.
        write_to: takes the body of a 200 piece by piece; the response has none of it.
        patience: the most seconds to wait for a connection, and for the next byte of the response,
            where the transport would wait longer.
        avoids_http2: whether the request goes over HTTP/1.1 whatever the registry speaks.
        role: what messages call a server that is not the registry; empty for its storage.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    limit: int = MAX_ERROR_BODY
    authorization: str | None = None
    check_redirect: Callable[[str], object] | None = None
    repeatable: bool = True
    no_redirect: bool = False
    body_stream: Callable[[], AsyncIterator[bytes]] | None = None
    write_to: Callable[[AsyncIterator[bytes]], Awaitable[None]] | None = None
    patience: float | None = None
    avoids_http2: bool = False
    role: str = ""

    def __repr__(self) -> str:
        return f"Request({self.method} {_without_secrets(self.url)})"

    @property
    def is_streamed(self) -> bool:
        """Whether a body is streamed. Only the caller can send such a request again."""
        return self.body_stream is not None or self.write_to is not None

    @property
    def is_reading(self) -> bool:
        """Whether the request changes nothing."""
        return self.method in ("GET", "HEAD")

    def is_followed(self, status: int) -> bool:
        """Say whether a redirect with this status is followed; the method stays the same."""
        if self.no_redirect:
            return False
        if self.is_reading:
            return status in _REDIRECTS
        return self.method != "DELETE" and status in _REPEATED and self.body_stream is None


@frozen(repr=False)
class Response:
    """A response, read whole.

    Attributes:
        status: the HTTP status.
        headers: its headers.
        content: its body, not decoded. A long body of an error is cut.
        url: the URL that answered, after redirects.
        cross_origin: whether another origin answered than the one that was asked.
        protocol: ``HTTP/1.1`` or ``HTTP/2``.
    """

    status: int
    headers: httpx.Headers
    content: bytes
    url: str
    cross_origin: bool
    protocol: str

    @property
    def is_web_page(self) -> bool:
        """Whether the body is a page, as of a login or a web site, and no JSON."""
        return self.content[:64].lstrip().startswith(b"<")

    @property
    def wants_tls(self) -> bool:
        """Whether a TLS server complains about plain HTTP; the complaint's body may be cut."""
        hinted = any(hint in self.content for hint in _TLS_HINTS)
        return self.status == HTTPStatus.BAD_REQUEST and (hinted or self.protocol == "HTTP/1.0")

    def __repr__(self) -> str:
        return f"Response({self.status} from {_without_secrets(self.url)})"


def _without_secrets(url: str) -> str:
    """Return a URL without user name, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an unreadable URL"
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    return printable(f"{origin}{parts.path}")
