"""Shows the log of the library on stderr for ``--debug``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from oci_merge_cli.output.stdout import say


@contextmanager
def logged(*, debug: bool) -> Iterator[None]:
    """Show DEBUG lines of the library on stderr, or no log lines at all."""
    root, library = logging.getLogger(), logging.getLogger("oci_merge")
    nowhere, stderr = logging.NullHandler(), _Stderr()
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
