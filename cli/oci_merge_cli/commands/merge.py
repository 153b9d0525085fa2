"""The root command: join images into one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from oci_merge import Event, MergeResult, merge_async
from oci_merge_cli.options.library import merge_keywords
from oci_merge_cli.options.merge import MergeOptions
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import SourcesAccess
from oci_merge_cli.options.safety import SafetyOptions
from oci_merge_cli.options.values import parse_duration, parse_pairs, split_lines, split_list
from oci_merge_cli.output.outputs import check_outputs, write_outputs
from oci_merge_cli.output.progress import progress_on_stderr
from oci_merge_cli.output.render import digest_line, plan_text
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.output.terminal import columns
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch, with_repository


def run(
    options: MergeOptions, safety: SafetyOptions, files: FileOptions, access: SourcesAccess
) -> None:
    """Merge, and write the result.

    Args:
        options: what to join and publish.
        safety: what has to hold before a tag moves.
        files: where to write what the next job needs.
        access: how to reach the registries.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    as_json, json_lines = options.output == "json", options.progress == "json"
    with (
        reported(as_json=as_json, json_lines=json_lines, debug=access.debug, tags=tags),
        logged(debug=access.debug, json_lines=json_lines),
    ):
        check_outputs(files, dry_run=options.dry_run)
        keywords = {**_keywords(options, access), **_safety(safety), **merge_keywords(access)}
        with progress_on_stderr(
            quiet=options.quiet, plain=access.debug, form=options.progress
        ) as progress:
            access.warn(progress.warn)

            def note(event: Event) -> None:
                named = with_repository(event) if len(options.target or ()) > 1 else event
                tags.note(named)
                # In JSON, the tag is the bare one always: its reference stands beside it.
                progress.show(event if json_lines else named)

            result = runner.run(lambda: merge_async(on_event=note, **keywords))
            progress.finish(result)
            write_outputs(result, files, progress.warn)
        _write(result, options)


#: Options whose values the library takes as they are.
_ALIKE = (
    *("template", "source_repository", "attestations", "referrers", "annotations_from_labels"),
    *("format", "artifact_type", "subject", "append", "platform_check", "copy_layers"),
    *("dry_run", "verify", "delete_sources"),
)


def _keywords(options: MergeOptions, access: SourcesAccess) -> dict[str, Any]:
    """Return the keywords of ``merge_async`` that say what to join and publish.

    Raises:
        UsageError: an option has a wrong value.
    """
    return {
        **{name: getattr(options, name) for name in _ALIKE},
        "targets": options.target or (),
        "sources": options.source or (),
        "source_files": _source_files(options, access),
        "platforms": split_list(options.platforms),
        "optional": split_list(options.optional),
        "wait": None if options.wait is None else parse_duration(options.wait, "--wait"),
        "tags": split_list(options.tags),
        "arch_aliases": parse_pairs(split_list(options.arch_alias), what="architecture alias"),
        "annotations": parse_pairs(split_lines(options.annotation), what="annotation"),
    }


def _source_files(options: MergeOptions, access: SourcesAccess) -> Sequence[object]:
    if not options.source_file:
        return ()
    from oci_merge_cli.options.source_files import source_files  # not used by most merges

    return source_files(options.source_file, password_stdin=access.password_stdin)


def _safety(safety: SafetyOptions) -> dict[str, Any]:
    return {
        "require": split_list(safety.require),
        "require_same": split_list(safety.require_same),
        "no_shrink": safety.no_shrink,
        "only_newer": safety.only_newer,
        "force": safety.force,
    }


def _write(result: MergeResult, options: MergeOptions) -> None:
    if options.output == "json":
        write_json(result.to_dict())
    else:
        write(plan_text(result, columns(sys.stdout)) if result.dry_run else digest_line(result))
