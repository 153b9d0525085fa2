"""Shows live progress on a terminal: bars during the merge, and a table at its end.

Only this module imports rich, and only a run whose stderr is a terminal imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from oci_merge import (
    BlobCopied,
    CopyAdvanced,
    CopyStarted,
    Event,
    MergeResult,
    StageAdvanced,
    StageStarted,
)
from oci_merge_cli.output.lines import Lines
from oci_merge_cli.output.render import table
from oci_merge_cli.output.stdout import shown

_STAGES = {
    "probe": "looking for images",
    "manifests": "reading manifests",
    "configs": "reading configs",
    "mounts": "mounting blobs",
    "children": "putting manifests",
    "tags": "moving tags",
    "verify": "verifying",
}
#: The length of a shortened digest: as much as people compare.
_SHORT_DIGEST = len("sha256:") + 12
#: From which width of the terminal on there is room for bars.
_BAR_FITS = 56


class _Amount(ProgressColumn):
    """The column that counts: bytes of a copy, steps of a stage."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = DownloadColumn()
        self._steps = MofNCompleteColumn()

    def render(self, task: Task) -> Text:
        """Return the count of one bar."""
        return (self._bytes if task.fields.get("is_copy") else self._steps).render(task)


class Live(Lines):
    """Shows bars for stages and copies, lines above the bars, and a table of the platforms.

    Args:
        bars: the bars; the caller starts and stops their display.
    """

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._stages: dict[str, TaskID] = {}
        self._copies: dict[str, TaskID] = {}

    def show(self, event: Event) -> None:
        """Show the progress of a stage or a copy as a bar, and other events as lines."""
        match event:
            case StageStarted() if event.total:
                self._begin(event.stage, event.total)
            case StageAdvanced() if event.stage in self._stages:
                self._bars.advance(self._stages[event.stage])
            case CopyStarted():
                self._end_copy(event.digest)
                self._copies[event.digest] = self._bars.add_task(
                    f"copying {event.digest[:_SHORT_DIGEST]}", total=event.size, is_copy=True
                )
            case CopyAdvanced() if event.digest in self._copies:
                self._bars.advance(self._copies[event.digest], event.count)
            case BlobCopied():
                self._end_copy(event.digest)
                super().show(event)
            case _:
                super().show(event)

    def line(self, text: str) -> None:
        """Show a line above the bars."""
        self._print(Text(shown(text)))

    def warn(self, message: str) -> None:
        """Show a warning above the bars, in colour."""
        self._print(Text.assemble(("warning: ", "yellow"), shown(message)))

    def finish(self, result: MergeResult) -> None:
        """Remove the bars and show the platforms, unless the plan of a dry run lists them."""
        self._bars.stop()
        if result.dry_run:
            return
        rows = [
            (str(image.platform), image.digest[:_SHORT_DIGEST], str(image.size), image.source)
            for image in result.platforms
        ]
        for line in table(("platform", "digest", "size", "from"), rows, self._bars.console.width):
            self._print(Text(line))

    def _begin(self, stage: str, total: int) -> None:
        """Show the bar of a stage, or let it count more: each target has some stages of its own."""
        bar = self._stages.get(stage)
        if bar is None:
            self._stages[stage] = self._bars.add_task(_STAGES[stage], total=total)
        else:
            before = next(task.total for task in self._bars.tasks if task.id == bar)
            self._bars.update(bar, total=(before or 0) + total)

    def _end_copy(self, digest: str) -> None:
        if (bar := self._copies.pop(digest, None)) is not None:
            self._bars.remove_task(bar)

    def _print(self, text: Text) -> None:
        self._bars.console.print(text, soft_wrap=True)


@contextmanager
def live() -> Iterator[Live]:
    """Show live progress on stderr while the context is open."""
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    # Where it is narrow, what is done and the count leave no room for a bar.
    bar = [BarColumn()] if console.width >= _BAR_FITS else []
    bars = Bars(
        TextColumn("{task.description}", markup=False),
        *bar,
        _Amount(),
        console=console,
        transient=True,
    )
    with bars:
        yield Live(bars)
