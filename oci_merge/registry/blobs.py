"""The blobs of one repository (OCI distribution spec 1.1, "Pulling blobs" and "Pushing blobs")."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from oci_merge.auth.challenge import cancel_upload, pull, pull_push
from oci_merge.errors import ManifestError, RegistryError, TransportError
from oci_merge.http.message import Request, Response
from oci_merge.http.response_errors import reason_of
from oci_merge.http.retry import is_busy
from oci_merge.http.url_policy import check_upload_url
from oci_merge.model.digest import verify_digest
from oci_merge.model.manifest import MAX_DOCUMENT, Blob
from oci_merge.registry.client import Purpose, RegistryClient
from oci_merge.registry.types import RefusedMount, Upload, chunk_length, located

_BYTES = {"Content-Type": "application/octet-stream"}
_STORE_REFUSALS = frozenset({400, 403, 405})
_RANGE = re.compile(r"(?:bytes[ =])?0-(\d{1,18})")


class BlobClient:
    """The blobs of a repository.

    Args:
        registry: its registry, for one run.
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

    async def exists(self, digest: str, *, no_redirect: bool = False) -> bool:
        """Say whether a blob is there ("Checking if content exists").

        Args:
            digest: the blob.
            no_redirect: take the registry's own word alone, not its object store's.

        Raises:
            ServerError, RateLimitedError: the registry failed; any other refusal is a no.
            TransportError: it did not answer.
        """
        # It asks with the rights of a writer, so that a token that has ended is renewed here
        # rather than in the upload that follows, whose body could not be sent again.
        purpose = self._writing("look for", f"{digest} in {self.name}")
        request = Request("HEAD", self._path(digest), no_redirect=no_redirect)
        try:
            await self._registry.request(request, purpose, expect={200})
        except RegistryError as error:
            if is_busy(error.status):
                raise
            return False
        return True

    async def is_stored(self, digest: str) -> bool:
        """Say whether a blob is there, to a reader ("Checking if content exists").

        Args:
            digest: the blob.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        purpose = Purpose("look for", f"{digest} in {self.name}", (pull(self._repository),))
        request = Request("HEAD", self._path(digest))
        expect = {200, 404, *_STORE_REFUSALS}
        response = await self._registry.request(request, purpose, expect=expect)
        if response.status in _STORE_REFUSALS and not response.cross_origin:
            response = await self._registry.request(request, purpose, expect={200})
        # An object store may refuse a HEAD whose address was signed for GET. The registry has sent
        # us there, so it knows of the blob.
        return response.status != 404

    async def get_config(self, config: Blob, *, what: str) -> bytes:
        """Fetch an image's config; the registry may redirect to an object store.

        Args:
            config: its descriptor.
            what: names the image in errors.

        Raises:
            DigestMismatchError, ManifestError, RegistryError, TransportError: as ``get`` does.
        """
        return await self.get(config, what=f"the config of {what}")

    async def get(self, blob: Blob, *, what: str) -> bytes:
        """Fetch a document, such as a config; the registry may redirect to an object store.

        Args:
            blob: its descriptor.
            what: names it in errors.

        Raises:
            DigestMismatchError: the bytes are not those that the digest names.
            ManifestError: it is too large.
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        if blob.size > MAX_DOCUMENT:
            raise ManifestError(f"{what} has {blob.size} bytes, {MAX_DOCUMENT} are allowed")
        request = Request("GET", self._path(blob.digest), limit=MAX_DOCUMENT)
        purpose = Purpose("read", what, (pull(self._repository),))
        response = await self._registry.request(request, purpose, expect={200})
        verify_digest(response.content, blob.digest, what=what)
        return response.content

    async def read(
        self, digest: str, write_to: Callable[[AsyncIterator[bytes]], Awaitable[None]]
    ) -> None:
        """Read a blob in pieces, from where the registry redirects to.

        Args:
            digest: the blob.
            write_to: takes the pieces, unchecked; it is not called where the registry refuses.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer, or broke off.
        """
        request = Request("GET", self._path(digest), write_to=write_to)
        subject = f"{digest} from {self.name}"
        await self._registry.request(request, Purpose("read", subject, (pull(self._repository),)))

    async def mount(self, digest: str, source: str) -> RefusedMount | None:
        """Mount a blob from another repository ("Mounting a blob from another repository").

        Args:
            digest: the blob.
            source: the repository, of the same registry.

        Returns:
            None if it is mounted, else why not. Whatever the registry has against a mount, be it
            by status 202, 400, 401 or another, is a refusal and no error.

        Raises:
            ServerError, RateLimitedError: the registry failed, and may not the next time.
            TransportError: it did not answer.
        """
        path = f"/v2/{self._repository}/blobs/uploads/?mount={quote(digest)}&from={quote(source)}"
        subject = f"{digest} from {self._registry.name}/{source}"
        purpose = Purpose("mount", subject, (pull_push(self._repository), pull(source)))
        try:
            response = await self._registry.request(
                Request("POST", path), purpose, expect={201, 202}
            )
        except RegistryError as error:
            if is_busy(error.status):
                raise
            return RefusedMount(
                error.message,
                status=error.status,
                codes=error.codes,
                said=reason_of(error.details),
                user=error.user,
                login_hint=error.hint if error.is_about_login else "",
            )
        if response.cross_origin:  # only the registry knows what it has mounted
            if response.status == 201 and await self.exists(digest, no_redirect=True):
                return None
            return RefusedMount("another host answered in the registry's place")
        if response.status == 201:
            return None
        return RefusedMount(
            "it offered an upload instead",
            located(response.url, response.headers.get("location")),
            chunk_length(response.headers.get("oci-chunk-min-length")),
        )

    async def start(self, digest: str) -> Upload:
        """Open an upload session.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer, or named an address that nothing may be sent to.
        """
        path = f"/v2/{self._repository}/blobs/uploads/"
        request = Request("POST", path, check_redirect=self._check_leaving)
        return self._upload(await self._registry.request(request, self._uploading(digest)))

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
        await self._registry.request(request, self._uploading(digest))

    async def put_document(self, upload: Upload, digest: str, content: bytes) -> None:
        """Send a small blob whole, and close its session.

        Args:
            upload: the session.
            digest: the blob.
            content: its bytes.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        # With its bytes at hand and not as a stream, which takes a connection of its own. Where
        # only the answer got lost, a second request would find no session.
        request = Request(
            "PUT", self._end(upload, digest), headers=_BYTES, content=content, repeatable=False
        )
        await self._registry.request(request, self._uploading(digest))

    async def append(self, upload: Upload, digest: str, offset: int, chunk: bytes) -> Upload:
        """Send a chunk.

        Raises:
            RegistryError: the registry refused; with status 416 it has more bytes, or fewer.
            TransportError: it did not answer.
        """
        headers = _BYTES | {"Content-Range": f"{offset}-{offset + len(chunk) - 1}"}
        request = Request(
            "PATCH",
            self._at(upload),
            headers=headers,
            content=chunk,
            check_redirect=self._check_leaving,
        )
        return self._upload(await self._registry.request(request, self._uploading(digest)), upload)

    async def ask(self, upload: Upload, digest: str) -> Upload:
        """Ask how far an upload is, and where it goes on.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        request = Request("GET", self._at(upload))
        return self._upload(await self._registry.request(request, self._uploading(digest)), upload)

    async def finish(self, upload: Upload, digest: str) -> None:
        """Close a session whose chunks have all arrived.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        # Where only the answer got lost, a second request would find no session.
        request = Request(
            "PUT",
            self._end(upload, digest),
            headers=_BYTES,
            repeatable=False,
            check_redirect=self._check_leaving,
        )
        await self._registry.request(request, self._uploading(digest))

    async def cancel(self, upload: Upload) -> None:
        """Close an upload session without its blob ("Cancelling a blob upload").

        A refusal is ignored: the registry closes the session itself in time. No other host is
        asked to delete anything, whatever URL the registry gives.

        Raises:
            TransportError: the registry did not answer.
        """
        if not self._registry.origin.owns(upload.url):
            return
        scopes = (cancel_upload(self._repository),)
        purpose = Purpose("cancel", f"an upload to {self._repository}", scopes)
        with contextlib.suppress(RegistryError):
            await self._registry.request(Request("DELETE", upload.url), purpose)

    def _path(self, digest: str) -> str:
        return f"/v2/{self._repository}/blobs/{digest}"

    def _at(self, upload: Upload) -> str:
        """Return where an upload goes on, exactly as it was given, if blobs may be sent there."""
        self._check_leaving(upload.url)
        return check_upload_url(upload.url, self._registry.origin)

    def _check_leaving(self, url: str) -> None:
        """Check that what is uploaded stays at the registry, unless it may leave."""
        if not self._may_leave and not self._registry.origin.owns(url):
            raise TransportError(
                f"{self._registry.name} wants the upload to go to another host",
                hint="give --copy-layers if blobs may be sent where the registry says",
            )

    def _end(self, upload: Upload, digest: str) -> str:
        """Append to the URL as text, since only the registry knows what its query means."""
        url = self._at(upload)
        return f"{url}{'&' if '?' in url else '?'}digest={quote(digest, safe='')}"

    def _writing(self, action: str, subject: str) -> Purpose:
        return Purpose(action, subject, (pull_push(self._repository),))

    def _uploading(self, digest: str) -> Purpose:
        return self._writing("upload", f"{digest} to {self.name}")

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
