"""The images that these tests join, and one way to put them into a registry."""

from __future__ import annotations

from uuid import uuid4

from fixtures.distribution import Distribution
from fixtures.images import BuiltImage, build_image
from fixtures.seed import Seeder

THREE = {
    "amd64": build_image("linux", "amd64", layers=6),
    "arm64": build_image("linux", "arm64", layers=6),
    "armv7": build_image("linux", "arm", "v7", layers=6),
}
THREE_PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")


def seeder(registry: Distribution, auth: tuple[str, str] | None = None) -> Seeder:
    """Return a client that is independent of oci-merge."""
    return Seeder(registry.url, auth=auth or registry.credentials, verify=registry.ssl_context())


def push_team(
    registry: Distribution,
    images: dict[str, BuiltImage] | None = None,
    *,
    auth: tuple[str, str] | None = None,
    name: str = "",
) -> str:
    """Push images as ``NAME/img-ARCHVARIANT:1.0`` and return ``HOST/NAME``, a name of its own."""
    name = name or f"team-{uuid4().hex[:12]}"
    with seeder(registry, auth) as push:
        for suffix, image in (images or THREE).items():
            push.push_image(f"{name}/img-{suffix}", "1.0", image)
    return f"{registry.host}/{name}"
