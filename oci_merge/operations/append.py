"""Publishes images beside what the target's present index lists (``merge(append=True)``).

The first target's own tag is the base: every tag gets that index with the new images. Each tag is
written only while it stands where it stood when it was read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple

from oci_merge._concurrency import gather
from oci_merge.errors import ManifestError, PlanError
from oci_merge.events import OnEvent, Warned
from oci_merge.model import media_types
from oci_merge.model.index import IndexDocument
from oci_merge.model.manifest import ImageIndex, ImageManifest, Manifest
from oci_merge.model.reference import Reference
from oci_merge.operations.destination import Destination
from oci_merge.operations.manifest_reader import ManifestReader
from oci_merge.operations.present_index import (
    attempts,
    check_there,
    platform_of,
    read_present,
    settle,
    tag_digest,
)
from oci_merge.planning.append import append_images, fresh_index, wrapped
from oci_merge.planning.component import Component
from oci_merge.planning.edit import Edited, PresentEntry, PresentIndex, listed_platforms
from oci_merge.planning.job import Job, Source
from oci_merge.planning.plan import Plan
from oci_merge.planning.result import PlatformResult
from oci_merge.registry.client import Registries

#: Moves the tags of every target; returns those of each that stood there already.
Publish = Callable[[Sequence[Plan]], Awaitable[Sequence[AbstractSet[str]]]]
#: Sees to it that everything stands that has to before a tag moves.
Complete = Callable[[Sequence[Plan]], Awaitable[None]]
#: Checks what has to hold of an index before it is published.
Admit = Callable[[IndexDocument], Awaitable[None]]


class Steps(NamedTuple):
    """What a merge does with the index that is made here.

    Attributes:
        admit: checks what has to hold of an index before it is published, and sees to it that the
            components have been transferred.
        complete: sees to it that everything stands that has to before a tag moves.
        publish: moves the tags.
    """

    admit: Admit
    complete: Complete
    publish: Publish


class Outcome(NamedTuple):
    """What was published, or would be.

    Attributes:
        plans: the plan of each target.
        unchanged: the tags of each target that were not written.
        platforms: the images of the index.
    """

    plans: tuple[Plan, ...]
    unchanged: tuple[AbstractSet[str], ...]
    platforms: tuple[PlatformResult, ...]


class Append:
    """Adds the images of a merge to the index that its first target has.

    Args:
        job: the merge.
        registries: the registries of the targets and of the images, by ``host[:port]``.
        destinations: the targets; they have been read.
        emit: called with warnings.
    """

    def __init__(
        self,
        job: Job,
        registries: Registries,
        destinations: Sequence[Destination],
        emit: OnEvent,
    ) -> None:
        self._job = job
        self._registries = registries
        self._destinations = destinations
        self._emit = emit
        self._warned: set[str] = set()

    async def run(
        self,
        components: Sequence[Component],
        platforms: Sequence[PlatformResult],
        index: IndexDocument,
        steps: Steps,
        *,
        dry_run: bool,
    ) -> Outcome:
        """Publish the images beside what is there.

        Args:
            components: the images and what accompanies them.
            platforms: the images with their platforms.
            index: the index of the images alone.
            steps: what is done with the index.
            dry_run: write nothing.

        Raises:
            ManifestError: what the target has cannot be read, or lists what is not there.
            PlanError: an index within the index would have to go to another repository.
            TagChangedError: others moved a tag each time that this was tried.
            CredentialError, RegistryError, TransportError: a registry could not be read or
                written.
        """
        changed = [set[str]() for _ in self._destinations]
        base = self._destinations[0]
        tags = [each.reference(tag) for each in self._destinations for tag in each.target.tags]
        async for attempt in attempts(base.registry, tags):
            if attempt:
                await gather(each.read() for each in self._destinations)
            edited = await self._edited(index)
            await steps.admit(edited.index)
            kept = await self._kept(edited, dry_run=dry_run)
            # What goes to other repositories has been read; a single target has it already.
            stays = () if kept else tuple(dict.fromkeys(entry.digest for entry in edited.kept))
            plans = tuple(
                replace(each.plan([*components, *kept], edited.index), stays=stays)
                for each in self._destinations
            )
            moves = [frozenset(plan.tags) - plan.unchanged - {*plan.kept} for plan in plans]
            done = dry_run or not any(plan.to_put for plan in plans)
            if not dry_run:
                await steps.complete(plans)  # before the look, from which the put must not be far
            if not done and await self._have_moved():
                continue
            if not dry_run:
                # Tags that stand there already are told of, too.
                unchanged = await steps.publish(plans)
                for own, plan, same in zip(changed, plans, unchanged, strict=True):
                    own |= frozenset(plan.tags) - same
            if done or not await self._were_lost(edited.index.digest):
                name = str(base.target.reference)
                moved = moves if dry_run else changed
                return Outcome(
                    plans,
                    tuple(
                        frozenset(plan.tags) - own for plan, own in zip(plans, moved, strict=True)
                    ),
                    listed_platforms(edited.entries, name, platforms),
                )
        raise AssertionError("the attempts end with an error")

    async def _edited(self, index: IndexDocument) -> Edited:
        """Return the index with what the first target has now."""
        name = str(self._destinations[0].target.reference)
        fresh = fresh_index(index, name)
        present = await self._present()
        if present is None:
            return Edited(index, fresh.entries, ())
        edited = append_images(
            present, fresh, given=self._job.annotations, list_format=self._job.format
        )
        for warning in edited.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._emit(Warned(warning))
        return edited

    async def _present(self) -> PresentIndex | None:
        """Return what the first target has; None if there is no such tag.

        Raises:
            RegistryError: the tag may not be read.
            ManifestError: what it points to cannot be used.
        """
        base = self._destinations[0]
        at, state = base.target.reference, base.state
        # To write over what cannot be read would lose images without a word.
        if denied := state.unreadable.get(str(at.tag)):
            denied.hint = denied.hint or "publish the first images without --append"
            raise denied
        if state.broken:
            raise state.broken
        manifest = state.manifest
        if manifest is None:
            return None
        if isinstance(manifest.document, ImageIndex):
            return await read_present(base.registry, at, manifest)
        return await self._single(manifest, at, base)

    async def _single(self, manifest: Manifest, at: Reference, base: Destination) -> PresentIndex:
        platform = await platform_of(base.registry, at, manifest)
        if not platform.is_known:
            raise ManifestError(
                f"{at} is a single image whose config says no platform, so nothing can stand "
                "beside it",
                hint="name it as a --source with its platform, and leave out --append",
            )
        return wrapped(manifest, str(at), platform)

    async def _kept(self, edited: Edited, *, dry_run: bool) -> list[Component]:
        """Check that what stays is there, and bring it to the other targets.

        Returns:
            What stays, where it has to go to other repositories.
        """
        base, *others = self._destinations
        at = base.target.reference
        if not others:
            await check_there(base.registry, at, edited.kept)
            return []
        reader = ManifestReader(self._registries)
        reader.reserve(at, [entry.descriptor for entry in edited.kept])
        kept = await gather(self._component(reader, entry) for entry in edited.kept)
        await gather(each.transfer(kept, dry_run=dry_run) for each in others)
        return kept

    async def _component(self, reader: ManifestReader, entry: PresentEntry) -> Component:
        at = self._destinations[0].target.reference
        if entry.descriptor.media_type in media_types.INDEXES:
            raise PlanError(
                f"{at} lists the index {entry.digest}, which cannot go to another repository",
                hint="append to one target at a time",
            )
        manifest = await reader.get_listed(at, entry.descriptor)
        if not isinstance(manifest.document, ImageManifest):
            raise ManifestError(f"{at} lists {entry.digest} as an image, but it is an index")
        source = Source(replace(at, tag="", digest=entry.digest))
        return Component(source, manifest, entry.descriptor, entry.platform)

    async def _have_moved(self) -> bool:
        """Say whether a tag has moved since it was read."""
        found = await self._digests()
        return any(digest != each.state.tags.get(tag, "") for each, tag, digest in found)

    async def _were_lost(self, written: str) -> bool:
        """Say whether a tag stands at something else than what was written."""
        await settle(self._destinations[0].registry)
        return any(digest != written for _, _, digest in await self._digests())

    async def _digests(self) -> list[tuple[Destination, str, str]]:
        """Return where each tag stands now, with its target and name.

        Tags that may not be read are left out, and those that stay where they are.
        """
        tags = [
            (each, tag)
            for each in self._destinations
            for tag in each.target.tags
            if tag not in each.state.unreadable and tag not in each.kept
        ]
        digests = await gather(tag_digest(each.registry, each.reference(tag)) for each, tag in tags)
        return [(each, tag, digest) for (each, tag), digest in zip(tags, digests, strict=True)]
