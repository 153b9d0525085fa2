"""A bound on how long a whole run may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oci_merge.errors import TransportError


class Deadline:
    """A moment at which a run has to be over; it is set when this is made.

    Args:
        seconds: how long from now, or None for no bound.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._began = time.monotonic()

    def allows(self, wait: float) -> bool:
        """Say whether the run goes on for longer than so many seconds."""
        return self._seconds is None or wait < self._left()

    @asynccontextmanager
    async def kept(self, waited_for: str) -> AsyncIterator[None]:
        """Break off the block when the time is over.

        Args:
            waited_for: what has not come then, such as ``an answer to GET /v2/``.

        Raises:
            TransportError: it was not over in time.
        """
        if self._seconds is None:
            yield
            return
        scope = asyncio.timeout(max(self._left(), 0.0))
        try:
            async with scope:
                if self._left() <= 0:
                    await asyncio.sleep(1)  # the scope ends it at once
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise TransportError(
                f"the run did not end within its {self._seconds:g} seconds: "
                f"it still waited for {waited_for}",
                hint="run it again, a rerun goes on where this ended; or give a longer --deadline",
            ) from None

    def _left(self) -> float:
        return self._began + (self._seconds or 0.0) - time.monotonic()
