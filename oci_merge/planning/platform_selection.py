"""Selects the images of a source by platform. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge._text import listed, printable
from oci_merge.errors import ManifestError, PlatformNotFoundError
from oci_merge.model.platform import (
    Platform,
    agrees,
    normalize,
)
from oci_merge.model.reference import Reference
from oci_merge.planning.component import Component
from oci_merge.planning.job import Source


def select(source: Source, components: Sequence[Component]) -> tuple[Component, ...]:
    """Select the images of the requested platform from a source index, with their attestations.

    Args:
        source: the source, with the platform that the user asked for, if any.
        components: the entries of its index, with the platforms that they declare.

    Returns:
        The selected images in the index's order, then their attestations. Every image, if no
        platform was requested or the index lists only one image.

    Raises:
        PlatformNotFoundError: the index lists several images, none of them of that platform.
        ManifestError: the index lists no image, or nothing but attestations.
    """
    images = [component for component in components if not component.is_attestation]
    if not images:
        raise ManifestError(
            f"{source.reference} is an index that lists no image",
            hint="push the image again, or leave it out",
        )
    requested = source.platform
    # buildx pushes a single image as an index, because of its provenance. Such an image is compared
    # with the request like any single image, in decide_platform, instead of not being found here.
    if requested is not None and requested.is_known and len(images) > 1:
        images = _matching(requested, source.reference, images)
    if source.among and len(images) > 1:
        images = _among(source.among, images)
    selected = {component.manifest.digest for component in images}
    attestations = [
        component
        for component in components
        if component.descriptor is not None
        and component.is_attestation
        and component.descriptor.attests in selected
    ]
    return (*images, *attestations)


def _among(platforms: Sequence[Platform], images: Sequence[Component]) -> list[Component]:
    """Return the images of any of the platforms, in the index's order; perhaps none."""
    chosen = {image for platform in platforms for image in _fitting(platform, images)}
    return [image for image in images if image in chosen]


def _matching(
    requested: Platform, reference: Reference, images: Sequence[Component]
) -> list[Component]:
    """Return the images of a platform: those of the exact variant if there are any, else all."""
    if fitting := _fitting(requested, images):
        return fitting
    declared = [
        printable(str(image.declared))
        for image in images
        if image.declared and image.declared.is_known
    ]
    raise PlatformNotFoundError(
        f"{reference} is an index without {requested}; it has {listed(declared)}",
        hint="ask for a platform that it has, or leave this one out",
    )


def _fitting(requested: Platform, images: Sequence[Component]) -> list[Component]:
    matching = [image for image in images if image.declared and agrees(requested, image.declared)]
    # linux/arm agrees with every variant; an image for its usual variant, v7, is preferred.
    exact = [
        image
        for image in matching
        if image.declared and normalize(image.declared).variant == normalize(requested).variant
    ]
    return exact or matching
