"""What a merge that is interrupted has to say of its tags."""

from __future__ import annotations

from dataclasses import dataclass, field

from oci_merge import Event, StageStarted, TagMoved


@dataclass(slots=True)
class TagWatch:
    """Which tags a merge has moved, for the case that it is interrupted.

    Attributes:
        begun: whether tags were being moved.
        moved: those that certainly were.
    """

    begun: bool = False
    moved: list[str] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Take notice of an event of the merge."""
        if isinstance(event, StageStarted) and event.stage == "tags" and event.total:
            self.begun = True
        if isinstance(event, TagMoved) and event.changed:
            self.moved.append(event.tag)

    def sentence(self) -> str:
        """Return what an interrupted merge has to say of its tags."""
        if not self.begun:
            return "before any tag moved"
        if not self.moved:
            return "while the tags were being moved; none is known to have moved"
        return f"while the tags were being moved; moved already: {', '.join(self.moved)}"
