"""Tells how wide the terminal is that a stream leads to, and in which forms progress is shown."""

from __future__ import annotations

import os
from typing import IO, Literal

ProgressForm = Literal["auto", "plain", "json", "none"]
"""How progress is shown: live or by lines as it fits, by lines, as JSON, or not at all."""

#: The width of a terminal that does not say how wide it is.
_USUAL = 80


def columns(stream: IO[str] | None) -> int | None:
    """Return the width of a stream's terminal, or None if the stream leads to no terminal.

    Args:
        stream: stdout or stderr; None if it is closed.
    """
    if stream is None or not stream.isatty():
        return None
    # COLUMNS goes before what the terminal says, as in most programs.
    chosen = os.environ.get("COLUMNS", "")
    if chosen.isascii() and chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        found = 0
    return found or _USUAL  # a terminal on a serial line may say 0
