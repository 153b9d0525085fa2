"""Shows the progress of a batch on stderr as JSON, one object a line, for programs to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from oci_merge import BatchResult, Event, ImageFinished, ImageProgressed
from oci_merge_cli.output.batch import BatchErrors
from oci_merge_cli.output.json_lines import JsonLines, event_name
from oci_merge_cli.output.stdout import say_json


class BatchJson(BatchErrors):
    """Shows an object for each event of the batch and of its images, and at the end."""

    def __init__(self) -> None:
        super().__init__()
        #: Of the images under way, by their targets.
        self._images: dict[str, _ImageJson] = {}

    def show(self, event: Event) -> None:
        """Show an event of the batch."""
        name = event_name(type(event))
        match event:
            case ImageProgressed():
                lines = self._images.setdefault(event.target, _ImageJson(event))
                lines.show(event.progress)
            case ImageFinished():
                self._images.pop(event.image.target, None)
                image = event.image.to_dict()
                image.pop("plan", None)  # with the bytes of manifests; it is for stdout
                say_json({"event": name, "image": image})
            case _:
                say_json({"event": name, **asdict(event)})

    def warn(self, message: str) -> None:
        """Show a warning about the command itself."""
        say_json({"event": "warned", "message": message})

    def finish(self, result: BatchResult) -> None:
        """Show how many images were published and were not; the result itself is for stdout."""
        say_json(
            {
                "event": "finished",
                "published": result.published,
                "unchanged": result.unchanged,
                "kept": result.kept,
                "failed": result.failed,
                "dry_run": result.dry_run,
            }
        )


class _ImageJson(JsonLines):
    """The events of one image, each within an event of the batch.

    Args:
        first: the image's first event.
    """

    def __init__(self, first: ImageProgressed) -> None:
        super().__init__()
        self._about = {
            "event": event_name(ImageProgressed),
            "name": first.name,
            "target": first.target,
        }

    def tell(self, document: Mapping[str, object]) -> None:
        """Show an object within that of the batch."""
        say_json({**self._about, "progress": document})
