"""The verb ``sign``: signs what is in a registry already."""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge._concurrency import gather
from oci_merge._text import printable
from oci_merge.errors import SigningError
from oci_merge.events import OnEvent, Warned
from oci_merge.model.manifest import ImageIndex
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import ManifestReader
from oci_merge.operations.sign import RepositorySigner
from oci_merge.operations.stored_signatures import open_repository
from oci_merge.operations.target_signing import listed_manifests
from oci_merge.planning.signing import Format, SignResult
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.trust.formats import Signed
from oci_merge.trust.keys import Signer


async def sign_reference(
    registry: RegistryClient,
    reference: Reference,
    signer: Signer,
    formats: Sequence[Format],
    emit: OnEvent,
    *,
    index_only: bool,
) -> SignResult:
    """Sign an image, or an index with all that it lists.

    The tag is looked up once: what it points to then is signed by its digest.

    Args:
        registry: its registry.
        reference: with a tag, a digest or both.
        signer: the key.
        formats: the formats to store.
        emit: called with warnings.
        index_only: sign nothing that an index lists.

    Raises:
        SigningError: the registry keeps no signature.
        ManifestError, RegistryError, TransportError: the registry refused, or did not answer.
    """
    warnings: list[str] = []

    def warn(message: str) -> None:
        warnings.append(message)
        emit(Warned(message))

    reader = ManifestReader({registry.name: registry})
    manifest = await reader.get(reference)
    at = Reference(reference.registry, reference.repository, digest=manifest.digest)
    manifests = [Signed(manifest.media_type, manifest.digest, manifest.size)]
    if isinstance(manifest.document, ImageIndex) and not index_only:
        manifests += await listed_manifests(reader, at, manifest.document.manifests)
        await _check_there(registry, at, manifests[1:])
    repository = open_repository(registry, reference.repository)
    run = RepositorySigner(repository, signer, formats, warn)
    try:
        await run.prepare(manifests)
        await run.put_unseen()
        await run.store()
        await run.confirm()
    finally:
        await repository.uploads.close()
    named = Reference(
        reference.registry, reference.repository, tag=reference.tag, digest=manifest.digest
    )
    return SignResult(
        reference=printable(str(named)),
        digest=manifest.digest,
        media_type=manifest.media_type,
        signatures=run.results([each.digest for each in manifests]),
        warnings=tuple(warnings),
    )


async def _check_there(
    registry: RegistryClient, at: Reference, manifests: Sequence[Signed]
) -> None:
    """Check that the registry has what an index lists: nothing is signed that is not there.

    Raises:
        SigningError: it lacks a manifest.
    """
    client = ManifestClient(registry)
    places = [
        Reference(at.registry, at.repository, digest=each.digest)
        for each in manifests
        if each.digest.startswith("sha256:")  # others cannot be signed in any case
    ]
    are_missing = await gather(client.is_missing(place) for place in places)
    for place, is_missing in zip(places, are_missing, strict=True):
        if is_missing:
            raise SigningError(
                f"{at} lists {place.digest}, which {at.registry} does not have",
                hint="publish the image again, or sign the index alone: --sign-index-only",
            )
