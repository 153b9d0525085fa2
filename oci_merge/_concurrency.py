"""Runs coroutines side by side, in the background, or once for several callers.

Unlike ``asyncio.TaskGroup``, these raise a single error and no exception group.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from oci_merge.errors import OciMergeError

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")
_U = TypeVar("_U")


async def gather(coroutines: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Run coroutines side by side and return their results in order.

    Raises:
        the error of the first one that fails; the others are cancelled and awaited before.
    """
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        error = _first(errors)
        # "from" keeps the group out of the traceback, in which it would say nothing more.
        raise error from error.__cause__
    return [task.result() for task in tasks]


async def gather_two(one: Coroutine[Any, Any, _T], other: Coroutine[Any, Any, _U]) -> tuple[_T, _U]:
    """Run two coroutines with results of different types side by side, as ``gather`` does."""
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as errors:
        error = _first(errors)
        raise error from error.__cause__
    return first.result(), second.result()


async def gather_settled(coroutines: Iterable[Coroutine[Any, Any, _T]]) -> list[_T | OciMergeError]:
    """Run all coroutines to their end, side by side; return results, or ``OciMergeError``s.

    Raises:
        any other error of a coroutine, as ``gather`` does.
    """
    return await gather(_caught(coroutine) for coroutine in coroutines)


async def _caught(coroutine: Coroutine[Any, Any, _T]) -> _T | OciMergeError:
    try:
        return await coroutine
    except OciMergeError as error:
        return error


@asynccontextmanager
async def background(coroutine: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run a coroutine while the block runs, and cancel it when the block ends.

    ``OciMergeError``s are ignored: code that needs the result will fail itself.
    """
    task = asyncio.ensure_future(_caught(coroutine))
    try:
        yield
    finally:
        await _ended(task)  # nothing may outlive the block
        coroutine.close()  # it never began if the block ended at once


@asynccontextmanager
async def beside(
    coroutine: Coroutine[Any, Any, _T], use: Callable[[_T], object], *, patience: float
) -> AsyncIterator[None]:
    """Run a coroutine while the block runs, and use its result after the block.

    Args:
        coroutine: what to run.
        use: takes the result; it is not called if the block fails or the time is over.
        patience: for how many seconds to wait for the result once the block has ended.

    Raises:
        OciMergeError: the coroutine did, and the block did not fail.
    """
    task = asyncio.ensure_future(coroutine)
    try:
        yield
        if not task.done():
            await asyncio.wait([task], timeout=patience)
    finally:
        is_done = task.done()
        await _ended(task)  # nothing may outlive the block
    if is_done:
        use(task.result())


class SingleFlight(Generic[_K, _T]):
    """Runs a call once for all who ask for it at the same time; they share result or error.

    Results are not kept: who asks after the call has ended starts a new one.
    """

    def __init__(self) -> None:
        self._flights: dict[_K, tuple[asyncio.Task[_T], list[object]]] = {}

    async def run(self, key: _K, call: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Join the running call for ``key``, or start one, and return its result.

        The call runs in a task of its own, so that one cancelled caller does not end it for the
        others; with its last caller it is cancelled.

        Args:
            key: names the call.
            call: starts it; used only if no call for ``key`` is running.

        Raises:
            the error of the call, the same one in every caller.
        """
        flight = self._flights.get(key)
        # A call that has just ended is here until its callers have woken: it must not be joined.
        if flight is None or flight[0].done():
            flight = self._flights[key] = asyncio.ensure_future(call()), []
        task, callers = flight
        me = object()
        callers.append(me)
        try:
            # Unlike ``await task``, this does not cancel the task when this caller is cancelled.
            # Unlike ``shield`` in newer Pythons, it logs no error that another caller received.
            await asyncio.wait([task])
            return task.result()
        finally:
            callers.remove(me)
            # Removed before it is cancelled, so that nobody joins it any more. By identity, since a
            # later call may have taken its place.
            if (task.done() or not callers) and self._flights.get(key) is flight:
                del self._flights[key]
            if not callers:
                try:
                    await _ended(task)
                finally:
                    # asyncio logs an error that nobody retrieved; nobody is left to raise it in.
                    if not task.cancelled():
                        task.exception()


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and return when it has ended.

    Raises:
        CancelledError: the caller was cancelled meanwhile; the task has ended then, too.
    """
    task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():  # it may need some turns of the event loop to clean up
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
