"""Transfers blobs and children into the target's repository: mounts blobs, or else copies them.

OCI distribution spec 1.1, "Mounting a blob from another repository" and "Pushing manifests".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from oci_merge._concurrency import gather
from oci_merge._text import listed
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    MountRefusedError,
    NotFoundError,
    OciMergeError,
    RegistryError,
)
from oci_merge.events import OnEvent, StageAdvanced, StageStarted
from oci_merge.http.response_errors import reason_of
from oci_merge.model.reference import Reference
from oci_merge.operations.copy_blob import Copier
from oci_merge.planning.transfers import Child, Copy, Mount, Transfers
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.hints import Refusal, registry_hint
from oci_merge.registry.types import RefusedMount, Upload
from oci_merge.registry.verified_put import add_hint, misses_content, put_manifest

#: A future for each blob, by digest: None once the target's repository has it, else why not.
#: How many repositories a message names.
_MOST_NAMES = 3
_Mounted = dict[str, asyncio.Future[RefusedMount | None]]


class _MountTask:
    """Mounts one blob in a task of its own: a mount that was sent is finished, whatever happens.

    A registry may answer a mount by opening an upload session, and only the answer names it. Were
    the request cut off when the run is cancelled, nobody could cancel that session. What follows a
    refused mount, such as a copy, runs in the caller's task and is cancelled with it.

    Args:
        mount: sends the mount; returns None, or why the blob was not mounted.
        discard: cancels the upload session of a refused mount whose caller was cancelled.
    """

    def __init__(
        self,
        mount: Coroutine[Any, Any, RefusedMount | None],
        discard: Callable[[RefusedMount], Coroutine[Any, Any, object]],
    ) -> None:
        self._mount = asyncio.ensure_future(mount)
        self._discard = discard
        #: What ``TransferRunner.close`` waits for.
        self.task: asyncio.Task[Any] = self._mount

    async def answer(self) -> RefusedMount | None:
        """Wait for the answer and return it.

        Raises:
            RegistryError, TransportError: the mount failed.
        """
        try:
            # Unlike ``await task``, this does not cancel the task when the caller is cancelled.
            await asyncio.wait([self._mount])
        except asyncio.CancelledError:
            # Also if the mount has ended: its answer may have come in the same turn of the event
            # loop as the cancellation, and nobody else knows the upload session then.
            self.task = asyncio.ensure_future(self._finish())
            raise
        return self._mount.result()

    async def _finish(self) -> None:
        with contextlib.suppress(OciMergeError):
            refusal = await self._mount
            if refusal is not None:
                await self._discard(refusal)


class TransferRunner:
    """Transfers the blobs and children that the target's repository lacks.

    Args:
        registries: the registries of the target and of the images, by ``host[:port]``.
        target: the target; only its repository is written to.
        emit: called with progress events.
        copy_layers: copy blobs of any size that the registry does not mount. Without it, only
            configs and statements of attestations are copied.
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
        self._mount_tasks: list[_MountTask] = []

    async def run(self, transfers: Transfers) -> None:
        """Mount or copy the blobs, and push each child as soon as its own blobs are there.

        Raises:
            MountRefusedError: the registry refused to mount some blobs and they were not copied;
                the upload sessions that it opened instead are cancelled. Children whose blobs are
                all there are pushed nevertheless.
            DigestMismatchError: a blob that was copied does not match its digest.
            RegistryError, TransportError: a request failed.
        """
        self._emit(StageStarted("mounts", len(transfers.mounts)))
        self._emit(StageStarted("children", len(transfers.children)))
        future = asyncio.get_running_loop().create_future
        digests = [blob.digest for blob in transfers.mounts]
        digests += [blob.digest for blob in transfers.copies]
        mounted: _Mounted = {digest: future() for digest in digests}
        # All start together. A child waits for the futures of its own blobs, and for nothing else.
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
        """Wait for mounts that were sent when the run was cancelled, so that no upload stays open.

        Mounts that take longer than two seconds are cancelled.
        """
        tasks = [mount.task for mount in self._mount_tasks if not mount.task.done()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._registry.timings.closing)
        for task in late:
            task.cancel()

    async def _mount(self, mount: Mount, mounted: _Mounted) -> None:
        task = _MountTask(self._try_mount(mount), self._cancel_upload)
        self._mount_tasks.append(task)
        refusal = await task.answer()
        # No ``await`` may stand between the answer and the copy: from there on the copy cancels
        # the upload session when it is cancelled itself.
        if refusal is not None and self._may_copy(mount):
            refusal = await self._copy_instead(mount, refusal)
        # An image does without a foreign layer: its clients fetch that from its URLs.
        elif mount.is_foreign or (refusal is not None and await self._blobs.exists(mount.digest)):
            refusal = None  # or it is there, from an earlier copy or push
        mounted[mount.digest].set_result(refusal)
        self._emit(StageAdvanced("mounts", mount.digest))

    async def _try_mount(self, mount: Mount) -> RefusedMount | None:
        """Mount a blob; where it is refused, keep the upload session only for a copy."""
        refusal = await self._blobs.mount(mount.digest, mount.source)
        if refusal is None or self._may_copy(mount):
            return refusal
        return await self._cancel_upload(refusal)

    async def _cancel_upload(self, refusal: RefusedMount) -> RefusedMount:
        """Cancel the upload session that the registry opened instead of mounting, if any."""
        if refusal.upload:
            with contextlib.suppress(OciMergeError):
                await self._blobs.cancel(Upload(refusal.upload))
        return replace(refusal, upload="")

    async def _copy_instead(self, mount: Mount, refusal: RefusedMount) -> RefusedMount | None:
        """Copy a blob whose mount was refused.

        Returns:
            None; or the refusal, if the copy failed and the user did not ask for copies: the
            refused mount is then what the user has to hear of.
        """
        upload = Upload(refusal.upload, refusal.least_chunk) if refusal.upload else None
        source = BlobClient(self._registry, mount.source)
        try:
            await self._copier.copy(mount.digest, mount.size, source, upload)
        except OciMergeError as error:
            if mount.is_foreign and isinstance(error, NotFoundError):
                return None
            if not self._copy_layers:
                return _not_copied_either(refusal, error)
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
            if copy.is_foreign and isinstance(error, NotFoundError) and error.method == "GET":
                mounted[copy.digest].set_result(None)
                return
            # GETs went to the source's registry, for which the target's hints are wrong.
            if error.method != "GET":
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
            # Some registries, such as Nexus, see a blob only a moment after they mounted it.
            await asyncio.sleep(self._registry.timings.settling)
            await self._put(child)
        self._emit(StageAdvanced("children", child.manifest.digest))

    async def _put(self, child: Child) -> None:
        manifest = child.manifest
        at = Reference(self._registry.name, self._repository, digest=manifest.digest)
        await put_manifest(self._registry, at, manifest.media_type, manifest.content)

    def _refused(self, refused: dict[Mount, RefusedMount]) -> MountRefusedError:
        sources = list(dict.fromkeys(mount.source for mount in refused))
        first = next(iter(refused.values()))
        denied = next((each for each in refused.values() if each.may_not_push), None)
        hint = registry_hint(
            Refusal(self._registry.name, self._repository, first.status, first.codes, first.reason)
        )
        where = f"{self._registry.name}/{self._repository}"
        blobs = f"{len(refused)} blob{'s' if len(refused) > 1 else ''} of {_named(sources)}"
        mount = f"mount {blobs} into {self._repository}"
        if denied is not None:
            sentence = f"does not allow {denied.user} to push to {where}"
        elif first.status in (401, 403):
            sentence = f"does not allow {first.user} to {mount}"
        else:
            sentence = f"did not {mount}"
        refusal = denied or first
        return MountRefusedError(
            f"{self._registry.name} {sentence}: {refusal.said or refusal.reason}",
            digests=[mount.digest for mount in refused],
            hint=refusal.login_hint or hint or _hint(refusal, self._repository, _named(sources)),
        )


