"""What the commands share that change an index."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import Any

from oci_merge import Event, MergeResult
from oci_merge_cli.options.edit import EditOptions
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.output.outputs import check_outputs, write_outputs
from oci_merge_cli.output.progress import progress_on_stderr
from oci_merge_cli.output.render import digest_line, plan_text
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.output.terminal import columns
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch


def run_edit(
    verb: Callable[..., Coroutine[Any, Any, MergeResult]],
    reference: str,
    keywords: Callable[[], dict[str, Any]],
    options: EditOptions,
    files: FileOptions,
    access: RegistryAccess,
) -> None:
    """Change an index, and write the result.

    Args:
        verb: the library's verb.
        reference: the index's tag.
        keywords: returns the verb's own keywords; its errors are reported.
        options: how to write the result.
        files: where to write what the next job needs.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    as_json, json_lines = options.output == "json", options.progress == "json"
    with (
        reported(
            usage_status=1, as_json=as_json, json_lines=json_lines, debug=access.debug, tags=tags
        ),
        logged(debug=access.debug, json_lines=json_lines),
    ):
        check_outputs(files, dry_run=options.dry_run)
        given = {**keywords(), **registry_keywords(access), "dry_run": options.dry_run}
        with progress_on_stderr(
            quiet=options.quiet, plain=access.debug, form=options.progress
        ) as progress:
            access.warn(progress.warn)

            def note(event: Event) -> None:
                tags.note(event)
                progress.show(event)

            result = runner.run(lambda: verb(reference, on_event=note, **given))
            progress.finish(result)
            write_outputs(result, files, progress.warn)
        if as_json:
            write_json(result.to_dict())
        else:
            write(plan_text(result, columns(sys.stdout)) if result.dry_run else digest_line(result))
