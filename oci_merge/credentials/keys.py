"""Reads the keys by which files and helpers name registries and repositories. Pure.

Docker keys its entries by server: ``host[:port]``, or a URL. The containers tools key them by
``host``, ``host/namespace`` or ``host/namespace/repository``, of which the longest match wins
(containers-auth.json(5)). Docker itself reduces such a key to its host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from oci_merge.model.host import DOCKER_HUB

#: Keys for Docker Hub; the first is the one that ``docker login`` writes.
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
#: The path of a key that is the address of an API, not a repository.
_API = re.compile(r"(?:v[12]/?)?")


class Place(NamedTuple):
    """A registry, or a namespace or repository in it: what a key names.

    Attributes:
        registry: ``host[:port]``, or ``docker.io`` for Docker Hub.
        path: the namespace or repository; empty for the whole registry.
    """

    registry: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}" if self.path else self.registry


def server_keys(registry: str) -> tuple[str, ...]:
    """Return the keys for a whole registry; the one that ``docker login`` writes comes first."""
    return _HUB_KEYS if registry == DOCKER_HUB else (registry,)


def place_of(key: str) -> Place:
    """Return the place that a key names.

    Args:
        key: ``host[:port]``, ``host[:port]/path`` or a URL.
    """
    # A URL names its host, whatever its path: docker writes https://HOST/v1/ and the like.
    bare = key.removeprefix("https://").removeprefix("http://")
    authority, _, path = bare.partition("/")
    if bare != key or _API.fullmatch(path):
        path = ""
    host = authority.rpartition("@")[2].lower()
    return Place(DOCKER_HUB if host in _HUB_KEYS else host, path.rstrip("/"))


def find_key(keys: Iterable[str], place: Place, *, by_host: bool = False) -> str | None:
    """Return the most specific key for a repository.

    Args:
        keys: the keys of a file, in order.
        place: the repository.
        by_host: whether a key stands for its whole host, if no key has a path that fits.

    Returns:
        The key with the longest path that is the repository or contains it; None if no key does.
        Of several keys for the whole registry, the one as docker spells it, else the first.
    """
    candidates = list(keys)
    usual = [key for key in server_keys(place.registry) if key in candidates]
    for wanted in _with_parents(place):
        # Files that several tools have written may spell the registry in several ways.
        preferred = [] if wanted.path else usual
        for key in (*preferred, *candidates):
            if place_of(key) == wanted:
                return key
    same = (key for key in candidates if place_of(key).registry == place.registry.lower())
    return next(same, None) if by_host else None


def find_near(keys: Iterable[str], registry: str) -> str | None:
    """Return the first key that somebody may have meant for a registry: of its host or its domain.

    Args:
        keys: the keys of a file, in order.
        registry: the registry.
    """
    wanted = _host(registry)
    # People log in to the page of Docker Hub, and to a host above or beside that of its registry.
    pages = {"hub.docker.com", "docker.com"} if registry == DOCKER_HUB else set()
    for key in keys:
        host = _host(place_of(key.strip()).registry)
        is_domain = host.endswith(f".{wanted}") or wanted.endswith(f".{host}")
        if host == wanted or host in pages or (is_domain and "." in host and "." in wanted):
            return key
    return None


def names_registry(key: str, registry: str) -> bool:
    """Say whether a key names the whole of a registry."""
    return place_of(key) == Place(registry.lower())


def _host(registry: str) -> str:
    """Return a registry's host in lower case, without its port."""
    return re.sub(r":\d*\Z", "", registry.lower())


def _with_parents(place: Place) -> Iterator[Place]:
    """Yield a repository, then its namespaces from the innermost on, then its registry."""
    registry, path = place.registry.lower(), place.path
    while path:
        yield Place(registry, path)
        path = path.rpartition("/")[0]
    yield Place(registry)
