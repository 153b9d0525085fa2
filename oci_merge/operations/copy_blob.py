"""Copying blobs from one repository to another, in pieces, where they cannot be mounted.

A blob is read and sent at the same time, a few pieces of it in memory. Its last piece is sent only
once its digest and its size have turned out right, so that no other blob is ever kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from oci_merge._concurrency import gather_two
from oci_merge.errors import OciMergeError, RegistryError, ServerError, TransportError
from oci_merge.events import BlobCopied, CopyAdvanced, CopyStarted, OnEvent
from oci_merge.http.timings import Timings
from oci_merge.model.digest import Verifier
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.types import Upload

#: As many blobs at once as docker pulls.
_AT_ONCE = 3
#: Pieces that wait between reading and sending; a piece is what one read of a socket gives.
_WAITING = 8
#: A chunk is held in memory, so that what got lost of it can be sent again.
_CHUNK = 8 * 1024 * 1024
#: Chunks are not made larger than this, whatever a registry wishes.
_LARGEST_CHUNK = 64 * 1024 * 1024
#: Refusals of a whole body that chunks may get round: a redirect, a limit on bodies, a length
#: that something in between does not pass on.
_WANT_CHUNKS = frozenset({307, 308, 411, 413})
_RANGE_REFUSED = 416
#: How often sending a chunk may fail in a row.
_MAX_FAILURES = 3


class Copier:
    """Copies blobs into one repository.

    Args:
        target: the blobs of that repository.
        emit: told of progress.
        timings: how long to wait for what.
    """

    def __init__(self, target: BlobClient, emit: OnEvent, timings: Timings | None = None) -> None:
        self._target = target
        self._emit = emit
        self._timings = timings or Timings()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def copy(
        self, digest: str, size: int, source: BlobClient, upload: Upload | None = None
    ) -> None:
        """Copy a blob, unless it is there.

        Args:
            digest: the blob.
            size: how many bytes it has.
            source: the blobs that it is one of.
            upload: a session that is open for it already; it is used or given up.

        Raises:
            DigestMismatchError: the source sent something else; nothing was kept.
            RegistryError: one side refused.
            TransportError: one side did not answer.
        """
        copy = _Copy(self._target, source, digest, size, self._emit, upload, self._timings)
        try:
            async with self._slots:
                if await self._target.has(digest):
                    await copy.give_up()
                    return
                await copy.run()
        except BaseException:
            await copy.give_up()
            raise
        self._emit(BlobCopied(digest, size, source.name))


class _Copy:
    """One blob on its way."""

    def __init__(
        self,
        target: BlobClient,
        source: BlobClient,
        digest: str,
        size: int,
        emit: OnEvent,
        upload: Upload | None,
        timings: Timings,
    ) -> None:
        self._timings = timings
        self._target = target
        self._source = source
        self._digest = digest
        self._size = size
        self._emit = emit
        self._upload = upload

    async def run(self) -> None:
        """Send the blob whole; or in chunks, where the registry wants it or the whole broke off."""
        upload = await self._session()
        if not upload.least_chunk:
            try:
                return await self._send(self._put_whole)
            except (RegistryError, TransportError) as error:
                if not _may_go_on(error):
                    raise
        await self._send(self._put_chunks)

    async def give_up(self) -> None:
        """Cancel the upload, if one is open; whatever comes of it.

        Where the run is broken off meanwhile, the upload is still known and can be given up again.
        """
        if self._upload is not None:
            with contextlib.suppress(OciMergeError, TimeoutError):
                async with asyncio.timeout(self._timings.closing):
                    await self._target.cancel(self._upload)
        self._upload = None

    async def _session(self) -> Upload:
        if self._upload is None:
            self._upload = await self._target.start(self._digest)
        return self._upload

    async def _send(self, put: Callable[[Upload, _Pipe], Coroutine[Any, Any, None]]) -> None:
        """Read the blob and send it, side by side; a session that fails is given up."""
        pipe = _Pipe(self._digest, self._size, self._source.name, self._emit)
        upload = await self._session()
        self._emit(CopyStarted(self._digest, self._size, self._source.name))
        try:
            await gather_two(self._source.read(self._digest, pipe.fill), put(upload, pipe))
        except (RegistryError, TransportError):
            await self.give_up()
            raise
        self._upload = None

    async def _put_whole(self, upload: Upload, pipe: _Pipe) -> None:
        await self._close(self._target.put(upload, self._digest, self._size, pipe.pieces))

    async def _put_chunks(self, upload: Upload, pipe: _Pipe) -> None:
        length = min(max(_CHUNK, upload.least_chunk), _LARGEST_CHUNK)
        chunk = bytearray()
        offset = 0
        async for piece in pipe.pieces():
            chunk += piece
            if len(chunk) >= length:
                await self._append(offset, bytes(chunk[:length]))
                offset += length
                del chunk[:length]
        if chunk:
            await self._append(offset, bytes(chunk))
        await self._close(self._target.finish(await self._session(), self._digest))

    async def _close(self, closing: Coroutine[Any, Any, None]) -> None:
        """Send what closes the upload; where no answer says that it did, look for the blob."""
        try:
            await closing
        except (ServerError, TransportError):
            if not await self._is_there():
                raise

    async def _is_there(self) -> bool:
        with contextlib.suppress(RegistryError, TransportError):
            return await self._target.has(self._digest)
        return False

    async def _append(self, offset: int, chunk: bytes) -> None:
        """Send a chunk, and again what of it did not arrive."""
        failures = 0
        while chunk:
            try:
                self._upload = await self._target.append(
                    await self._session(), self._digest, offset, chunk
                )
                arrived = self._upload.arrived
                if arrived is None or not offset < arrived < offset + len(chunk):
                    return
            except (RegistryError, TransportError) as error:
                failures += 1
                if failures > _MAX_FAILURES or not _may_resume(error):
                    raise
                await asyncio.sleep(self._timings.chunk_retry * failures)
                arrived = await self._arrived(offset)
                if not offset <= arrived <= offset + len(chunk):
                    raise
            chunk = chunk[arrived - offset :]
            offset = arrived

    async def _arrived(self, offset: int) -> int:
        """Ask how many bytes arrived; ``0-0`` may mean none as well as one."""
        self._upload = await self._target.ask(await self._session(), self._digest)
        arrived = self._upload.arrived
        return offset if arrived is None or arrived == 1 else arrived


class _Pipe:
    """Takes the pieces of a blob from who reads it to who sends it, and checks them.

    Args:
        digest: the blob.
        size: how many bytes it has.
        source: where it comes from, in words.
        emit: told of what was sent.
    """

    def __init__(self, digest: str, size: int, source: str, emit: OnEvent) -> None:
        self._digest = digest
        self._verifier = Verifier(digest, size, what=f"a blob of {source}")
        self._emit = emit
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        self._is_used = False

    async def fill(self, pieces: AsyncIterator[bytes]) -> None:
        """Take the pieces in, as fast as they are sent."""
        async for piece in pieces:
            if piece:
                await self._queue.put(piece)
        await self._queue.put(b"")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the pieces out, the last one only if all of them are right.

        Raises:
            DigestMismatchError: they are not.
            TransportError: they were given out before.
        """
        if self._is_used:
            raise TransportError(f"{self._digest} was to be sent again before it was read again")
        self._is_used = True
        held = b""
        while piece := await self._queue.get():
            self._verifier.add(piece)
            if held:
                yield self._counted(held)
            held = piece
        self._verifier.finish()
        if held:
            yield self._counted(held)

    def _counted(self, piece: bytes) -> bytes:
        self._emit(CopyAdvanced(self._digest, len(piece)))
        return piece


def _may_go_on(error: RegistryError | TransportError) -> bool:
    """Say whether it is worth sending again in chunks what could not be sent whole."""
    is_limit = isinstance(error, RegistryError) and error.status in _WANT_CHUNKS
    return is_limit or isinstance(error, TransportError | ServerError)


def _may_resume(error: RegistryError | TransportError) -> bool:
    if isinstance(error, RegistryError):
        return error.status == _RANGE_REFUSED or error.status >= 500
    return True
