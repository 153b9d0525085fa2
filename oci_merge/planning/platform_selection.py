"""Selects the images of a source, and decides under which platform each is published. Pure.

The platform that the user asked for wins. The caller says whether an image that declares another
one is an error, a warning or neither.
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
    selected = {component.manifest.digest for component in images}
    attestations = [
        component
        for component in components
        if component.descriptor is not None
        and component.is_attestation
        and component.descriptor.attests in selected
    ]
    return (*images, *attestations)


def decide_platform(
    component: Component, declared: Platform, check: PlatformCheck, *, as_written: bool = False
) -> tuple[Platform, str]:
    """Decide under which platform an image is published.

    Args:
        component: the image.
        declared: the platform that its config, or the source index, declares.
        check: ``error``, ``warn`` or ``off``: what happens if the image declares another platform
            than the requested one.
        as_written: publish platforms as they are written, as manifest-tool does, and not in normal
            form.

    Returns:
        The platform, and a warning or an empty string.

    Raises:
        PlatformMismatchError: the platforms differ, and ``check`` is ``error``.
        ManifestError: no platform was requested, and the image declares none.
    """
    requested = component.requested
    if not declared.is_known and not (requested and requested.is_known):
        raise ManifestError(
            f"{component.name} does not say which os and architecture it is for",
            hint="give its platform with --template and --platforms or in a spec, or rebuild it "
            "with a builder that writes both into the config",
        )
    published = _published(requested, declared, as_written=as_written)
    if (
        requested is None
        or not requested.is_known
        or not declared.is_known
        or agrees(requested, declared)
    ):
        silent = as_written or (requested is not None and says_variant(requested))
        warning = "" if silent else _variant_warning(component, declared)
        return published, warning or _unknown_warning(component, declared)
    if check == "error":
        raise PlatformMismatchError(
            f"{component.name} was asked for as {requested}, "
            f"but the image says that it is {printable(str(declared))}",
            hint="build it for the right platform, or accept it with --platform-check=warn",
        )
    # Published as requested all the same: wrongly labelled configs are common, since builders
    # copy the base image's, and pipelines rely on this.
    warning = (
        f"{component.name} says that it is {printable(str(declared))}; "
        f"it is published as {requested}, as asked"
    )
    return published, warning if check == "warn" else ""


def _published(requested: Platform | None, declared: Platform, *, as_written: bool) -> Platform:
    if as_written:
        return resolve_platform_as_written(requested or Platform("", ""), declared)
    return normalize(declared) if requested is None else resolve_platform(requested, declared)


def _unknown_warning(component: Component, declared: Platform) -> str:
    # A requested platform was checked, and warned of, before the first request.
    unknown = "" if component.requested else unknown_platform(declared)
    return f"{component.name}: {unknown}" if unknown else ""


def _matching(
    requested: Platform, reference: Reference, images: Sequence[Component]
) -> list[Component]:
    """Return the images of a platform: those of the exact variant if there are any, else all."""
    matching = [image for image in images if image.declared and agrees(requested, image.declared)]
    # linux/arm agrees with every variant; an image for its usual variant, v7, is preferred.
    exact = [
        image
        for image in matching
        if image.declared and normalize(image.declared).variant == normalize(requested).variant
    ]
    if exact or matching:
        return exact or matching
    declared = [
        printable(str(image.declared))
        for image in images
        if image.declared and image.declared.is_known
    ]
    raise PlatformNotFoundError(
        f"{reference} is an index without {requested}; it has {listed(declared)}",
        hint="ask for a platform that it has, or leave this one out",
    )


def _variant_warning(component: Component, declared: Platform) -> str:
    if normalize(declared).architecture != "arm" or says_variant(declared):
        return ""
    return (
        f"{component.name} is for {printable(declared.os)}/arm and does not say which variant; "
        "it is published as v7"
    )
