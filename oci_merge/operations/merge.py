"""Runs one merge: reads, plans and publishes.

After authentication these are four dependent steps, however many platforms: manifests, then configs
and mounts, then children, then tags. What does not depend on each other runs side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from oci_merge._concurrency import background, gather, gather_two
from oci_merge.events import ComponentsFound, Event, OnEvent, Warned
from oci_merge.model.index import IndexDocument
from oci_merge.model.platform import Platform
from oci_merge.operations.destination import Destination
from oci_merge.operations.platforms import pinning_platforms, read_platforms
from oci_merge.operations.publish import publish_all
from oci_merge.operations.resolve import Components, fetch_components, probe
from oci_merge.planning.component import Component
from oci_merge.planning.index_annotations import keep_annotations
from oci_merge.planning.job import Candidate, Job, Source
from oci_merge.planning.plan import Manner, Plan, PlannedSource, plan_index
from oci_merge.planning.result import MergeResult, TagResult, TargetResult, platform_results
from oci_merge.planning.targets import moved_sources
from oci_merge.registry.client import Registries

#: How many requests an image is expected to take once its manifest is read: it reads a config, and
#: mounts that and some layers. A guess, from which connections are opened ahead.
_REQUESTS_EACH = 8
#: How many images are expected where they have to be looked for.
_USUAL_IMAGES = 3

#: Components with the platforms under which they are published.
_PlatformChoices = list[tuple[Component, Platform]]


class Merge:
    """One merge, from a job to a result.

    Args:
        job: the job, whose names have all been checked.
        on_event: called with progress events and warnings.
    """

    def __init__(self, job: Job, on_event: OnEvent) -> None:
        self._job = job
        self._on_event = on_event
        self._warnings: list[str] = []
        self._destinations: list[Destination] = []
        self._sources: tuple[PlannedSource, ...] = ()

    async def run(self, registries: Registries, *, dry_run: bool) -> MergeResult:
        """Read, plan and, unless this is a dry run, publish.

        Args:
            registries: the registries of the targets and of the images, by ``host[:port]``.
            dry_run: read and plan, but write nothing.

        Returns:
            What was published, or would be.

        Raises:
            PlanError, ManifestError: the images cannot be joined.
            PublishError: some tags moved and some did not.
            CredentialError, RegistryError, TransportError: a registry could not be read or written.
        """
        job = self._job
        self._destinations = [
            Destination(registries, target, self._emit, copy_layers=job.copy_layers)
            for target in job.targets
        ]
        for warning in job.warnings:
            self.warn(warning)
        try:
            read, found = await self._read(registries, dry_run=dry_run)
            self._sources = tuple(PlannedSource(*each) for each in read.digests.items())
            # The index needs the platforms, the transfers only the manifests: so the configs are
            # read while blobs are mounted.
            (platforms, index), _ = await gather_two(
                self._index(registries, read, found), self._transfer(read.listed, dry_run=dry_run)
            )
            plans = [one.plan(read.listed, index) for one in self._destinations]
            unchanged = (
                [plan.unchanged for plan in plans] if dry_run else await self._publish(plans)
            )
        finally:
            await gather(one.publisher.close() for one in self._destinations)
        return self._result(plans, platforms, unchanged, dry_run)

    async def _read(
        self, registries: Registries, *, dry_run: bool
    ) -> tuple[Components, Sequence[Candidate]]:
        """Read the manifests of the images and the state of the targets, side by side."""
        # Connections for the mounts are opened while the manifests are read: over HTTP/1.1 each
        # mount needs one, which would cost a round trip, or two with TLS.
        count = 0 if dry_run else self._expected
        async with background(gather(one.open_ahead(count) for one in self._destinations)):
            (components, found), _ = await gather_two(
                self._components(registries), gather(one.read() for one in self._destinations)
            )
        # Only now that the images are read is it known whether the login is accepted at all.
        for destination in self._destinations:
            unreadable = destination.check_readable()
            if unreadable and dry_run:
                self.warn(unreadable)
        return components, found

    async def _transfer(self, components: Sequence[Component], *, dry_run: bool) -> None:
        """Bring everything that the tags need into every target."""
        await gather(one.transfer(components, dry_run=dry_run) for one in self._destinations)

    async def _publish(self, plans: Sequence[Plan]) -> Sequence[AbstractSet[str]]:
        """Move the tags of every target; return those of each that stood there already."""
        return await publish_all([one.publisher for one in self._destinations], plans)

    @property
    def _expected(self) -> int:
        """How many requests are expected to run at once after the manifests are read."""
        return _REQUESTS_EACH * (len(self._job.sources) or _USUAL_IMAGES)

    def warn(self, message: str) -> None:
        """Emit a warning; it is part of the result, too."""
        self._emit(Warned(message))

    async def _components(self, registries: Registries) -> tuple[Components, tuple[Candidate, ...]]:
        """Return the components, and the candidates that exist if images had to be looked for."""
        found: tuple[Candidate, ...] = ()
        sources = self._job.sources
        if self._job.candidates:
            found = await probe(registries, self._job.candidates, self._emit)
            sources = tuple(
                Source(candidate.reference, named=candidate.named) for candidate in found
            )
            for moved in moved_sources(self._job, [source.reference for source in sources]):
                self.warn(moved)
        components = await fetch_components(
            registries, sources, self._emit, ignore_missing=self._job.ignore_missing
        )
        return components, found

    async def _index(
        self,
        registries: Registries,
        components: Components,
        found: Sequence[Candidate],
    ) -> tuple[_PlatformChoices, IndexDocument]:
        """Read the platforms and make the index; names the images that were looked for."""
        platforms = await read_platforms(registries, components.listed, self._job, self._emit)
        if found:
            references = tuple(str(candidate.reference) for candidate in found)
            self._emit(ComponentsFound(references, pinning_platforms(found, platforms)))
        annotations, warning = keep_annotations(self._job, components.annotations)
        if warning:
            self.warn(warning)
        list_format = self._job.format
        # A source index that has annotations is an OCI index, whatever it lists.
        if list_format == "auto" and annotations != self._job.annotations:
            list_format = "oci"
        index = plan_index(
            platforms,
            list_format=list_format,
            annotations=annotations,
            as_written=self._job.as_written,
        )
        return platforms, index

    def _result(
        self,
        plans: Sequence[Plan],
        platforms: _PlatformChoices,
        unchanged: Sequence[AbstractSet[str]],
        dry_run: bool,
    ) -> MergeResult:
        index = plans[0].index
        return MergeResult(
            targets=tuple(
                TargetResult(
                    reference=str(plan.target),
                    tags=tuple(TagResult(tag, tag not in same) for tag in plan.tags),
                    plan=replace(plan, sources=self._sources, manner=self._manner),
                )
                for plan, same in zip(plans, unchanged, strict=True)
            ),
            digest=index.digest,
            size=index.size,
            media_type=index.media_type,
            platforms=platform_results(platforms),
            warnings=tuple(self._warnings),
            dry_run=dry_run,
        )

    @property
    def _manner(self) -> Manner:
        """How the plans are to be carried out."""
        job = self._job
        return Manner(
            copy_layers=job.copy_layers,
            verify=job.verify,
            delete_sources=job.delete_sources,
            referrers=job.referrers,
            force=job.safety.force,
        )

    def _emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._warnings.append(event.message)
        self._on_event(event)
