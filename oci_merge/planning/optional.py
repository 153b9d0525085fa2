"""Decides which images may be missing, because their platform is optional. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oci_merge._text import listed, printable
from oci_merge.errors import UsageError
from oci_merge.model.platform import Platform, agrees
from oci_merge.planning.annotations import EntryAnnotation
from oci_merge.planning.job import Source


def with_optional(
    platforms: Sequence[Platform], optional: Sequence[Platform]
) -> tuple[Platform, ...]:
    """Return the platforms to join, with the optional ones that are not among them behind.

    Args:
        platforms: the platforms that were asked for; none where all are taken.
        optional: those that may be missing.
    """
    if not platforms:
        return ()
    more = [each for each in optional if not any(_is_same(each, other) for other in platforms)]
    return (*platforms, *more)


def mark_optional(
    sources: Sequence[Source], among: Sequence[Platform], optional: Sequence[Platform]
) -> tuple[Source, ...]:
    """Return the sources, those whose platform is optional marked.

    Args:
        sources: the images to join.
        among: the platforms that are selected from indexes.
        optional: the platforms that may be missing.

    Raises:
        UsageError: an optional platform is asked of no source, so that nothing depends on it; or
            every source is optional.
    """
    asked = [source.platform for source in sources if source.platform]
    unasked = [
        printable(str(platform))
        for platform in optional
        if not any(_is_same(platform, other) for other in (*asked, *among))
    ]
    if unasked:
        raise UsageError(
            f"{listed(unasked)} is optional, but no image is asked for as that",
            hint="name the platforms with --platforms, or as --source REFERENCE=PLATFORM",
        )
    marked = tuple(
        replace(source, is_optional=_is_optional(source, optional)) for source in sources
    )
    if optional and all(source.is_optional for source in marked):
        raise UsageError(
            "every image to join is optional",
            hint="name in --optional only what the result may lack",
        )
    return marked


def without_left_out(
    annotations: Sequence[EntryAnnotation],
    optional: Sequence[Platform],
    published: Sequence[Platform],
) -> tuple[EntryAnnotation, ...]:
    """Return the annotations of entries, but for those of optional platforms without an image.

    Args:
        annotations: the annotations.
        optional: the platforms that may be missing.
        published: the platforms of the index.
    """
    return tuple(
        one
        for one in annotations
        if not one.platform
        or not any(agrees(one.platform, other) for other in optional)
        or any(agrees(one.platform, other) for other in published)
    )


def _is_optional(source: Source, optional: Sequence[Platform]) -> bool:
    return source.platform is not None and any(
        _is_same(source.platform, other) for other in optional
    )


def _is_same(one: Platform, other: Platform) -> bool:
    """Say whether two platforms that a user wrote mean the same, in either order."""
    return agrees(one, other) and agrees(other, one)
