"""Ends requests under way when the client that sends them is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oci_merge.errors import OciMergeError

_CLOSED = "the client is closed; make another one"


class Lifetime:
    """The time during which something may be used."""

    def __init__(self) -> None:
        self._is_over = False
        self._scopes: set[asyncio.Timeout] = set()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Run the block, and break it off when the lifetime ends.

        Raises:
            RuntimeError: the lifetime is over. It is no OciMergeError: to use something after its
                end is a mistake in the program, and nothing that passes.
        """
        if self._is_over:
            raise RuntimeError(_CLOSED)
        scope = asyncio.timeout(None)
        self._scopes.add(scope)
        try:
            async with scope:
                yield
        except (TimeoutError, OciMergeError):
            # What the closed connections made of the request does not matter.
            if not scope.expired():
                raise
            raise RuntimeError(_CLOSED) from None
        finally:
            self._scopes.discard(scope)

    def end(self) -> None:
        """End the lifetime; every block breaks off in the event loop's next turn."""
        self._is_over = True
        for scope in self._scopes:
            scope.reschedule(0.0)
