"""Chooses how a merge's progress is shown on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from oci_merge_cli.output.lines import Lines, Progress


@contextmanager
def progress_on_stderr(*, quiet: bool, plain: bool) -> Iterator[Progress]:
    """Choose how to show progress.

    Args:
        quiet: show nothing.
        plain: show lines on a terminal, too, as other lines come between them.
    """
    if quiet:
        yield Progress()
    elif plain or not _is_terminal():
        yield Lines()
    else:
        from oci_merge_cli.output.live import live

        with live() as shown:
            yield shown


def _is_terminal() -> bool:
    return (
        sys.stderr is not None
        and sys.stderr.isatty()
        and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    )
