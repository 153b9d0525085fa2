"""The manifests of a registry (OCI distribution spec 1.1, "Pulling manifests" and on)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oci_merge._text import listed, printable
from oci_merge.auth.challenge import delete_tag, pull, pull_push
from oci_merge.errors import (
    DigestMismatchError,
    InvalidReferenceError,
    ManifestError,
    RegistryError,
    TransportError,
)
from oci_merge.http.message import Request, Response
from oci_merge.model.digest import check_digest, sha256_digest, verify_digest
from oci_merge.model.manifest import MAX_DOCUMENT, Manifest, parse_manifest
from oci_merge.model.media_types import ACCEPT_MANIFESTS
from oci_merge.model.reference import Reference
from oci_merge.registry.client import Purpose, RegistryClient
from oci_merge.registry.types import RawManifest

_ACCEPT = {"Accept": ACCEPT_MANIFESTS}
_STORED = frozenset({200, 201, 202})
_DELETED = frozenset({200, 202, 204})
#: How a registry may refuse several tags in one request, rather than what is put under them.
_KNOWS_NO_TAGS = frozenset({400, 403, 404, 405})


class ManifestClient:
    """Reads and writes manifests and indexes.

    Args:
        registry: their registry, for one run.
    """

    def __init__(self, registry: RegistryClient) -> None:
        self._registry = registry

    async def get(self, reference: Reference, *, limit: int = MAX_DOCUMENT) -> Manifest:
        """Fetch a manifest or an index ("Pulling manifests").

        Args:
            reference: the tag or digest.
            limit: how many bytes it may have.

        Raises:
            NotFoundError: it is not there.
            DigestMismatchError: the bytes are not those that the digest names.
            ManifestError: it is no manifest, or too large.
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        request = _get(reference, limit)
        response = await self._registry.request(request, _read(reference), expect={200})
        raw = _raw(reference, response)
        return parse_manifest(
            raw.content, content_type=raw.media_type, digest=raw.digest, what=str(reference)
        )

    async def get_raw(self, reference: Reference, *, may_be_missing: bool = False) -> RawManifest:
        """Fetch a manifest's bytes, as ``get`` does, without parsing them."""
        purpose = _read(reference, may_be_missing=may_be_missing)
        response = await self._registry.request(_get(reference), purpose, expect={200})
        return _raw(reference, response)

    async def head(
        self, reference: Reference, *, no_redirect: bool = False, may_be_missing: bool = False
    ) -> str:
        """Return the digest of a tag's manifest ("Checking if content exists").

        Args:
            reference: the tag, or a digest.
            no_redirect: take the registry's own word alone.

        Raises:
            NotFoundError: it is not there.
            RegistryError: the registry refused.
            TransportError: it did not answer.
        """
        request = Request("HEAD", _path(reference), headers=_ACCEPT, no_redirect=no_redirect)
        purpose = _read(reference, may_be_missing=may_be_missing)
        try:
            response = await self._registry.request(request, purpose, expect={200})
        except RegistryError as error:
            if error.status == 404:
                raise
        else:
            digest: str = response.headers.get("docker-content-digest", "")
            if _can_verify(digest):
                return digest
        # The response to a HEAD has no body, so only a GET tells the reason of a refusal.
        request = replace(_get(reference), no_redirect=no_redirect)
        response = await self._registry.request(request, _read(reference), expect={200})
        return _raw(reference, response).digest

    async def is_missing(self, reference: Reference) -> bool:
        """Say whether the registry answers 404 for a manifest ("Checking if content exists").

        Whatever else comes is a no, since nobody depends on the answer; so it is not retried.
        """
        request = Request("HEAD", _path(reference), headers=_ACCEPT, repeatable=False)
        try:
            response = await self._registry.request(request, _read(reference), expect={200, 404})
        except (RegistryError, TransportError):
            return False
        return response.status == 404 and not response.cross_origin

    async def put(self, reference: Reference, media_type: str, content: bytes) -> bool:
        """Push a manifest or an index ("Pushing manifests").

        Args:
            reference: a tag, or the digest of ``content``.
            media_type: the manifest's media type.
            content: its exact bytes.

        Returns:
            Whether the registry says that it was stored: by status 201, or by naming a digest. Any
            other success may be of a proxy that never asked the registry, as may the answer of
            another host to which a redirect led.

        Raises:
            DigestMismatchError: the registry stored something else.
            RegistryError: it refused.
            TransportError: it did not answer.
        """
        name, identifier = reference.repository, str(reference.identifier)
        separator = "@" if ":" in identifier else ":"
        subject = f"{self._registry.name}/{name}{separator}{identifier}"
        response = await self._put(_path(reference), subject, name, media_type, content)
        if response.cross_origin:
            return False
        stored = response.headers.get("docker-content-digest", "")
        expected = sha256_digest(content)
        if stored != expected and stored.startswith("sha256:"):
            raise DigestMismatchError(
                f"{self._registry.name} was sent {expected} for {subject}, "
                f"but stored {printable(stored)}",
                hint="the registry, or a proxy before it, alters manifests",
            )
        return response.status == 201 or bool(stored)

    async def delete_tag(self, reference: Reference) -> None:
        """Delete a tag, and not what it points to ("Deleting tags").

        Args:
            reference: the tag; one with a digest would name the manifest.

        Raises:
            RegistryError: the registry refused; many delete no tag by itself.
            TransportError: it did not answer.
        """
        assert reference.tag
        assert not reference.digest
        purpose = Purpose("delete", str(reference), (delete_tag(reference.repository),))
        request = Request("DELETE", _path(reference))
        await self._registry.request(request, purpose, expect=_DELETED)

    async def put_tags(
        self, repository: str, tags: Sequence[str], media_type: str, content: bytes
    ) -> frozenset[str]:
        """Push a manifest by digest under several tags ("Pushing manifests", ``OCI-Tag``).

        Nothing is sent unless the registry is known to take several tags in one request, or that
        is worth finding out: a registry that does not know them ignores them, so that the request
        is a step for nothing. It is worth it from the second time on that several tags are put.

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
        host = self._registry.host
        may_take_tags = host.has_put_tags if host.takes_tags is None else host.takes_tags
        host.has_put_tags = True
        if not may_take_tags:
            return frozenset()
        query = "&".join(f"tag={tag}" for tag in tags)
        path = f"/v2/{repository}/manifests/{sha256_digest(content)}?{query}"
        subject = f"{self._registry.name}/{repository}:{listed(list(tags))}"
        try:
            response = await self._put(path, subject, repository, media_type, content)
        except RegistryError as error:
            if error.status in _KNOWS_NO_TAGS:
                host.takes_tags = False
            raise
        named = ",".join(response.headers.get_list("oci-tag")).split(",")
        confirmed = frozenset(tag.strip() for tag in named) & frozenset(tags)
        if response.cross_origin:
            confirmed = frozenset()  # only the registry knows what it has set
        host.takes_tags = bool(confirmed)
        return confirmed

    async def _put(
        self, path: str, subject: str, repository: str, media_type: str, content: bytes
    ) -> Response:
        headers = {"Content-Type": media_type}
        request = Request("PUT", path, headers=headers, content=content)
        purpose = Purpose("push", subject, (pull_push(repository),))
        response = await self._registry.request(request, purpose, expect=_STORED)
        # "Pushing Manifests with Subject": a registry that lists referrers by itself says so.
        if response.headers.get("oci-subject") and not response.cross_origin:
            self._registry.host.has_referrers = True
            self._registry.host.lists_subjects.add(repository)
        return response


def _get(reference: Reference, limit: int = MAX_DOCUMENT) -> Request:
    return Request("GET", _path(reference), headers=_ACCEPT, limit=limit)


def _read(reference: Reference, *, may_be_missing: bool = False) -> Purpose:
    return Purpose("read", str(reference), (pull(reference.repository),), may_be_missing)


def _raw(reference: Reference, response: Response) -> RawManifest:
    """Check a manifest's bytes against the digest that was asked for, or that the registry says."""
    if response.is_web_page:
        raise ManifestError(
            f"{reference.registry} answered with a web page for {reference}",
            hint="it is a web site, or wants a login on a page: check the registry's name",
        )
    digest = reference.digest or response.headers.get("docker-content-digest", "")
    if _can_verify(digest):
        verify_digest(response.content, digest, what=f"the manifest of {reference}")
    return RawManifest(
        response.headers.get("content-type", ""),
        reference.digest or sha256_digest(response.content),
        response.content,
    )


def _path(reference: Reference) -> str:
    return f"/v2/{reference.repository}/manifests/{reference.identifier}"


def _can_verify(digest: str) -> bool:
    """Say whether a digest is of an algorithm that we know; registries send other headers too."""
    try:
        return bool(check_digest(digest))
    except InvalidReferenceError:
        return False
