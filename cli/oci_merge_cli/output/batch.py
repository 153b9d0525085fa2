"""Shows a batch: lines or a bar on stderr while it runs, a table at its end."""

from __future__ import annotations

from typing import Any

from oci_merge import (
    BatchResult,
    Event,
    ImageFinished,
    ImageProgressed,
    ImageResult,
    TagMoved,
    Warned,
)
from oci_merge_cli.output.lines import Lines
from oci_merge_cli.output.render import table
from oci_merge_cli.output.stdout import say

_DRY = {"published": "to publish"}


class BatchErrors:
    """Shows the errors of images alone, each hint once."""

    def __init__(self) -> None:
        self._hints: set[str] = set()

    def show(self, event: Event) -> None:
        """Show an event of the batch."""
        if isinstance(event, ImageFinished) and event.image.error is not None:
            error = event.image.error
            self.line(f"error: {event.image.name}: {error.message}")
            if error.hint and error.hint not in self._hints:
                self._hints.add(error.hint)
                self.line(f"hint: {error.hint}")

    def warn(self, message: str) -> None:
        """Show a warning about the command itself."""

    def finish(self, result: BatchResult) -> None:
        """Show what became of the batch."""

    def line(self, text: str) -> None:
        """Show a line."""
        say(text)


class BatchWarnings(BatchErrors):
    """Shows warnings and errors alone."""

    def show(self, event: Event) -> None:
        """Show an event of the batch."""
        if isinstance(event, ImageProgressed) and isinstance(event.progress, Warned):
            self.warn(f"{event.name}: {event.progress.message}")
        else:
            super().show(event)

    def warn(self, message: str) -> None:
        """Show a warning about the command itself."""
        self.line(f"warning: {message}")


class BatchLines(BatchWarnings):
    """Shows a line for each image that has ended, and for what a log should keep of it."""

    def __init__(self) -> None:
        super().__init__()
        #: Of the images under way, by their targets; each knows what it has told already.
        self._images: dict[str, _ImageLines] = {}

    def show(self, event: Event) -> None:
        """Show an event of the batch."""
        match event:
            case ImageProgressed() if not isinstance(event.progress, TagMoved | Warned):
                lines = self._images.setdefault(event.target, _ImageLines(self, event.name))
                lines.show(event.progress)
            case ImageFinished():
                self._images.pop(event.image.target, None)
                self._show_end(event)
            case _:
                super().show(event)

    def _show_end(self, event: ImageFinished) -> None:
        if event.image.error is None:
            self.line(f"{event.image.name}: {_said(event.image)}")
        else:
            super().show(event)


class _ImageLines(Lines):
    """The lines of one image, which begin with its name."""

    def __init__(self, batch: BatchLines, name: str) -> None:
        self._batch = batch
        self._name = name

    def line(self, text: str) -> None:
        """Show a line."""
        self._batch.line(f"{self._name}: {text}")


def batch_table(result: BatchResult, width: int | None = None) -> str:
    """Return a line for each image, or a block where the terminal is narrow, and their counts.

    Args:
        result: what became of the images.
        width: the columns of the terminal; None for no limit.
    """
    rows = [
        (image.name, _status(image, dry_run=result.dry_run), image.digest or "-", image.target)
        for image in result.images
    ]
    lines = table(("IMAGE", "STATUS", "DIGEST", "TARGET"), rows, width) if rows else []
    return "\n".join([*lines, f"{_counted(result)}\n"])


def batch_document(
    result: BatchResult, *, shard: str | None, total: int, interrupted: str = ""
) -> dict[str, Any]:
    """Return a batch as JSON values.

    Args:
        result: what became of the images, as far as they have ended.
        shard: the part of the file that was meant, or None for all of it.
        total: how many images there are.
        interrupted: the signal that ended the batch, or an empty string.
    """
    document = result.to_dict() | {"left": total - len(result.images)}
    if shard is not None:
        document["shard"] = shard
    return document | ({"interrupted": interrupted} if interrupted else {})


def _status(image: ImageResult, *, dry_run: bool) -> str:
    return _DRY.get(image.status, image.status) if dry_run else image.status


def _said(image: ImageResult) -> str:
    """Return what happened to an image that did not fail."""
    return (
        "kept, since what stands there is newer" if image.kept else f"{image.status} {image.digest}"
    )


def _counted(result: BatchResult) -> str:
    published = "to publish" if result.dry_run else "published"
    images = f"{len(result.images)} image{'' if len(result.images) == 1 else 's'}"
    kept = f"{result.kept} kept, " if result.kept else ""
    return (
        f"{images}: {result.published} {published}, {result.unchanged} unchanged, {kept}"
        f"{result.failed} failed"
    )
