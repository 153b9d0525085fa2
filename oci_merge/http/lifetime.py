"""Ends requests under way when the client that sends them is closed."""

from __future__ import annotations

import asyncio
from types import TracebackType

from oci_merge.errors import OciMergeError

_CLOSED = "the client is closed; make another one"


class Lifetime:
    """The time during which something may be used."""

    def __init__(self) -> None:
        self._is_over = False
        self._uses: set[_Use] = set()

    def use(self) -> _Use:
        """Return a context manager whose block is broken off when the lifetime ends.

        Raises:
            RuntimeError: the lifetime is over. It is no OciMergeError: to use something after its
                end is a mistake in the program, and no retry helps. The block raises it, too.
        """
        if self._is_over:
            raise RuntimeError(_CLOSED)
        return _Use(self._uses)

    def end(self) -> None:
        """End the lifetime; every block breaks off in the event loop's next turn.

        A block that ends the lifetime itself may end before that turn; it raises RuntimeError then.
        """
        self._is_over = True
        for use in self._uses:
            use.break_off()


class _Use:
    """One block, run by one task. It is written out since every request passes it."""

    def __init__(self, uses: set[_Use]) -> None:
        self._uses = uses
        self._is_broken_off = False
        self._is_cancelled = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._uses.add(self)

    def break_off(self) -> None:
        if self._is_broken_off:
            return
        self._is_broken_off = True
        # A block may end the lifetime itself. A task that is cancelled while it runs cannot take
        # that back before Python 3.13, so it would be cancelled after a block that waits no more.
        self._task.get_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        if self in self._uses:
            self._is_cancelled = True
            self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._uses.discard(self)
        if not self._is_broken_off:
            return
        # Where somebody else cancels the task as well, it stays cancelled (as asyncio.timeout).
        cancelling = self._task.uncancel() if self._is_cancelled else self._task.cancelling()
        # What the closed connections made of the request does not matter.
        is_closing = error is None or isinstance(error, asyncio.CancelledError | OciMergeError)
        if is_closing and cancelling <= self._cancelling:
            raise RuntimeError(_CLOSED) from None
