"""Shows a batch as one bar on a terminal, with the lines of its images above.

Only a run whose stderr is a terminal imports this module, since it imports rich.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from oci_merge import BatchStarted, Event, ImageFinished
from oci_merge_cli.output.batch import BatchLines
from oci_merge_cli.output.stdout import shown


class BatchBar(BatchLines):
    """Counts the images that have ended, and shows lines above the bar.

    Args:
        bars: the bars; the caller starts and stops their display.
    """

    def __init__(self, bars: Bars) -> None:
        super().__init__()
        self._bars = bars
        self._bar: TaskID | None = None
        self._failed = 0

    def show(self, event: Event) -> None:
        """Show an event of the batch."""
        if isinstance(event, BatchStarted):
            self._bar = self._bars.add_task("merging images", total=event.total)
        if isinstance(event, ImageFinished) and self._bar is not None:
            self._failed += event.image.error is not None
            failed = f", {self._failed} failed" if self._failed else ""
            self._bars.update(self._bar, advance=1, description=f"merging images{failed}")
        super().show(event)

    def line(self, text: str) -> None:
        """Show a line above the bar."""
        self._bars.console.print(Text(shown(text)), soft_wrap=True)


@contextmanager
def batch_bar() -> Iterator[BatchBar]:
    """Show a bar on stderr while the context is open."""
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
    )
    with bars:
        yield BatchBar(bars)
