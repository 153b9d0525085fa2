"""Uploads small blobs that are made here, such as signatures, into one repository.

OCI distribution spec 1.1, "Pushing blobs", "POST then PUT".
"""

from __future__ import annotations

import asyncio
import contextlib

from oci_merge._concurrency import gather, gather_settled
from oci_merge.errors import OciMergeError, RegistryError, TransportError
from oci_merge.http.retry import may_pass
from oci_merge.http.timings import Timings
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.types import Upload
from oci_merge.trust.formats import StoredBlob

#: How often an upload is begun anew that broke off.
_ATTEMPTS = 3


class Uploads:
    """Uploads blobs, each once.

    An upload takes two requests, and the first one names no content. So it can be sent while that
    is not known yet, which saves a step; what is not needed is cancelled by ``close``.

    Args:
        blobs: the repository.
        timings: how long to wait for what.
    """

    def __init__(self, blobs: BlobClient, timings: Timings) -> None:
        self._blobs = blobs
        self._timings = timings
        self._sessions: list[asyncio.Task[Upload | OciMergeError]] = []
        self._uploads: dict[str, asyncio.Task[None]] = {}

    def open_ahead(self, count: int) -> None:
        """Open upload sessions for so many blobs, without waiting for them."""
        self._sessions += [self._opening() for _ in range(count)]

    async def put(self, blob: StoredBlob) -> None:
        """Upload a blob, unless that has been done in this run.

        Args:
            blob: the blob.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        if blob.digest not in self._uploads:
            self._uploads[blob.digest] = asyncio.ensure_future(self._upload(blob))
        task = self._uploads[blob.digest]
        # Not ``await task``: that would cancel the upload for others who wait for it, too.
        await asyncio.wait([task])
        task.result()

    async def close(self) -> None:
        """End what is under way, and cancel the sessions that were not used."""
        for task in self._uploads.values():
            task.cancel()
        await asyncio.gather(*self._uploads.values(), return_exceptions=True)
        sessions, self._sessions = self._sessions, []
        if sessions:
            # A session that was asked for is waited for: unknown, it would stay open for days.
            _, late = await asyncio.wait(sessions, timeout=self._timings.closing)
            for slow in late:
                slow.cancel()
            opened = await asyncio.gather(*sessions, return_exceptions=True)
            await gather(self._cancel(each) for each in opened if isinstance(each, Upload))

    async def _started(self) -> Upload | OciMergeError:
        # The error is raised where the session is used, if it is.
        (opened,) = await gather_settled([self._blobs.start("a signature")])
        return opened

    async def _session(self) -> Upload:
        """Return a session that was opened ahead, or a new one."""
        session = self._sessions.pop(0) if self._sessions else self._opening()
        try:
            opened = await asyncio.shield(session)
        except asyncio.CancelledError:
            self._sessions.append(session)  # to be cancelled with the others
            raise
        if isinstance(opened, OciMergeError):
            raise opened
        return opened

    def _opening(self) -> asyncio.Task[Upload | OciMergeError]:
        return asyncio.ensure_future(self._started())

    async def _upload(self, blob: StoredBlob) -> None:
        for attempt in range(_ATTEMPTS):
            upload = await self._session()
            try:
                return await self._blobs.put_document(upload, blob.digest, blob.content)
            except (RegistryError, TransportError) as error:
                # The answer to a body that arrived may have got lost.
                if await self._is_kept(blob, upload):
                    return None
                if attempt == _ATTEMPTS - 1 or not _may_go_through(error):
                    raise
            except BaseException:
                await self._cancel(upload)
                raise
        return None

    async def _is_kept(self, blob: StoredBlob, upload: Upload) -> bool:
        """Say whether the registry has a blob although its upload failed, which is ended."""
        try:
            return await self._blobs.exists(blob.digest)
        except OciMergeError:
            return False  # what went wrong before says more
        finally:
            await self._cancel(upload)

    async def _cancel(self, upload: Upload) -> None:
        with contextlib.suppress(OciMergeError, TimeoutError):
            async with asyncio.timeout(self._timings.closing):
                await self._blobs.cancel(upload)


def _may_go_through(error: RegistryError | TransportError) -> bool:
    """Say whether an upload that is begun anew may go through."""
    has_lost_session = isinstance(error, RegistryError) and error.status in (404, 416)
    return has_lost_session or may_pass(error)
