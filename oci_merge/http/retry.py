"""Whether a failed request is sent again, and when. Pure: it neither waits nor sends.

Every request of a merge may be repeated: reading changes nothing, the same manifest put twice is
one manifest, and a mount that is requested twice opens one more upload session at worst.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from oci_merge._frozen import frozen
from oci_merge.errors import OciMergeError, RegistryError, TransportError
from oci_merge.options import DEFAULT_RETRIES

# A retry library would bring a loop and a back-off. Retry-After in both forms, its cap, pull
# limits, the deadline and the events would still be ours, so the policy is, too.

#: The statuses of failures that may pass.
PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
#: The longest wait, whatever a server asks for, in seconds.
LONGEST_WAIT = 120.0
#: How often a request is sent again after a time-out. Each one costs the whole wait for an answer.
RETRIES_AFTER_SILENCE = 1

_SECONDS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
_WINDOW = re.compile(r"\bw=([0-9]{1,9})\b")
#: The length of Docker Hub's window, in seconds.
_USUAL_WINDOW = 6 * 3600


@frozen
class RetryPolicy:
    """How often a request is sent again.

    Attributes:
        retries: how many times after its first failure; 0 for never.
        first_wait: the first wait without a server's advice, in seconds; each next one is twice
            as long.
    """

    retries: int = DEFAULT_RETRIES
    first_wait: float = 1.0

    def wait_after_loss(self, failures: int, time_outs: int = 0) -> float | None:
        """Return how long to wait after a response that did not come, or None to give up.

        Args:
            failures: how often the request has failed by now.
            time_outs: how many of these failures were time-outs.
        """
        if failures > self.retries or time_outs > RETRIES_AFTER_SILENCE:
            return None
        longest = min(self.first_wait * 2.0 ** min(failures - 1, 32), LONGEST_WAIT)
        # Random waits keep many clients from coming back at the same moment.
        return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret

    def wait_after_response(
        self,
        failures: int,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        now: datetime | None = None,
    ) -> float | None:
        """Return how long to wait after a response, or None if the response is final.

        Args:
            failures: how often the request has failed, this response included.
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
        Seconds from now, 0 or more, or None if the header cannot be read.
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


def may_pass(error: OciMergeError) -> bool:
    """Say whether what has failed may go through the next time.

    Args:
        error: why it failed.
    """
    if isinstance(error, RegistryError):
        return is_busy(error.status)
    return isinstance(error, TransportError)


def is_busy(status: int) -> bool:
    """Say whether a status is about the server's state rather than about the request."""
    return status >= 500 or status == 429


def is_pull_limit(status: int, headers: Mapping[str, str], content: bytes) -> bool:
    """Say whether a response reports a used-up pull limit, as Docker Hub's does.

    Such a limit lasts for hours, so no retry helps.
    """
    if status != 429:
        return False
    remaining = headers.get("ratelimit-remaining", "").partition(";")[0].strip()
    if remaining == "0":
        return True
    body = content.lower()
    return b"toomanyrequests" in body and b"pull rate limit" in body


def pull_limit_window(headers: Mapping[str, str]) -> str:
    """Return the length of the window in which pulls are counted, such as ``6 hours``."""
    limit = f"{headers.get('ratelimit-limit', '')} {headers.get('ratelimit-remaining', '')}"
    found = _WINDOW.search(limit)
    seconds = int(found[1]) if found else _USUAL_WINDOW
    if seconds < 2 * 3600:
        return f"{max(round(seconds / 60), 1)} minutes"
    return f"{round(seconds / 3600)} hours"
