"""One registry's endpoints, a method each (OCI distribution spec 1.1).

Each method says what it needs, sends, and turns an error response into an error of ours.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from urllib.parse import quote

from oci_merge._text import listed, printable
from oci_merge.auth.authenticator import Asker
from oci_merge.auth.challenge import Scope, pull, pull_push
from oci_merge.auth.identities import Authenticator
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    DigestMismatchError,
    InvalidReferenceError,
    ManifestError,
    RegistryError,
    TransportError,
)
from oci_merge.events import OnEvent, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.message import Request, Response
from oci_merge.http.response_errors import Attempt, error_from
from oci_merge.http.session import Session
from oci_merge.http.url_policy import check_upload_url
from oci_merge.model.digest import check_digest, sha256_digest, verify_digest
from oci_merge.model.manifest import MAX_DOCUMENT, Descriptor, Manifest, parse_manifest
from oci_merge.model.media_types import ACCEPT_MANIFESTS
from oci_merge.model.reference import Reference
from oci_merge.registry.host import RegistryHost
from oci_merge.registry.types import RawManifest, RefusedMount, chunk_length, located
from oci_merge.registry.warnings import WarningsOnce

_ACCEPT = {"Accept": ACCEPT_MANIFESTS}
_SUCCESSES = frozenset({200, 201, 202, 204})
#: How a registry may refuse several tags in one request, rather than what is put under them.
_KNOWS_NO_TAGS = frozenset({400, 403, 404, 405})


class RegistryClient:
    """A registry, for one run.

    Args:
        host: what is kept of it between runs.
        reads: the repositories that the run reads.
        writes: the repositories that it reads and writes.
        deadline: when the run has to be over.
        on_event: told of each retry.
        on_warning: called with what the registry warns of, once for each sentence.
    """

    def __init__(
        self,
        host: RegistryHost,
        *,
        reads: Sequence[str] = (),
        writes: Sequence[str] = (),
        deadline: Deadline | None = None,
        on_event: OnEvent = ignore,
        on_warning: Callable[[str], object] | None = None,
    ) -> None:
        self.name = host.name
        self._host = host
        self.timings = host.transport.timings
        self._session = Session(
            host.transport,
            retries=host.options.retries,
            deadline=deadline,
            on_event=on_event,
        )
        scopes = [*map(pull_push, writes), *map(pull, reads)]
        self._auth = Authenticator(self._session, scopes, host.logins)
        self._asker = Asker(host, self._session, self._auth)
        self._warnings = WarningsOnce(self.name, on_warning)

    async def open_ahead(self, requests: int) -> None:
        """Make ready for so many requests side by side (``Transport.open_ahead``)."""
        await self._session.open_ahead(requests)

    async def get_manifest(self, reference: Reference) -> Manifest:
        """Fetch a manifest or an index ("Pulling manifests").

        Raises:
            NotFoundError: it is not there.
            DigestMismatchError: the bytes are not those that the digest names.
            ManifestError: it is no manifest, or too large.
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        raw = await self.get_raw_manifest(reference)
        return parse_manifest(
            raw.content, content_type=raw.media_type, digest=raw.digest, what=str(reference)
        )

    async def get_raw_manifest(self, reference: Reference) -> RawManifest:
        """Fetch a manifest's bytes; as ``get_manifest``, but whatever they say."""
        request = Request("GET", _manifest_path(reference), headers=_ACCEPT, limit=MAX_DOCUMENT)
        doing = _Doing("read", str(reference), [pull(reference.repository)])
        response = await self._send(request, doing)
        self._expect(response, {200}, request, doing)
        digest = reference.digest or response.headers.get("docker-content-digest", "")
        if _can_verify(digest):
            verify_digest(response.content, digest, what=f"the manifest of {reference}")
        return RawManifest(
            response.headers.get("content-type", ""),
            reference.digest or sha256_digest(response.content),
            response.content,
        )

    async def head_manifest(self, reference: Reference) -> str:
        """Return the digest of the manifest that a tag stands on ("Checking if content exists").

        Raises:
            NotFoundError: it is not there.
            RegistryError: the registry refused; the reason comes from a GET, as a HEAD has none.
            TransportError: it did not answer.
        """
        request = Request("HEAD", _manifest_path(reference), headers=_ACCEPT)
        doing = _Doing("read", str(reference), [pull(reference.repository)])
        try:
            response = await self._send(request, doing)
        except (AuthenticationError, AccessDeniedError):
            return (await self.get_raw_manifest(reference)).digest
        digest: str = response.headers.get("docker-content-digest", "")
        if response.status == 200 and _can_verify(digest):
            return digest
        if response.status == 404:
            self._expect(response, {200}, request, doing)
        return (await self.get_raw_manifest(reference)).digest

    async def lacks_manifest(self, reference: Reference) -> bool:
        """Say whether a manifest is not there ("Checking if content exists").

        Nobody depends on the answer, so that it is asked once, and only a 404 is a yes.
        """
        request = Request("HEAD", _manifest_path(reference), headers=_ACCEPT, repeatable=False)
        doing = _Doing("read", str(reference), [pull(reference.repository)])
        try:
            response = await self._send(request, doing)
        except (RegistryError, TransportError):
            return False
        return response.status == 404 and not response.cross_origin

    async def get_config(self, repository: str, config: Descriptor, *, what: str) -> bytes:
        """Fetch an image's config ("Pulling blobs"); it may be redirected to an object store.

        Args:
            repository: where it is.
            config: its descriptor.
            what: names the image in errors.

        Raises:
            DigestMismatchError: the bytes are not those that the digest names.
            ManifestError: it is too large.
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        if config.size > MAX_DOCUMENT:
            raise ManifestError(
                f"the config of {what} has {config.size} bytes, {MAX_DOCUMENT} are allowed"
            )
        request = Request("GET", f"/v2/{repository}/blobs/{config.digest}", limit=MAX_DOCUMENT)
        doing = _Doing("read", f"the config of {what}", [pull(repository)])
        response = await self._send(request, doing)
        self._expect(response, {200}, request, doing)
        verify_digest(response.content, config.digest, what=f"the config of {what}")
        return response.content

    async def mount_blob(self, repository: str, digest: str, source: str) -> RefusedMount | None:
        """Mount a blob from another repository ("Mounting a blob from another repository").

        Returns:
            None if it is mounted, else why not. Whatever the registry has against a mount, be it
            by status 202, 400, 401 or another, is a refusal and no error.

        Raises:
            ServerError, RateLimitedError: the registry failed, and may not the next time.
            TransportError: it did not answer.
        """
        path = f"/v2/{repository}/blobs/uploads/?mount={quote(digest)}&from={quote(source)}"
        request = Request("POST", path)
        subject = f"{digest} from {self.name}/{source}"
        doing = _Doing("mount", subject, [pull_push(repository), pull(source)])
        try:
            response = await self._send(request, doing)
            self._expect(response, {201, 202}, request, doing)
        except RegistryError as error:
            if error.status >= 500 or error.status == 429:
                raise
            return RefusedMount(error.message, status=error.status, codes=error.codes)
        if response.status == 201:
            return None
        return RefusedMount(
            "it offered an upload instead",
            located(response.url, response.headers.get("location")),
            chunk_length(response.headers.get("oci-chunk-min-length")),
        )

    async def cancel_upload(self, repository: str, upload: str) -> None:
        """Close an upload session ("Cancelling a blob upload").

        A registry that refuses is not blamed: it closes the session itself in time. No other host
        is asked to delete anything, whatever URL the registry gives.

        Raises:
            TransportError: it did not answer.
        """
        if not self._session.origin.owns(upload):
            return
        doing = _Doing("cancel", f"an upload to {repository}", [pull_push(repository)])
        with contextlib.suppress(RegistryError):
            await self._send(Request("DELETE", upload), doing)

    async def put_manifest(
        self, repository: str, identifier: str, media_type: str, content: bytes
    ) -> bool:
        """Push a manifest or an index ("Pushing manifests").

        Args:
            repository: where to.
            identifier: a tag, or the digest of ``content``.
            media_type: its media type.
            content: its exact bytes.

        Returns:
            Whether the answer says that it was stored: by status 201, or by naming a digest. Any
            other success may be of a proxy that never asked the registry.

        Raises:
            DigestMismatchError: the registry stored something else.
            RegistryError: it refused.
            TransportError: it did not answer.
        """
        separator = "@" if ":" in identifier else ":"
        subject = f"{self.name}/{repository}{separator}{identifier}"
        path = f"/v2/{repository}/manifests/{identifier}"
        response = await self._put(path, subject, repository, media_type, content)
        stored = response.headers.get("docker-content-digest", "")
        expected = sha256_digest(content)
        if stored != expected and stored.startswith("sha256:"):
            raise DigestMismatchError(
                f"{self.name} was sent {expected} for {subject}, but stored {printable(stored)}",
                hint="the registry, or a proxy before it, alters manifests",
            )
        return response.status == 201 or bool(stored)

    @property
    def may_take_tags(self) -> bool:
        """Whether it is known to take several tags in one request, or that is worth finding out.

        It takes a request to find out, which in a single run would be a step for nothing.
        """
        known = self._host.takes_tags
        return self._host.has_put_tags if known is None else known

    async def put_tags(
        self, repository: str, tags: Sequence[str], media_type: str, content: bytes
    ) -> frozenset[str]:
        """Push a manifest by digest, with several tags ("Pushing manifests", ``OCI-Tag``).

        Args:
            repository: where to.
            tags: the tags.
            media_type: the manifest's media type.
            content: its exact bytes.

        Returns:
            The tags that the registry says it has set; the others are not, whatever the status.

        Raises:
            RegistryError: it refused.
            TransportError: it did not answer.
        """
        digest = sha256_digest(content)
        query = "&".join(f"tag={tag}" for tag in tags)
        path = f"/v2/{repository}/manifests/{digest}?{query}"
        subject = f"{self.name}/{repository}:{listed(list(tags))}"
        try:
            response = await self._put(path, subject, repository, media_type, content)
        except RegistryError as error:
            if error.status in _KNOWS_NO_TAGS:
                self._host.takes_tags = False
            raise
        named = ",".join(response.headers.get_list("oci-tag")).split(",")
        confirmed = frozenset(tag.strip() for tag in named) & frozenset(tags)
        self._host.takes_tags = bool(confirmed)
        return confirmed

    def note_tags(self) -> None:
        """Note that several tags were put, so that the next time one request may do."""
        self._host.has_put_tags = True

    async def _put(
        self, path: str, subject: str, repository: str, media_type: str, content: bytes
    ) -> Response:
        headers = {"Content-Type": media_type}
        request = Request("PUT", path, headers=headers, content=content)
        doing = _Doing("push", subject, [pull_push(repository)])
        response = await self._send(request, doing)
        self._expect(response, {200, 201, 202}, request, doing)
        return response

    async def exchange(
        self, request: Request, action: str, subject: str, *, writes: str = "", reads: str = ""
    ) -> Response:
        """Send any other request; ``blobs`` has the rest of the endpoints.

        Args:
            request: the request; what is not the registry's own URL gets no credentials.
            action: what it is for, as a verb.
            subject: what it is done to.
            writes: the repository that it writes to.
            reads: the repository that it reads from.

        Raises:
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        scope = pull_push(writes) if writes else pull(reads)
        doing = _Doing(action, subject, [scope])
        response = await self._send(request, doing)
        self._expect(response, _SUCCESSES, request, doing)
        return response

    def wants_login(self, repository: str) -> bool:
        """Say whether it asked a repository's user to log in, and has taken no login of theirs."""
        return self._auth.wants_login(repository)

    def upload_url(self, location: str, *, may_leave: bool) -> str:
        """Return where an upload goes on, as it was given, if blobs may be sent there.

        Args:
            location: where the registry says it does.
            may_leave: whether that may be another host.

        Raises:
            TransportError: they may not.
        """
        if not may_leave and not self._session.origin.owns(location):
            raise TransportError(f"{self.name} wants the upload to go to another host")
        return check_upload_url(location, self._session.origin)

    async def _send(self, request: Request, doing: _Doing) -> Response:
        """Send a request, answer challenges, and pass on what the registry warns of.

        Raises:
            AuthenticationError, AccessDeniedError: the registry answers 401 whatever it is given.
        """
        if not self._session.origin.owns(request.url):
            return replace(await self._session.send(request), cross_origin=True)
        outcome = await self._asker.ask(request, doing.scopes)
        response = outcome.response
        if response.status == 401 and not response.cross_origin:
            raise self._error(response, request, doing, had_token=outcome.had_token)
        if not response.cross_origin:
            self._warnings.note(response.headers.get_list("warning"))
        return response

    def _expect(
        self, response: Response, statuses: AbstractSet[int], request: Request, doing: _Doing
    ) -> None:
        if response.status not in statuses:
            raise self._error(response, request, doing, had_token=False)

    def _error(
        self, response: Response, request: Request, doing: _Doing, *, had_token: bool
    ) -> RegistryError:
        attempt = Attempt(
            action=doing.action,
            subject=doing.subject,
            registry=self.name,
            method=request.method,
            user=self._auth.user(doing.scopes),
            secrets=self._auth.secrets,
        )
        return error_from(response, attempt, had_token=had_token)


@dataclass(frozen=True, slots=True)
class _Doing:
    """What a request is for: in words, and in scopes, of its own repository first."""

    action: str
    subject: str
    scopes: Sequence[Scope]


def _manifest_path(reference: Reference) -> str:
    return f"/v2/{reference.repository}/manifests/{reference.identifier}"


def _can_verify(digest: str) -> bool:
    try:
        return bool(check_digest(digest))
    except InvalidReferenceError:
        return False
