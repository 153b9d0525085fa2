"""The referrers of a manifest: what has it as its subject, such as signatures and SBOMs.

OCI distribution spec 1.1, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from oci_merge._concurrency import gather_settled, gather_two
from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.auth.challenge import pull
from oci_merge.errors import ManifestError, NotFoundError, OciMergeError, RegistryError
from oci_merge.http.message import Request, Response
from oci_merge.model import media_types
from oci_merge.model.digest import sha256_digest
from oci_merge.model.manifest import MAX_DOCUMENT, Descriptor, ImageIndex, parse_manifest
from oci_merge.model.reference import Reference
from oci_merge.registry.client import Purpose, RegistryClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.types import RawManifest
from oci_merge.registry.verified_put import put_manifest

#: How many pages of a list are read, and how many referrers one manifest may have. Both bound what
#: a registry can make of one request.
_MOST_PAGES = 20
MOST_REFERRERS = 50
#: How often a referrers tag is written again because another writer's list took its place.
_ATTEMPTS = 5


@frozen
class Referrers:
    """The referrers of one manifest in one repository.

    Attributes:
        listed: their descriptors, each once.
        by: who lists them: the registry's ``api``, or the ``tag`` that clients maintain.
        held: what stands under that tag; None if nothing does.
        keeps_tag: False where the registry answers for such a tag with the manifest whose digest
            it spells, so that it can list nothing (GitLab).
    """

    listed: tuple[Descriptor, ...]
    by: Literal["api", "tag"]
    held: RawManifest | None = None
    keeps_tag: bool = True

    @property
    def digests(self) -> frozenset[str]:
        """The digests of the referrers."""
        return frozenset(descriptor.digest for descriptor in self.listed)


@frozen
class ReferrersClient:
    """Lists the referrers of manifests, and maintains referrers tags.

    Attributes:
        registry: the registry, for one run.
        repository: the repository of the manifests.
    """

    registry: RegistryClient
    repository: str

    async def get(
        self,
        digest: str,
        *,
        is_asked_once: bool = False,
        is_asked_at_once: bool = False,
        is_bounded: bool = True,
    ) -> Referrers:
        """List the referrers of a manifest, by the API or else by the referrers tag.

        Args:
            digest: the manifest's digest.
            is_asked_once: do not send a request again that failed for now.
            is_asked_at_once: read the tag beside the API, where it is not known whether the
                registry has that: a request more, and a step less.
            is_bounded: refuse a list of more than ``MOST_REFERRERS``; otherwise the caller reads no
                more of them than that.

        Raises:
            ManifestError: the list cannot be read, or is too long.
            RegistryError, TransportError: the registry refused, or did not answer.
        """
        if is_asked_at_once and self.registry.host.has_referrers is None:
            listed, tagged = await gather_two(
                self._by_api(digest, is_asked_once=is_asked_once, is_bounded=is_bounded),
                gather_settled([self._by_tag(digest, is_bounded=is_bounded)]),
            )
            if listed is not None:
                return Referrers(listed, "api")
            if isinstance(tagged[0], OciMergeError):
                raise tagged[0]
            return tagged[0]
        listed = await self._by_api(digest, is_asked_once=is_asked_once, is_bounded=is_bounded)
        if listed is not None:
            return Referrers(listed, "api")
        return await self._by_tag(digest, is_bounded=is_bounded)

    async def has_api(self, digest: str, *, is_asked_once: bool = False) -> bool:
        """Say whether the registry lists the referrers of a manifest by itself.

        Args:
            digest: the manifest's digest.
            is_asked_once: do not send a request again that failed for now.

        Raises:
            RegistryError, TransportError: the registry refused, or did not answer.
        """
        host = self.registry.host
        if host.has_referrers is False:
            return False
        path = f"/v2/{self.repository}/referrers/{digest}"
        is_there = await self._page(path, digest, is_asked_once=is_asked_once) is not None
        host.has_referrers = host.has_referrers or is_there
        return is_there

    async def add(self, digest: str, entries: Sequence[dict[str, Any]]) -> None:
        """Add entries to a manifest's referrers tag, and keep what others have put there.

        Two writers may overwrite each other, since no registry compares before it writes. So the
        tag is read once more, and written again where an entry is gone.

        Args:
            digest: the manifest's digest.
            entries: the descriptors, as JSON values, with ``artifactType`` and ``annotations``.

        Raises:
            ManifestError: the tag holds something else, or does not keep what is put there.
            RegistryError, TransportError: the registry refused, or did not answer.
        """
        for _ in range(_ATTEMPTS):
            held = await self._read_tag(digest)
            if held is not None and held.digest == digest:
                raise self.no_lists()
            if not await self.put(digest, entries, held):
                return
        listed = _descriptors(
            await self._read_tag(digest), str(self._tag(digest)), is_bounded=False
        )
        if not _wanted(entries) <= {each.digest for each in listed}:
            raise self._not_kept(digest)

    async def put(
        self, digest: str, entries: Sequence[dict[str, Any]], held: RawManifest | None
    ) -> bool:
        """Write a manifest's referrers tag with entries that it lacks; ``add`` sees to the rest.

        Args:
            digest: the manifest's digest.
            entries: as for ``add``.
            held: what the tag holds.

        Returns:
            Whether an entry was missing, and the tag was written.

        Raises:
            ManifestError: the tag holds something else than a list.
            RegistryError, TransportError: the registry refused, or did not answer.
        """
        document = _document(held)
        present = {other.get("digest") for other in document["manifests"]}
        missing = [entry for entry in entries if entry["digest"] not in present]
        if not missing:
            return False
        document["manifests"] = [*document["manifests"], *missing]
        try:
            content = json.dumps(document, separators=(",", ":")).encode()
        except RecursionError:  # writing goes deeper than reading
            raise ManifestError(
                f"{self._tag(digest)} is nested too deep to be written again",
                hint="delete the tag, if nothing else uses it",
            ) from None
        await put_manifest(self.registry, self._tag(digest), media_types.OCI_INDEX, content)
        return True

    def no_lists(self) -> ManifestError:
        """Return the error that says that the registry can keep no list (``keeps_tag``)."""
        return ManifestError(
            f"{self.registry.name} takes the tag of a list of referrers for the digest that the "
            "tag spells",
            hint="the registry can list nothing that refers to an image; publish to another one, "
            "or leave out the option that brings it",
        )

    def _not_kept(self, digest: str) -> ManifestError:
        return ManifestError(
            f"{self._tag(digest)} does not keep the referrers that are put there",
            hint="the registry has no referrers API, and another writer or the registry itself "
            "keeps the tag from listing them; run the same command again, or leave out the option "
            "that brings them",
        )

    async def _by_tag(self, digest: str, *, is_bounded: bool) -> Referrers:
        held = await self._read_tag(digest)
        if held is not None and held.digest == digest:
            return Referrers((), "tag", keeps_tag=False)
        what = str(self._tag(digest))
        return Referrers(_descriptors(held, what, is_bounded=is_bounded), "tag", held)

    async def _by_api(
        self, digest: str, *, is_asked_once: bool, is_bounded: bool
    ) -> tuple[Descriptor, ...] | None:
        """List referrers by the API; None where the registry does not have it."""
        host = self.registry.host
        if host.has_referrers is False:
            return None
        path = f"/v2/{self.repository}/referrers/{digest}"
        found: dict[str, Descriptor] = {}
        for _ in range(_MOST_PAGES):
            response = await self._page(path, digest, is_asked_once=is_asked_once)
            if response is None:
                if host.has_referrers is None:
                    host.has_referrers = False
                return None
            host.has_referrers = True
            what = f"the referrers of {self.registry.name}/{self.repository}@{digest}"
            for descriptor in _parsed(response.content, media_types.OCI_INDEX, what).manifests:
                found.setdefault(descriptor.digest, descriptor)
            following = _next(response, path)
            if following is None or (is_bounded and len(found) > MOST_REFERRERS):
                break
            path = following
        if not is_bounded:
            return tuple(found.values())
        return _bounded(found.values(), f"{self.registry.name}/{self.repository}@{digest}")

    async def _page(self, path: str, digest: str, *, is_asked_once: bool) -> Response | None:
        request = Request(
            "GET",
            path,
            headers={"Accept": media_types.OCI_INDEX},
            limit=MAX_DOCUMENT,
            # Registries without the API redirect to their web site, whose list would be no list.
            no_redirect=True,
            repeatable=not is_asked_once,
        )
        subject = f"the referrers of {self.registry.name}/{self.repository}@{digest}"
        purpose = Purpose("read", subject, (pull(self.repository),), may_be_missing=True)
        try:
            response = await self.registry.request(request, purpose, expect={200})
        except RegistryError as error:
            # What registries without the API answer, one of them only to a request with a login.
            if error.status in (400, 404, 405, 406, 501) or 300 <= error.status < 400:
                return None
            raise
        kind: str = response.headers.get("content-type", "")
        return response if kind.partition(";")[0].strip() == media_types.OCI_INDEX else None

    async def _read_tag(self, digest: str) -> RawManifest | None:
        try:
            return await ManifestClient(self.registry).get_raw(
                self._tag(digest), may_be_missing=True
            )
        except NotFoundError:
            return None

    def _tag(self, digest: str) -> Reference:
        tag = digest.replace(":", "-")
        return Reference(self.registry.name, self.repository, tag=tag)


def entry_of(media_type: str, content: bytes) -> dict[str, Any]:
    """Return the descriptor of a referrer, as "Pushing Manifests with Subject" has it.

    Clients look at the artifact type and the annotations before they fetch anything.

    Args:
        media_type: the manifest's media type.
        content: its bytes.
    """
    document = json.loads(content)
    config = document.get("config")
    config_type = config.get("mediaType") if isinstance(config, dict) else None
    entry = {"mediaType": media_type, "digest": sha256_digest(content), "size": len(content)}
    if artifact_type := document.get("artifactType") or config_type:
        entry["artifactType"] = artifact_type
    if annotations := document.get("annotations"):
        entry["annotations"] = annotations
    return entry


def _wanted(entries: Iterable[dict[str, Any]]) -> set[str]:
    return {entry["digest"] for entry in entries}


def _parsed(content: bytes, media_type: str, what: str) -> ImageIndex:
    manifest = parse_manifest(
        content, content_type=media_type, digest=sha256_digest(content), what=what
    )
    if not isinstance(manifest.document, ImageIndex):
        raise ManifestError(f"{what} are no list", hint="delete the tag, if nothing else uses it")
    return manifest.document


def _descriptors(
    held: RawManifest | None, what: str, *, is_bounded: bool
) -> tuple[Descriptor, ...]:
    if held is None:
        return ()
    listed = _parsed(held.content, held.media_type, f"the referrers of {what}").manifests
    distinct = {each.digest: each for each in listed}.values()
    return _bounded(distinct, what) if is_bounded else tuple(distinct)


def _document(held: RawManifest | None) -> dict[str, Any]:
    """Return a referrers tag's index as JSON values, with all fields that others have put there."""
    if held is None:
        return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
    _parsed(held.content, held.media_type, "the referrers of a tag")  # it is an index
    document: dict[str, Any] = json.loads(held.content)
    document["manifests"] = document.get("manifests") or []
    return document


def _bounded(listed: Iterable[Descriptor], what: str) -> tuple[Descriptor, ...]:
    descriptors = tuple(listed)
    if len(descriptors) > MOST_REFERRERS:
        raise ManifestError(
            f"{printable(what)} has more than {MOST_REFERRERS} referrers",
            hint="delete what is not needed any more, or leave out the option that reads them",
        )
    return descriptors


def _next(response: Response, path: str) -> str | None:
    """Return the path of a list's next page (RFC 8288); None where this is the last."""
    for header in response.headers.get_list("link"):
        target, _, parameters = header.partition(">")
        if target.lstrip().startswith("<") and 'rel="next"' in parameters.replace(" ", ""):
            parts = urlsplit(urljoin(path, target.lstrip()[1:]))
            # Whatever host it names: the list is this registry's.
            return f"{parts.path}?{parts.query}" if parts.query else parts.path
    return None
