"""Runs the coroutines of the library; a signal cancels them."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from oci_merge_cli.runtime.signals import SIGNALS, Interrupted, handle, ignore

#: A second signal within so many seconds is ignored: a terminal and a supervisor often send one
#: each, and the second would cancel the cleaning up.
_SAME_SIGNAL = 1.0
_STDIN = 0

_T = TypeVar("_T")


def run(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine in an event loop of its own, until it ends or a signal cancels it.

    Args:
        work: returns the coroutine.

    Returns:
        The result of the coroutine.

    Raises:
        Interrupted: a signal came; the coroutine was cancelled and has cleaned up.
    """
    if not gc.isenabled():
        # main() turned collection off while modules were imported. Their objects stay until the
        # end, so the collector need not look at them.
        gc.freeze()
        gc.enable()
    loop = asyncio.new_event_loop()
    with _terminal_restored():
        try:
            return loop.run_until_complete(_until_interrupted(loop, work))
        finally:
            _close(loop)


@contextmanager
def _terminal_restored() -> Iterator[None]:
    """Leave the terminal as it was: a signal may come while a thread asks for a password."""
    if not os.isatty(_STDIN) or os.name == "nt":
        yield
        return
    import termios  # not on Windows

    before = termios.tcgetattr(_STDIN)
    try:
        yield
    finally:
        if termios.tcgetattr(_STDIN) != before:
            termios.tcsetattr(_STDIN, termios.TCSANOW, before)


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
    """Let signals cancel a task, and yield the list of the signals that came."""
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
    with suppress(NotImplementedError):  # on Windows, the installed handlers raise Interrupted
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
    """Cancel what is left in a loop, and close it."""
    # asyncio.Runner would also wait for threads, and a look-up of a host name may hang in one.
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
