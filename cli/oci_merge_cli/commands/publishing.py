"""What the commands share that publish an index: progress, files for the next job, the result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from oci_merge import Event, MergeResult
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.output.outputs import check_outputs, write_outputs
from oci_merge_cli.output.progress import progress_on_stderr
from oci_merge_cli.output.render import digest_line, plan_text
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.output.terminal import ProgressForm, columns
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch, with_repository

#: Begins the work of a command; takes what is to be told of each event.
Start = Callable[[Callable[[Event], None]], Coroutine[Any, Any, MergeResult]]


class Shown(Protocol):
    """How a command shows what it does; the options of each of these commands say it."""

    @property
    def output(self) -> str:
        """The form of the result: ``text`` or ``json``."""

    @property
    def progress(self) -> ProgressForm:
        """The form of the progress."""

    @property
    def quiet(self) -> bool:
        """Whether nothing but errors is shown."""


def publish(
    prepare: Callable[[], Start],
    options: Shown,
    files: FileOptions,
    access: RegistryAccess,
    *,
    dry_run: bool = False,
    usage_status: int = 1,
    several_targets: bool = False,
) -> None:
    """Run a command that publishes an index, and write the result.

    Args:
        prepare: checks the options, and returns what begins the work; its errors are reported.
        options: how to show it.
        files: where to write what the next job needs.
        access: how to reach the registries.
        dry_run: whether nothing is published.
        usage_status: the exit status for wrong usage.
        several_targets: whether tags are shown with their repositories.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    as_json, json_lines = options.output == "json", options.progress == "json"
    with (
        reported(
            usage_status=usage_status,
            as_json=as_json,
            json_lines=json_lines,
            debug=access.debug,
            tags=tags,
        ),
        logged(debug=access.debug, json_lines=json_lines),
    ):
        check_outputs(files, dry_run=dry_run)
        start = prepare()
        with progress_on_stderr(
            quiet=options.quiet, plain=access.debug, form=options.progress
        ) as progress:
            access.warn(progress.warn)

            def note(event: Event) -> None:
                named = with_repository(event) if several_targets else event
                tags.note(named)
                # In JSON, the tag is the bare one always: its reference stands beside it.
                progress.show(event if json_lines else named)

            result = runner.run(lambda: start(note))
            progress.finish(result)
            write_outputs(result, files, progress.warn)
        if as_json:
            write_json(result.to_dict())
        else:
            write(plan_text(result, columns(sys.stdout)) if result.dry_run else digest_line(result))
