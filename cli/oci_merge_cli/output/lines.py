"""Shows the progress of a merge on stderr as lines, or not at all."""

from __future__ import annotations

from oci_merge import (
    BlobCopied,
    ComponentsFound,
    Event,
    MergeResult,
    Retrying,
    TagDeleted,
    TagMoved,
    Warned,
)
from oci_merge_cli.output.stdout import say


class Progress:
    """Shows nothing. Subclasses override the methods."""

    def show(self, event: Event) -> None:
        """Show an event of the merge."""

    def warn(self, message: str) -> None:
        """Show a warning."""

    def finish(self, result: MergeResult) -> None:
        """Show the result of the merge."""


class Lines(Progress):
    """Shows a line for each event that a log should keep."""

    def show(self, event: Event) -> None:
        """Show found images, warnings, retries, copied blobs and tags."""
        match event:
            case ComponentsFound():
                pin = f"; --platforms {event.platforms} selects the same images"
                self.line(f"found {', '.join(event.references)}{pin if event.platforms else ''}")
            case Warned():
                self.warn(event.message)
            case Retrying():
                self.line(f"{event.reason}; trying {event.subject} again in {event.seconds:.1f} s")
            case BlobCopied():
                self.line(f"copied {event.digest} ({event.size} bytes) from {event.source}")
            case TagMoved():
                self.line(f"tag {event.tag} {'moved' if event.changed else 'unchanged'}")
            case TagDeleted():
                self.line(f"tag {event.reference} deleted")

    def warn(self, message: str) -> None:
        """Show a warning."""
        self.line(f"warning: {message}")

    def line(self, text: str) -> None:
        """Show a line."""
        say(text)
