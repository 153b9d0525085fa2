"""One merge: its four steps on the wire, in order and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from oci_merge._concurrency import background, gather_two
from oci_merge.events import ComponentsFound, Event, OnEvent, Warned
from oci_merge.model.index import IndexDocument
from oci_merge.model.platform import Platform
from oci_merge.operations.publish import Publisher
from oci_merge.operations.resolve import (
    Registries,
    TargetState,
    check_unreadable,
    fetch_components,
    pinning_platforms,
    probe,
    read_platforms,
    read_target,
)
from oci_merge.planning.component import Component
from oci_merge.planning.job import Candidate, Job, Source
from oci_merge.planning.plan import Plan, plan_index
from oci_merge.planning.result import MergeResult, TagResult, platform_results
from oci_merge.planning.transfers import Transfers, plan_transfers

#: How many requests an image makes after its manifest is read (a config read, and mounts of that
#: and of some layers), and how many images are found where nobody says which, as a guess.
_REQUESTS_EACH = 8
_USUAL_IMAGES = 3

_Decided = list[tuple[Component, Platform]]


class Merge:
    """A merge, from a job to a result.

    Args:
        job: what is asked for, checked.
        on_event: told of progress.
    """

    def __init__(self, job: Job, on_event: OnEvent) -> None:
        self._job = job
        self._on_event = on_event
        self._warnings: list[str] = []

    async def run(self, registries: Registries, *, dry_run: bool) -> MergeResult:
        """Read, plan and, unless this is a dry run, publish.

        Args:
            registries: the target's and those of the images, by name.
            dry_run: read and plan, but write nothing.

        Raises:
            OciMergeError: as ``api.merge`` does, but for wrong usage.
        """
        job = self._job
        publisher = Publisher(registries, job.target, self._emit, copy_layers=job.copy_layers)
        for warning in job.warnings:
            self.warn(warning)
        try:
            home = registries[job.target.registry]
            async with background(home.open_ahead(0 if dry_run else self._expected)):
                (components, found), target_state = await gather_two(
                    self._components(registries), read_target(home, job.target, job.tags)
                )
            unreadable = check_unreadable(home, job.target, target_state)
            if unreadable and dry_run:
                self.warn(unreadable)
            transfers, expected = self._transfers(components, target_state.children)
            (decided, index), missing_children = await gather_two(
                self._index(registries, components, found),
                publisher.find_missing_children(expected)
                if dry_run
                else publisher.transfer(transfers, expected),
            )
            transfers, expected = self._transfers(
                components, target_state.children - missing_children
            )
            plan = self._plan(target_state, transfers, expected, index)
            unchanged = plan.unchanged if dry_run else await publisher.publish(plan)
        finally:
            await publisher.close()
        return self._result(plan, decided, unchanged, dry_run)

    @property
    def _expected(self) -> int:
        """How many requests will go side by side once the manifests are read."""
        return _REQUESTS_EACH * (len(self._job.sources) or _USUAL_IMAGES)

    def warn(self, message: str) -> None:
        """Tell of something that the user should know."""
        self._emit(Warned(message))

    async def _components(
        self, registries: Registries
    ) -> tuple[tuple[Component, ...], tuple[Candidate, ...]]:
        found: tuple[Candidate, ...] = ()
        sources = self._job.sources
        if self._job.candidates:
            found = await probe(registries, self._job.candidates, self._emit)
            sources = tuple(Source(candidate.reference) for candidate in found)
        components = await fetch_components(
            registries, sources, self._emit, ignore_missing=self._job.ignore_missing
        )
        return components, found

    async def _index(
        self,
        registries: Registries,
        components: Sequence[Component],
        found: Sequence[Candidate],
    ) -> tuple[_Decided, IndexDocument]:
        decided = await read_platforms(registries, components, self._job, self._emit)
        if found:
            references = tuple(str(candidate.reference) for candidate in found)
            self._emit(ComponentsFound(references, pinning_platforms(found, decided)))
        index = plan_index(decided, list_format=self._job.format, annotations=self._job.annotations)
        return decided, index

    def _transfers(
        self, components: Sequence[Component], present: AbstractSet[str]
    ) -> tuple[Transfers, Transfers]:
        """Return what has to be brought, and what else would have to be, were nothing present."""
        target = self._job.target
        plan = partial(plan_transfers, components, target.repository, registry=target.registry)
        missing = plan(present)
        return missing, plan({child.manifest.digest for child in missing.children})

    def _plan(
        self,
        target_state: TargetState,
        transfers: Transfers,
        expected: Transfers,
        index: IndexDocument,
    ) -> Plan:
        digest = index.digest
        return Plan(
            target=self._job.target,
            index=index,
            transfers=transfers,
            tags=self._job.tags,
            unchanged=frozenset(
                tag for tag in self._job.tags if target_state.tags.get(tag) == digest
            ),
            expected=expected,
        )

    def _result(
        self, plan: Plan, decided: _Decided, unchanged: AbstractSet[str], dry_run: bool
    ) -> MergeResult:
        return MergeResult(
            target=str(self._job.target),
            digest=plan.index.digest,
            size=plan.index.size,
            media_type=plan.index.media_type,
            platforms=platform_results(decided),
            tags=tuple(TagResult(tag, tag not in unchanged) for tag in plan.tags),
            warnings=tuple(self._warnings),
            plan=plan,
            dry_run=dry_run,
        )

    def _emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._warnings.append(event.message)
        self._on_event(event)
