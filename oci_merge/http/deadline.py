"""The bound on how long a whole run may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from oci_merge.errors import TransportError


class DeadlineReachedError(TransportError):
    """A run did not end before its deadline. It is about that run, and no other shares it."""


class Deadline:
    """The moment at which a run has to be over.

    Args:
        seconds: how many seconds from now, or None for no bound.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._began = time.monotonic()

    def allows(self, wait: float) -> bool:
        """Say whether the run lasts for longer than so many seconds from now."""
        return self._seconds is None or wait < self._left()

    def kept(self, waited_for: Callable[[], str]) -> AbstractAsyncContextManager[None]:
        """Break off the block when the time is over.

        Args:
            waited_for: says what has not come then, such as ``an answer to GET /v2/``.

        Raises:
            DeadlineReachedError: the block did not end in time.
        """
        return nullcontext() if self._seconds is None else self._broken_off(waited_for)

    @asynccontextmanager
    async def _broken_off(self, waited_for: Callable[[], str]) -> AsyncIterator[None]:
        scope = asyncio.timeout(max(self._left(), 0.0))
        try:
            async with scope:
                if self._left() <= 0:
                    await asyncio.sleep(1)  # the scope ends it at once, so nothing is sent
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise DeadlineReachedError(
                f"the run did not end within its {self._seconds:g} seconds: "
                f"it still waited for {waited_for()}",
                hint="run it again, a rerun goes on where this ended; or give a longer --deadline",
            ) from None

    def _left(self) -> float:
        return self._began + (self._seconds or 0.0) - time.monotonic()
