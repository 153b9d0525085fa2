"""Decides which of two images is newer: by version, by time or by a label. Pure.

Versions are in the order of Semantic Versioning 2.0.0, section 11, with more or fewer numbers than
three. Times are those of RFC 3339. An order that is not sure is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.model.labels import ImageLabels

VERSION = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"

_LONGEST = 200
_VERSION = re.compile(
    r"[vV]?([0-9]+(?:\.[0-9]+){0,7})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: What ``git describe`` appends where commits follow the tag. Semantic Versioning would read a
#: pre-release of the tag's version, but it is later than that.
_DESCRIBED = re.compile(r"-[0-9]+-g[0-9a-f]{4,64}(?:-dirty)?$")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Builds that can be reproduced are dated 0001-01-01, 1970-01-01 or 1980-01-01, which is no time.
_FIRST = (datetime(1981, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)

#: Seconds since 1970, and nanoseconds.
Time = tuple[int, int]


@frozen
class Described:
    """What an index says of itself.

    Attributes:
        annotations: its annotations.
        images: what the configs of its images say; None for a config that could not be read.
    """

    annotations: Mapping[str, str]
    images: Sequence[ImageLabels | None]

    def value(self, key: str) -> str:
        """Return an annotation, else the label on which all images agree, or an empty string."""
        if annotated := self.annotations.get(key, "").strip():
            return annotated
        values = {image.values.get(key, "").strip() if image else "" for image in self.images}
        return values.pop() if len(values) == 1 else ""

    def labelled_time(self) -> Time | None:
        """Return the time of the annotation ``created``, else the latest of the images' labels."""
        if self.annotations.get(CREATED, "").strip():
            return parse_time(self.annotations[CREATED])
        return _latest([image.values.get(CREATED, "") if image else "" for image in self.images])

    def config_time(self) -> Time | None:
        """Return the latest time in the images' configs; None if one of them says none."""
        return _latest([image.created if image else "" for image in self.images])

    def words(self, by: str) -> str:
        """Return what is said that ``compare`` looks at, in words for messages."""
        if by not in ("version", "created"):
            return self._said(by, by)
        time = self.annotations.get(CREATED, "") or next(
            (text for image in self.images if image for text in (image.created,) if text), ""
        )
        created = f"created {printable(time, limit=80)}" if time else "no time"
        if time and parse_time(time) is None:
            created = f"no real time ({printable(time, limit=80)})"
        return created if by == "created" else f"{self._said(VERSION, 'version')} and {created}"

    def _said(self, key: str, name: str) -> str:
        if value := self.value(key):
            return f"{printable(name)} {printable(value, limit=80)}"
        several = {image.values[key] for image in self.images if image and key in image.values}
        return f"{'more than one' if len(several) > 1 else 'no'} {printable(name)}"


@frozen
class Order:
    """How one index compares with another.

    Attributes:
        sign: -1 if it is older, 1 if it is newer, 0 if it is neither; None if that is not known.
        reason: what was compared, such as ``1.2.0 is older than 1.3.0``; empty unless it is older.
    """

    sign: int | None
    reason: str = ""


def compare(by: str, ours: Described, theirs: Described) -> Order:
    """Compare the images to publish with those that stand at a tag.

    The first of these decides that both sides say and that differs: by ``version`` the version,
    then as by ``created``; by ``created`` the annotation or label, then the configs' own time; by a
    label its version or time, and nothing else. A base image may have left its version or its date
    to every image that is made from it, so equal ones decide nothing.

    Args:
        by: ``version``, ``created`` or a label.
        ours: what is to be published.
        theirs: what stands there.
    """
    if by not in ("version", "created"):
        mine, other = ours.value(by), theirs.value(by)
        sign = compare_versions(mine, other)
        if sign is None:
            sign = _compare_times(parse_time(mine), parse_time(other))
        return _order(sign, mine, other)
    known = False
    if by == "version":
        mine, other = ours.value(VERSION), theirs.value(VERSION)
        if sign := compare_versions(mine, other):
            return _order(sign, mine, other)
        known = sign == 0
    for one, another in (
        (ours.labelled_time(), theirs.labelled_time()),
        (ours.config_time(), theirs.config_time()),
    ):
        if sign := _compare_times(one, another):
            return _order(sign, _shown(one), _shown(another))
        known = known or sign == 0
    return Order(0 if known else None)


