"""A registry's host and port: loopback addresses, Docker Hub's names, default ports. Pure."""

from __future__ import annotations

import ipaddress

DOCKER_HUB = "docker.io"


#: The port of an authority that names none, by its URL's scheme.
DEFAULT_PORTS = {"http": 80, "https": 443}


#: Other names of Docker Hub; all are one registry.
_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


_HUB_ENDPOINT = "registry-1.docker.io"


def is_registry(component: str) -> bool:
    """Say whether the first component of a reference names a registry rather than a folder."""
    return (
        any(char in ".:" or char.isupper() for char in component)
        or component == "localhost"
        or component.startswith("[")
    )


def registry_endpoint(registry: str) -> str:
    """Return the authority to connect to: ``registry`` itself, but for Docker Hub."""
    return _HUB_ENDPOINT if registry == DOCKER_HUB else registry


def registry_host(registry: str) -> str:
    """Return the host of an authority, without port and without the brackets of IPv6."""
    if registry.startswith("["):
        return registry[1:].partition("]")[0]
    return registry.partition(":")[0]


def is_loopback(registry: str) -> bool:
    """Say whether a registry's authority names this machine: ``localhost``, 127/8 or ::1."""
    host = registry_host(registry)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
