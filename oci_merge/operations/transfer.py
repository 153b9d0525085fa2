"""Bringing blobs and children into the target's repository, by mounts or else by copies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oci_merge._concurrency import gather
from oci_merge._text import listed
from oci_merge.errors import MountRefusedError, OciMergeError, RegistryError
from oci_merge.events import OnEvent, StageAdvanced, StageStarted
from oci_merge.model.reference import Reference
from oci_merge.operations.copy_blob import Copier
from oci_merge.planning.transfers import Child, Copy, Mount, Transfers
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.hints import Refusal, registry_hint
from oci_merge.registry.types import RefusedMount, Upload
from oci_merge.registry.verified_put import add_hint, misses_content, put_manifest

_Mounted = dict[str, asyncio.Future[RefusedMount | None]]


class TransferRunner:
    """Carries what the target's repository lacks into it.

    Args:
        registries: the target's registry and those of the images, by name.
        target: the target.
        emit: told of progress.
        copy_layers: copy what the registry does not mount, of any size.
    """

    def __init__(
        self,
        registries: Mapping[str, RegistryClient],
        target: Reference,
        emit: OnEvent,
        *,
        copy_layers: bool,
    ) -> None:
        self._registries = registries
        self._registry = registries[target.registry]
        self._repository = target.repository
        self._emit = emit
        self._copy_layers = copy_layers
        self._blobs = BlobClient(self._registry, target.repository, may_leave=copy_layers)
        self._copier = Copier(self._blobs, emit, self._registry.timings)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._copying: set[asyncio.Task[Any]] = set()
        self._is_broken_off = False

    async def run(self, transfers: Transfers) -> None:
        """Mount or copy the blobs, and put each child as soon as its own blobs stand.

        Raises:
            MountRefusedError: the registry would not mount some; uploads that it opened instead
                are cancelled. Children whose blobs all stand are put all the same.
            DigestMismatchError: a registry sent another blob than was asked for.
            RegistryError, TransportError: a request failed.
        """
        self._emit(StageStarted("mounts", len(transfers.mounts)))
        self._emit(StageStarted("children", len(transfers.children)))
        future = asyncio.get_running_loop().create_future
        digests = [blob.digest for blob in transfers.mounts]
        digests += [blob.digest for blob in transfers.copies]
        mounted: _Mounted = {digest: future() for digest in digests}
        await gather(
            [
                *(self._mount(mount, mounted) for mount in transfers.mounts),
                *(self._copy(copy, mounted) for copy in transfers.copies),
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

    async def close(self) -> None:
        """Let what was sent come to its end, so that no upload session is left open."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=self._registry.timings.closing)
        for task in late:
            task.cancel()

    async def _mount(self, mount: Mount, mounted: _Mounted) -> None:
        """Mount a blob in a task of its own: a mount that was sent comes to its end."""
        task = asyncio.ensure_future(self._mount_or_copy(mount))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        try:
            refusal = await asyncio.shield(task)
        except asyncio.CancelledError:
            self._is_broken_off = True
            if task in self._copying:
                task.cancel()
            raise
        mounted[mount.digest].set_result(refusal)
        self._emit(StageAdvanced("mounts", mount.digest))

    async def _mount_or_copy(self, mount: Mount) -> RefusedMount | None:
        """Mount a blob, or else copy it, if it may be; return why it is lacking, if it is."""
        refusal = await self._registry.mount_blob(self._repository, mount.digest, mount.source)
        if refusal is None:
            return None
        if self._may_copy(mount) and not self._is_broken_off:
            if (task := asyncio.current_task()) is not None:
                self._copying.add(task)
            return await self._copied_instead(mount, refusal)
        if refusal.upload:
            with contextlib.suppress(OciMergeError):
                await self._registry.cancel_upload(self._repository, refusal.upload)
        if self._is_broken_off or not await self._blobs.has(mount.digest):
            return refusal
        return None

    async def _copied_instead(self, mount: Mount, refusal: RefusedMount) -> RefusedMount | None:
        """Copy a blob; without leave to copy layers, a failure leaves the refusal as it was."""
        upload = Upload(refusal.upload, refusal.least_chunk) if refusal.upload else None
        source = BlobClient(self._registry, mount.source)
        try:
            await self._copier.copy(mount.digest, mount.size, source, upload)
        except OciMergeError as error:
            if not self._copy_layers:
                reason = f"{refusal.reason}; it could not be copied either: {error.message}"
                return replace(refusal, reason=reason)
            if isinstance(error, RegistryError) and error.method != "GET":
                add_hint(error, self._registry.name, self._repository)
            raise
        return None

    def _may_copy(self, mount: Mount) -> bool:
        return self._copy_layers or mount.is_document

    async def _copy(self, copy: Copy, mounted: _Mounted) -> None:
        source = BlobClient(self._registries[copy.registry], copy.source)
        try:
            await self._copier.copy(copy.digest, copy.size, source)
        except RegistryError as error:
            if error.method != "GET":  # those are of the source, whose remedies are others
                add_hint(error, self._registry.name, self._repository)
            raise
        mounted[copy.digest].set_result(None)

    async def _put_child(self, child: Child, mounted: _Mounted) -> None:
        outcomes = [await mounted[digest] for digest in child.blobs]
        if any(outcome is not None for outcome in outcomes):
            return
        try:
            await self._put(child)
        except RegistryError as error:
            if not child.blobs or not misses_content(error):
                raise
            # Some registries see a blob a moment later than they mount it.
            await asyncio.sleep(self._registry.timings.settling)
            await self._put(child)
        self._emit(StageAdvanced("children", child.manifest.digest))

    async def _put(self, child: Child) -> None:
        manifest = child.manifest
        at = Reference(self._registry.name, self._repository, digest=manifest.digest)
        await put_manifest(self._registry, at, manifest.media_type, manifest.content)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        self._copying.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even if nobody awaits it any more

    def _refused(self, refused: dict[Mount, RefusedMount]) -> MountRefusedError:
        sources = dict.fromkeys(mount.source for mount in refused)
        blobs = [
            f"{listed([mount.digest for mount in refused if mount.source == source])} from {source}"
            for source in sources
        ]
        first = next(iter(refused.values()))
        found = registry_hint(
            Refusal(self._registry.name, self._repository, first.status, first.codes, first.reason)
        )
        return MountRefusedError(
            f"{self._registry.name} would not mount {listed(blobs)} "
            f"into {self._repository}: {first.reason}",
            digests=[mount.digest for mount in refused],
            hint=found or self._hint(first, list(sources)),
        )

    def _hint(self, refusal: RefusedMount, sources: list[str]) -> str:
        """Return what to do about a refused mount where its registry has no advice of its own."""
        copy = "copy them with --copy-layers (copy_layers=True in Python)"
        push = "push the images into the target's own repository"
        if refusal.status in (401, 403):
            return (
                f"use credentials that may push to {self._repository} and pull from "
                f"{listed(sources)}; if they may push, {copy}, or {push}"
            )
        return (
            f"{copy}, {push}, or use credentials that may pull from theirs; some registries "
            "mount nothing, or only where that is enabled"
        )
