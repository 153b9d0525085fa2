"""The root command: join images into one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oci_merge import Event, MergeResult, UsageError, merge_async
from oci_merge_cli.options.library import merge_keywords
from oci_merge_cli.options.merge import MergeOptions
from oci_merge_cli.options.registry import SourcesAccess
from oci_merge_cli.options.values import parse_pairs, split_lines, split_list
from oci_merge_cli.output.digest_file import check_digest_file, write_digest_file
from oci_merge_cli.output.lines import Progress
from oci_merge_cli.output.progress import progress_on_stderr
from oci_merge_cli.output.render import digest_line, plan_text
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch


def run(options: MergeOptions, access: SourcesAccess) -> None:
    """Merge, and write the result.

    Args:
        options: what to join and publish.
        access: how to reach the registries.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    with (
        reported(as_json=options.output == "json", debug=access.debug, tags=tags),
        logged(debug=access.debug),
    ):
        if options.digest_file:
            check_digest_file(options.digest_file, dry_run=options.dry_run)
        keywords = merge_keywords(access)
        with progress_on_stderr(quiet=options.quiet, plain=access.debug) as progress:
            access.warn(progress.warn)
            result = _merge(options, keywords, progress, tags)
            progress.finish(result)
        if options.digest_file and not options.dry_run:
            write_digest_file(options.digest_file, result)
        _write(result, options)


def _merge(
    options: MergeOptions, keywords: Mapping[str, Any], progress: Progress, tags: TagWatch
) -> MergeResult:
    if options.target is None:
        raise UsageError(
            "the merge has no target", hint="give --target reg.example/app:1.0, the tag to publish"
        )
    target = options.target
    aliases = parse_pairs(split_list(options.arch_alias), what="architecture alias")
    annotations = parse_pairs(split_lines(options.annotation), what="annotation")

    def note(event: Event) -> None:
        tags.note(event)
        progress.show(event)

    return runner.run(
        lambda: merge_async(
            target,
            template=options.template,
            sources=options.source or (),
            platforms=split_list(options.platforms),
            tags=split_list(options.tags),
            arch_aliases=aliases,
            annotations=annotations,
            format=options.format,
            platform_check=options.platform_check,
            copy_layers=options.copy_layers,
            dry_run=options.dry_run,
            on_event=note,
            **keywords,
        )
    )


def _write(result: MergeResult, options: MergeOptions) -> None:
    if options.output == "json":
        write_json(result.to_dict())
    else:
        write(plan_text(result) if result.dry_run else digest_line(result))
