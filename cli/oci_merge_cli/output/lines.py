"""Shows the progress of a merge on stderr as lines, or not at all."""

from __future__ import annotations

from oci_merge import (
    BlobCopied,
    ComponentsFound,
    Event,
    ManifestsSigned,
    MergeResult,
    Retrying,
    TagDeleted,
    TagKept,
    TagMoved,
    Waiting,
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


class Warnings(Progress):
    """Shows warnings alone."""

    def show(self, event: Event) -> None:
        """Show a warning."""
        if isinstance(event, Warned):
            self.warn(event.message)

    def warn(self, message: str) -> None:
        """Show a warning."""
        self.line(f"warning: {message}")

    def line(self, text: str) -> None:
        """Show a line."""
        say(text)


class Lines(Warnings):
    """Shows a line for each event that a log should keep."""

    _missing: tuple[str, ...] = ()
    _told = 0.0

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
            case Waiting():
                self._show_wait(event)
            case BlobCopied():
                self.line(f"copied {event.digest} ({event.size} bytes) from {event.source}")
            case TagMoved():
                unchanged = "put again, unchanged" if event.again else "unchanged"
                self.line(f"tag {event.tag} {'moved' if event.changed else unchanged}")
            case TagKept():
                self.line(f"tag {event.tag} kept: {event.reason}")
            case ManifestsSigned():
                signed = "1 manifest" if event.count == 1 else f"{event.count} manifests"
                new = "1 signature" if event.written == 1 else f"{event.written} signatures"
                self.line(f"{signed} of {event.reference} signed, {new} new")
            case TagDeleted():
                self.line(f"tag {event.reference} deleted")

    def _show_wait(self, event: Waiting) -> None:
        # A log needs no line for each look: one whenever fewer images are missing, or a minute on.
        if event.missing == self._missing and event.waited < self._told + 60:
            return
        self._missing, self._told = event.missing, event.waited
        waited = f" for {event.waited:.0f} s already" if event.waited >= 1 else ""
        self.line(
            f"waiting{waited}, {event.left:.0f} s more at most: "
            f"{', '.join(event.missing)} {'is' if len(event.missing) == 1 else 'are'} not there yet"
        )
