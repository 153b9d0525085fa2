"""Runs many merges side by side; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from oci_merge._concurrency import gather
from oci_merge.errors import OciMergeError
from oci_merge.events import Event, OnEvent
from oci_merge.planning.batch import BatchJob
from oci_merge.planning.batch_result import (
    BatchResult,
    BatchStarted,
    ImageFinished,
    ImageProgressed,
    ImageResult,
    ImageStarted,
    image_result,
)
from oci_merge.planning.result import MergeResult

#: Runs one merge to its end.
RunOne = Callable[[BatchJob, OnEvent], Awaitable[MergeResult]]


async def run_batch(
    jobs: Sequence[BatchJob], run_one: RunOne, on_event: OnEvent, *, limit: int, dry_run: bool
) -> BatchResult:
    """Run the merges of a batch.

    Args:
        jobs: the merges.
        run_one: runs one of them.
        on_event: called with the events of the batch.
        limit: how many merges are under way at once.
        dry_run: whether nothing is written.

    Returns:
        What became of each image, in order.

    Raises:
        Exception: a merge raised what is no ``OciMergeError``; the others have ended before.
    """
    runner = _Runner(jobs, run_one, on_event)
    on_event(BatchStarted(len(jobs)))
    # As many tasks as merges may be under way, and not one for each of thousands of images.
    await gather(runner.work() for _ in range(min(limit, len(jobs))))
    if runner.bug is not None:
        raise runner.bug
    return BatchResult(tuple(runner.results[number] for number in range(len(jobs))), dry_run)


class _Runner:
    """Takes one merge after the other, in each of its tasks.

    Args:
        jobs: the merges.
        run_one: runs one of them.
        on_event: called with the events of the batch.

    Attributes:
        results: what became of each image that has ended, by its number.
        bug: the first error that is none of ours.
    """

    def __init__(self, jobs: Sequence[BatchJob], run_one: RunOne, on_event: OnEvent) -> None:
        self.results: dict[int, ImageResult] = {}
        self.bug: Exception | None = None
        self._left: Iterator[tuple[int, BatchJob]] = iter(enumerate(jobs))
        self._run_one = run_one
        self._on_event = on_event

    async def work(self) -> None:
        """Run merges until none is left."""
        for number, job in self._left:
            self._on_event(ImageStarted(job.name, job.target))
            try:
                result = await self._result(job)
            except Exception as error:
                # Images that have nothing to do with it are published all the same.
                self.bug = self.bug or error
                continue
            self.results[number] = result
            self._on_event(ImageFinished(result))

    async def _result(self, job: BatchJob) -> ImageResult:
        def on_event(event: Event) -> None:
            self._on_event(ImageProgressed(job.name, job.target, event))

        try:
            return image_result(job.name, await self._run_one(job, on_event))
        except OciMergeError as error:
            return ImageResult(name=job.name, target=job.target, error=error)
