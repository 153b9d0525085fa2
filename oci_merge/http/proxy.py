"""Finds the proxy for a URL in the environment, as curl and Go's programs do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from urllib.parse import urlsplit

from oci_merge._frozen import frozen
from oci_merge.errors import TransportError
from oci_merge.model.host import DEFAULT_PORTS, is_loopback

#: Says whether a host and port are reached without a proxy.
_Exception = Callable[[str, int], bool]
#: The scheme of a URL (RFC 3986, section 3.1).
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@frozen
class Proxies:
    """The proxies that an environment names.

    Attributes:
        by_scheme: the proxy's URL for ``http`` and for ``https``; it may hold a password.
        exceptions: the hosts that are reached without one, from ``NO_PROXY``.
        named_by: by scheme, the variable that names the proxy.
    """

    by_scheme: Mapping[str, str] = field(default_factory=dict, repr=False)
    exceptions: tuple[_Exception, ...] = ()
    named_by: Mapping[str, str] = field(default_factory=dict)

    def url_for(self, url: str) -> str | None:
        """Return the URL of the proxy for a URL, or None where no proxy leads there.

        This machine is never reached through a proxy.

        Raises:
            TransportError: the proxy's URL has a character in its login that ends the login.
        """
        parts = urlsplit(url)
        proxy = self.by_scheme.get(parts.scheme)
        host = (parts.hostname or "").rstrip(".")
        if proxy is None or is_loopback(f"[{host}]" if ":" in host else host):
            return None
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        if any(excepts(host, port) for excepts in self.exceptions):
            return None
        # Judged only where it is needed: a run that no proxy serves is not for it to fail.
        if _is_ambiguous(proxy):
            raise _ambiguous(self.named_by.get(parts.scheme, "HTTPS_PROXY"))
        return proxy


def find_proxies(environ: Mapping[str, str]) -> Proxies:
    """Read ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in lower case first.

    In a CGI program ``HTTP_PROXY`` is a header of the request, and not read (httpoxy).
    """
    by_scheme, named_by = {}, {}
    for scheme in DEFAULT_PORTS:
        is_header = scheme == "http" and "REQUEST_METHOD" in environ
        names = [f"{scheme}_proxy", *([] if is_header else [f"{scheme.upper()}_PROXY"])]
        named_by[scheme], proxy = _first(environ, *names, "all_proxy", "ALL_PROXY")
        if proxy:
            by_scheme[scheme] = proxy if "://" in proxy else f"http://{proxy}"
    words = _first(environ, "no_proxy", "NO_PROXY")[1].replace(",", " ").split()
    exceptions = (_exception(word.lower()) for word in words)
    return Proxies(by_scheme, tuple(made for made in exceptions if made is not None), named_by)


def _first(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    """Return the first variable that is not empty, and its value."""
    values = ((name, environ.get(name, "").strip()) for name in names)
    return next((pair for pair in values if pair[1]), ("", ""))


def _is_ambiguous(proxy: str) -> bool:
    """Say whether a proxy's URL may hold a login that is not percent-encoded.

    Where a password has one of these characters, URL parsers take its first part for the host, and
    would look it up and show it.
    """
    scheme, _, rest = proxy.partition("://")
    login, at, _ = rest.rpartition("@")
    return (
        not _SCHEME.fullmatch(scheme)
        or any(char in rest for char in "#?\\")
        or "@" in login
        or (bool(at) and "/" in login)
    )


def _ambiguous(variable: str) -> TransportError:
    return TransportError(
        f"a proxy that the environment names in {variable} has a character in its URL "
        "that is not percent-encoded",
        hint=f"in the user name and password of {variable} write %23 for #, %3F for ?, %40 for @, "
        "%2F for / and %5C for a backslash",
    )


def _exception(word: str) -> _Exception | None:
    """Return the exception that a word of ``NO_PROXY`` makes, or None if it cannot be read.

    The words are Go's: ``*``; a network such as ``10.0.0.0/8``; an address; a name, for its
    subdomains too; a name with a leading dot, for its subdomains only. Each but a network may have
    a port.
    """
    if word == "*":
        return lambda host, port: True
    if (network := _network(word)) is not None:
        return _in_network(network, None)
    name, port = _split_port(word)
    if "/" not in name and (address := _network(name)) is not None:
        return _in_network(address, port)
    name = name.removeprefix("*")
    return _below(name, port) if name.strip(".") else None


def _in_network(network: _Network, wanted: int | None) -> _Exception:
    def excepts(host: str, port: int) -> bool:
        try:
            return wanted in (None, port) and ipaddress.ip_address(host) in network
        except ValueError:
            return False

    return excepts


def _below(name: str, wanted: int | None) -> _Exception:
    end = name if name.startswith(".") else f".{name}"
    return lambda host, port: wanted in (None, port) and (host == name or host.endswith(end))


def _split_port(word: str) -> tuple[str, int | None]:
    name, colon, port = word.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        return word.removesuffix(".").strip("[]"), None
    return name.removesuffix(".").strip("[]"), int(port)


def _network(word: str) -> _Network | None:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        return None
