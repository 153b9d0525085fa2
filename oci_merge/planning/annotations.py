"""Annotations of the index, and the prefixes with which buildx says what else is annotated. Pure.

``docker buildx imagetools create --annotation`` and docker/metadata-action put ``index:`` and such
before a key, with platforms in brackets: ``manifest-descriptor[linux/amd64]:key=value``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from oci_merge._text import printable
from oci_merge.errors import UsageError

_KIND = re.compile(
    r"(index|manifest|index-descriptor|manifest-descriptor)(\[[^\]]*\])?", re.IGNORECASE
)
_HINT = "write index:key=value or key=value to annotate the index, and leave the others out"


def index_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations of the index, without the prefix ``index:``.

    A key with a colon behind anything but a prefix, such as ``urn:example``, is a key.

    Args:
        annotations: the annotations as they were given.

    Raises:
        UsageError: a prefix is for something else than the index, or one key has two values.
    """
    taken: dict[str, str] = {}
    for given, value in annotations.items():
        key = _key_of_index(given)
        if taken.setdefault(key, value) != value:
            raise UsageError(
                f"the annotation {printable(key)!r} is given twice, with different values",
                hint="keep one of the two",
            )
    return taken


def _key_of_index(given: str) -> str:
    """Return the key without its prefix.

    Raises:
        UsageError: the prefix is not for the index alone, or no key follows.
    """
    prefix, colon, key = given.partition(":")
    words = [word.strip() for word in prefix.split(",")]
    kinds = [_KIND.fullmatch(word) for word in words]
    if not colon or not any(kinds):
        return given
    for word, kind in zip(words, kinds, strict=True):
        if kind is None or kind[0] != "index":
            raise UsageError(
                f"the annotation {printable(given)!r} is for {printable(word)!r}, "
                "and only the index can be annotated",
                hint=_HINT,
            )
    if not key.strip():
        raise UsageError(f"the annotation {printable(given)!r} has no key", hint=_HINT)
    return key.strip()
