"""The host and port of a registry: loopback addresses, Docker Hub's names, default ports."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

DOCKER_HUB = "docker.io"


#: Default ports by URL scheme.
DEFAULT_PORTS = {"http": 80, "https": 443}


#: The names of Docker Hub. They are one registry with one set of credentials.
_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


#: Registries of Amazon's ECR, by account and region.
ECR = re.compile(r"\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+")


#: The host that serves Docker Hub's registry API; ``docker.io`` itself serves a web site.
_HUB_ENDPOINT = "registry-1.docker.io"


def is_registry(component: str) -> bool:
    """Say whether the first component of a reference is a registry, by Docker's rule.

    Args:
        component: the text before the first ``/``.
    """
    return (
        any(char in ".:" or char.isupper() for char in component)
        or component == "localhost"
        or component.startswith("[")
    )


def registry_endpoint(registry: str) -> str:
    """Return the ``host[:port]`` to connect to; it differs from ``registry`` for Docker Hub."""
    return _HUB_ENDPOINT if registry == DOCKER_HUB else registry


def registry_host(registry: str) -> str:
    """Return the host of ``host[:port]``, without the brackets of an IPv6 address."""
    if registry.startswith("["):
        return registry[1:].partition("]")[0]
    return registry.partition(":")[0]


def registry_address(registry: str, scheme: str) -> tuple[str, int]:
    """Return the host, in lower case and without brackets, and the port to connect to.

    Args:
        registry: the authority, or ``docker.io``.
        scheme: ``http`` or ``https``, for the port where none is given.
    """
    parts = urlsplit(f"{scheme}://{registry_endpoint(registry)}")
    return parts.hostname or "", parts.port or DEFAULT_PORTS[scheme]


def is_loopback(registry: str) -> bool:
    """Say whether a registry is on a loopback address: ``localhost``, 127.0.0.0/8 or ::1.

    Args:
        registry: its ``host[:port]``. Names are not looked up in DNS.
    """
    host = registry_host(registry)
    # RFC 6761, section 6.3: names below localhost are on this machine, too.
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
