"""The command without a word: join images into one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oci_merge import ClientKeywords, Event, MergeResult, UsageError, merge_async
from oci_merge_cli.options.connection import Connection
from oci_merge_cli.options.declarations import Format, MergeOutput, PlatformCheck
from oci_merge_cli.options.values import parse_pairs, split_list
from oci_merge_cli.output.lines import Progress
from oci_merge_cli.output.progress import progress_on_stderr
from oci_merge_cli.output.render import digest_line, plan_text
from oci_merge_cli.output.stdout import OutputError, write
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOptions:
    """The options of a merge, as they were given; ``options`` says what each means."""

    target: str | None
    template: str | None
    sources: Sequence[str]
    platforms: Sequence[str]
    tags: Sequence[str]
    arch_aliases: Sequence[str]
    annotations: Sequence[str]
    format: Format
    platform_check: PlatformCheck
    copy_layers: bool
    source_plain_http: bool
    source_insecure: bool
    dry_run: bool
    output: MergeOutput
    digest_file: Path | None
    quiet: bool


def run(options: MergeOptions, connection: Connection) -> None:
    """Merge, and write the outcome.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    tags = TagWatch()
    with (
        reported(as_json=options.output == "json", debug=connection.debug, tags=tags),
        logged(debug=connection.debug),
    ):
        if options.digest_file:
            _check_writable(options.digest_file)
        access = connection.access()
        with progress_on_stderr(quiet=options.quiet, plain=connection.debug) as progress:
            for warning in connection.warnings():
                progress.warn(warning)
            result = _merge(options, connection, access, progress, tags)
            progress.finish(result)
        if options.digest_file and not options.dry_run:
            _write_digest(options.digest_file, result)
        write(_outcome(result, options.output))


def _merge(
    options: MergeOptions,
    connection: Connection,
    access: ClientKeywords,
    progress: Progress,
    tags: TagWatch,
) -> MergeResult:
    if options.target is None:
        raise UsageError(
            "the merge has no target", hint="give --target reg.example/app:1.0, the tag to publish"
        )
    target = options.target
    aliases = parse_pairs(split_list(options.arch_aliases), what="architecture alias")
    annotations = parse_pairs(options.annotations, what="annotation")

    def note(event: Event) -> None:
        tags.note(event)
        progress.show(event)

    return runner.run(
        lambda: merge_async(
            target,
            template=options.template,
            sources=options.sources,
            platforms=split_list(options.platforms),
            tags=split_list(options.tags),
            arch_aliases=aliases,
            annotations=annotations,
            format=options.format,
            platform_check=options.platform_check,
            copy_layers=options.copy_layers,
            source_registry=connection.for_sources(
                plain_http=options.source_plain_http, insecure=options.source_insecure
            ),
            dry_run=options.dry_run,
            on_event=note,
            **access,
        )
    )


def _outcome(result: MergeResult, output: MergeOutput) -> str:
    if output == "json":
        document = result.plan.to_dict() if result.dry_run else result.to_dict()
        return json.dumps(document, indent=2) + "\n"
    return plan_text(result) if result.dry_run else digest_line(result)


def _check_writable(path: Path) -> None:
    """Check that a file can be written, by opening it: nothing else knows for sure.

    Raises:
        UsageError: it cannot.
    """
    try:
        if path.is_fifo():
            return  # opening it would wait for its reader
        existed = os.path.lexists(path)
        path.open("ab").close()
        if not existed:
            path.unlink()
    except OSError as error:
        raise UsageError(
            f"the digest file {path} cannot be written: {error.strerror}",
            hint="name a file in a folder that exists and may be written to",
        ) from error


def _write_digest(path: Path, result: MergeResult) -> None:
    try:
        path.write_text(result.digest)
    except OSError as error:
        raise OutputError(
            f"{result.target} is published as {result.digest}, "
            f"but the digest file {path} could not be written: {error.strerror}"
        ) from error
