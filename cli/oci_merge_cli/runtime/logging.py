"""Shows the log of the library on stderr for ``--debug``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from oci_merge_cli.output.stdout import say, say_json


@contextmanager
def logged(*, debug: bool, json_lines: bool = False) -> Iterator[None]:
    """Show DEBUG lines of the library on stderr, or no log lines at all.

    Args:
        debug: show them.
        json_lines: show them as JSON, as ``--progress json`` shows events.
    """
    root, library = logging.getLogger(), logging.getLogger("oci_merge")
    nowhere, stderr = logging.NullHandler(), _JsonStderr() if json_lines else _Stderr()
    level = library.level
    # Without a handler, Python itself prints warnings and errors, with tracebacks.
    root.addHandler(nowhere)
    if debug:
        library.addHandler(stderr)
        library.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(nowhere)
        library.removeHandler(stderr)
        library.setLevel(level)


class _Stderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"debug: {record.getMessage()}")


class _JsonStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say_json({"event": "debug", "message": record.getMessage()})
