"""Running the library's coroutines so that a signal ends them in good order."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from oci_merge_cli.runtime.signals import SIGNALS, Interrupted, handle, ignore

#: A signal within so many seconds of the first is taken for the same one: a terminal and a
#: supervisor often send one each.
_SAME_SIGNAL = 1.0

_T = TypeVar("_T")


def run(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine to its end, or until a signal cancels it.

    Args:
        work: makes the coroutine.

    Returns:
        What the coroutine returns.

    Raises:
        Interrupted: a signal came; the coroutine was cancelled and has cleaned up.
    """
    if not gc.isenabled():
        # Modules were loaded without it; what they left stays, so it need not be looked at again.
        gc.freeze()
        gc.enable()
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_until_interrupted(loop, work))
    finally:
        _close(loop)


async def _until_interrupted(
    loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, _T]]
) -> _T:
    task = loop.create_task(work())
    with _cancelled_by_signals(loop, task) as came:
        try:
            return await task
        except (Exception, asyncio.CancelledError) as error:
            if came:
                raise Interrupted(came[0]) from None
            if isinstance(error, asyncio.CancelledError):
                # Only a signal may cancel the run. This is a bug, and is reported as one.
                raise RuntimeError("the run was cancelled without a signal") from error
            raise


@contextmanager
def _cancelled_by_signals(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]
) -> Iterator[list[int]]:
    """Let signals cancel a task, and yield the list of those that came."""
    came: list[int] = []
    since = 0.0

    def cancel(number: int) -> None:
        nonlocal since
        if not came:
            since = loop.time()
        if not came or loop.time() - since > _SAME_SIGNAL:
            task.cancel()
        came.append(number)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    with suppress(NotImplementedError):  # on Windows, what is installed raises Interrupted
        for number in SIGNALS:
            loop.add_signal_handler(number, cancel, number)
    try:
        yield came
    finally:
        with suppress(NotImplementedError):
            for number in SIGNALS:
                loop.remove_signal_handler(number)
        if came:
            ignore()
        else:
            handle(before)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop as ``asyncio.Runner`` does, but wait for no thread: a name look-up may hang."""
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
