"""The writing half: blobs, then children, then tags, so that a failure leaves the tags alone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping, Sequence

from oci_merge._concurrency import gather, gather_settled, gather_two
from oci_merge._text import listed
from oci_merge.errors import OciMergeError, PublishError, RegistryError
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, TagMoved
from oci_merge.model.reference import Reference
from oci_merge.operations.transfer import TransferRunner
from oci_merge.planning.plan import Plan
from oci_merge.planning.transfers import Transfers
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.verified_put import misses_content, put_manifest

#: What Quay says of a manifest that is just being put under another tag.
_CLASH = "MANIFEST_INVALID"

_Failures = dict[str, OciMergeError]


class Publisher:
    """Writes to one repository of a registry.

    Args:
        registries: the target's registry and those of the images, by name.
        target: the target; its repository is what is written to.
        emit: told of progress.
        copy_layers: copy blobs that the registry does not mount.
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
        self._target = target
        self._emit = emit
        self._transfers = TransferRunner(registries, target, emit, copy_layers=copy_layers)
        self._unchanged: set[str] = set()

    async def transfer(self, transfers: Transfers, expected: Transfers) -> frozenset[str]:
        """Bring in blobs and children, as ``TransferRunner.carry`` does, and those that are lost.

        Args:
            transfers: what the repository lacks.
            expected: what it has, by its present index.

        Returns:
            The children that were lost of the latter.
        """
        _, missing_children = await gather_two(
            self._transfers.run(transfers), self.find_missing_children(expected)
        )
        if missing_children:
            await self._transfers.run(expected.only(missing_children))
        return missing_children

    async def find_missing_children(self, expected: Transfers) -> frozenset[str]:
        """Look which children are gone that the present index lists, as after a clean-up.

        Registries differ in whether they take an index that lists such a child.
        """
        target = self._target
        digests = [child.manifest.digest for child in expected.children]
        are_lost = await gather(
            self._registry.lacks_manifest(
                Reference(target.registry, target.repository, digest=digest)
            )
            for digest in digests
        )
        return frozenset(itertools.compress(digests, are_lost))

    async def publish(self, plan: Plan) -> frozenset[str]:
        """Move the tags, in parallel; those that stand on the index already are left alone.

        Each tag is a request of its own, unless the registry is known to take several in one
        (``?tag=``). Most ignore them, which only the answer shows, so finding out is a step more;
        a client does so once, the second time that it puts several tags.

        Returns:
            The tags that stood on the index already.

        Raises:
            PublishError: some moved and some did not.
            ImmutableTagError: none moved; a tag is immutable.
            RegistryError, TransportError: none moved, for this reason.
        """
        for tag in plan.tags:
            if tag in plan.unchanged:
                self._emit(TagMoved(tag, changed=False))
        tags = [tag for tag in plan.tags if tag not in plan.unchanged]
        self._emit(StageStarted("tags", len(tags)))
        tags = await self._tag_at_once(plan, tags)
        failures = await self._move(plan, tags)
        failures = await self._move_late(plan, failures)
        failures = await self._move_one_by_one(plan, failures, len(tags))
        if failures:
            raise self._partial(plan, failures)
        return plan.unchanged | self._unchanged

    async def close(self) -> None:
        """Let what was sent come to its end, so that no upload session is left open."""
        await self._transfers.close()

    async def _tag_at_once(self, plan: Plan, tags: list[str]) -> list[str]:
        """Move tags by one request, where that may do, and return those that are left."""
        if len(tags) < 2:
            return tags
        done: frozenset[str] = frozenset()
        if self._registry.may_take_tags:
            # If it is refused, what stands in the way shows for each tag by itself.
            with contextlib.suppress(OciMergeError):
                done = await self._registry.put_tags(
                    self._target.repository, tags, plan.index.media_type, plan.index.content
                )
        self._registry.note_tags()
        for tag in tags:
            if tag in done:
                self._note_moved(tag, changed=True)
        return [tag for tag in tags if tag not in done]

    async def _move(self, plan: Plan, tags: Sequence[str]) -> _Failures:
        """Put the index under tags and return the errors of those that failed."""
        outcomes = await gather_settled(self._put_tag(plan, tag) for tag in tags)
        return {
            tag: outcome for tag, outcome in zip(tags, outcomes, strict=True) if outcome is not None
        }

    async def _move_late(self, plan: Plan, failures: _Failures) -> _Failures:
        """Try again where the registry misses children: bring them, or let it find them."""
        if not failures or not all(map(misses_content, failures.values())):
            return failures
        if not plan.expected.children and not plan.transfers.children:
            return failures
        if plan.expected.children:
            # It does not have what the present index lists, or not with all its blobs.
            await self._transfers.run(plan.expected)
        if plan.transfers.children:
            await asyncio.sleep(self._registry.timings.settling)
        return await self._move(plan, list(failures))

    async def _move_one_by_one(self, plan: Plan, failures: _Failures, tried: int) -> _Failures:
        """Try again, one tag after the other, where putting them at once may be what failed."""
        clashed = [tag for tag, failure in failures.items() if _is_clash(failure)]
        if tried < 2:
            return failures
        for tag in clashed:
            failures = {name: error for name, error in failures.items() if name != tag}
            failures |= await self._move(plan, [tag])
        return failures

    async def _put_tag(self, plan: Plan, tag: str) -> None:
        changed = await put_manifest(
            self._registry, self._target.with_tag(tag), plan.index.media_type, plan.index.content
        )
        if not changed:
            self._unchanged.add(tag)
        self._note_moved(tag, changed=changed)

    def _note_moved(self, tag: str, *, changed: bool) -> None:
        self._emit(StageAdvanced("tags", tag))
        self._emit(TagMoved(tag, changed=changed))

    def _partial(self, plan: Plan, failures: _Failures) -> OciMergeError:
        """Return the error of a step in which some tags failed."""
        moved = [tag for tag in plan.tags if tag not in failures]
        first = next(iter(failures.values()))
        if not moved:
            return first
        name = self._target.name
        stand = "stands" if len(moved) == 1 else "stand"
        return PublishError(
            f"{listed(moved)} of {name} {stand} on the new index, "
            f"but {listed(list(failures))} could not be moved: {first.message}",
            moved=moved,
            failed=list(failures),
            hint=f"{first.hint + '; ' if first.hint else ''}"
            "run the same command again to move the rest",
        )


def _is_clash(failure: OciMergeError) -> bool:
    return isinstance(failure, RegistryError) and _CLASH in failure.codes
