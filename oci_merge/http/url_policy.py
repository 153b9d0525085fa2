"""Where a request may go when a registry names another URL: the rules that keep secrets at home.

A registry names URLs in challenges (token servers), in ``Location`` headers (uploads) and in
redirects. What it names is untrusted. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit, urlunsplit

from oci_merge._text import printable, shown_path
from oci_merge.errors import TransportError
from oci_merge.model.host import DEFAULT_PORTS, is_loopback


@dataclass(frozen=True, slots=True)
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
        if url.startswith("/") and not url.startswith("//"):
            return True
        try:
            return same_origin(urljoin(self.url, url), self.url)
        except ValueError:
            return False


def same_origin(one: str, other: str) -> bool:
    """Say whether two URLs have the same scheme, host and port (RFC 6454).

    Credentials for one may go to the other. A URL that cannot be parsed has no origin.
    """
    try:
        return _origin(one) == _origin(other)
    except ValueError:
        return False


def check_token_server(url: str, registry: Origin) -> str:
    """Return the URL of a token server, if credentials may go there.

    A token server on another host is normal. It has to use https unless anyone can listen to the
    registry itself, and it must not be at an address that only this machine or network can reach,
    unless that is the registry's own. Where both are on this machine, neither matters.

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


def check_redirect(location: str, asked: str) -> str:
    """Return where a redirect leads, without user name, password and fragment.

    Args:
        location: the ``Location`` header; a relative one is resolved against
        asked: the URL that answered with it.

    Raises:
        TransportError: it is no http or https URL, or leads from https to http.
    """
    here = urlsplit(asked)
    hint = "the registry, or a proxy before it, is misconfigured"
    what = f"{here.netloc} redirects {shown_path(asked)}"
    try:
        url = urljoin(asked, location)
        parts = urlsplit(url)
        is_usable = parts.scheme in DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that are none
        is_usable = False
    if not is_usable:
        raise TransportError(f"{what} to what is no http or https URL", hint=hint)
    if parts.scheme == "http" and here.scheme == "https":
        raise TransportError(f"{what} to {_shown_origin(parts)}, which is not https", hint=hint)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _check(url: str, registry: Origin, *, what: str, goods: str) -> str:
    try:
        resolved = urldefrag(urljoin(registry.url, url)).url
        parts, home = urlsplit(resolved), urlsplit(registry.url)
        is_own = parts.netloc == home.netloc or _authority(parts) == _authority(home)
    except ValueError:
        raise TransportError(f"the {what} {printable(url)!r} is no URL") from None
    shown = _shown_origin(parts)
    hint = f"the registry {home.netloc} names a {what} that {goods} may not go to"
    # An ideographic full stop, too, makes an address of what is none to the check below.
    is_host = bool(parts.hostname) and parts.netloc.isascii()
    if parts.scheme not in DEFAULT_PORTS or not is_host:
        raise TransportError(f"the {what} {shown} has no http or https URL", hint=hint)
    if parts.username is not None or parts.password is not None:
        raise TransportError(f"the {what} {shown} has a user name in its URL", hint=hint)
    if is_loopback(home.netloc) and is_loopback(parts.netloc):
        return resolved
    if parts.scheme == "http" and not registry.is_insecure:
        is_named_so = what == "token server" or parts.hostname == home.hostname
        raise TransportError(
            f"the {what} {shown} does not use https",
            hint=_behind_tls(home.netloc) if is_named_so else hint,
        )
    if _is_private(parts.hostname or "") and not is_own:
        raise TransportError(f"the {what} {shown} is a private address", hint=hint)
    return resolved


def _behind_tls(registry: str) -> str:
    """Return what to do about a registry that says http, though it is asked over TLS."""
    return (
        f"{registry} does not know that it is behind TLS: let the proxy before it send "
        "X-Forwarded-Proto, or set its external URL to https"
    )


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, *_authority(parts)


def _authority(parts: SplitResult) -> tuple[str, int | None]:
    return parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)


def _is_private(host: str) -> bool:
    host = host.rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        # 127.1, 0x7f000001 and the like are no names either, and resolvers read them as addresses.
        numeric = re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2])
        return numeric is not None or is_loopback(host)


def _shown_origin(parts: SplitResult) -> str:
    return printable(f"{parts.scheme}://{parts.hostname or ''}")
