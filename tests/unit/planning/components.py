"""Components of sample images, as they are after reading the manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fixtures.images import BuiltImage, build_attestation, build_image
from oci_merge.model.manifest import Descriptor, parse_manifest
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.model.reference import parse_reference
from oci_merge.planning.component import Component
from oci_merge.planning.job import Source

REGISTRY = "reg.example"
UNKNOWN = Platform("unknown", "unknown")


def source(name: str, platform: str = "") -> Source:
    """Return a source in the sample registry, and the platform that was asked for, if any."""
    asked = parse_platform(platform) if platform else None
    return Source(parse_reference(f"{REGISTRY}/{name}"), asked)


def component(
    image: BuiltImage,
    where: Source | str,
    *,
    declared: Platform | None = None,
    annotations: Mapping[str, str] | None = None,
    artifact_type: str = "",
) -> Component:
    """Return an image as a component.

    Args:
        image: the image.
        where: its source, or the name of it.
        declared: the platform by a source index; without it, the image is a source by itself.
        annotations: its annotations in that index.
        artifact_type: its artifact type there.
    """
    manifest = parse_manifest(
        image.manifest, content_type=image.media_type, digest=image.digest, what="an image"
    )
    descriptor = None
    if declared is not None or annotations is not None:
        descriptor = Descriptor(
            media_type=image.media_type,
            digest=image.digest,
            size=image.size,
            annotations=dict(annotations or {}),
            artifact_type=artifact_type or None,
        )
    return Component(
        where if isinstance(where, Source) else source(where), manifest, descriptor, declared
    )


def attestation(image: BuiltImage, where: Source | str, declared: Platform = UNKNOWN) -> Component:
    """Return the attestation of an image, as an index of buildx lists it."""
    annotations = {
        "vnd.docker.reference.digest": image.digest,
        "vnd.docker.reference.type": "attestation-manifest",
    }
    return component(build_attestation(image), where, declared=declared, annotations=annotations)


def listed(image: BuiltImage, where: Source | str, platform: str) -> Component:
    """Return an image out of a source index that says a platform for it."""
    return component(image, where, declared=parse_platform(platform))


def images(*platforms: str) -> Sequence[BuiltImage]:
    """Build one image for each of some platforms, all on one base layer."""
    parsed = [parse_platform(text) for text in platforms]
    return [build_image(one.os, one.architecture, one.variant) for one in parsed]
