"""The root command: join images into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oci_merge import merge_async
from oci_merge_cli.commands.publishing import Start, publish
from oci_merge_cli.options.library import merge_keywords
from oci_merge_cli.options.merge import MergeOptions
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import SourcesAccess
from oci_merge_cli.options.safety import SafetyOptions
from oci_merge_cli.options.trust import TrustOptions, trust_keywords
from oci_merge_cli.options.values import parse_duration, parse_pairs, split_lines, split_list


def run(
    options: MergeOptions,
    safety: SafetyOptions,
    trust: TrustOptions,
    files: FileOptions,
    access: SourcesAccess,
) -> None:
    """Merge, and write the result.

    Args:
        options: what to join and publish.
        safety: what has to hold before a tag moves.
        trust: what is signed, and whose signatures the images must have.
        files: where to write what the next job needs.
        access: how to reach the registries.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """

    def prepare() -> Start:
        keywords = {
            **_keywords(options, access),
            **_safety(safety),
            **trust_keywords(trust),
            **merge_keywords(access),
        }
        return lambda on_event: merge_async(on_event=on_event, **keywords)

    publish(
        prepare,
        options,
        files,
        access,
        dry_run=options.dry_run,
        usage_status=2,
        several_targets=len(options.target or ()) > 1,
    )


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
