"""One signature of one manifest in one format: reads what is there, makes it, and stores it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from oci_merge._concurrency import gather, gather_settled, gather_two
from oci_merge._frozen import frozen
from oci_merge.errors import (
    ManifestError,
    OciMergeError,
    SigningError,
)
from oci_merge.http.retry import may_pass
from oci_merge.model import media_types
from oci_merge.model.reference import Reference
from oci_merge.operations.signatures import SignatureReader
from oci_merge.operations.uploads import Uploads
from oci_merge.planning.signing import Format
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.referrers import (
    MOST_REFERRERS,
    Referrers,
    ReferrersClient,
    entry_of,
)
from oci_merge.registry.types import RawManifest
from oci_merge.registry.verified_put import put_manifest
from oci_merge.trust import bundle, classic
from oci_merge.trust.formats import Signed, StoredBlob, StoredManifest
from oci_merge.trust.keys import Signer
from oci_merge.trust.provenance import is_of_merge
from oci_merge.trust.strict_json import UnreadableError
from oci_merge.trust.verification import judge_bundle

#: How often a tag is written again because another writer's list took its place.
_ATTEMPTS = 5


@frozen
class Repository:
    """Where signatures are stored.

    Attributes:
        reader: reads the signatures that are there.
        uploads: uploads blobs into it.
    """

    reader: SignatureReader
    uploads: Uploads

    @property
    def name(self) -> str:
        """The repository with its registry."""
        return f"{self.reader.registry.name}/{self.reader.repository}"

    @property
    def referrers(self) -> ReferrersClient:
        """Lists what refers to its manifests."""
        return ReferrersClient(self.reader.registry, self.reader.repository)

    def at(self, digest: str) -> Reference:
        """Return a manifest of it by its digest."""
        return Reference(self.reader.registry.name, self.reader.repository, digest=digest)

    def tagged(self, tag: str) -> Reference:
        """Return a tag of it."""
        return Reference(self.reader.registry.name, self.reader.repository, tag=tag)

    async def upload(self, manifest: StoredManifest) -> None:
        """Upload the blobs of a manifest, those that were not yet.

        Raises:
            RegistryError, TransportError: as ``Uploads.put`` does.
        """
        await gather(self.uploads.put(blob) for blob in manifest.blobs)

    async def put(self, at: Reference, manifest: StoredManifest) -> None:
        """Put an image manifest under a tag or its digest.

        Raises:
            RegistryError, TransportError, ManifestError: as ``put_manifest`` does.
        """
        await put_manifest(self.reader.registry, at, media_types.OCI_MANIFEST, manifest.content)


def open_repository(
    registry: RegistryClient, repository: str, *, may_leave: bool = False
) -> Repository:
    """Return a repository to store signatures in; its uploads have to be closed.

    Args:
        registry: its registry.
        repository: its name there.
        may_leave: whether uploads may go to another host, if the registry says so.
    """
    blobs = BlobClient(registry, repository, may_leave=may_leave)
    return Repository(SignatureReader(registry, repository), Uploads(blobs, registry.timings))


class StoredSignature(Protocol):
    """A signature, or another signed statement, from what is there to what is stored.

    Its methods are called in their order here; where one raises ``OciMergeError``, none after it.

    Attributes:
        format: the format.
        signed: the manifest that is signed.
        is_present: whether it was there already; known after ``prepare``.
        reference: where it stands; known after ``prepare``.
    """

    format: Format
    signed: Signed
    is_present: bool
    reference: str

    async def prepare(self, *, is_new: bool) -> None:
        """Read what is there, make the signature and upload its blobs.

        Args:
            is_new: whether the manifest is most likely not signed yet, so that blobs are uploaded
                while that is looked at.
        """

    async def put_unseen(self) -> None:
        """Put what nobody finds before ``put``."""

    async def put(self) -> None:
        """Store the signature where verifiers look for it."""

    async def confirm(self) -> None:
        """See to it that no other writer's list has taken its place."""


