"""Reads the signatures of manifests in a registry, and verifies them by keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oci_merge._concurrency import gather_settled
from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import ManifestError, NotFoundError, OciMergeError
from oci_merge.model import media_types
from oci_merge.model.manifest import Blob, Descriptor, ImageManifest, Manifest
from oci_merge.model.reference import Reference
from oci_merge.planning.signing import Format, VerifiedSignature
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.referrers import MOST_REFERRERS, ReferrersClient
from oci_merge.registry.types import RawManifest
from oci_merge.trust import bundle, classic
from oci_merge.trust.keys import PublicKey
from oci_merge.trust.strict_json import UnreadableError
from oci_merge.trust.verification import Verdict, judge_bundle, judge_payload, why_not


@frozen
class Found:
    """What was found out about the signatures of one manifest.

    Attributes:
        valid: the valid signatures, bundles first; empty if there is none.
        reason: why there is none, in words that are safe to print.
    """

    valid: tuple[VerifiedSignature, ...]
    reason: str = ""


@frozen
class SignatureReader:
    """Reads the signatures of manifests of one repository.

    Attributes:
        registry: its registry.
        repository: its name there.
    """

    registry: RegistryClient
    repository: str

    async def verify(self, digest: str, keys: Sequence[PublicKey]) -> Found:
        """Look for a signature by one of the keys, in both formats; either of them is enough.

        Whatever cannot be read is no signature: an answer that does not come verifies nothing.

        Args:
            digest: the digest of the manifest.
            keys: the keys.
        """
        outcomes = await gather_settled(
            [self._referrers(digest, keys), self._classic(digest, keys)]
        )
        judged = _Judged([], [], [])
        for outcome in outcomes:
            if isinstance(outcome, OciMergeError):
                judged.failures.append(outcome.message)
            else:
                judged.take(outcome)
        if judged.valid:
            return Found(tuple(judged.valid))
        reason = why_not(judged.verdicts, judged.failures)
        caveat = next((key.caveat for key in keys if key.caveat), "")
        if caveat and any(verdict.kind == "other_key" for verdict in judged.verdicts):
            reason = f"{reason} ({caveat})"
        return Found((), reason)

    async def bundle_of(self, at: Reference) -> bytes | None:
        """Return the bundle that a referrer holds; None where it holds something else.

        Args:
            at: the referrer, by its digest.

        Raises:
            ManifestError, RegistryError, TransportError: it cannot be read.
        """
        return await self._only_layer(await self._manifest(at), at, bundle.is_bundle)

    async def statement_of(self, at: Reference) -> bytes | None:
        """Return the unsigned statement that a referrer holds; None where it holds something else.

        Args:
            at: the referrer, by its digest.

        Raises:
            ManifestError, RegistryError, TransportError: it cannot be read.
        """
        return await self._only_layer(await self._manifest(at), at, media_types.is_statement)

    def candidates(self, listed: Sequence[Descriptor]) -> list[Reference]:
        """Return those of the referrers that may hold a bundle.

        What a list says of a referrer is not believed where it says nothing: some clients leave the
        artifact type out, or write the empty one in its place.
        """
        return [
            Reference(self.registry.name, self.repository, digest=each.digest)
            for each in listed
            if each.artifact_type in bundle.EMPTY_TYPES or bundle.is_bundle(each.artifact_type)
        ]

    async def tag(self, digest: str) -> RawManifest | None:
        """Return what stands under the tag of a manifest's signatures; None if nothing does.

        Raises:
            ManifestError, RegistryError, TransportError: it cannot be read.
        """
        return await self.standing(self.tag_reference(digest))

    async def standing(self, at: Reference) -> RawManifest | None:
        """Return what stands under a tag; None if nothing does.

        Raises:
            ManifestError, RegistryError, TransportError: it cannot be read.
        """
        try:
            return await ManifestClient(self.registry).get_raw(at, may_be_missing=True)
        except NotFoundError:
            return None

    def tag_reference(self, digest: str) -> Reference:
        """Return the tag of a manifest's classic signatures."""
        return Reference(self.registry.name, self.repository, tag=classic.tag_of(digest))

    async def _manifest(self, at: Reference) -> Manifest:
        return await ManifestClient(self.registry).get(at)

    async def _only_layer(
        self, manifest: Manifest, at: Reference, is_wanted: Callable[[str], bool]
    ) -> bytes | None:
        """Return a manifest's layer, if it has only this one, of a media type that is wanted."""
        document = manifest.document
        # cosign reads manifests with exactly one layer, too.
        if not isinstance(document, ImageManifest) or len(document.layers) != 1:
            return None
        layer = document.layers[0]
        if not is_wanted(layer.media_type):
            return None
        return await BlobClient(self.registry, self.repository).get(
            layer, what=f"the layer of {at}"
        )

    async def _referrers(self, digest: str, keys: Sequence[PublicKey]) -> _Judged:
        listed = (await ReferrersClient(self.registry, self.repository).get(digest)).listed
        places = self.candidates(listed) + [
            Reference(self.registry.name, self.repository, digest=each.digest)
            for each in listed
            if each.artifact_type == classic.REFERRER_TYPE
        ]
        outcomes = await gather_settled(self._referrer(place, digest, keys) for place in places)
        judged = _Judged([], [], [])
        for outcome in outcomes:
            if isinstance(outcome, OciMergeError):
                judged.failures.append(outcome.message)
            else:
                judged.take(outcome)
        return judged

    async def _referrer(self, at: Reference, digest: str, keys: Sequence[PublicKey]) -> _Judged:
        """Judge what a referrer holds: a bundle or, as cosign 2 may attach them, signatures."""
        manifest = await self._manifest(at)
        judged = _Judged([], [], [])
        content = await self._only_layer(manifest, at, bundle.is_bundle)
        if content is not None:
            judged.add(judge_bundle(content, digest, keys), "bundle", at, digest)
        elif isinstance(manifest.document, ImageManifest):
            return await self._layers(manifest.content, at, digest, keys)
        return judged

    async def _classic(self, digest: str, keys: Sequence[PublicKey]) -> _Judged:
        held = await self.tag(digest)
        if held is None:
            return _Judged([], [], [])
        return await self._layers(held.content, self.tag_reference(digest), digest, keys)

    async def _layers(
        self, manifest: bytes, at: Reference, digest: str, keys: Sequence[PublicKey]
    ) -> _Judged:
        """Judge the classic signatures that a manifest holds."""
        judged = _Judged([], [], [])
        try:
            layers = classic.read_layers(manifest)
        except UnreadableError as error:
            raise ManifestError(f"{at} cannot be read: {error}") from None
        if len(layers) > MOST_REFERRERS:
            raise ManifestError(f"{at} has more than {MOST_REFERRERS} signatures")
        blobs = BlobClient(self.registry, self.repository)
        distinct = {layer.digest: layer for layer in layers}
        read = await gather_settled(
            blobs.get(
                Blob(layer.digest, layer.size, classic.LAYER_TYPE),
                what=f"a signature of {at}",
            )
            for layer in distinct.values()
        )
        payloads = dict(zip(distinct, read, strict=True))
        for layer in layers:
            payload = payloads[layer.digest]
            if isinstance(payload, OciMergeError):
                judged.failures.append(payload.message)
            else:
                judged.add(judge_payload(payload, layer, digest, keys), "classic", at, digest)
        return judged


@dataclass(slots=True)
class _Judged:
    """What became of the documents of one format.

    Attributes:
        valid: the valid signatures.
        verdicts: what became of all that could be read.
        failures: why others could not be.
    """

    valid: list[VerifiedSignature]
    verdicts: list[Verdict]
    failures: list[str]

    def take(self, other: _Judged) -> None:
        """Add what another one holds."""
        self.valid += other.valid
        self.verdicts += other.verdicts
        self.failures += other.failures

    def add(self, verdict: Verdict, kind: Format, at: Reference, digest: str) -> None:
        """Add a document that was judged, and where it stands."""
        self.verdicts.append(verdict)
        if verdict.kind == "valid" and verdict.key:
            key = verdict.key
            found = VerifiedSignature(digest, kind, str(at), key.key_id, printable(key.name))
            self.valid.append(found)
