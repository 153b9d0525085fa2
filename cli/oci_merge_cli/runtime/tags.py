"""Watches which tags a merge moves, to report them if it is interrupted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from oci_merge import Event, StageStarted, TagKept, TagMoved


@dataclass(slots=True)
class TagWatch:
    """Which tags a merge has moved.

    Attributes:
        begun: whether the merge has begun to move tags.
        moved: the tags that have certainly moved.
    """

    begun: bool = False
    moved: list[str] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Record an event of the merge."""
        if isinstance(event, StageStarted) and event.stage == "tags" and event.total:
            self.begun = True
        if isinstance(event, TagMoved) and event.changed:
            self.moved.append(event.tag)

    def sentence(self) -> str:
        """Return how far the tags have moved, to follow "interrupted by SIGINT"."""
        if not self.begun:
            return "before any tag moved"
        if not self.moved:
            return "while the tags were being moved; none is known to have moved"
        return f"while the tags were being moved; moved already: {', '.join(self.moved)}"


def with_repository(event: Event) -> Event:
    """Return a moved or kept tag with its repository, which tells it from other targets' tags."""
    return replace(event, tag=event.reference) if isinstance(event, TagMoved | TagKept) else event
