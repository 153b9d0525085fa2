"""Where a request may go when a registry names another URL: the rules that keep secrets at home.

A registry names URLs in challenges (token servers), in ``Location`` headers (uploads) and in
redirects. What it names is untrusted: it is cut into its parts first, and the parts are judged.
What a name resolves to is judged where it is connected to (``dialer``). Pure.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit, urlunsplit

from oci_merge._frozen import frozen
from oci_merge._text import printable, shown_path
from oci_merge.errors import TransportError
from oci_merge.http.reach import Reach, reach_of_host
from oci_merge.model.host import DEFAULT_PORTS

_IS_PLAIN = "does not use https"
_IS_PRIVATE = "is a private address"
#: A path that no parser takes for the name of a host.
_OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
#: A path, perhaps with a query, that stays as it is when it is joined, cut and quoted, unless it
#: has dot segments. Those of manifests and blobs are such.
_PLAIN = r"/(?!/)(?:[\w.~/:@=&+,-]|%[0-9A-Fa-f]{2})*(?:\?(?:[\w.~/:@=&+,-]|%[0-9A-Fa-f]{2})+)?"
_PLAIN_PATH = re.compile(_PLAIN, re.ASCII)
_PLAIN_URL = re.compile(rf"(https?://[\w.-]+(?::[0-9]+)?)({_PLAIN})", re.ASCII)
#: Parsers drop these or take them for the end of a part, each in its own way.
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{0,5})?")


@frozen
class Origin:
    """A registry's scheme, host and port, and whether what is said there is a secret.

    Attributes:
        url: for example ``https://reg.example:5000``.
        is_insecure: whether it is spoken to over plain HTTP, or its certificate is not verified:
            anyone on the way can listen.
    """

    url: str
    is_insecure: bool = False

    def owns(self, url: str) -> bool:
        """Say whether a path or URL is this origin's own, so that its credentials may go there."""
        if _OWN_PATH.fullmatch(url.removeprefix(self.url)):  # most are, and need no cutting
            return True
        try:
            return _origin(_cut(url, self.url)) == _origin(urlsplit(self.url))
        except ValueError:
            return False

    def at(self, url: str) -> str:
        """Return a whole URL for a path of this origin, or for a URL relative to it."""
        if _PLAIN_PATH.fullmatch(url) and "/." not in url:
            return self.url + url
        return urljoin(self.url, url)

    @property
    def reach(self) -> Reach | None:
        """From where the registry can be reached; None where it is given by a name."""
        return reach_of_host(urlsplit(self.url).hostname or "")


def cut_plain(url: str) -> tuple[str, str] | None:
    """Cut a URL into its origin and the rest, where that is sent exactly as it is written.

    Returns:
        For example ``https://reg.example`` and ``/v2/team/app/manifests/1.0``; None where only a
        parser can say.
    """
    found = _PLAIN_URL.fullmatch(url)
    return (found[1], found[2]) if found and "/." not in found[2] else None


def same_origin(one: str, other: str) -> bool:
    """Say whether two URLs have the same scheme, host and port (RFC 6454).

    Credentials for one may go to the other. A URL that cannot be parsed has no origin.
    """
    try:
        return _origin(urlsplit(one)) == _origin(urlsplit(other))
    except ValueError:
        return False


def check_token_server(url: str, registry: Origin) -> str:
    """Return the URL of a token server, if credentials may go there.

    A token server on another host is normal. It has to use https, unless anyone can listen to the
    registry itself on the way there. It must not be at an address that only this machine or its
    network can reach, unless the registry is given by such an address too (``_may_point_at``).

    Args:
        url: as the challenge or a redirect gives it; a relative one belongs to the registry.
        registry: the registry that gave it.

    Raises:
        TransportError: credentials may not go there.
    """
    return _check(url, registry, what="token server", goods="credentials")


def check_upload_url(url: str, registry: Origin) -> str:
    """Return the URL of an upload, if blobs may go there, by the rules for token servers.

    Args:
        url: as a ``Location`` header gives it; a relative one belongs to the registry.
        registry: the registry that gave it.

    Raises:
        TransportError: blobs may not go there.
    """
    return _check(url, registry, what="upload address", goods="blobs")