class BundleSignature:
    """A statement about a manifest in a sigstore bundle, which refers to the manifest.

    Args:
        repository: where it is stored.
        signed: the manifest.
        signer: the key.
        payload: the statement.
        predicate_type: what kind of statement it is.
    """

    format: Format = "bundle"

    def __init__(
        self,
        repository: Repository,
        signed: Signed,
        signer: Signer | None,
        payload: bytes,
        predicate_type: str = bundle.SIGNATURE,
    ) -> None:
        self.signed = signed
        self.is_present = False
        self.reference = ""
        self._at = repository
        self._signer = signer
        self._payload = payload
        self._predicate_type = predicate_type
        self._referrers: Referrers | None = None
        self._manifest: StoredManifest | None = None
        self._is_stored = False
        self._beside: BundleSignature | None = None

    def list_with(self, other: BundleSignature) -> None:
        """List another statement about the manifest by the same write, where a tag lists them.

        A tag that may be written once could have only one of them otherwise.

        Args:
            other: the other one; ``put_unseen`` of it has been called by then.
        """
        self._beside = other

    async def prepare(self, *, is_new: bool) -> None:
        """Read the referrers, make the bundle and upload it, unless there is one."""
        reading = self._at.referrers.get(
            self.signed.digest, is_asked_at_once=True, is_bounded=False
        )
        referrers, manifest = await gather_two(reading, self._made(upload=is_new))
        self._referrers, self._manifest = referrers, manifest
        present = await self._present(referrers, manifest)
        self.is_present = bool(present)
        self.reference = str(present or self._at.at(manifest.digest))
        if self.is_present:
            return
        if not referrers.keeps_tag:
            raise self._at.referrers.no_lists()
        await self._at.upload(manifest)

    async def put_unseen(self) -> None:
        """Put the manifest where nobody finds it before it is listed, and read the list anew."""
        if self.is_listed_by_tag and not self._is_done:
            # It was read before images were brought, which may take minutes.
            reading = self._at.referrers.get(self.signed.digest, is_bounded=False)
            self._referrers, _ = await gather_two(reading, self._put_manifest())

    async def put(self, *, is_list_read: bool = True) -> None:
        """Put the manifest; where the registry does not list it by itself, list it.

        Args:
            is_list_read: whether the list is as it was read last; otherwise it is read anew.
        """
        assert self._referrers
        if self._is_done:
            return
        if not self.is_listed_by_tag:
            await self._put_manifest()
        elif is_list_read:
            beside = self._beside._unlisted if self._beside else []
            entries = [self._entry, *beside]
            await self._at.referrers.put(self.signed.digest, entries, self._referrers.held)
        else:
            await self._at.referrers.add(self.signed.digest, [self._entry])
        self._is_stored = True

    async def confirm(self) -> None:
        """Look whether the list still has it, and list it again where another writer's has not."""
        if self.is_listed_by_tag and not self.is_present:
            await self._at.referrers.add(self.signed.digest, [self._entry])

    @property
    def _is_done(self) -> bool:
        """Whether it stands, since it was there or was put."""
        # What an append has put stays when it tries again: the list that it read is old by then.
        return self.is_present or self._is_stored

    @property
    def is_listed_by_tag(self) -> bool:
        """Whether a tag has to list it, since the registry does not say that it lists it itself."""
        assert self._referrers
        reader = self._at.reader
        lists_itself = reader.repository in reader.registry.host.lists_subjects
        return self._referrers.by == "tag" and not lists_itself

    @property
    def _unlisted(self) -> list[dict[str, Any]]:
        return [self._entry] if self.is_listed_by_tag and not self._is_done else []

    @property
    def _entry(self) -> dict[str, Any]:
        assert self._manifest
        return entry_of(media_types.OCI_MANIFEST, self._manifest.content)

    async def _put_manifest(self) -> None:
        assert self._manifest
        await self._at.put(self._at.at(self._manifest.digest), self._manifest)

    async def _made(self, *, upload: bool) -> StoredManifest:
        if self._signer is None:
            made = bundle.statement_manifest(self.signed, self._payload, self._predicate_type)
        else:
            signer = self._signer
            signature = await asyncio.to_thread(signer.sign, bundle.pae(self._payload))
            blob = bundle.make_bundle(self._payload, signature, signer.public.key_id)
            made = bundle.bundle_manifest(self.signed, blob, self._predicate_type)
        if upload:
            await self._at.upload(made)
        return made

    async def _present(self, referrers: Referrers, manifest: StoredManifest) -> Reference | None:
        """Return where there is such a statement by this key already; None if there is none."""
        own = self._at.at(manifest.digest)
        if manifest.digest in referrers.digests and not (
            # A clean-up may have taken what a tag still lists; the API lists what is there.
            referrers.by == "tag" and await ManifestClient(self._at.reader.registry).is_missing(own)
        ):
            return own
        if self._signer is None:
            return await self._unsigned(referrers)
        # Another program may have signed by the same key, and some keys never sign alike twice.
        reader, key = self._at.reader, self._signer.public
        places = reader.candidates(referrers.listed)[:MOST_REFERRERS]
        found = await gather_settled(reader.bundle_of(place) for place in places)
        for place, content in zip(places, found, strict=True):
            if isinstance(content, OciMergeError):
                # What somebody else has left unreadable is none of ours.
                if may_pass(content):
                    raise content
            elif content is not None:
                verdict = judge_bundle(content, self.signed.digest, [key], self._predicate_type)
                if verdict.kind == "valid" and self._is_same(content):
                    return place
        return None

    def _is_same(self, content: bytes) -> bool:
        """Say whether a bundle of the same key and kind states what is to be stated."""
        envelope, signer = bundle.read_bundle(content), self._signer
        # Others verify SHA-256 alone, whatever the curve.
        if signer is None or not signer.public.verify_sha256(
            envelope.signature, envelope.signed_bytes
        ):
            return False
        # The builder of an image may attach a provenance by the same key.
        return self._predicate_type == bundle.SIGNATURE or is_of_merge(
            envelope.payload, self.signed.digest
        )

    async def _unsigned(self, referrers: Referrers) -> Reference | None:
        """Return where such a statement by this program is, of another job perhaps."""
        stated = [each for each in referrers.listed if each.artifact_type == media_types.IN_TOTO]
        places = [self._at.at(each.digest) for each in stated[:MOST_REFERRERS]]
        found = await gather_settled(self._at.reader.statement_of(place) for place in places)
        for place, content in zip(places, found, strict=True):
            if isinstance(content, OciMergeError):
                # What somebody else has left unreadable is none of ours.
                if may_pass(content):
                    raise content
            elif content is not None and is_of_merge(content, self.signed.digest):
                return place
        return None


