"""Checks what is asked of a change of an index, before the first request. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from oci_merge._text import printable
from oci_merge.errors import InvalidReferenceError, UsageError
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.options.edit import AnnotateKeywords, RemoveKeywords
from oci_merge.planning.annotations import Annotations, parse_annotations
from oci_merge.planning.edit import Edited, PresentIndex, annotate_index, remove_platforms


class Removal:
    """Takes images out of an index.

    Args:
        asked: the keywords of the removal, from ``checked``.

    Raises:
        UsageError: no platform is given, or one is not valid.
    """

    def __init__(self, asked: RemoveKeywords) -> None:
        self._platforms = [
            parse_platform(platform) if isinstance(platform, str) else platform
            for platform in asked["platforms"]
        ]
        if not self._platforms:
            raise UsageError(
                "no platform to remove is given",
                hint="name one or more: --platform linux/arm/v7 (platforms=[...] in Python)",
            )

    def __call__(self, present: PresentIndex, again: bool) -> Edited:
        """Return the index without the images, see ``remove_platforms``."""
        return remove_platforms(present, self._platforms, again=again)


class Annotating:
    """Sets and removes annotations of an index and its entries.

    Args:
        asked: the keywords of the change, from ``checked``.

    Raises:
        UsageError: nothing is to be changed, an annotation is not valid, a key to remove is empty,
            or one is to be set and removed.
    """

    def __init__(self, asked: AnnotateKeywords) -> None:
        self._given = parse_annotations(asked["annotations"] or {})
        self._removed = parse_annotations(dict.fromkeys(asked["remove_annotations"], ""))
        if not any(_keys(self._given)) and not any(_keys(self._removed)):
            raise UsageError(
                "no annotation is given",
                hint="give --annotation KEY=VALUE to set one, or --remove-annotation KEY",
            )
        if any(not key.strip() for key, _ in _keys(self._removed)):
            raise UsageError(
                "an annotation to remove has an empty key",
                hint="name its key; perhaps the variable for it is empty",
            )
        given = set(_keys(self._given))
        for key, platform in _keys(self._removed):
            if (key, platform) in given:
                raise UsageError(
                    f"the annotation {printable(key)!r} is to be set and to be removed",
                    hint="keep one of the two",
                )

    def __call__(self, present: PresentIndex, again: bool) -> Edited:
        """Return the index with other annotations, see ``annotate_index``."""
        return annotate_index(present, self._given, self._removed, again=again)


def check_edited(text: str) -> Reference:
    """Return the reference of an index that is to be changed: one with a tag, and no digest.

    Raises:
        InvalidReferenceError: it is another reference, or none.
    """
    reference = parse_reference(text)
    if reference.digest:
        raise InvalidReferenceError(
            f"{printable(text)!r} has a digest, and what stands at a digest cannot be changed",
            hint=f"name the tag to change, for example {reference.name}:{reference.tag or '1.0'}",
        )
    if not reference.tag:
        raise InvalidReferenceError(
            f"{printable(text)!r} has no tag",
            hint=f"say which tag to change, for example {printable(text)}:latest",
        )
    return reference


def _keys(annotations: Annotations) -> Iterable[tuple[str, Platform | str | None]]:
    yield from ((key, "index") for key in annotations.index)
    yield from ((one.key, one.platform) for one in annotations.entries)
