"""By which keys files and helpers know a registry, and a repository in it. Pure.

Docker keys its entries by server: a host and port, or a URL of it. The containers tools key them
by host, by ``host/namespace`` or by ``host/namespace/repository``; the longest one holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from oci_merge.model.host import DOCKER_HUB

#: Names under which docker and others know Docker Hub, the usual one first.
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
#: What follows the host where a key is the address of an API rather than a repository's name.
_API = re.compile(r"(?:v[12]/?)?")


class Place(NamedTuple):
    """What a key stands for.

    Attributes:
        registry: the authority, or ``docker.io``.
        path: a repository or a namespace in it; empty for the whole registry.
    """

    registry: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}" if self.path else self.registry


def server_keys(registry: str) -> tuple[str, ...]:
    """Return the keys of a whole registry, the usual one first."""
    return _HUB_KEYS if registry == DOCKER_HUB else (registry,)


def place_of(key: str) -> Place:
    """Return what a key stands for. A URL stands for its host, whatever its path."""
    bare = key.removeprefix("https://").removeprefix("http://")
    authority, _, path = bare.partition("/")
    if bare != key or _API.fullmatch(path):
        path = ""
    host = authority.rpartition("@")[2].lower()
    return Place(DOCKER_HUB if host in _HUB_KEYS else host, path.rstrip("/"))


def find_key(keys: Iterable[str], place: Place) -> str | None:
    """Choose the key that is nearest to a repository.

    Args:
        keys: the keys there are, in order.
        place: the repository.

    Returns:
        The key of the longest path that leads to it. Where several stand for the whole registry,
        it is one that is spelt as usual, else the first.
    """
    there = list(keys)
    usual = [key for key in server_keys(place.registry) if key in there]
    for wanted in _from_near_to_far(place):
        preferred = [] if wanted.path else usual
        for key in (*preferred, *there):
            if place_of(key) == wanted:
                return key
    return None


def names_registry(key: str, registry: str) -> bool:
    """Say whether a key stands for a registry as a whole."""
    return place_of(key) == Place(registry.lower())


def _from_near_to_far(place: Place) -> Iterator[Place]:
    registry, path = place.registry.lower(), place.path
    while path:
        yield Place(registry, path)
        path = path.rpartition("/")[0]
    yield Place(registry)