class ClassicSignature:
    """A signature of a manifest under the manifest's ``.sig`` tag.

    Args:
        repository: where it is stored.
        signed: the manifest.
        signer: the key.
    """

    format: Format = "classic"

    def __init__(self, repository: Repository, signed: Signed, signer: Signer) -> None:
        reader = repository.reader
        self.signed = signed
        self.is_present = False
        self._at = repository
        self._tag = reader.tag_reference(signed.digest)
        self.reference = str(self._tag)
        self._signer = signer
        self._payload = classic.make_payload(
            classic.identity(reader.registry.name, reader.repository), signed.digest
        )
        self._signature = b""
        self._manifest: StoredManifest | None = None
        self._digest = ""
        self._is_stored = False

    async def prepare(self, *, is_new: bool) -> None:
        """Read what the tag holds, sign, and upload what has to be added."""
        held, _ = await gather_two(self._held(), self._sign(upload=is_new))
        await self._add_to(held)

    async def put_unseen(self) -> None:
        """Read the tag anew, and add to what others have put there meanwhile."""
        if self._manifest and not self._is_stored:
            # It was read before images were brought, which may take minutes.
            held = await self._held()
            if (held.digest if held else "") != self._digest:
                await self._add_to(held)

    async def put(self) -> None:
        """Put the tag, with all that others have put there."""
        # What an append has put stays when it tries again: what it read is old by then.
        if self._manifest and not self._is_stored:
            await self._at.put(self._tag, self._manifest)
            self._is_stored = True

    async def confirm(self) -> None:
        """Look whether the tag still has it, and write it again where another's has not."""
        if not self._manifest:
            return
        for _ in range(_ATTEMPTS):
            held = await self._held()
            if self._is_in(held):
                return
            await self._at.put(self._tag, await self._added(held))
        if not self._is_in(await self._held()):
            raise SigningError(
                f"{self._tag} does not keep the signature that is put there",
                hint="another job writes it at the same time: run the same command again",
            )

    async def _add_to(self, held: RawManifest | None) -> None:
        """Make the tag's manifest of what stands there, unless that has the signature."""
        self.is_present = self._is_in(held)
        self._digest = held.digest if held else ""
        self._manifest = None if self.is_present else await self._added(held)

    async def _sign(self, *, upload: bool) -> None:
        self._signature = await asyncio.to_thread(self._signer.sign, self._payload)
        if upload:
            await self._added(None)

    async def _held(self) -> RawManifest | None:
        return await self._at.reader.tag(self.signed.digest)

    def _is_in(self, held: RawManifest | None) -> bool:
        """Say whether the tag has a signature by this key, for this repository.

        One that names another repository, such as a carried one, is no such: policies ask for the
        name.
        """
        if held is None:
            return False
        own = StoredBlob(self._payload, classic.LAYER_TYPE).digest
        try:
            layers = classic.read_layers(held.content)
        except UnreadableError:
            return False
        return any(self._is_own(layer) for layer in layers if layer.digest == own)

    def _is_own(self, layer: classic.SignatureLayer) -> bool:
        try:
            return self._signer.public.verify_sha256(layer.decoded(), self._payload)
        except UnreadableError:
            return False  # somebody else's, which says nothing of those beside it

    async def _added(self, held: RawManifest | None) -> StoredManifest:
        """Return the tag's manifest with the signature, its blobs uploaded."""
        if held is not None and held.media_type in media_types.INDEXES:
            raise ManifestError(f"{self._tag} holds no signatures: it is an index")
        try:
            made = classic.with_signature(
                held.content if held else None, self._payload, self._signature
            )
        except UnreadableError as error:
            raise ManifestError(f"{self._tag} holds no signatures: {error}") from None
        await self._at.upload(made)
        return made
