"""Classic signatures: the format of cosign 1 and 2, layers of one manifest under a tag. Pure.

cosign's signature specification, with the payload of "simple signing"; OCI image spec.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from oci_merge._frozen import frozen
from oci_merge.errors import InvalidReferenceError
from oci_merge.model import media_types
from oci_merge.model.digest import check_digest
from oci_merge.model.manifest import MAX_DOCUMENT
from oci_merge.trust.formats import StoredBlob, StoredManifest, image_manifest
from oci_merge.trust.strict_json import UnreadableError, decode_base64, encode, field, parse

LAYER_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
#: The artifact type of signatures that cosign 2 attaches as a referrer, instead of under a tag.
REFERRER_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
#: The tags of signatures, attestations and SBOMs that clients of the classic format look for.
SUFFIXES = (".sig", ".att", ".sbom")

_SIGNATURE = "dev.cosignproject.cosign/signature"
_KIND = "cosign container image signature"
_NEVER = "0001-01-01T00:00:00Z"


def tag_of(digest: str, suffix: str = ".sig") -> str:
    """Return the tag under which clients look for the signatures of a manifest."""
    return digest.replace(":", "-") + suffix


def identity(registry: str, repository: str) -> str:
    """Return the name of a repository as signatures have it.

    Args:
        registry: its registry, ``host[:port]``; Docker Hub is ``docker.io``.
        repository: its name there.
    """
    # The name that Docker Hub had first is the one that policies are matched with.
    return f"{'index.docker.io' if registry == 'docker.io' else registry}/{repository}"


def make_payload(name: str, digest: str) -> bytes:
    """Return what is signed for a manifest, byte for byte as cosign writes it.

    Args:
        name: the repository, from ``identity``.
        digest: the manifest's digest.
    """
    return encode(
        {
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": digest},
                "type": _KIND,
            },
            "optional": None,
        }
    )


@frozen
class SignatureLayer:
    """A signature, not yet verified.

    Attributes:
        digest: the digest of the payload.
        size: its size in bytes.
        signature: the signature of the payload, base64; empty where the layer has none.
    """

    digest: str
    size: int
    signature: str

    def decoded(self) -> bytes:
        """Return the signature's bytes.

        Raises:
            UnreadableError: it is no base64, or missing.
        """
        return decode_base64(self.signature or None, "signature")


@frozen
class Payload:
    """What a payload says.

    Attributes:
        digest: the digest of what is signed.
        name: the repository that it is signed in.
    """

    digest: str
    name: str


def read_payload(content: bytes) -> Payload:
    """Return what a payload says.

    Raises:
        UnreadableError: it is no payload of a container image's signature.
    """
    document = parse(content)
    digest = field(document, "critical", "image", "docker-manifest-digest")
    name = field(document, "critical", "identity", "docker-reference")
    if field(document, "critical", "type") != _KIND or not isinstance(digest, str):
        raise UnreadableError("it is no signature of a container image")
    return Payload(digest, name if isinstance(name, str) else "")


def read_layers(manifest: bytes) -> tuple[SignatureLayer, ...]:
    """Return the signatures that a manifest under a ``.sig`` tag holds, in their order.

    Raises:
        UnreadableError: it is no image manifest, or a layer has no digest.
    """
    found = []
    for layer in _layers(parse(manifest)):
        digest, size = layer.get("digest"), layer.get("size")
        if layer.get("mediaType") != LAYER_TYPE or not isinstance(digest, str):
            continue
        if type(size) is not int or not 0 <= size <= MAX_DOCUMENT:
            continue
        try:
            check_digest(digest)
        except InvalidReferenceError as error:
            raise UnreadableError("it has a layer without a digest") from error
        signature = field(layer, "annotations", _SIGNATURE)
        found.append(SignatureLayer(digest, size, signature if isinstance(signature, str) else ""))
    return tuple(found)


def with_signature(present: bytes | None, payload: bytes, signature: bytes) -> StoredManifest:
    """Return the manifest of a ``.sig`` tag with one more signature.

    Args:
        present: the manifest that stands there; its other layers stay as they are.
        payload: what was signed.
        signature: its signature.

    Raises:
        UnreadableError: what stands there is no image manifest with layers.
    """
    blob = StoredBlob(payload, LAYER_TYPE)
    layer = blob.descriptor({_SIGNATURE: base64.b64encode(signature).decode()})
    stored = joined(present, [layer])
    return StoredManifest(stored.content, (*stored.blobs, blob))


def joined(present: bytes | None, layers: Sequence[dict[str, Any]]) -> StoredManifest:
    """Return a manifest with layers added behind those that are there.

    Args:
        present: the manifest that stands there, or None.
        layers: descriptors, as JSON values.

    Returns:
        The manifest, with its config as the only blob that has to be uploaded.

    Raises:
        UnreadableError: what stands there is no image manifest with layers.
    """
    document = parse(present) if present is not None else {}
    held = list(_layers(document))
    merged = [*held, *layers]
    # As cosign makes it: nothing reads this config but registries that list an image's layers.
    config = StoredBlob(
        encode(
            {
                "architecture": "",
                "created": _NEVER,
                "history": [{"created": _NEVER} for _ in merged],
                "os": "",
                "rootfs": {"type": "layers", "diff_ids": [each["digest"] for each in merged]},
                "config": {},
            }
        ),
        media_types.OCI_CONFIG,
    )
    kept = {
        name: value
        for name, value in document.items()
        if name not in ("schemaVersion", "mediaType", "config", "layers")
    }
    content = image_manifest(config=config.descriptor(), layers=merged, **kept)
    return StoredManifest(content, (config,))


def missing_layers(held: bytes, other: bytes) -> list[dict[str, Any]]:
    """Return the layers of another manifest that one lacks, as JSON values.

    Args:
        held: the manifest that lacks them.
        other: the other one.

    Raises:
        UnreadableError: one of them is no image manifest with layers.
    """
    present = list(_layers(parse(held)))
    # Two signatures of one payload differ in their annotations alone.
    return [layer for layer in _layers(parse(other)) if layer not in present]


def _layers(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = document.get("mediaType", media_types.OCI_MANIFEST)
    # An index may have no media type; with layers it would be an image and an index at once.
    if not isinstance(kind, str) or kind not in media_types.MANIFESTS or "manifests" in document:
        raise UnreadableError("it is no image manifest")
    layers = document.get("layers")
    if layers is None:  # as Go reads and writes an empty list
        layers = []
    if not isinstance(layers, list) or not all(isinstance(each, dict) for each in layers):
        raise UnreadableError("it is no image manifest")
    if not all(isinstance(each.get("digest"), str) for each in layers):
        raise UnreadableError("it has a layer without a digest")
    return iter(layers)
