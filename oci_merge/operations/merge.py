"""Runs one merge: reads, plans and publishes.

After authentication these are four dependent steps, however many platforms: manifests, then configs
and mounts, then children, then tags. What does not depend on each other runs side by side.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from oci_merge._concurrency import background, gather, gather_two
from oci_merge.events import ComponentsFound, Event, OnEvent, Waiting, Warned
from oci_merge.model.index import IndexDocument, IndexEntry
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.operations.attached import Attached
from oci_merge.operations.destination import Completion, Destination
from oci_merge.operations.platforms import pinning_platforms, read_platforms
from oci_merge.operations.publish import publish_all
from oci_merge.operations.resolve import Components, fetch_components, probe
from oci_merge.planning.component import Component
from oci_merge.planning.job import Candidate, Job, Source
from oci_merge.planning.make_index import make_index
from oci_merge.planning.plan import Manner, Plan, PlannedSource
from oci_merge.planning.result import (
    MergeResult,
    PlatformResult,
    TagResult,
    TargetResult,
    platform_results,
)
from oci_merge.planning.targets import moved_sources
from oci_merge.registry.client import Registries
from oci_merge.registry.manifests import ManifestClient

if TYPE_CHECKING:
    from oci_merge.operations.keys import Trust
    from oci_merge.operations.target_signing import TargetSigning
    from oci_merge.planning.signing import VerifiedSignature
    from oci_merge.trust.provenance import ProvenanceSource

#: How many requests an image is expected to take once its manifest is read: it reads a config, and
#: mounts that and some layers. A guess, from which connections are opened ahead.
_REQUESTS_EACH = 9
#: How many more it takes to sign it: what is there is read while blobs are uploaded.
_REQUESTS_OF_A_SIGNATURE = 5
#: How many images are expected where they have to be looked for.
_USUAL_IMAGES = 3

#: Components with the platforms under which they are published.
_PlatformChoices = list[tuple[Component, Platform]]


class Merge:
    """One merge, from a job to a result.

    Args:
        job: the job, whose names have all been checked.
        on_event: called with progress events and warnings.
        trust: the keys that the job asks for.
    """

    def __init__(self, job: Job, on_event: OnEvent, trust: Trust | None = None) -> None:
        self._job = job
        self._trust = trust
        self._on_event = on_event
        self._warnings: list[str] = []
        self._destinations: list[Destination] = []
        self._attached: Attached  # made by `run`, as the destinations are
        self._has_waited = False
        self._is_transferred = False
        #: What is brought into the targets: what the index lists, and what refers to that.
        self._brought: Sequence[Component] = ()
        self._subject: IndexEntry | None = None
        self._sources: tuple[PlannedSource, ...] = ()
        self._images: tuple[PlatformResult, ...] = ()
        self._verified: tuple[VerifiedSignature, ...] = ()

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
            Destination(
                registries,
                target,
                self._emit,
                copy_layers=job.copy_layers,
                force=job.safety.force,
                signing=None if dry_run else self._signing(registries, target.reference),
            )
            for target in job.targets
        ]
        attached = self._attached = Attached(job, registries, self._destinations, self._emit)
        for warning in job.warnings:
            self.warn(warning)
        try:
            read, found = await self._read(registries, dry_run=dry_run)
            await self._check_signed(registries, read)
            self._sources = tuple(PlannedSource(*each) for each in read.digests.items())
            await attached.read(read.listed)
            self._brought = (*read.listed, *attached.components)
            # A question that nothing depends on has as long as all of the rest takes.
            async with attached.telling_what_stays(read.listed):
                plans, unchanged, images = await self._carry_out(
                    registries, read, found, dry_run=dry_run
                )
        finally:
            # Not side by side, since tasks take turns of the event loop even where nothing is open.
            for one in self._destinations:
                await one.close()
        return self._result(plans, images, unchanged, dry_run)

    async def _carry_out(
        self,
        registries: Registries,
        read: Components,
        found: Sequence[Candidate],
        *,
        dry_run: bool,
    ) -> tuple[Sequence[Plan], Sequence[AbstractSet[str]], tuple[PlatformResult, ...]]:
        """Make the index, bring what it lists, and move the tags.

        Returns:
            The plan of each target, the tags of each that were not moved, and the images.
        """
        job = self._job
        platforms, index = await self._prepare(registries, read, found, dry_run=dry_run)
        images = self._images = platform_results(platforms)
        plans: Sequence[Plan]
        unchanged: Sequence[AbstractSet[str]]
        if job.append:
            from oci_merge.operations.append import Append, Steps  # most merges replace all

            append = Append(job, registries, self._destinations, self._emit)
            admit = partial(self._admit, registries, platforms, dry_run=dry_run)
            steps = Steps(admit, self._complete, self._publish)
            plans, unchanged, images = await append.run(
                self._brought, images, index, steps, dry_run=dry_run
            )
            # Every tag gets what the first one lists.
            self._warn_of_losses(plans)
        else:
            plans = [one.plan(self._brought, index) for one in self._destinations]
            self._warn_of_losses(plans)
            unchanged = [plan.unchanged for plan in plans]
            if not dry_run:
                await self._complete(plans)
                unchanged = await self._publish(plans)
        return plans, unchanged, images

    async def _read(
        self, registries: Registries, *, dry_run: bool
    ) -> tuple[Components, Sequence[Candidate]]:
        """Read the manifests of the images and the state of the targets, side by side."""
        # Connections for the mounts are opened while the manifests are read: over HTTP/1.1 each
        # mount needs one, which would cost a round trip, or two with TLS.
        count = 0 if dry_run else self._expected
        async with background(gather(one.open_ahead(count) for one in self._destinations)):
            (components, found), _ = await gather_two(
                self._components(registries), gather(self._target_reads(registries))
            )
        if self._has_waited:  # what was read of the targets is old by now
            await gather(self._target_reads(registries))
        # Only now that the images are read is it known whether the login is accepted at all.
        for destination in self._destinations:
            unreadable = destination.check_readable()
            if unreadable and dry_run:
                self.warn(unreadable)
        return components, found

    def _target_reads(self, registries: Registries) -> Iterator[Coroutine[Any, Any, None]]:
        """Return what is read of the targets."""
        yield from (one.read() for one in self._destinations)
        if self._job.subject:
            yield self._read_subject(registries, self._job.subject)

    async def _read_subject(self, registries: Registries, reference: Reference) -> None:
        """Read the manifest that the index is to refer to."""
        manifest = await ManifestClient(registries[reference.registry]).get(reference)
        self._subject = IndexEntry(manifest.media_type, manifest.digest, manifest.size, None)

    async def _prepare(
        self,
        registries: Registries,
        read: Components,
        found: Sequence[Candidate],
        *,
        dry_run: bool,
    ) -> tuple[_PlatformChoices, IndexDocument]:
        """Make the index, and bring what it lists, and what refers to that, into every target."""
        job = self._job
        if not job.safety.is_asked and not (job.append and job.verify_keys):
            # The index needs the platforms, the transfers only the manifests: so the configs are
            # read while blobs are mounted.
            made, _ = await gather_two(
                self._signed_index(registries, read, found), self._transfer(dry_run=dry_run)
            )
            return made
        # Nothing may be written before it is known that the job goes on: this costs a step.
        platforms, index = await self._index(registries, read, found)
        if not self._job.append:  # which makes another index of it, and asks for that
            await self._admit(registries, platforms, index, dry_run=dry_run)
        return platforms, index

    async def _admit(
        self,
        registries: Registries,
        platforms: _PlatformChoices,
        index: IndexDocument,
        *,
        dry_run: bool,
    ) -> None:
        """Check what has to hold of an index, and bring what it lists where that was put off."""
        if self._job.append:
            await self._check_kept(registries)
        if self._job.safety.is_asked:
            from oci_merge.operations.guards import check_guards  # most jobs have none

            await check_guards(
                registries,
                self._job.safety,
                self._destinations,
                platforms,
                index,
                append=self._job.append,
            )
        if not self._is_transferred:
            await self._transfer(dry_run=dry_run)

    def _warn_of_losses(self, plans: Sequence[Plan]) -> None:
        """Say which platforms the targets' own tags lose; manifest-tool does not."""
        for destination, plan in zip(self._destinations, plans, strict=True):
            present, tag = destination.state.index, str(plan.target.tag)
            if present is None or tag in plan.unchanged or tag in plan.kept:
                continue
            if self._job.as_written:
                continue
            from oci_merge.planning import guards  # a new tag loses nothing

            new = guards.image_platforms(guards.parsed_index(plan.index))
            if lost := guards.lost_platforms(guards.image_platforms(present), new):
                self.warn(guards.loss(plan.target, lost))

    async def _transfer(self, *, dry_run: bool) -> None:
        """Bring everything that the tags need into every target."""
        transfers = [one.transfer(self._brought, dry_run=dry_run) for one in self._destinations]
        await gather([*transfers, *self._signatures_of_children()])
        self._is_transferred = True

    def _signatures_of_children(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Return what makes signatures of the components while these are transferred."""
        if self._attached.is_wanted:
            return  # what is brought along has to stand before others are added
        listed = [one for one in self._brought if not one.is_referrer]
        for one in self._destinations:
            if one.signing and not one.keeps_all:
                yield one.signing.prepare_children(listed, one.state)

    async def _complete(self, plans: Sequence[Plan]) -> None:
        """See to it that everything stands in every target that has to before a tag moves."""
        completion = Completion(
            self._attached.referrers, self._attached.tags, self._provenance_sources, self.warn
        )
        if completion.is_any or plans[0].index.subject or self._destinations[0].signing:
            await gather(
                one.complete(plan, completion)
                for one, plan in zip(self._destinations, plans, strict=True)
            )

    @property
    def _provenance_sources(self) -> Sequence[ProvenanceSource]:
        """What the index is made of, for its provenance."""
        if not self._job.provenance:
            return ()
        from oci_merge.trust.provenance import ProvenanceSource  # few runs attach one

        made_of = [
            ProvenanceSource(
                str(source.reference),
                source.digest,
                tuple(
                    str(image.platform)
                    for image in self._images
                    if image.source == str(source.reference)
                ),
            )
            for source in self._sources
        ]
        base = self._destinations[0]
        before = base.state.tags.get(str(base.target.reference.tag)) if self._job.append else None
        if before:
            made_of.append(ProvenanceSource(str(base.target.reference), before, ()))
        return made_of

    async def _publish(self, plans: Sequence[Plan]) -> Sequence[AbstractSet[str]]:
        """Move the tags of every target; return those of each that stood there already."""
        publishing = publish_all([one.publisher for one in self._destinations], plans)
        if not self._destinations[0].signing:
            return await publishing
        from oci_merge.operations.target_signing import confirmed  # most runs sign nothing

        return await confirmed(publishing, [one.signing for one in self._destinations])

    @property
    def _expected(self) -> int:
        """How many requests are expected to run at once after the manifests are read."""
        each = _REQUESTS_EACH + (_REQUESTS_OF_A_SIGNATURE if self._job.sign else 0)
        return each * (len(self._job.sources) or _USUAL_IMAGES)

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
            registries,
            sources,
            self._emit,
            ignore_missing=self._job.ignore_missing,
            wait=self._job.wait,
            drop_attestations=self._job.attestations == "drop",
            keep_labels=self._job.reads_labels,
        )
        return components, found

    async def _signed_index(
        self,
        registries: Registries,
        read: Components,
        found: Sequence[Candidate],
    ) -> tuple[_PlatformChoices, IndexDocument]:
        """Make the index, and its signatures while what it lists is still being brought."""
        made = await self._index(registries, read, found)
        if not self._attached.is_wanted and not self._job.append:  # which makes another index
            await gather(
                one.signing.prepare_index(made[1], one.state)
                for one in self._destinations
                if one.signing
            )
        return made

    async def _check_signed(self, registries: Registries, read: Components) -> None:
        """Check that the images are signed by keys that the job names, if it names any."""
        if self._trust and self._trust.keys:
            from oci_merge.operations.check_signed import check_signed  # few jobs name keys

            self._verified = await check_signed(registries, read, self._trust.keys)

    async def _check_kept(self, registries: Registries) -> None:
        """Check that what an append keeps is signed by keys that the job names, if it names any."""
        base = self._destinations[0]
        present = base.state.manifest
        if self._trust and self._trust.keys and present:
            from oci_merge.operations.check_signed import check_kept  # few jobs name keys

            registry, keys = registries[base.target.reference.registry], self._trust.keys
            found = await check_kept(registry, base.target.reference, present, keys)
            self._verified = tuple(dict.fromkeys((*self._verified, *found)))

    def _signing(self, registries: Registries, target: Reference) -> TargetSigning | None:
        """Return what signs a target, or attaches a provenance; None where nothing does."""
        if not (self._job.sign or self._job.provenance):
            return None
        from oci_merge.operations.target_signing import TargetSigning  # most runs sign nothing

        assert self._trust  # loaded for every job that needs it
        return TargetSigning(
            registries[target.registry],
            target,
            self._trust,
            self._job.sign,
            self._emit,
            provenance=self._job.provenance,
            may_leave=self._job.copy_layers,
        )

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
        index = make_index(self._job, platforms, components.annotations, self._subject, self.warn)
        return platforms, index

    def _result(
        self,
        plans: Sequence[Plan],
        images: tuple[PlatformResult, ...],
        unchanged: Sequence[AbstractSet[str]],
        dry_run: bool,
    ) -> MergeResult:
        index = plans[0].index
        return MergeResult(
            targets=tuple(
                TargetResult(
                    reference=str(plan.target),
                    tags=_tag_results(plan, same, destination.publisher.kept),
                    plan=replace(plan, sources=self._sources, manner=self._manner),
                )
                for destination, plan, same in zip(
                    self._destinations, plans, unchanged, strict=True
                )
            ),
            digest=index.digest,
            size=index.size,
            media_type=index.media_type,
            platforms=images,
            warnings=tuple(self._warnings),
            dry_run=dry_run,
            signatures=tuple(
                signature
                for one, plan in zip(self._destinations, plans, strict=True)
                if one.signing
                for signature in one.signing.results(plan.index)
            ),
            verified_signatures=self._verified,
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
            attaches=bool(job.sign or job.provenance or job.carry_signatures),
        )

    def _emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._warnings.append(event.message)
        elif isinstance(event, Waiting):
            self._has_waited = True
        self._on_event(event)


def _tag_results(
    plan: Plan, unchanged: AbstractSet[str], kept: Mapping[str, str]
) -> tuple[TagResult, ...]:
    """Return what became of the tags, those that were kept just before they were put among them."""
    kept = {**plan.kept, **kept}
    return tuple(
        TagResult(tag, tag not in unchanged and tag not in kept, tag in kept) for tag in plan.tags
    )
