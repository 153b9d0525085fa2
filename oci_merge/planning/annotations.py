"""Annotations of the index and of its entries, and the prefixes that tell the two apart. Pure.

``docker buildx imagetools create --annotation`` and docker/metadata-action put ``index:`` and such
before a key, with platforms in brackets: ``manifest-descriptor[linux/amd64]:key=value``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.errors import PlatformNotFoundError, UsageError
from oci_merge.model.platform import Platform, agrees, normalize, parse_platform, says_variant

_INDEX = "index"
_ENTRY = "manifest-descriptor"
_KIND = re.compile(
    r"(index|manifest|index-descriptor|manifest-descriptor)(\[[^\]]*\])?", re.IGNORECASE
)
#: The commas between the words of a prefix; those between platforms stand in brackets.
_COMMA = re.compile(r",(?![^\[]*\])")
_UNKNOWN = Platform("unknown", "unknown")

_INDEX_HINT = "write index:key=value or key=value to annotate the index, and leave the others out"
_HINT = (
    "write key=value for the index, manifest-descriptor:key=value for each image that it lists, or "
    "manifest-descriptor[linux/amd64]:key=value for one"
)
_REBUILD_HINT = (
    "write index: or manifest-descriptor: in its place; with docker/metadata-action set "
    "DOCKER_METADATA_ANNOTATIONS_LEVELS=index"
)


@frozen
class EntryAnnotation:
    """An annotation of entries of the index.

    Attributes:
        key: its key.
        value: its value.
        platform: the platform of the entries, or None for every image.
    """

    key: str
    value: str
    platform: Platform | None = None

    def concerns(self, platform: Platform, *, is_image: bool) -> bool:
        """Say whether it is for an entry.

        Args:
            platform: the entry's platform; empty if it has none.
            is_image: whether the entry is an image, and no companion of one.
        """
        if self.platform is None:
            return is_image
        # Nobody means the attestations by an image's platform, but some do by their own.
        by_name = is_image or normalize(self.platform) == _UNKNOWN
        return by_name and platform.is_known and agrees(self.platform, platform)


@frozen
class Annotations:
    """Annotations without their prefixes.

    Attributes:
        index: those of the index.
        entries: those of its entries.
    """

    index: Mapping[str, str]
    entries: tuple[EntryAnnotation, ...] = ()


def parse_annotations(given: Mapping[str, str]) -> Annotations:
    """Divide annotations by what they are for.

    A key with a colon behind anything but a prefix, such as ``urn:example``, is a key.

    Args:
        given: the annotations, with their prefixes.

    Raises:
        UsageError: a prefix is for a manifest itself, or one key has two values.
        InvalidPlatformError: what stands in brackets is not a platform.
    """
    index: dict[str, str] = {}
    entries: dict[tuple[str, Platform | None, bool], EntryAnnotation] = {}
    for text, value in given.items():
        words, key = _divided(text)
        for word in words or [_INDEX]:
            if word == _INDEX:
                _check_same(key, index.setdefault(key, value), value)
                continue
            for platform in _platforms(text, word):
                one = EntryAnnotation(key, value, platform)
                same = platform and normalize(platform)
                says = platform is not None and says_variant(platform)
                _check_same(key, entries.setdefault((key, same, says), one).value, value)
    return Annotations(index, tuple(entries.values()))


def index_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations of the index, where nothing else may be annotated.

    Args:
        annotations: the annotations as they were given.

    Raises:
        UsageError: a prefix is for something else than the index, or one key has two values.
    """
    taken: dict[str, str] = {}
    for given, value in annotations.items():
        words, key = _divided(given)
        for word in words:
            if word != _INDEX:
                raise UsageError(
                    f"the annotation {printable(given)!r} is for {printable(word)!r}, "
                    "and only the index can be annotated",
                    hint=_INDEX_HINT,
                )
        _check_same(key, taken.setdefault(key, value), value)
    return taken


def values_for(
    annotations: Iterable[EntryAnnotation], platform: Platform, *, is_image: bool
) -> dict[str, str]:
    """Return what annotates an entry: of two values of a key, the one that says more of it.

    Args:
        annotations: the annotations of entries.
        platform: the entry's platform; empty if it has none.
        is_image: whether the entry is an image, and no companion of one.
    """
    own = [one for one in annotations if one.concerns(platform, is_image=is_image)]
    return {one.key: one.value for one in sorted(own, key=_precision)}


def check_concerned(
    annotations: Iterable[EntryAnnotation], entries: Sequence[tuple[Platform, bool]]
) -> None:
    """Refuse annotations of platforms that the index does not list.

    Args:
        annotations: the annotations of entries.
        entries: the platform of each entry, and whether it is an image.

    Raises:
        PlatformNotFoundError: no entry has that platform.
    """
    for one in annotations:
        if not any(one.concerns(platform, is_image=is_image) for platform, is_image in entries):
            there = dict.fromkeys(printable(str(platform)) for platform, image in entries if image)
            raise PlatformNotFoundError(
                f"the annotation {printable(one.key)!r} is for "
                f"{one.platform or 'the images'}, which is not among the images to list",
                hint=f"there are {listed(list(there))}" if there else "there is no image",
            )


def _precision(one: EntryAnnotation) -> int:
    return 0 if one.platform is None else 2 if says_variant(one.platform) else 1


def _check_same(key: str, first: str, second: str) -> None:
    if first != second:
        raise UsageError(
            f"the annotation {printable(key)!r} is given twice, with different values",
            hint="keep one of the two",
        )


def _divided(given: str) -> tuple[list[str], str]:
    """Return the words of the prefix of a key, none where there is no prefix, and the key.

    Raises:
        UsageError: no key follows the prefix.
    """
    prefix, colon, key = given.partition(":")
    words = [word.strip() for word in _COMMA.split(prefix)]
    if not colon or not any(_KIND.fullmatch(word) for word in words):
        return [], given
    if not key.strip():
        raise UsageError(f"the annotation {printable(given)!r} has no key", hint=_INDEX_HINT)
    return words, key.strip()


def _platforms(given: str, word: str) -> list[Platform | None]:
    """Return the platforms of a word of a prefix; None stands for every image.

    Raises:
        UsageError: the word is not for entries of the index.
        InvalidPlatformError: what stands in brackets is not a platform.
    """
    kind, bracket, inner = word.partition("[")
    if kind == _ENTRY and not bracket:
        return [None]
    if kind == _ENTRY and inner.endswith("]"):
        return [parse_platform(text.strip()) for text in inner[:-1].split(",")]
    if kind == "manifest":
        raise UsageError(
            f"the annotation {printable(given)!r} is for the image's manifest, "
            "which cannot be annotated without building it anew",
            hint=_REBUILD_HINT,
        )
    raise UsageError(
        f"the annotation {printable(given)!r} is for {printable(word)!r}, "
        "which cannot be annotated",
        hint=_HINT,
    )
