"""Puts signatures into embedded registries, without a request, as their writers leave them."""

from __future__ import annotations

import json
from pathlib import Path

from fixtures import media_types
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import Blob, BuiltImage, BuiltIndex
from fixtures.trust import SignedCase, load_cases, load_keys
from oci_merge.trust import bundle, classic
from oci_merge.trust.formats import Signed, StoredManifest
from oci_merge.trust.keys import LocalSigner
from tests.unit.trust.documents import OURS


def case(key: str, form: str) -> SignedCase:
    """Return what cosign signed by a key, in one format."""
    [found] = [each for each in load_cases() if (each.key, each.format) == (key, form)]
    return found


def cosign_key(folder: Path, name: str) -> str:
    """Write a public key of cosign's into a file; return its path."""
    path = folder / f"{name}.pub"
    path.write_bytes(load_keys()[name])
    return str(path)


def key_file(folder: Path, signer: LocalSigner = OURS) -> str:
    """Write the public key of a signer into a file; return its path."""
    path = folder / signer.public.name
    path.write_text(signer.public.pem)
    return str(path)


def signed(image: BuiltImage | BuiltIndex) -> Signed:
    """Return an image as a signature names it."""
    return Signed(image.media_type, image.digest, image.size)


def built(stored: StoredManifest, *, artifact_type: str | None = None) -> BuiltImage:
    """Return a manifest with its blobs as the registry takes it.

    Args:
        stored: the manifest.
        artifact_type: its artifact type in the place of its own; empty for none.
    """
    document = json.loads(stored.content)
    if artifact_type is not None:
        document["artifactType"] = artifact_type
    content = json.dumps({k: v for k, v in document.items() if v != ""}).encode()
    config, *layers = (Blob(blob.media_type, blob.content) for blob in stored.blobs)
    return BuiltImage(content, media_types.OCI_MANIFEST, config, tuple(layers))


def bundle_of(
    image: BuiltImage | BuiltIndex,
    signer: LocalSigner = OURS,
    *,
    payload: bytes | None = None,
    artifact_type: str | None = None,
) -> BuiltImage:
    """Return the referrer that holds a bundle.

    Args:
        image: what it refers to.
        signer: signs.
        payload: the statement, by default the signature of the image.
        artifact_type: the manifest's artifact type, by default as it should be.
    """
    payload = bundle.signature_statement(signed(image)) if payload is None else payload
    made = bundle.make_bundle(payload, signer.sign(bundle.pae(payload)), signer.public.key_id)
    stored = bundle.bundle_manifest(signed(image), made, bundle.SIGNATURE)
    return built(stored, artifact_type=artifact_type)


def classic_of(
    image: BuiltImage | BuiltIndex, repository: str, *signers: LocalSigner
) -> BuiltImage:
    """Return the manifest that stands under the tag of classic signatures, one by each signer."""
    payload = classic.make_payload(f"reg.example/{repository}", image.digest)
    stored = None
    for signer in signers or (OURS,):
        before = None if stored is None else stored.content
        stored = classic.with_signature(before, payload, signer.sign(payload))
    assert stored is not None
    return built(stored)


def attach(registry: EmbeddedRegistry, repository: str, *referrers: BuiltImage) -> None:
    """Put referrers into a repository, by digest."""
    for referrer in referrers:
        registry.add_image(repository, referrer.digest, referrer)


def list_by_tag(
    registry: EmbeddedRegistry,
    repository: str,
    image: BuiltImage | BuiltIndex,
    *referrers: BuiltImage,
    artifact_type: str | None = bundle.MEDIA_TYPE,
) -> None:
    """Put referrers into a repository, and a list of them under the referrers tag.

    Args:
        registry: the registry.
        repository: the repository.
        image: what they refer to.
        referrers: the referrers.
        artifact_type: what the list says that they are; None where it says nothing.
    """
    said = {} if artifact_type is None else {"artifactType": artifact_type}
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [each.descriptor() | said for each in referrers],
    }
    listed = BuiltIndex(json.dumps(document).encode(), media_types.OCI_INDEX, referrers)
    registry.add_image(repository, image.digest.replace(":", "-"), listed)


def add_classic(
    registry: EmbeddedRegistry,
    repository: str,
    image: BuiltImage | BuiltIndex,
    *signers: LocalSigner,
) -> None:
    """Put classic signatures of an image into its repository."""
    held = classic_of(image, repository, *signers)
    registry.add_image(repository, classic.tag_of(image.digest), held)
