"""Whether a request that failed is sent again, and when. Pure: it neither waits nor sends.

Every request of a merge may be repeated: reading changes nothing, the same manifest put twice is
one manifest, and a mount asked for twice opens one more upload session at worst.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from oci_merge.options import DEFAULT_RETRIES

#: What a server says when it may do better in a moment.
PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
#: The longest wait, whatever a server asks for, in seconds.
LONGEST_WAIT = 120.0

#: The first wait without a server's advice, in seconds; each next one is twice as long. The real
#: waits are between half of that and all of it, so that many clients do not come back at once.
_FIRST_WAIT = 1.0
_SECONDS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
_WINDOW = re.compile(r"\bw=([0-9]{1,9})\b")
#: Docker Hub's window, in seconds.
_USUAL_WINDOW = 6 * 3600


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is repeated.

    Attributes:
        retries: how many times after its first failure; 0 for never.
    """

    retries: int = DEFAULT_RETRIES

    def wait_after_loss(self, failures: int) -> float | None:
        """Return how long to wait after a response that did not come, or None to give up.

        Args:
            failures: how often the request has failed by now.
        """
        if failures > self.retries:
            return None
        longest = min(_FIRST_WAIT * 2.0 ** min(failures - 1, 32), LONGEST_WAIT)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret

    def wait_after_response(
        self,
        failures: int,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        now: datetime | None = None,
    ) -> float | None:
        """Return how long to wait after a response, or None where that is the answer.

        Args:
            failures: how often the request will have failed if this is a failure, too.
            status: the response's status.
            headers: its headers, by lower-case name.
            content: its body.
            now: the time of day; the clock's where it is left out.
        """
        if status not in PASSING_STATUSES or is_pull_limit(status, headers, content):
            return None
        wait = self.wait_after_loss(failures)
        if wait is None:
            return None
        asked = parse_retry_after(headers.get("retry-after", ""), now or datetime.now(UTC))
        return max(wait, min(asked or 0.0, LONGEST_WAIT))


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, section 10.2.3).

    Args:
        value: the header: seconds, or an HTTP-date.
        now: the time of day, with its zone.

    Returns:
        Seconds from now, none of them negative, or None where the header says nothing.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max((date - now).total_seconds(), 0.0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def is_pull_limit(status: int, headers: Mapping[str, str], content: bytes) -> bool:
    """Say whether a response says that no pulls are left for hours, as Docker Hub does."""
    if status != 429:
        return False
    remaining = headers.get("ratelimit-remaining", "").partition(";")[0].strip()
    if remaining == "0":
        return True
    body = content.lower()
    return b"toomanyrequests" in body and b"pull rate limit" in body


def pull_limit_window(headers: Mapping[str, str]) -> str:
    """Return over which time pulls are counted, in words, such as ``6 hours``."""
    limit = f"{headers.get('ratelimit-limit', '')} {headers.get('ratelimit-remaining', '')}"
    found = _WINDOW.search(limit)
    seconds = int(found[1]) if found else _USUAL_WINDOW
    if seconds < 2 * 3600:
        return f"{max(round(seconds / 60), 1)} minutes"
    return f"{round(seconds / 3600)} hours"