def compare_versions(one: str, other: str) -> int | None:
    """Compare two versions (Semantic Versioning 2.0.0, section 11).

    A ``v`` before it, leading zeros and any count of numbers up to eight are allowed, missing ones
    are 0, and a date such as 2024-03-01 is a version.

    Returns:
        -1, 0 or 1; None if one of them is no version, or the order is not sure. That is so for
        pre-releases such as ``rc9`` and ``rc10``, whose order by the letter is not the one that
        was meant, and for what ``git describe`` says of one and the same tag.
    """
    mine, others = _parsed(one), _parsed(other)
    if mine is None or others is None:
        return None
    length = max(len(mine.numbers), len(others.numbers))
    numbers, theirs = mine.padded(length), others.padded(length)
    if numbers != theirs:
        return _sign(numbers, theirs)
    if mine.is_described or others.is_described:
        return 0 if one == other else None
    if not mine.pre_release or not others.pre_release:
        # A pre-release comes before its release.
        return bool(others.pre_release) - bool(mine.pre_release)
    for word, another in zip(mine.pre_release, others.pre_release, strict=False):
        if word != another:
            return _compare_words(word, another)
    return _sign(len(mine.pre_release), len(others.pre_release))


def parse_time(text: str) -> Time | None:
    """Return an RFC 3339 time in seconds since 1970 and nanoseconds.

    Returns:
        None if it is none, or the date that a reproducible build gives to its images.
    """
    match = _TIME.fullmatch(text.strip())
    if not match:
        return None
    date, minutes, seconds, fraction, zone = match.groups()
    # datetime knows no leap second.
    whole = f"{date}T{minutes}:{'59' if seconds == '60' else seconds}"
    try:
        moment = datetime.fromisoformat(whole + zone.upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    since = (moment - _EPOCH) // timedelta(seconds=1)
    return (since, int((fraction or "")[:9].ljust(9, "0"))) if since >= _FIRST else None


@frozen
class _Version:
    numbers: tuple[int, ...]
    pre_release: tuple[str, ...]
    is_described: bool

    def padded(self, length: int) -> tuple[int, ...]:
        """Return so many numbers."""
        return self.numbers + (0,) * (length - len(self.numbers))


def _parsed(text: str) -> _Version | None:
    text = text.strip()
    if _DATE.fullmatch(text):
        return _Version(tuple(map(int, text.split("-"))), (), False)
    match = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    # A single number with something behind it is as well a date, a branch or a base image.
    if not match or (match[2] and "." not in match[1]):
        return None
    described = _DESCRIBED.search(text.partition("+")[0])
    words = tuple(match[2].split(".")) if match[2] else ()
    return _Version(tuple(map(int, match[1].split("."))), words, described is not None)


def _compare_words(one: str, other: str) -> int | None:
    """Compare two different identifiers of pre-releases."""
    if one.isdigit() and other.isdigit():
        return _sign(int(one), int(other))
    if one.isdigit() or other.isdigit():
        return -1 if one.isdigit() else 1
    by_letter = _sign(one, other)
    pieces = zip(re.findall(r"\d+|\D+", one), re.findall(r"\d+|\D+", other), strict=False)
    for piece, another in pieces:
        if piece != another and piece.isdigit() and another.isdigit():
            return by_letter if _sign(int(piece), int(another)) == by_letter else None
        if piece != another:
            break
    return by_letter


def _compare_times(one: Time | None, other: Time | None) -> int | None:
    return None if one is None or other is None else _sign(one, other)


def _latest(texts: Sequence[str]) -> Time | None:
    times = [parse_time(text) for text in texts]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None


def _order(sign: int | None, ours: str, theirs: str) -> Order:
    shown = [printable(text, limit=80) for text in (ours, theirs)]
    return Order(sign, f"{shown[0]} is older than {shown[1]}" if sign == -1 else "")


def _shown(time: Time | None) -> str:
    """Return a time as ``2026-01-31T12:00:00Z``; the fraction where there is one."""
    assert time is not None  # what is compared is known
    fraction = f".{time[1]:09}".rstrip("0") if time[1] else ""
    moment = _EPOCH + timedelta(seconds=time[0])
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _sign(one: tuple[int, ...] | int | str, other: tuple[int, ...] | int | str) -> int:
    return (one > other) - (one < other)  # type: ignore[operator]
