"""Copies blobs from one repository to another, where they cannot be mounted.

A blob is downloaded and uploaded at the same time, with a few pieces of it in memory and nothing on
disk. The last piece is sent only once digest and size are known to be right, so the registry never
stores a blob that was altered on its way.

OCI distribution spec 1.1, "Pulling blobs", "Pushing a blob in chunks" and "POST then PUT".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from oci_merge._concurrency import gather_two
from oci_merge.errors import OciMergeError, RegistryError, ServerError, TransportError
from oci_merge.events import BlobCopied, CopyAdvanced, CopyStarted, OnEvent
from oci_merge.http.timings import Timings
from oci_merge.model.digest import Verifier
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.types import Upload

#: How many blobs are copied at once: as many as docker pulls at once.
_MAX_COPIES = 3
#: How many pieces wait between download and upload. A piece is what one read of a socket returns.
_QUEUE_LENGTH = 8
#: Bytes in a chunk. It is held in memory, so that a part that got lost can be sent again.
_CHUNK_SIZE = 8 * 1024 * 1024
#: Largest chunk in bytes, whatever ``OCI-Chunk-Min-Length`` says, since chunks are held in memory.
_MAX_CHUNK_SIZE = 64 * 1024 * 1024
#: Statuses that refuse one whole body but may accept chunks: a redirect, a proxy's limit on the
#: size of bodies, or a proxy that does not pass a length on.
_WANT_CHUNKS = frozenset({307, 308, 411, 413})
#: The chunk does not follow on what the registry has (416).
_RANGE_NOT_SATISFIABLE = 416
#: How often sending a chunk may fail in a row.
_MAX_FAILURES = 3
#: How many parts of a chunk may be kept in turn: byte by byte, it would never end.
_MAX_PARTS = 64


class Copier:
    """Copies blobs into one repository.

    Args:
        target: the client for the blobs of that repository.
        emit: called with progress events.
        timings: how long to wait for what.
    """

    def __init__(self, target: BlobClient, emit: OnEvent, timings: Timings) -> None:
        self._target = target
        self._emit = emit
        self._timings = timings
        self._slots = asyncio.Semaphore(_MAX_COPIES)

    async def copy(
        self, digest: str, size: int, source: BlobClient, upload: Upload | None = None
    ) -> None:
        """Copy a blob, unless the repository has it already.

        Args:
            digest: the blob's digest.
            size: its size in bytes.
            source: the client for the blobs of the repository that has it.
            upload: an upload session that the registry has opened for it already, if any. It is
                used, or cancelled where it is not needed.

        Raises:
            DigestMismatchError: the source sent other content; nothing was stored.
            RegistryError: one of the registries refused.
            TransportError: one of the registries did not answer.
        """
        copy = _Copy(self._target, source, digest, size, self._emit, upload, self._timings)
        try:
            async with self._slots:
                if await self._target.exists(digest):
                    await copy.cancel_upload()
                    return
                await copy.run()
        # Also when the run is cancelled: an upload that nobody finishes stays open for days.
        except BaseException:
            await copy.cancel_upload()
            raise
        self._emit(BlobCopied(digest, size, source.name))


@dataclass(slots=True)
class _Copy:
    """The copy of one blob.

    Attributes:
        target: the client for the blobs of the repository that it goes to.
        source: the client for the blobs of the repository that it comes from.
        digest: the blob's digest.
        size: its size in bytes.
        emit: called with progress events.
        upload: the upload session that is open now, as the registry's last answer describes it;
            None when no session is open.
        timings: how long to wait for what.
    """

    target: BlobClient
    source: BlobClient
    digest: str
    size: int
    emit: OnEvent
    upload: Upload | None
    timings: Timings

    async def run(self) -> None:
        """Send the blob as one body, or in chunks where that fails or the registry wants chunks.

        Raises:
            DigestMismatchError, RegistryError, TransportError: as ``Copier.copy`` does.
        """
        upload = await self._session()
        # One body with a length is what every registry accepts, so it is tried first. A registry
        # that names a least chunk length asks for chunks.
        if not upload.least_chunk:
            try:
                return await self._send(self._put_whole)
            except (RegistryError, TransportError) as error:
                if not _may_send_chunks(error):
                    raise
        await self._send(self._put_chunks)

    async def cancel_upload(self) -> None:
        """Cancel the upload session, if one is open ("Cancelling a blob upload").

        A failure is ignored: the registry closes the session itself in time.
        """
        if self.upload is not None:
            with contextlib.suppress(OciMergeError, TimeoutError):
                async with asyncio.timeout(self.timings.closing):
                    await self.target.cancel(self.upload)
        # Only now: if the run is cancelled while the line above waits, the caller tries once more.
        self.upload = None

    async def _session(self) -> Upload:
        """Return the open upload session; open one if there is none."""
        if self.upload is None:
            self.upload = await self.target.start(self.digest)
        return self.upload

    async def _send(self, put: Callable[[Upload, _Pipe], Coroutine[Any, Any, None]]) -> None:
        """Download the blob and upload it with ``put``, side by side.

        A session that failed is cancelled, so that the next attempt starts with a new one.
        """
        pipe = _Pipe(self.digest, self.size, self.source.name, self.emit)
        upload = await self._session()
        self.emit(CopyStarted(self.digest, self.size, self.source.name))
        try:
            await gather_two(self.source.read(self.digest, pipe.fill), put(upload, pipe))
        except (RegistryError, TransportError):
            await self.cancel_upload()
            raise
        self.upload = None  # the registry has closed it

    async def _put_whole(self, upload: Upload, pipe: _Pipe) -> None:
        await self._finish(self.target.put(upload, self.digest, self.size, pipe.pieces))

    async def _put_chunks(self, upload: Upload, pipe: _Pipe) -> None:
        length = min(max(_CHUNK_SIZE, upload.least_chunk), _MAX_CHUNK_SIZE)
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
        await self._finish(self.target.finish(await self._session(), self.digest))

    async def _finish(self, request: Coroutine[Any, Any, None]) -> None:
        """Send the request that ends the upload, and tolerate that its answer is lost.

        Raises:
            ServerError, TransportError: it failed, and the repository does not have the blob.
        """
        try:
            await request
        # The registry may have stored the blob before the answer got lost.
        except (ServerError, TransportError):
            if not await self._is_there():
                raise

    async def _is_there(self) -> bool:
        with contextlib.suppress(RegistryError, TransportError):
            return await self.target.exists(self.digest)
        return False

    async def _append(self, offset: int, chunk: bytes) -> None:
        """Send a chunk; where only a part of it arrives, send the rest.

        Raises:
            RegistryError, TransportError: it failed four times in a row, or for good.
        """
        failures = parts = 0
        while chunk:
            try:
                self.upload = await self.target.append(
                    await self._session(), self.digest, offset, chunk
                )
                # A 202 may say by its Range that the registry has kept only a part of the chunk.
                arrived = self.upload.arrived
                if arrived is None or not offset < arrived < offset + len(chunk):
                    return
            except (RegistryError, TransportError) as error:
                failures += 1
                if failures > _MAX_FAILURES or not _may_resume(error):
                    raise
                # Twice as long after the second failure in a row, and so on.
                await asyncio.sleep(self.timings.chunk_retry * failures)
                arrived = await self._ask_arrived(offset)
                # Outside this chunk nothing can be sent again: earlier chunks are not kept.
                if not offset <= arrived <= offset + len(chunk):
                    raise
            parts += 1
            if parts > _MAX_PARTS:
                raise TransportError(
                    f"{self.target.name} keeps too little of what is uploaded for {self.digest}",
                    hint="the registry, or a proxy before it, breaks uploads off",
                )
            chunk = chunk[arrived - offset :]
            offset = arrived

    async def _ask_arrived(self, offset: int) -> int:
        """Ask the registry how many bytes of the blob it has; ``offset`` where it does not say."""
        self.upload = await self.target.ask(await self._session(), self.digest)
        arrived = self.upload.arrived
        # ``Range: 0-0`` should mean one byte, but registries send it for none as well.
        return offset if arrived is None or arrived == 1 else arrived


class _Pipe:
    """Hands the pieces of a blob from the download to the upload, and verifies them.

    Args:
        digest: the blob's digest.
        size: its size in bytes.
        source: names the repository that it comes from, for errors.
        emit: called with ``CopyAdvanced`` for each piece that is sent.
    """

    def __init__(self, digest: str, size: int, source: str, emit: OnEvent) -> None:
        self._digest = digest
        self._verifier = Verifier(digest, size, what=f"a blob of {source}")
        self._emit = emit
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE_LENGTH)
        self._is_used = False

    async def fill(self, pieces: AsyncIterator[bytes]) -> None:
        """Put the downloaded pieces into the queue; waits while the upload is behind."""
        async for piece in pieces:
            if piece:
                await self._queue.put(piece)
        await self._queue.put(b"")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the pieces for the upload; the last one only if the blob is right.

        Raises:
            DigestMismatchError: digest or size differ.
            TransportError: this was called before; the pieces are gone.
        """
        if self._is_used:
            raise TransportError(
                f"{self._digest} has to be uploaded again, but was downloaded only once",
                hint="run the same command again",
            )
        self._is_used = True
        # One piece is always held back: as long as it is missing, the registry stores nothing.
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


def _may_send_chunks(error: RegistryError | TransportError) -> bool:
    """Say whether chunks may succeed where one whole body failed."""
    is_limit = isinstance(error, RegistryError) and error.status in _WANT_CHUNKS
    return is_limit or isinstance(error, TransportError | ServerError)


def _may_resume(error: RegistryError | TransportError) -> bool:
    """Say whether a chunk that failed may be sent again; 4xx refusals stay."""
    if isinstance(error, RegistryError):
        return error.status == _RANGE_NOT_SATISFIABLE or error.status >= 500
    return True
