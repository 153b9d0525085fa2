"""The blobs of one repository: whether they are there, reading them in pieces, uploading them.

OCI distribution spec 1.1, "Pulling blobs" and "Pushing blobs". Mounts are in ``registry``.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from oci_merge.errors import RegistryError, TransportError
from oci_merge.http.message import Request, Response
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.types import Upload, chunk_length, located

_BYTES = {"Content-Type": "application/octet-stream"}
_RANGE = re.compile(r"(?:bytes[ =])?0-(\d{1,18})")


class BlobClient:
    """The blobs of a repository.

    Args:
        registry: its registry.
        repository: its name there.
        may_leave: whether uploads may go to another host, if the registry says so. They go there
            without credentials.
    """

    def __init__(
        self, registry: RegistryClient, repository: str, *, may_leave: bool = False
    ) -> None:
        self._registry = registry
        self._may_leave = may_leave
        self._repository = repository

    @property
    def name(self) -> str:
        """The repository with its registry."""
        return f"{self._registry.name}/{self._repository}"

    async def has(self, digest: str) -> bool:
        """Say whether a blob is there ("Checking if content exists").

        It asks with the rights of a writer, so that a token is renewed by it rather than by the
        upload that follows.

        Raises:
            ServerError, RateLimitedError: the registry failed; any other refusal is a no.
            TransportError: it did not answer.
        """
        try:
            response = await self._write(Request("HEAD", self._path(digest)), "look for", digest)
        except RegistryError as error:
            if error.status >= 500 or error.status == 429:
                raise
            return False
        return response.status == 200

    async def read(
        self, digest: str, write_to: Callable[[AsyncIterator[bytes]], Awaitable[None]]
    ) -> None:
        """Read a blob in pieces, from where it is redirected to.

        Args:
            digest: the blob.
            write_to: takes the pieces, unchecked; it is not called where the registry refuses.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer, or broke off.
        """
        request = Request("GET", self._path(digest), write_to=write_to)
        subject = f"{digest} from {self.name}"
        await self._registry.exchange(request, "read", subject, reads=self._repository)

    async def start(self, digest: str) -> Upload:
        """Open an upload session.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer, or named an address that nothing may be sent to.
        """
        request = Request("POST", f"/v2/{self._repository}/blobs/uploads/")
        return self._upload(await self._write(request, "upload", digest))

    async def put(
        self, upload: Upload, digest: str, size: int, pieces: Callable[[], AsyncIterator[bytes]]
    ) -> None:
        """Send a blob whole, in pieces but as one body, and close its session.

        Args:
            upload: the session.
            digest: the blob.
            size: how many bytes it has.
            pieces: makes them; where it raises, the body is broken off and the blob not kept.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        headers = _BYTES | {"Content-Length": str(size)}
        request = Request("PUT", self._end(upload, digest), headers=headers, body_stream=pieces)
        await self._write(request, "upload", digest)

    async def append(self, upload: Upload, digest: str, offset: int, chunk: bytes) -> Upload:
        """Send a chunk.

        Raises:
            RegistryError: the registry refused; with status 416 it has more bytes, or fewer.
            TransportError: it did not answer.
        """
        headers = _BYTES | {"Content-Range": f"{offset}-{offset + len(chunk) - 1}"}
        url = self._at(upload)
        request = Request("PATCH", url, headers=headers, content=chunk)
        return self._upload(await self._write(request, "upload", digest), upload)

    async def ask(self, upload: Upload, digest: str) -> Upload:
        """Ask how far an upload is, and where it goes on.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        request = Request("GET", self._at(upload))
        return self._upload(await self._write(request, "upload", digest), upload)

    async def finish(self, upload: Upload, digest: str) -> None:
        """Close a session whose chunks have all arrived.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        # Where only the answer got lost, a second request would find no session.
        request = Request("PUT", self._end(upload, digest), headers=_BYTES, repeatable=False)
        await self._write(request, "upload", digest)

    async def cancel(self, upload: Upload) -> None:
        """Give a session up.

        Raises:
            TransportError: the registry did not answer.
        """
        await self._registry.cancel_upload(self._repository, upload.url)

    def _path(self, digest: str) -> str:
        return f"/v2/{self._repository}/blobs/{digest}"

    def _at(self, upload: Upload) -> str:
        return self._registry.upload_url(upload.url, may_leave=self._may_leave)

    def _end(self, upload: Upload, digest: str) -> str:
        """Append to the URL as text: what is in it is the registry's business."""
        url = self._at(upload)
        return f"{url}{'&' if '?' in url else '?'}digest={quote(digest, safe='')}"

    async def _write(self, request: Request, action: str, digest: str) -> Response:
        subject = f"{digest} {'in' if action == 'look for' else 'to'} {self.name}"
        return await self._registry.exchange(request, action, subject, writes=self._repository)

    def _upload(self, response: Response, before: Upload | None = None) -> Upload:
        location = located(response.url, response.headers.get("location"))
        if not location and before is None:
            raise TransportError(
                f"{self._registry.name} opened an upload to {self.name} without saying where",
                hint="the registry, or a proxy before it, is misconfigured",
            )
        match = _RANGE.fullmatch(response.headers.get("range", ""))
        return Upload(
            location or (before.url if before else ""),
            chunk_length(response.headers.get("oci-chunk-min-length"))
            or (before.least_chunk if before else 0),
            int(match[1]) + 1 if match else None,
        )
