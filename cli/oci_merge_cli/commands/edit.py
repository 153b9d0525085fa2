"""What the commands share that change an index."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from oci_merge import Event, MergeResult
from oci_merge_cli.options.edit import EditOptions
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.output.digest_file import check_digest_file, write_digest_file
from oci_merge_cli.output.progress import progress_on_stderr
from oci_merge_cli.output.render import digest_line, plan_text
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch


def run_edit(
    verb: Callable[..., Coroutine[Any, Any, MergeResult]],
    reference: str,
    keywords: Callable[[], dict[str, Any]],
    options: EditOptions,
    access: RegistryAccess,
) -> None:
    """Change an index, and write the result.

    Args:
        verb: the library's verb.
        reference: the index's tag.
        keywords: returns the verb's own keywords; its errors are reported.
        options: how to write the result.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    with (
        reported(usage_status=1, as_json=options.output == "json", debug=access.debug, tags=tags),
        logged(debug=access.debug),
    ):
        if options.digest_file:
            check_digest_file(options.digest_file, dry_run=options.dry_run)
        given = {**keywords(), **registry_keywords(access), "dry_run": options.dry_run}
        with progress_on_stderr(quiet=options.quiet, plain=access.debug) as progress:
            access.warn(progress.warn)

            def note(event: Event) -> None:
                tags.note(event)
                progress.show(event)

            result = runner.run(lambda: verb(reference, on_event=note, **given))
            progress.finish(result)
        if options.digest_file and not options.dry_run:
            write_digest_file(options.digest_file, result)
        if options.output == "json":
            write_json(result.to_dict())
        else:
            write(plan_text(result) if result.dry_run else digest_line(result))
