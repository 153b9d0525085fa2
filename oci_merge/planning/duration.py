"""Durations as Go's programs write them, such as ``1h30m``. Pure."""

from __future__ import annotations

import re

from oci_merge._text import printable
from oci_merge.errors import UsageError

_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{0,9})?)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?|{_NUMBER}")


def parse_duration(text: str, what: str) -> float:
    """Parse a duration as Go's programs take it, such as ``10m`` or ``1h30m``, or bare seconds.

    Args:
        text: the duration.
        what: what it was given for, such as ``--wait``.

    Returns:
        The duration in seconds.

    Raises:
        UsageError: it is not a duration.
    """
    parts = _DURATION.fullmatch(text.strip())
    if parts is None or not any(parts.groups()):
        raise UsageError(
            f"{what} takes a duration, got {printable(text)!r}",
            hint="write it like 10m, 90s or 1h30m, or as a number of seconds",
        )
    hours, minutes, seconds, bare = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds + bare
