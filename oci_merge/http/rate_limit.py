"""Limits how fast requests go to one registry. Pure: it neither waits nor sends.

A registry that counts requests refuses those above its limit, and some lock out a client that goes
on. So the user may bound the rate, and where one request is told to wait, those behind it wait too.
"""

from __future__ import annotations

from collections import deque

#: No second has more requests than this, whatever rate is asked for: each is kept in memory.
_MOST = 1_000_000


class RateLimiter:
    """Gives each request the moment at which it may be sent.

    Args:
        rate: how many requests a second, fractions allowed; None for no limit. No second has
            more requests, but they need not be spread over it.
    """

    def __init__(self, rate: float | None) -> None:
        together = min(max(int(rate), 1), _MOST) if rate else 0
        self._window = max(together / rate, 1.0) if rate else 0.0
        self._last: deque[float] = deque(maxlen=together)
        self._held_until = 0.0

    def reserve(self, now: float) -> float:
        """Return when the next request may be sent, and count it as sent then.

        Args:
            now: the time, in seconds on any clock that does not go back.
        """
        at = now
        if self._last.maxlen and len(self._last) == self._last.maxlen:
            at = max(now, self._last[0] + self._window)
        self._last.append(at)
        return at

    def hold(self, until: float) -> None:
        """Let no request be sent before ``until``, as the registry has asked."""
        self._held_until = max(self._held_until, until)

    def held(self, now: float) -> float:
        """Return for how many seconds from ``now`` no request is sent."""
        return max(self._held_until - now, 0.0)

    def is_free(self, now: float) -> bool:
        """Say whether nothing bounds the requests, so that one may be sent at once."""
        return not self._last.maxlen and self._held_until <= now
