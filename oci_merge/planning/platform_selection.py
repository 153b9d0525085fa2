"""Which images of a source are joined, and under which platform. Pure.

An image is published as it was asked for; where its own word differs, the caller decides what a
difference means.
"""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge._text import listed, printable
from oci_merge.errors import ManifestError, PlatformMismatchError, PlatformNotFoundError
from oci_merge.model.platform import (
    Platform,
    agrees,
    normalize,
    resolve_platform,
    resolve_platform_as_written,
    says_variant,
    unknown_platform,
)
from oci_merge.model.reference import Reference
from oci_merge.options import PlatformCheck
from oci_merge.planning.component import Component
from oci_merge.planning.job import Source


def select(source: Source, components: Sequence[Component]) -> tuple[Component, ...]:
    """Choose from a source index the images of the platform asked for, and their attestations.

    Args:
        source: the source, with the platform asked for, if any.
        components: what its index lists; every image with the platform that the index gives it.

    Returns:
        The images in the index's order, then the attestations of those images. All where no
        platform was asked for, and where there is only one image: that one is compared like a
        single image.

    Raises:
        PlatformNotFoundError: there are several images, and none of that platform.
        ManifestError: there is no image at all, only attestations perhaps.
    """
    images = [component for component in components if not component.is_attestation]
    if not images:
        raise ManifestError(
            f"{source.reference} is an index that lists no image",
            hint="push the image again, or leave it out",
        )
    asked = source.platform
    if asked is not None and asked.is_known and len(images) > 1:
        images = _matching(asked, source.reference, images)
    kept = {component.manifest.digest for component in images}
    attestations = [
        component
        for component in components
        if component.listed is not None
        and component.is_attestation
        and component.listed.attests in kept
    ]
    return (*images, *attestations)


def decide_platform(
    component: Component, said: Platform, check: PlatformCheck, *, as_written: bool = False
) -> tuple[Platform, str]:
    """Decide under which platform an image is published.

    Args:
        component: the image.
        said: the platform that its config, or the source index, gives it.
        check: what a difference from the platform asked for means.
        as_written: publish platforms as they are written, rather than in their normal form.

    Returns:
        The platform, and a warning or an empty string.

    Raises:
        PlatformMismatchError: they differ, and ``check`` is ``error``.
        ManifestError: nothing was asked for, and the image does not say what it runs on.
    """
    asked = component.asked
    if not said.is_known and not (asked and asked.is_known):
        raise ManifestError(
            f"{component.name} does not say which os and architecture it is for",
            hint="say which platform it is of, or build it with a builder that writes both "
            "into the config",
        )
    published = _published(asked, said, as_written=as_written)
    if asked is None or not asked.is_known or not said.is_known or agrees(asked, said):
        silent = as_written or (asked is not None and says_variant(asked))
        warning = "" if silent else _variant_warning(component, said)
        return published, warning or _unknown_warning(component, said)
    if check == "error":
        raise PlatformMismatchError(
            f"{component.name} was asked for as {asked}, "
            f"but the image says that it is {printable(str(said))}",
            hint="build it for the right platform, or accept it with --platform-check=warn",
        )
    warning = (
        f"{component.name} says that it is {printable(str(said))}; "
        f"it is published as {asked}, as asked"
    )
    return published, warning if check == "warn" else ""


def _published(asked: Platform | None, said: Platform, *, as_written: bool) -> Platform:
    if as_written:
        return resolve_platform_as_written(asked or Platform("", ""), said)
    return normalize(said) if asked is None else resolve_platform(asked, said)


def _unknown_warning(component: Component, said: Platform) -> str:
    """Warn of a platform that the image, and nobody else, calls by an unknown name."""
    unknown = "" if component.asked else unknown_platform(said)
    return f"{component.name}: {unknown}" if unknown else ""


def _matching(
    asked: Platform, reference: Reference, images: Sequence[Component]
) -> list[Component]:
    """Return the images of a platform; exact ones before those that only a gap lets in."""
    fitting = [image for image in images if image.said and agrees(asked, image.said)]
    exact = [
        image
        for image in fitting
        if image.said and normalize(image.said).variant == normalize(asked).variant
    ]
    if exact or fitting:
        return exact or fitting
    there = [printable(str(image.said)) for image in images if image.said and image.said.is_known]
    raise PlatformNotFoundError(
        f"{reference} is an index without {asked}; it has {listed(there)}",
        hint="ask for a platform that it has, or leave it out",
    )


def _variant_warning(component: Component, said: Platform) -> str:
    if normalize(said).architecture != "arm" or says_variant(said):
        return ""
    return (
        f"{component.name} is for {printable(said.os)}/arm and does not say which variant; "
        "it is published as v7"
    )
