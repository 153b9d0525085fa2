"""Running coroutines side by side, with one error where asyncio has a group of them."""

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
    """Run coroutines together and return their results in order.

    Where one fails, the others are cancelled and awaited, and its error is raised.
    """
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        error = _first(errors)
        raise error from error.__cause__
    return [task.result() for task in tasks]


async def gather_two(one: Coroutine[Any, Any, _T], other: Coroutine[Any, Any, _U]) -> tuple[_T, _U]:
    """Run two coroutines of different kinds together, as ``gather`` does."""
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as errors:
        error = _first(errors)
        raise error from error.__cause__
    return first.result(), second.result()


async def gather_settled(coroutines: Iterable[Coroutine[Any, Any, _T]]) -> list[_T | OciMergeError]:
    """Run coroutines together to their ends; an error of ours stands in its result's place."""
    return await gather(_caught(coroutine) for coroutine in coroutines)


async def _caught(coroutine: Coroutine[Any, Any, _T]) -> _T | OciMergeError:
    try:
        return await coroutine
    except OciMergeError as error:
        return error


@asynccontextmanager
async def background(coroutine: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run a coroutine while the block runs; it is cancelled at its end, and its errors are ours
    to forget, since what it prepares is found wanting where it is used.
    """
    task = asyncio.ensure_future(_caught(coroutine))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


class SingleFlight(Generic[_K, _T]):
    """Does a thing once for everybody who asks for it meanwhile; they share what comes of it.

    Nothing is remembered: who asks after the end begins anew.
    """

    def __init__(self) -> None:
        self._flights: dict[_K, tuple[asyncio.Task[_T], list[object]]] = {}

    async def run(self, key: _K, call: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Return what ``call`` returns, from the call under way for ``key`` if there is one.

        The call runs in a task of its own. It goes on while anybody waits for it, and is cancelled
        with the last who does.

        Raises:
            whatever the call raises, the same error in everybody who waits.
        """
        flight = self._flights.get(key)
        # One that has just ended may still stand here until those who waited have woken.
        if flight is None or flight[0].done():
            flight = self._flights[key] = asyncio.ensure_future(call()), []
        task, waiting = flight
        me = object()
        waiting.append(me)
        try:
            return await asyncio.shield(task)
        finally:
            waiting.remove(me)
            # Nobody joins a flight that is being cancelled, nor drops one that came after it.
            if (task.done() or not waiting) and self._flights.get(key) is flight:
                del self._flights[key]
            if not waiting and not task.done():
                task.cancel()
                await asyncio.wait([task])


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
