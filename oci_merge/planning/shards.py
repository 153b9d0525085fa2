"""Divides a batch among several machines. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from oci_merge._text import printable
from oci_merge.errors import UsageError

_T = TypeVar("_T")
_SHARD = re.compile(r"0*([0-9]{1,9})/0*([0-9]{1,9})", re.ASCII)


def parse_shard(text: str) -> tuple[int, int]:
    """Parse which part of how many is meant, such as ``3/10``; the first one is 1.

    Returns:
        The number of the part and how many there are.

    Raises:
        UsageError: it is not of that form, or there are fewer parts.
    """
    found = _SHARD.fullmatch(text.strip())
    number, total = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= total:
        raise UsageError(
            f"{printable(text)!r} is not a shard",
            hint="write which part of how many, from 1/10 to 10/10",
        )
    return number, total


def shard(items: Sequence[_T], number: int, total: int) -> Sequence[_T]:
    """Return one part of a list: every ``total``-th item, beginning with item ``number``.

    All parts together are the list, no item is in two, and their sizes differ by one at most.
    Neighbours, which are often alike, go to different parts.
    """
    return items[number - 1 :: total]
