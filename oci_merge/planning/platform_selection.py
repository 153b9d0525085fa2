"""Selects what is taken from the index of a source: images by platform, and their companions. Pure.

An index may be selected from twice: as its descriptors list it, to know which manifests have to be
read, and once these are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

from oci_merge._text import listed, printable
from oci_merge.errors import ManifestError, PlatformNotFoundError
from oci_merge.model.platform import (
    Platform,
    agrees,
    normalize,
    says_variant,
)
from oci_merge.planning.component import Component, Entry
from oci_merge.planning.job import Source

_Listed = TypeVar("_Listed", bound=Entry | Component)


def select(
    source: Source,
    entries: Sequence[_Listed],
    *,
    among: Sequence[Entry] | None = None,
    published: AbstractSet[str] = frozenset(),
) -> tuple[_Listed, ...]:
    """Select the images of the requested platform from a source index, with their companions.

    Args:
        source: the source, with the platform that the user asked for, if any.
        entries: the entries of its index, with the platforms that they declare.
        among: all that the index lists, where ``entries`` is what was read of it.
        published: digests of images that other sources give; their companions are selected too.

    Returns:
        The selected images in the index's order, then their companions. Everything, if no platform
        was requested or the index lists only one image.

    Raises:
        PlatformNotFoundError: the index lists several images, none of them of that platform.
        ManifestError: the index lists no image, or nothing but attestations.
    """
    everything: Sequence[Entry | Component] = entries if among is None else among
    _check_images(source, everything)
    images = _images(entries)
    if not _is_picked(source, everything):
        others = [entry for entry in entries if not any(entry is image for image in images)]
        return (*images, *others)
    images = _matching_any(_wanted(source), images)
    if not images and not source.among:
        raise _not_found(source, _images(everything))
    named = published | {image.digest for image in images}
    return (*images, *companions_of(named, entries))


def companions_of(digests: AbstractSet[str], entries: Sequence[_Listed]) -> list[_Listed]:
    """Return the entries that accompany some images, or accompany their companions, in order."""
    named: AbstractSet[str] = digests
    while True:
        found = [entry for entry in entries if not entry.is_image and entry.about in named]
        more = named | {entry.digest for entry in found}
        if more == named:
            return found
        named = more


def images_to_read(source: Source, entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the images whose manifests have to be read, and those whose configs are needed too.

    A config is needed to choose, where an entry has no platform, or no variant and one matters.

    Args:
        source: the source, with the platform that the user asked for, if any.
        entries: all that its index lists.

    Raises:
        PlatformNotFoundError, ManifestError: as ``select`` does.
    """
    _check_images(source, entries)
    images = _images(entries)
    if not _is_picked(source, entries):
        return images, []
    matching = _matching_any(_wanted(source), images)
    unsure = [image for image in images if _is_unsure(source, image, matching)]
    if not matching and not unsure and not source.among:
        raise _not_found(source, images)
    needed = {image.digest for image in (*matching, *unsure)}
    return [image for image in images if image.digest in needed], unsure


def may_list(source: Source, platform: Platform) -> bool:
    """Say whether an index within an index may list the requested platform, by its own."""
    wanted = _wanted(source)
    if not wanted or not platform.is_known:
        return True
    return any(agrees(Platform(each.os, each.architecture), platform) for each in wanted)


def takes_whole(source: Source, entries: Sequence[Entry]) -> bool:
    """Say whether everything that an index lists is taken, rather than a platform picked out."""
    return not _is_picked(source, entries)


def _images(entries: Sequence[_Listed]) -> list[_Listed]:
    images = [entry for entry in entries if entry.is_image]
    # An index of artifacts alone, such as WebAssembly modules, has these in the place of images.
    return images or [
        entry
        for entry in entries
        if entry.declared is not None
        and entry.declared.is_known
        and entry.declared.os != "unknown"
        and not entry.about
    ]


def _check_images(source: Source, entries: Sequence[Entry | Component]) -> None:
    if not _images(entries):
        raise ManifestError(
            f"{source.reference} is an index that lists no image",
            hint="push the image again, or leave it out",
        )


def _is_picked(source: Source, entries: Sequence[Entry | Component]) -> bool:
    # buildx pushes a single image as an index, because of its provenance. Such an image is compared
    # with the request like any single image, in decide_platform, instead of not being found here.
    return bool(_wanted(source)) and len(_images(entries)) > 1


def _wanted(source: Source) -> tuple[Platform, ...]:
    """Return the platforms that are picked from the source's index; none for all that it lists."""
    requested = source.platform
    return (requested,) if requested is not None and requested.is_known else source.among


def _is_unsure(source: Source, image: Entry, matching: Sequence[Entry]) -> bool:
    """Say whether only its config tells whether an image is of a wanted platform."""
    if not image.declared.is_known:
        return True
    return any(
        _lacks_variant(wanted, image.declared)
        and not any(_is_exact(wanted, other.declared) for other in matching)
        for wanted in _wanted(source)
    )


def _matching_any(wanted: Sequence[Platform], images: Sequence[_Listed]) -> list[_Listed]:
    """Return the images of any of the platforms, in the index's order."""
    found = {id(image) for platform in wanted for image in _matching(platform, images)}
    return [image for image in images if id(image) in found]


def _matching(requested: Platform, images: Sequence[_Listed]) -> list[_Listed]:
    """Return the images of a platform: those of the exact variant if there are any, else all."""
    matching = [image for image in images if image.declared and agrees(requested, image.declared)]
    # linux/arm agrees with every variant; an image for its usual variant, v7, is preferred.
    exact = [
        image
        for image in matching
        if image.declared and normalize(image.declared).variant == normalize(requested).variant
    ]
    # An entry that says the variant is preferred to one that leaves it out, which means v7 only
    # where nothing else does.
    saying = [image for image in exact if image.declared and _is_exact(requested, image.declared)]
    return saying or exact or matching


def _is_exact(requested: Platform, declared: Platform) -> bool:
    """Say whether an entry is of the requested platform, in no need of a look at its config."""
    if not agrees(requested, declared):
        return False
    variant = normalize(requested).variant
    return normalize(declared).variant == variant and (not variant or says_variant(declared))


def _lacks_variant(requested: Platform, declared: Platform) -> bool:
    base = Platform(requested.os, requested.architecture)
    return (
        bool(normalize(requested).variant)
        and not says_variant(declared)
        and normalize(base).architecture == normalize(declared).architecture
        and normalize(base).os == normalize(declared).os
    )


def _not_found(source: Source, images: Sequence[Entry | Component]) -> PlatformNotFoundError:
    declared = [
        printable(str(image.declared))
        for image in images
        if image.declared and image.declared.is_known
    ]
    return PlatformNotFoundError(
        f"{source.reference} is an index without {source.platform}; it has {listed(declared)}",
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
