"""Shows the progress of a merge on stderr as JSON, one object a line, for programs to read.

The name of an event is that of its class in the library, and its fields are those of the class.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import asdict

from oci_merge import BlobCopied, CopyAdvanced, CopyStarted, Event, MergeResult
from oci_merge_cli.output.lines import Progress
from oci_merge_cli.output.stdout import say_json

#: A blob advances many times a second; its bytes are told once in so many seconds.
_PAUSE = 1.0
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class JsonLines(Progress):
    """Shows an object for each event, for warnings and at the end."""

    def __init__(self) -> None:
        self._untold: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def show(self, event: Event) -> None:
        """Show an event; the bytes of a copy are added up for a while."""
        match event:
            case CopyAdvanced():
                self._untold[event.digest] = self._untold.get(event.digest, 0) + event.count
                if time.monotonic() >= self._told.get(event.digest, 0) + _PAUSE:
                    self._tell_bytes(event.digest)
                return
            case CopyStarted():  # perhaps anew, and what went before does not count
                self._untold.pop(event.digest, None)
                self._told[event.digest] = time.monotonic()
            case BlobCopied():
                self._tell_bytes(event.digest)
        self.tell({"event": event_name(type(event)), **asdict(event)})

    def tell(self, document: Mapping[str, object]) -> None:
        """Show an object."""
        say_json(document)

    def warn(self, message: str) -> None:
        """Show a warning as the library's are shown."""
        self.tell({"event": "warned", "message": message})

    def finish(self, result: MergeResult) -> None:
        """Show what was published, in short; the result itself is for stdout."""
        self.tell(
            {
                "event": "finished",
                "digest": result.digest,
                "size": result.size,
                "dry_run": result.dry_run,
            }
        )

    def _tell_bytes(self, digest: str) -> None:
        self._told[digest] = time.monotonic()
        if count := self._untold.pop(digest, 0):
            self.tell({"event": event_name(CopyAdvanced), "digest": digest, "count": count})


def event_name(kind: type[Event]) -> str:
    """Return the name of an event: ``stage_started`` of ``StageStarted``."""
    return _CAPITAL.sub("_", kind.__name__).lower()
