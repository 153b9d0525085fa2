"""``batch``: merge every image of files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from oci_merge import (
    BatchImage,
    BatchResult,
    BatchStarted,
    Event,
    ImageFinished,
    ImageProgressed,
    ImageResult,
    ImageStarted,
    TagMoved,
    UsageError,
    batch_async,
    batch_schema,
    parse_batch,
)
from oci_merge_cli.options.batch import BatchOptions
from oci_merge_cli.options.library import merge_keywords
from oci_merge_cli.options.registry import SourcesAccess
from oci_merge_cli.options.shard import resolve_shard
from oci_merge_cli.options.yaml_file import read_yaml
from oci_merge_cli.output.batch import batch_document, batch_table
from oci_merge_cli.output.batch_progress import batch_progress
from oci_merge_cli.output.stdout import say, say_json, write, write_json
from oci_merge_cli.output.terminal import columns
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import error_document, reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.signals import Interrupted

#: More than the longest batch file has, however long its characters.
_MOST_BYTES = 32 << 20
_STDIN = "-"


def run(files: Sequence[str], options: BatchOptions, access: SourcesAccess) -> None:
    """Merge every image of files, and write what became of each.

    Args:
        files: the files; ``-`` is stdin.
        options: which images, and what to write.
        access: how to reach the registries.

    Raises:
        typer.Exit: an image failed, or the whole; the reasons were reported.
    """
    as_json, json_lines = options.output == "json", options.progress == "json"
    with (
        reported(usage_status=1, as_json=as_json, json_lines=json_lines, debug=access.debug),
        logged(debug=access.debug, json_lines=json_lines),
    ):
        if options.schema:
            write_json(batch_schema())
            return
        images = _read(files, access)
        shard = resolve_shard(options.shard, os.environ)
        run = _Run(options, access, shard)
        result = run.run(images)
        run.write(result)
        if not result.ok:
            raise typer.Exit(1)


def _read(files: Sequence[str], access: SourcesAccess) -> tuple[BatchImage, ...]:
    """Return the images of all files.

    Raises:
        UsageError: there is no file, or one is wrong.
    """
    if not files:
        raise UsageError(
            "the batch has no file",
            hint="name the YAML file that lists the images, or - for stdin",
        )
    if _STDIN in files and access.password_stdin:
        raise UsageError(
            "the file and the password cannot both come from stdin",
            hint="name the file, or set OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD",
        )
    return tuple(image for file in dict.fromkeys(files) for image in _read_one(file))


def _read_one(file: str) -> tuple[BatchImage, ...]:
    text = read_yaml(Path(file), "batch file", most=_MOST_BYTES, stdin=True)
    name = "<stdin>" if file == _STDIN else file
    return parse_batch(text, name=name, variables=os.environ)


class _Run:
    """One run of a batch, which can say how far it came.

    Args:
        options: which images, and what to write.
        access: how to reach the registries.
        shard: the part of the images to merge.
    """

    def __init__(self, options: BatchOptions, access: SourcesAccess, shard: str | None) -> None:
        self._options = options
        self._access = access
        self._shard = shard
        self._total = 0
        self._ended: list[ImageResult] = []
        #: The tags that have moved, by the targets of the images that are under way.
        self._under_way: dict[str, list[str]] = {}

    def run(self, images: tuple[BatchImage, ...]) -> BatchResult:
        """Merge the images.

        Raises:
            typer.Exit: a signal came; what is done was written.
        """
        options, access = self._options, self._access
        keywords = merge_keywords(access)
        if options.concurrency is not None:
            keywords["concurrency"] = options.concurrency
        with batch_progress(
            quiet=options.quiet, plain=access.debug, form=options.progress
        ) as progress:
            access.warn(progress.warn)

            def note(event: Event) -> None:
                self._note(event)
                progress.show(event)

            try:
                result = runner.run(
                    lambda: batch_async(
                        images,
                        shard=self._shard,
                        dry_run=options.dry_run,
                        on_event=note,
                        **keywords,
                    )
                )
                progress.finish(result)
                return result
            except Interrupted as interrupt:
                signal = interrupt
        self._report(signal)
        raise typer.Exit(signal.status)

    def _note(self, event: Event) -> None:
        """Record how far the batch came."""
        match event:
            case BatchStarted():
                self._total = event.total
            case ImageStarted():
                self._under_way[event.target] = []
            case ImageProgressed(progress=TagMoved(reference=reference, changed=True)):
                self._under_way[event.target].append(reference)
            case ImageFinished():
                self._ended.append(event.image)
                self._under_way.pop(event.image.target, None)

    def _report(self, signal: Interrupted) -> None:
        """Write what was done before a signal came."""
        self.write(BatchResult(tuple(self._ended), self._options.dry_run), signal.signal_name)
        message = (
            f"interrupted by {signal.signal_name} after {len(self._ended)} of {self._total} images"
        )
        hint = "run it again; what is published already is only read"
        if self._options.progress == "json":
            moved = [tag for tags in self._under_way.values() for tag in tags]
            known = {**error_document(signal), "message": message, "hint": hint, "moved": moved}
            say_json({"event": "failed", **known, "under_way": list(self._under_way)})
            return
        say(f"error: {message}")
        for target, tags in self._under_way.items():
            how_far = f"had moved {', '.join(tags)}" if tags else "is not known to have moved a tag"
            say(f"{target} was under way, and {how_far}")
        say(f"hint: {hint}")

    def write(self, result: BatchResult, interrupted: str = "") -> None:
        """Write what became of the images to stdout."""
        if self._options.output == "json":
            write_json(
                batch_document(
                    result, shard=self._shard, total=self._total, interrupted=interrupted
                )
            )
        else:
            write(batch_table(result, columns(sys.stdout)))
