"""Chooses how the progress of a merge is shown on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from oci_merge import UsageError
from oci_merge_cli.output.lines import Lines, Progress, Warnings
from oci_merge_cli.output.terminal import ProgressForm


@contextmanager
def progress_on_stderr(
    *, quiet: bool, plain: bool, form: ProgressForm = "auto"
) -> Iterator[Progress]:
    """Show nothing, warnings, lines, JSON, or live progress where stderr is a terminal.

    Args:
        quiet: show nothing.
        plain: show lines even on a terminal, because --debug writes lines there, too.
        form: how to show progress; ``auto`` is live or by lines.

    Raises:
        UsageError: progress is asked for, and to be quiet.
    """
    check_form(quiet=quiet, form=form)
    if quiet:
        yield Progress()
    elif form == "none":
        yield Warnings()
    elif form == "json":
        from oci_merge_cli.output.json_lines import JsonLines

        yield JsonLines()
    elif form == "plain" or plain or not is_terminal():
        yield Lines()
    else:
        from oci_merge_cli.output.live import live

        with live() as shown:
            yield shown


def check_form(*, quiet: bool, form: ProgressForm) -> None:
    """Check that progress is not asked for by one option and refused by another.

    Raises:
        UsageError: it is.
    """
    if quiet and form in ("plain", "json"):
        raise UsageError(
            f"--quiet and --progress {form} are both given",
            hint="keep one of the two: --quiet shows nothing but errors",
        )


def is_terminal() -> bool:
    """Say whether stderr is a terminal that can show live progress."""
    return (
        sys.stderr is not None
        and sys.stderr.isatty()
        and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    )
