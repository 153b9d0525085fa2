"""Sigstore bundles: the format of cosign 3, one manifest that refers to what is signed. Pure.

in-toto Statement v1, DSSE v1 ("PAE"), sigstore bundle v0.3, and OCI image spec 1.1 ("Guidelines for
Artifact Usage", "Image Manifest": ``subject``).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from oci_merge._frozen import frozen
from oci_merge.model import media_types
from oci_merge.trust.formats import Signed, StoredBlob, StoredManifest, image_manifest
from oci_merge.trust.strict_json import UnreadableError, decode_base64, encode, field, parse

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: The predicate of a signature. Another statement, such as a provenance, says something else of the
#: image, and does not stand for a signature of it.
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"

#: Media types that say nothing, which some writers put in the place of the artifact type: what the
#: manifest has is decided by its layer then.
EMPTY_TYPES = frozenset({"", media_types.OCI_EMPTY})

# No set: what a document holds in that place may be unhashable.
_STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_ANY_VERSION = "application/vnd.dev.sigstore.bundle"


def pae(payload: bytes, payload_type: str = media_types.IN_TOTO) -> bytes:
    """Return the bytes that a DSSE signature is of ("PAE", the pre-authentication encoding)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def statement(signed: Signed, predicate_type: str, predicate: object, name: str = "") -> bytes:
    """Return an in-toto statement about a manifest.

    Args:
        signed: the manifest; its digest is a sha256 one.
        predicate_type: a URI that says what is stated.
        predicate: what is stated, as JSON values.
        name: the name of the manifest; signatures have none.
    """
    subject: dict[str, Any] = {"name": name} if name else {}
    subject["digest"] = {"sha256": signed.digest.removeprefix("sha256:")}
    return encode(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [subject],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def signature_statement(signed: Signed) -> bytes:
    """Return the statement that cosign signs for a manifest."""
    return statement(signed, SIGNATURE, {})


def make_bundle(payload: bytes, signature: bytes, key_id: str) -> StoredBlob:
    """Return a bundle with a signed statement.

    Args:
        payload: the statement.
        signature: the signature of its ``pae``.
        key_id: base64 of the sha256 digest of the public key in DER.
    """
    return StoredBlob(
        encode(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": key_id}},
                "dsseEnvelope": {
                    "payload": base64.b64encode(payload).decode(),
                    "payloadType": media_types.IN_TOTO,
                    "signatures": [{"sig": base64.b64encode(signature).decode()}],
                },
            }
        ),
        MEDIA_TYPE,
    )


def bundle_manifest(signed: Signed, bundle: StoredBlob, predicate_type: str) -> StoredManifest:
    """Return the manifest that brings a bundle to what is signed, as cosign 3 looks for it.

    It has no date: the same key and image give the same manifest, so that two jobs that sign at
    once store one signature, and a rerun stores none.

    Args:
        signed: what is signed.
        bundle: the bundle.
        predicate_type: what kind of statement it holds.
    """
    annotations = {"dev.sigstore.bundle.content": "dsse-envelope"}
    return _attached(
        signed, bundle, annotations | {"dev.sigstore.bundle.predicateType": predicate_type}
    )


def statement_manifest(signed: Signed, payload: bytes, predicate_type: str) -> StoredManifest:
    """Return the manifest that brings a statement which nobody signs to what it is about.

    Args:
        signed: what it is about.
        payload: the statement.
        predicate_type: what kind of statement it is.
    """
    statement = StoredBlob(payload, media_types.IN_TOTO)
    return _attached(signed, statement, {"in-toto.io/predicate-type": predicate_type})


def _attached(signed: Signed, layer: StoredBlob, annotations: Mapping[str, str]) -> StoredManifest:
    empty = StoredBlob(b"{}", media_types.OCI_EMPTY)
    manifest = image_manifest(
        artifactType=layer.media_type,
        config=empty.descriptor(),
        layers=[layer.descriptor()],
        subject={
            "mediaType": signed.media_type,
            "size": signed.size,
            "digest": signed.digest,
        },
        annotations={**annotations},
    )
    return StoredManifest(manifest, (empty, layer))


@frozen
class Envelope:
    """A signed statement, not yet verified.

    Attributes:
        payload: the statement's bytes.
        payload_type: their media type.
        signature: the signature of their ``pae``.
    """

    payload: bytes
    payload_type: str
    signature: bytes

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is of."""
        return pae(self.payload, self.payload_type)


@frozen
class Statement:
    """What a statement says.

    Attributes:
        digests: the sha256 digests of what it is about.
        predicate_type: what kind of statement it is.
        predicate: what it states.
    """

    digests: tuple[str, ...]
    predicate_type: str
    predicate: Any


def is_bundle(media_type: str) -> bool:
    """Say whether a media type is that of a bundle, of any version."""
    return media_type.startswith(_ANY_VERSION)


def read_bundle(content: bytes) -> Envelope:
    """Return the signed statement in a bundle.

    Args:
        content: the bundle.

    Raises:
        UnreadableError: it is no bundle, or has no statement with exactly one signature.
    """
    document = parse(content)
    if not is_bundle(str(document.get("mediaType", ""))):
        raise UnreadableError("it is no sigstore bundle")
    if "messageSignature" in document:
        raise UnreadableError("it signs a message and no statement")
    envelope = document.get("dsseEnvelope")
    signatures = field(document, "dsseEnvelope", "signatures")
    if not isinstance(envelope, dict) or not isinstance(signatures, list) or len(signatures) != 1:
        raise UnreadableError("it has no statement with one signature")
    payload_type = envelope.get("payloadType")
    if payload_type != media_types.IN_TOTO:
        raise UnreadableError("what it signs is no in-toto statement")
    only = signatures[0]
    return Envelope(
        decode_base64(envelope.get("payload"), "payload"),
        payload_type,
        decode_base64(only.get("sig") if isinstance(only, dict) else None, "signature"),
    )


def read_statement(payload: bytes) -> Statement:
    """Return what a statement says.

    Args:
        payload: the statement.

    Raises:
        UnreadableError: it is no in-toto statement.
    """
    document = parse(payload)
    subjects, predicate_type = document.get("subject"), document.get("predicateType")
    if document.get("_type") not in _STATEMENT_TYPES or not isinstance(subjects, list):
        raise UnreadableError("what it signs is no in-toto statement")
    if not isinstance(predicate_type, str):
        raise UnreadableError("its statement has no predicate type")
    return Statement(_digests(subjects), predicate_type, document.get("predicate"))


def _digests(subjects: Sequence[object]) -> tuple[str, ...]:
    found = [
        field(subject, "digest", "sha256") for subject in subjects if isinstance(subject, dict)
    ]
    return tuple(f"sha256:{digest}" for digest in found if isinstance(digest, str))
