"""Handles SIGINT and SIGTERM: the program ends with one line and the status 128 + number."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end.

    Args:
        number: the signal.
    """

    code = "interrupted"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal_name = signal.Signals(number).name
        self.status = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first signal raise ``Interrupted`` in the main thread, and ignore later ones."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        handle(before)


def handle(handlers: Mapping[signal.Signals, Any]) -> None:
    """Install handlers of signals."""
    for number, handler in handlers.items():
        signal.signal(number, handler)


def ignore() -> None:
    """Ignore further signals, because an interrupted program only cleans up and ends."""
    handle(dict.fromkeys(SIGNALS, signal.SIG_IGN))


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    ignore()
    raise Interrupted(number)
