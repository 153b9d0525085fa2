"""Chooses how the progress of a batch is shown on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oci_merge_cli.output.batch import BatchErrors, BatchLines, BatchWarnings
from oci_merge_cli.output.progress import check_form, is_terminal
from oci_merge_cli.output.terminal import ProgressForm


@contextmanager
def batch_progress(
    *, quiet: bool, plain: bool, form: ProgressForm = "auto"
) -> Iterator[BatchErrors]:
    """Show errors alone, warnings too, lines, JSON, or a bar where stderr is a terminal.

    Args:
        quiet: show errors alone.
        plain: show lines even on a terminal, because --debug writes lines there, too.
        form: how to show progress; ``auto`` is a bar or lines.

    Raises:
        UsageError: progress is asked for, and to be quiet.
    """
    check_form(quiet=quiet, form=form)
    if quiet:
        yield BatchErrors()
    elif form == "none":
        yield BatchWarnings()
    elif form == "json":
        from oci_merge_cli.output.batch_json import BatchJson

        yield BatchJson()
    elif form == "plain" or plain or not is_terminal():
        yield BatchLines()
    else:
        from oci_merge_cli.output.batch_bar import batch_bar

        with batch_bar() as shown:
            yield shown
