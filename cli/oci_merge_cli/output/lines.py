"""What stderr shows of a merge: nothing, or a few lines."""

from __future__ import annotations

from oci_merge import (
    BlobCopied,
    ComponentsFound,
    Event,
    MergeResult,
    Retrying,
    TagMoved,
    Warned,
)
from oci_merge_cli.output.stdout import say


class Progress:
    """Shows nothing; what others show is in the methods that they replace."""

    def show(self, event: Event) -> None:
        """Show an event of the merge."""

    def warn(self, message: str) -> None:
        """Show a warning."""

    def finish(self, result: MergeResult) -> None:
        """Show what came of it."""


class Lines(Progress):
    """Shows a line for what a log should keep."""

    def show(self, event: Event) -> None:
        """Show what was found, warnings, retries, and what became of each blob and each tag."""
        match event:
            case ComponentsFound():
                self.line(
                    f"found {', '.join(event.references)}; "
                    f"--platforms {event.platforms} names the same"
                )
            case Warned():
                self.warn(event.message)
            case Retrying():
                self.line(retry_line(event))
            case BlobCopied():
                self.line(copy_line(event))
            case TagMoved():
                self.line(f"tag {event.tag} {'moved' if event.changed else 'unchanged'}")

    def warn(self, message: str) -> None:
        """Show a warning."""
        self.line(f"warning: {message}")

    def line(self, text: str) -> None:
        """Show a line."""
        say(text)


def retry_line(event: Retrying) -> str:
    """Return what a log should keep of a retry."""
    return f"{event.reason}; trying {event.subject} again in {event.seconds:.1f} s"


def copy_line(event: BlobCopied) -> str:
    """Return what a log should keep of a copied blob."""
    return f"copied {event.digest} ({event.size} bytes) from {event.source}"
