"""Publishes a merge: transfers blobs and children, then moves the tags.

Tags cannot be moved together, so they move last: whatever fails before leaves every tag as it was,
and a rerun of the command finishes the job.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NoReturn, Protocol

from oci_merge._concurrency import gather, gather_settled, gather_two
from oci_merge._text import listed
from oci_merge.errors import OciMergeError, PublishError, RegistryError
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, TagKept, TagMoved
from oci_merge.model.reference import Reference
from oci_merge.operations.transfer import TransferRunner
from oci_merge.planning.plan import Plan
from oci_merge.planning.transfers import Transfers
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.verified_put import misses_content, put_manifest

#: Quay's error code where the same manifest is being pushed under another tag at the same time.
_CLASH = "MANIFEST_INVALID"

#: Errors by tag.
_Failures = dict[str, OciMergeError]


class Guard(Protocol):
    """Looks at a tag again just before it is put, and after."""

    async def put(self, tag: str, put: Callable[[], Awaitable[bool]]) -> tuple[bool, str]:
        """Put the index under a tag, unless that may not move any more.

        Args:
            tag: the tag.
            put: puts the index, and returns whether that moved the tag.

        Returns:
            Whether the tag moved, and why it stays where it is; that is empty if it moved.
        """


class Publisher:
    """Writes to the target's repository.

    Args:
        registries: the registries of the target and of the images, by ``host[:port]``.
        target: the target; only its repository is written to.
        emit: called with progress events.
        copy_layers: copy blobs that the registry does not mount.

    Attributes:
        guard: looks at each tag again just before it is put, and after; None for no look.
        kept: the tags that stay where they are, each with the reason; complete after ``publish``.
    """

    def __init__(
        self,
        registries: Mapping[str, RegistryClient],
        target: Reference,
        emit: OnEvent,
        *,
        copy_layers: bool = False,
    ) -> None:
        self._registry = registries[target.registry]
        self._manifests = ManifestClient(self._registry)
        self._target = target
        self._emit = emit
        self._transfers = TransferRunner(registries, target, emit, copy_layers=copy_layers)
        self._unchanged: set[str] = set()
        self.guard: Guard | None = None
        self.kept: dict[str, str] = {}

    async def transfer(self, transfers: Transfers, expected: Transfers) -> frozenset[str]:
        """Transfer blobs and children, and look for children that should be there but are not.

        Args:
            transfers: what the repository lacks.
            expected: what it should have, because its present index lists those children. Children
                of these that are missing are transferred as well.

        Returns:
            Digests of the missing children.

        Raises:
            MountRefusedError, DigestMismatchError, RegistryError, TransportError: as
                ``TransferRunner.run`` does.
        """
        _, missing_children = await gather_two(
            self._transfers.run(transfers), self.find_missing_children(expected)
        )
        if missing_children:
            await self._transfers.run(expected.only(missing_children))
        return missing_children

    async def find_missing_children(self, expected: Transfers) -> frozenset[str]:
        """Return the digests of the expected children that the repository does not have.

        Args:
            expected: transfers for the children that the target's present index lists.
        """
        # A clean-up may have deleted children of an index, and not every registry refuses a new
        # index that lists such a child: it would be published broken.
        target = self._target
        digests = [child.manifest.digest for child in expected.children]
        are_missing = await gather(
            self._manifests.is_missing(Reference(target.registry, target.repository, digest=digest))
            for digest in digests
        )
        return frozenset(itertools.compress(digests, are_missing))

    async def put_index(self, plan: Plan) -> None:
        """Push the index by its digest, so that it is there before a tag points to it.

        Args:
            plan: the plan; its transfers have been made.

        Raises:
            RegistryError, TransportError: the registry refused, or did not answer.
        """
        index = plan.index
        at = Reference(self._target.registry, self._target.repository, digest=index.digest)
        put = partial(put_manifest, self._registry, at, index.media_type, index.content)
        try:
            await put()
        except RegistryError as error:
            if not misses_content(error) or not _brings(plan):
                raise
            await self._bring_again(plan)
            await put()

    async def publish(self, plan: Plan) -> frozenset[str]:
        """Push the index under every tag ("Pushing manifests with tags"), side by side.

        Args:
            plan: the plan; its transfers have been made.

        Returns:
            The tags that pointed to the index already. Those that the plan knew are not written.

        Raises:
            PublishError: some tags moved and some did not.
            ImmutableTagError: no tag moved; one of them is immutable.
            RegistryError, TransportError: no tag moved.
        """
        self.kept.clear()  # an append may publish again
        self._unchanged.clear()
        tags = plan.to_put
        for tag in plan.tags:
            if tag in plan.kept:
                self._keep(tag, plan.kept[tag])
            elif tag not in tags:
                self._emit(TagMoved(tag, False, str(self._target.with_tag(tag))))
        self._emit(StageStarted("tags", len(tags)))
        tags = await self._tag_at_once(plan, tags)
        failures = await self._move(plan, tags)
        failures = await self._move_late(plan, failures)
        failures = await self._move_one_by_one(plan, failures, len(tags))
        if failures:
            self._raise_partial(plan, failures)
        return plan.unchanged | self._unchanged

    async def close(self) -> None:
        """Finish mounts that were sent when the run was cancelled (``TransferRunner.close``)."""
        await self._transfers.close()

    async def _tag_at_once(self, plan: Plan, tags: list[str]) -> list[str]:
        """Move several tags by one request, if the registry supports it; return the other tags."""
        # A guard looks at each tag just before that is put.
        if len(tags) < 2 or self.guard:
            return tags
        # Registries that do not know ``?tag=`` ignore it, and only the answer shows that
        # (``OCI-Tag``). Finding out costs a step, so a client tries it once, the second time that
        # it pushes several tags; requests for each tag take one step anyway.
        done: frozenset[str] = frozenset()
        # If it fails, each tag is pushed by itself, which shows which tag is the reason.
        with contextlib.suppress(OciMergeError):
            done = await self._manifests.put_tags(
                self._target.repository, tags, plan.index.media_type, plan.index.content
            )
        for tag in tags:
            if tag in done:
                self._note_put(plan, tag, changed=True)
        return [tag for tag in tags if tag not in done]

    async def _move(self, plan: Plan, tags: Sequence[str]) -> _Failures:
        """Push the index under each tag; return the errors of the tags that failed."""
        # All are tried although one fails: the error then says where each tag points.
        outcomes = await gather_settled(self._put_tag(plan, tag) for tag in tags)
        return {
            tag: outcome for tag, outcome in zip(tags, outcomes, strict=True) if outcome is not None
        }

    async def _move_late(self, plan: Plan, failures: _Failures) -> _Failures:
        """Try once more if the registry says that the index lists children it does not have."""
        if not failures or not all(map(misses_content, failures.values())):
            return failures
        if not _brings(plan):
            return failures
        await self._bring_again(plan)
        return await self._move(plan, list(failures))

    async def _bring_again(self, plan: Plan) -> None:
        """Bring what the registry says that it lacks, or wait until it sees it."""
        if plan.expected.children:
            # The present index lists these children, but they, or blobs of theirs, are missing.
            await self._transfers.run(plan.expected)
        # Some registries see a manifest only a moment after they stored it.
        if plan.transfers.children:
            await asyncio.sleep(self._registry.timings.settling)

    async def _move_one_by_one(self, plan: Plan, failures: _Failures, tried: int) -> _Failures:
        """Try once more, one tag after the other, where simultaneous pushes may have clashed."""
        if tried < 2:
            return failures
        for tag in [tag for tag, failure in failures.items() if _is_clash(failure)]:
            failures = {name: error for name, error in failures.items() if name != tag}
            failures |= await self._move(plan, [tag])
        return failures

    async def _put_tag(self, plan: Plan, tag: str) -> None:
        put = partial(
            put_manifest,
            self._registry,
            self._target.with_tag(tag),
            plan.index.media_type,
            plan.index.content,
        )
        if self.guard:
            changed, kept = await self.guard.put(tag, put)
            if kept:
                self._emit(StageAdvanced("tags", tag))
                self._keep(tag, kept)
                return
        else:
            changed = await put()
        if not changed:
            self._unchanged.add(tag)
        self._note_put(plan, tag, changed=changed)

    def _note_put(self, plan: Plan, tag: str, *, changed: bool) -> None:
        again = tag in plan.unchanged
        reference = str(self._target.with_tag(tag))
        self._emit(StageAdvanced("tags", tag))
        self._emit(TagMoved(tag, changed and not again, reference, again=again))

    def _keep(self, tag: str, reason: str) -> None:
        self.kept[tag] = reason
        self._emit(TagKept(tag, reason, str(self._target.with_tag(tag))))

    def _raise_partial(self, plan: Plan, failures: _Failures) -> NoReturn:
        """Raise the error that says that some tags, or all of them, could not be moved."""
        moved = [tag for tag in plan.tags if tag not in failures and tag not in self.kept]
        first = next(iter(failures.values()))
        if not moved:
            raise first
        raise _partial(moved, list(failures), first, f" of {self._target.name}") from first


async def publish_all(
    publishers: Sequence[Publisher], plans: Sequence[Plan]
) -> list[frozenset[str]]:
    """Push the index into every target, once all of them have what it lists.

    Args:
        publishers: one for each target.
        plans: the plan of each; its transfers have been made.

    Returns:
        The tags of each target that pointed to the index already.

    Raises:
        PublishError: some tags moved and some did not; with several targets, ``moved`` and
            ``failed`` have references in the place of bare tags.
        RegistryError, TransportError: no tag moved.
    """
    if len(plans) == 1:
        return [await publishers[0].publish(plans[0])]
    # As with tags, all are tried although one fails: the error then says where each tag points.
    outcomes = await gather_settled(
        publisher.publish(plan) for publisher, plan in zip(publishers, plans, strict=True)
    )
    failures = [outcome for outcome in outcomes if isinstance(outcome, OciMergeError)]
    if not failures:
        return [outcome for outcome in outcomes if not isinstance(outcome, OciMergeError)]
    failed: list[str] = []
    moved: list[str] = []
    for publisher, plan, outcome in zip(publishers, plans, outcomes, strict=True):
        lost = _failed_tags(plan, outcome)
        for tag in plan.tags:
            if tag not in publisher.kept:
                (failed if tag in lost else moved).append(str(plan.target.with_tag(tag)))
    if not moved:
        raise failures[0]
    first = failures[0].__cause__ if isinstance(failures[0], PublishError) else failures[0]
    assert isinstance(first, OciMergeError)  # what a PublishError is raised from
    raise _partial(moved, failed, first, "") from first


def _failed_tags(plan: Plan, outcome: object) -> Sequence[str]:
    """Return the tags of a target that could not be moved."""
    if isinstance(outcome, PublishError):
        return outcome.failed
    return plan.tags if isinstance(outcome, OciMergeError) else ()


def _partial(moved: list[str], failed: list[str], first: OciMergeError, where: str) -> PublishError:
    """Return the error that says which tags moved.

    Args:
        moved: the tags, or references, that point to the new index.
        failed: the others.
        first: why the first of these could not be moved.
        where: the repository of bare tags, with "of" before it, or an empty string.
    """
    point = "points" if len(moved) == 1 else "point"
    return PublishError(
        f"{listed(moved)}{where} {point} to the new index, "
        f"but {listed(failed)} could not be moved: {first.message}",
        moved=moved,
        failed=failed,
        hint=f"{first.hint + '; ' if first.hint else ''}"
        "run the same command again to move the rest",
    )


def _brings(plan: Plan) -> bool:
    """Say whether the index lists children that are brought, or taken to be there."""
    return bool(plan.expected.children or plan.transfers.children)


def _is_clash(failure: OciMergeError) -> bool:
    return isinstance(failure, RegistryError) and _CLASH in failure.codes