def check_redirect(location: str, asked: str, writes_for: Origin | None = None) -> str:
    """Return where a redirect leads, without user name, password and fragment.

    Args:
        location: the ``Location`` header; a relative one is resolved against
        asked: the URL that answered with it.
        writes_for: the registry that a request writes to. Such a request is redirected by the rules
            for uploads.

    Raises:
        TransportError: it is no http or https URL, leads from https to http, or may not be
            written to.
    """
    here = urlsplit(asked)
    hint = "the registry, or a proxy before it, is misconfigured"
    what = f"{here.netloc} redirects {shown_path(asked)}"
    try:
        parts = _cut(location, asked)
    except ValueError:
        raise TransportError(f"{what} to what is no http or https URL", hint=hint) from None
    shown = _shown_origin(parts)
    if parts.scheme == "http" and here.scheme == "https":
        raise TransportError(f"{what} to {shown}, which is not https", hint=hint)
    parts = parts._replace(netloc=_without_user(parts), fragment="")
    if writes_for is not None and (reason := _refusal(parts, writes_for)):
        raise TransportError(f"{what} to {shown}, which {reason}", hint="nothing was sent there")
    return urlunsplit(parts)


def _check(url: str, registry: Origin, *, what: str, goods: str) -> str:
    hint = f"the registry {urlsplit(registry.url).netloc} names a {what} that {goods} may not go to"
    try:
        parts = _cut(url, registry.url)
    except ValueError:
        raise TransportError(
            f"the {what} {printable(url)!r} is no http or https URL", hint=hint
        ) from None
    if reason := _refusal(parts, registry):
        home = urlsplit(registry.url)
        is_named_so = what == "token server" or parts.hostname == home.hostname
        if reason == _IS_PLAIN and home.scheme == "https" and is_named_so:
            hint = _behind_tls(home.netloc)
        elif reason == _IS_PRIVATE:
            hint += "; if both are in a private network, give the registry by its address"
        raise TransportError(f"the {what} {_shown_origin(parts)} {reason}", hint=hint)
    return urldefrag(parts.geturl()).url


def _behind_tls(registry: str) -> str:
    """Return what to do about a registry that says http, though it is asked over TLS."""
    return (
        f"{registry} does not know that it is behind TLS: let the proxy before it send "
        "X-Forwarded-Proto, or set its external URL to https"
    )


def _refusal(parts: SplitResult, registry: Origin) -> str:
    """Return why nothing secret may be sent to a URL that a registry names; empty if it may."""
    if parts.netloc != _without_user(parts):
        return "has a user name in its URL"
    home, there = registry.reach, reach_of_host(parts.hostname or "")
    # Nobody listens to what is said on this machine; to what leaves it, anybody may.
    is_heard = there is not Reach.MACHINE if home is Reach.MACHINE else not registry.is_insecure
    if parts.scheme == "http" and is_heard:
        return _IS_PLAIN
    is_own = _authority(parts) == _authority(urlsplit(registry.url))
    return "" if is_own or _may_point_at(there, home) else _IS_PRIVATE


def _may_point_at(there: Reach | None, home: Reach | None) -> bool:
    """Say whether a registry may point at a host that is given by an address.

    Self-hosted registries that are given by a private address have their token servers at others;
    those on this machine, on other ports of it. Nothing of use to a registry is at a link-local
    address, where clouds give away credentials.
    """
    if there in (Reach.MACHINE, Reach.NETWORK):
        return there is home
    return there is not Reach.LINK


def _cut(url: str, base: str) -> SplitResult:
    """Return the parts of a URL that every parser reads in the same way.

    Args:
        url: from outside; it may be relative to
        base: the URL of who says it.

    Raises:
        ValueError: it is no http or https URL with a host, or could be read in two ways.
    """
    if _UNREADABLE.search(url):
        raise ValueError("a control character")
    url = url.strip(" ")
    said = urlsplit(url)
    if (said.scheme or url.startswith("//")) and not said.netloc:
        raise ValueError("no host")  # to be taken for a path at the base's host otherwise
    parts = urlsplit(urljoin(base, url))
    found = _AUTHORITY.fullmatch(_without_user(parts))
    if parts.scheme not in DEFAULT_PORTS or found is None or "\\" in parts.netloc:
        raise ValueError("no scheme or host")
    if found[1]:
        ipaddress.IPv6Address(found[1])
    if parts.port == 0:
        raise ValueError("no port")
    return parts


def _without_user(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, *_authority(parts)


def _authority(parts: SplitResult) -> tuple[str, int | None]:
    return parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)


def _shown_origin(parts: SplitResult) -> str:
    return printable(f"{parts.scheme}://{parts.hostname or ''}")