def _not_copied_either(refusal: RefusedMount, error: OciMergeError) -> RefusedMount:
    """Return the refusal of a mount whose blob could not be copied either.

    A user that may read the blob and may not upload it may not push at all.
    """
    if isinstance(error, AccessDeniedError | AuthenticationError) and error.method != "GET":
        said = reason_of(error.details) or f"it answered {error.status}"
        login_hint = error.hint if error.is_about_login else refusal.login_hint
        return replace(
            refusal, said=said, user=error.user, login_hint=login_hint, may_not_push=True
        )
    if isinstance(error, RegistryError) and reason_of(error.details) == refusal.said != "":
        return replace(refusal, hint=error.hint)
    said = f"{refusal.said or refusal.reason}; it could not be copied either: {error.message}"
    return replace(refusal, said=said)


def _named(sources: list[str]) -> str:
    """Return the names of repositories, or of the first and how many more."""
    more = len(sources) - _MOST_NAMES
    return listed(sources[:_MOST_NAMES] + ([f"{more} more"] if more > 0 else []))


def _hint(refusal: RefusedMount, repository: str, sources: str) -> str:
    """Return what to do about a refused mount, where no hint of its registry applies."""
    if refusal.hint:
        return refusal.hint
    if refusal.may_not_push:
        return f"use credentials that may push to {repository} and pull from {sources}"
    copy = "copy the blobs with --copy-layers (copy_layers=True in Python)"
    if refusal.status in (401, 403):
        return f"use credentials that may push to {repository} and pull from {sources}, or {copy}"
    return f"{copy}, or push the images into the target's own repository"
