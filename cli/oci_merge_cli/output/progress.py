"""Chooses how the progress of a merge is shown on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from oci_merge_cli.output.lines import Lines, Progress


@contextmanager
def progress_on_stderr(*, quiet: bool, plain: bool) -> Iterator[Progress]:
    """Show nothing, lines, or live progress where stderr is a terminal.

    Args:
        quiet: show nothing.
        plain: show lines even on a terminal, because --debug writes lines there, too.
    """
    if quiet:
        yield Progress()
    elif plain or not is_terminal():
        yield Lines()
    else:
        from oci_merge_cli.output.live import live

        with live() as shown:
            yield shown


def is_terminal() -> bool:
    """Say whether stderr is a terminal that can show live progress."""
    return (
        sys.stderr is not None
        and sys.stderr.isatty()
        and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    )
