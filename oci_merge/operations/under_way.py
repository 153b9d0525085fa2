"""The operations that a client has under way: how many run at once, and how all of them end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any


class Operations:
    """The operations that a client has under way, each in the task that asked for it.

    Args:
        limit: how many run at once; the others wait for their turn.
    """

    def __init__(self, limit: int) -> None:
        self._turns = asyncio.Semaphore(limit)
        self._are_ended = False
        #: Set when the operation in a task has ended.
        self._under_way: dict[asyncio.Task[Any], asyncio.Event] = {}
        #: Those of them whose cancellation came from ``end``.
        self._cancelled: set[asyncio.Task[Any]] = set()

    def check_open(self) -> None:
        """Refuse to begin an operation once ``end`` was called.

        Raises:
            RuntimeError: it was.
        """
        if self._are_ended:
            raise RuntimeError("the client is closed; make another one")

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Run a block as one operation, when its turn has come.

        Raises:
            RuntimeError: ``end`` was called, before or while the block ran.
        """
        self.check_open()
        with self._noted():
            async with self._turns:
                yield

    @contextmanager
    def _noted(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # a coroutine runs in one
        cancelled_before = task.cancelling()
        ended = self._under_way[task] = asyncio.Event()
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:
            if not self._are_ended:
                raise
            # As asyncio.timeout does it: end()'s own cancellation is taken back, and where the
            # caller has cancelled the task as well, it stays cancelled.
            cancelling = task.uncancel() if task in self._cancelled else task.cancelling()
            is_cancelled_otherwise = cancelling > cancelled_before
            if is_cancelled_otherwise and isinstance(error, asyncio.CancelledError):
                raise
            raise RuntimeError("the client was closed before the operation had ended") from error
        finally:
            del self._under_way[task]
            self._cancelled.discard(task)
            ended.set()

    def end(self) -> None:
        """Cancel every operation under way, and refuse new ones."""
        self._are_ended = True
        # An operation may close its client itself (on_event, with eager tasks). A task that is
        # cancelled while it runs cannot take that back before Python 3.13.
        for task in self._under_way:
            task.get_loop().call_soon(self._cancel, task)

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        if task in self._under_way:
            self._cancelled.add(task)
            task.cancel()

    async def wait(self) -> None:
        """Wait until everything under way has ended."""
        for ended in list(self._under_way.values()):
            await ended.wait()
