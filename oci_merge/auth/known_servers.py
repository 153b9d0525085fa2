"""How well-known registries ask for a login, so that they need not be asked first. Pure.

The table has what their challenges say. It saves the round trip to a challenge and decides nothing:
a challenge that says otherwise is followed, and a token server that is named here gets a login by
the same rules as one that a challenge names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from oci_merge.auth.challenge import Challenge
from oci_merge.model.host import DOCKER_HUB


def _bearer(realm: str, service: str) -> Challenge:
    return Challenge("bearer", {"realm": realm, "service": service})


#: Docker Hub's API, which is at another host than its name says.
_HUB = _bearer("https://auth.docker.io/token", "registry.docker.io")
_BY_NAME: Mapping[str, Challenge] = {
    "ghcr.io": _bearer("https://ghcr.io/token", "ghcr.io"),
    "quay.io": _bearer("https://quay.io/v2/auth", "quay.io"),
    "registry.gitlab.com": _bearer("https://gitlab.com/jwt/auth", "container_registry"),
    "public.ecr.aws": _bearer("https://public.ecr.aws/token/", "public.ecr.aws"),
}
#: The path of the realm, on the registry's own host, by the form of the registry's name. The
#: service is called as the host is.
_BY_FORM: Mapping[re.Pattern[str], str] = {
    re.compile(r"(?:[a-z0-9-]+\.)?gcr\.io"): "/v2/token",
    re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-docker\.pkg\.dev"): "/v2/token",
    re.compile(r"[a-z0-9-]+\.azurecr\.io"): "/oauth2/token",
}
#: Amazon's private registries take a password, in its partition for China, too.
_BASIC = re.compile(r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")


def known_challenge(registry: str) -> Challenge | None:
    """Return the challenge that a registry is known to send, None for any other registry.

    Args:
        registry: its ``host[:port]``, or ``docker.io``. On another port than that of https, there
            is another registry.
    """
    if registry == DOCKER_HUB:
        return _HUB
    host = registry.removesuffix(":443").lower()
    if (named := _BY_NAME.get(host)) is not None:
        return named
    for form, path in _BY_FORM.items():
        if form.fullmatch(host):
            return _bearer(f"https://{host}{path}", host)
    return Challenge("basic") if _BASIC.fullmatch(host) else None
