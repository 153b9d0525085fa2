"""A request and its response, as the transport takes the one and gives the other. Data alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx

#: The most bytes that are read of an error's body, and of any body unless a request says more.
MAX_ERROR_BODY = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Those that ask for the same request again, its method and body included (RFC 9110, 15.4).
_REPEATED = frozenset({307, 308})


@dataclass(frozen=True, slots=True)
class Request:
    """A request, before anything of the connection is known.

    Attributes:
        method: for example ``GET``.
        url: a path at the registry such as ``/v2/team/app/manifests/1.0``, or a whole URL.
        headers: headers beside those that every request has.
        content: the body.
        limit: the most bytes that a successful response's body may have.
        authorization: the ``Authorization`` header; it goes to the origin of ``url`` alone,
            never to where that redirects.
        check_redirect: called with each URL that a redirect leads to; it may raise.
        repeatable: whether it may be sent again, if its method allows that.
        no_redirect: whether no redirect is followed: the content is for the origin of ``url``.
        body_stream: instead of ``content``, makes the body piece by piece; ``headers`` have its
            length.
        write_to: takes a 200's body piece by piece; the response has none of it.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    limit: int = MAX_ERROR_BODY
    authorization: str | None = field(default=None, repr=False)
    check_redirect: Callable[[str], object] | None = None
    repeatable: bool = True
    no_redirect: bool = False
    body_stream: Callable[[], AsyncIterator[bytes]] | None = None
    write_to: Callable[[AsyncIterator[bytes]], Awaitable[None]] | None = None

    @property
    def is_streamed(self) -> bool:
        """Whether a body goes by in body_stream: then nobody but its session can send it again."""
        return self.body_stream is not None or self.write_to is not None

    def is_followed(self, status: int) -> bool:
        """Say whether a redirect with this status is followed; no method becomes another."""
        if self.no_redirect:
            return False
        if self.method in ("GET", "HEAD"):
            return status in _REDIRECTS
        return self.method != "DELETE" and status in _REPEATED and self.body_stream is None


@dataclass(frozen=True, slots=True)
class Response:
    """A response, read whole. What may hold a token or a signature is kept out of ``repr``.

    Attributes:
        status: the HTTP status.
        headers: its headers.
        content: its body, not decoded; cut where it is long and the status an error's.
        url: the URL that answered, after redirects.
        cross_origin: whether another origin answered than the one that was asked.
        protocol: ``HTTP/1.1`` or ``HTTP/2``.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    url: str = field(repr=False)
    cross_origin: bool
    protocol: str
