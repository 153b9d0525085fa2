"""The writing half: blobs, then children, then tags, so that a failure leaves the tags alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from oci_merge.errors import (
    MountRefusedError,
    OciMergeError,
    PublishError,
    RegistryError,
)
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, TagMoved
from oci_merge.plan import Child, Mount, Plan, Transfers
from oci_merge.reference import Reference
from oci_merge.registry import RefusedMount, Registry
from oci_merge.text import listed
from oci_merge.together import gather, settle

#: How long requests under way may take to end after a run was broken off, in seconds.
_GRACE = 2.0
#: What registries say of an index whose children, or children whose blobs, they do not have.
_CHILD_UNKNOWN = frozenset({"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"})

_T = TypeVar("_T")


class Publisher:
    """Writes to one repository of a registry.

    Args:
        registry: the registry.
        target: the target; its repository is what is written to.
        emit: told of progress.
    """

    def __init__(self, registry: Registry, target: Reference, emit: OnEvent) -> None:
        self._registry = registry
        self._repository = target.repository
        self._target = target
        self._emit = emit
        self._under_way: set[asyncio.Task[Any]] = set()

    async def transfer(self, transfers: Transfers) -> None:
        """Mount the blobs, and put each child as soon as its own blobs stand.

        Raises:
            MountRefusedError: the registry would not mount some; uploads that it opened instead
                are cancelled. Children whose blobs all stand are put all the same.
            RegistryError, TransportError: a request failed.
        """
        self._emit(StageStarted("mounts", len(transfers.mounts)))
        self._emit(StageStarted("children", len(transfers.children)))
        mounted: dict[str, asyncio.Future[RefusedMount | None]] = {
            mount.digest: asyncio.get_running_loop().create_future() for mount in transfers.mounts
        }
        await gather(
            [
                *(self._mount(mount, mounted[mount.digest]) for mount in transfers.mounts),
                *(self._put_child(child, mounted) for child in transfers.children),
            ]
        )
        refused = {
            mount: outcome
            for mount in transfers.mounts
            if (outcome := mounted[mount.digest].result()) is not None
        }
        if refused:
            raise self._refused(refused)

    async def publish(self, plan: Plan) -> None:
        """Move the tags, in parallel; those that stand on the index already are left alone.

        Raises:
            PublishError: some moved and some did not.
            RegistryError, TransportError: none moved, for this reason.
        """
        for tag in plan.tags:
            if tag in plan.unchanged:
                self._emit(TagMoved(tag, changed=False))
        tags = [tag for tag in plan.tags if tag not in plan.unchanged]
        self._emit(StageStarted("tags", len(tags)))
        failures = await self._move(plan, tags)
        if failures and plan.assumed.children and _misses_children(failures.values()):
            # The present index lists children that the registry no longer has.
            await self.transfer(plan.assumed)
            failures = await self._move(plan, list(failures))
        if failures:
            raise self._partial(plan, failures)

    async def close(self) -> None:
        """Let what was sent come to its end, so that no upload session is left open."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=_GRACE)
        for task in late:
            task.cancel()

    async def _mount(self, mount: Mount, outcome: asyncio.Future[RefusedMount | None]) -> None:
        outcome.set_result(await self._finished(self._mount_or_cancel(mount)))
        self._emit(StageAdvanced("mounts", mount.digest))

    async def _mount_or_cancel(self, mount: Mount) -> RefusedMount | None:
        refusal = await self._registry.mount_blob(self._repository, mount.digest, mount.source)
        if refusal is not None and refusal.upload:
            with contextlib.suppress(OciMergeError):
                await self._registry.cancel_upload(self._repository, refusal.upload)
        return refusal

    async def _put_child(
        self, child: Child, mounted: dict[str, asyncio.Future[RefusedMount | None]]
    ) -> None:
        outcomes = [await mounted[digest] for digest in child.blobs]
        if any(outcome is not None for outcome in outcomes):
            return
        manifest = child.manifest
        await self._registry.put_manifest(
            self._repository, manifest.digest, manifest.media_type, manifest.content
        )
        self._emit(StageAdvanced("children", manifest.digest))

    async def _move(self, plan: Plan, tags: Sequence[str]) -> dict[str, OciMergeError]:
        """Put the index under tags and return the errors of those that failed."""
        outcomes = await settle(self._put_tag(plan, tag) for tag in tags)
        return {
            tag: outcome for tag, outcome in zip(tags, outcomes, strict=True) if outcome is not None
        }

    async def _put_tag(self, plan: Plan, tag: str) -> None:
        await self._registry.put_manifest(
            self._repository, tag, plan.index.media_type, plan.index.content
        )
        self._emit(StageAdvanced("tags", tag))
        self._emit(TagMoved(tag, changed=True))

    async def _finished(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await work that goes on for a moment even if the run is broken off."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even if nobody awaits it any more

    def _refused(self, refused: dict[Mount, RefusedMount]) -> MountRefusedError:
        sources = dict.fromkeys(mount.source for mount in refused)
        blobs = [
            f"{listed([mount.digest for mount in refused if mount.source == source])} from {source}"
            for source in sources
        ]
        reason = next(iter(refused.values())).reason
        return MountRefusedError(
            f"{self._registry.name} would not mount {listed(blobs)} "
            f"into {self._repository}: {reason}",
            digests=[mount.digest for mount in refused],
            hint="push the images into the target's own repository, or use credentials that may "
            "pull from theirs; some registries mount nothing, or only where that is enabled",
        )

    def _partial(self, plan: Plan, failures: dict[str, OciMergeError]) -> OciMergeError:
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


def _misses_children(failures: Iterable[OciMergeError]) -> bool:
    return all(
        isinstance(failure, RegistryError) and not _CHILD_UNKNOWN.isdisjoint(failure.codes)
        for failure in failures
    )
