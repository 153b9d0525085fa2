"""Signed documents for the tests of formats: what is signed, signers, and changed copies."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from oci_merge.trust import bundle
from oci_merge.trust.formats import Signed
from oci_merge.trust.keys import LocalSigner
from tests.unit.trust.support import ED25519, P256, P384, RSA2048

HEX = "36af0541ee5c25aeccc0eb37ffb6163f48fbc5a4bb85e94e09a3f0163444ce7f"
#: What is signed.
SIGNED = Signed("application/vnd.oci.image.index.v1+json", f"sha256:{HEX}", 645)
OTHER = "sha256:" + "0" * 64
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SLSA = "https://slsa.dev/provenance/v1"
REPOSITORY = "reg.example/team/app"

OURS = LocalSigner(P256, name="ours.pub")
STRANGER = LocalSigner(P384, name="stranger.pub")
SIGNERS = {
    "EC P-256": OURS,
    "EC P-384": STRANGER,
    "RSA 2048": LocalSigner(RSA2048, name="rsa.pub"),
    "Ed25519": LocalSigner(ED25519, name="ed25519.pub"),
}


def enveloped(payload: bytes, signer: LocalSigner = OURS) -> bytes:
    """Return a bundle with a signed payload, whatever that is."""
    signature = signer.sign(bundle.pae(payload))
    return bundle.make_bundle(payload, signature, signer.public.key_id).content


def signed_bundle(signer: LocalSigner = OURS, signed: Signed = SIGNED) -> bytes:
    """Return a bundle with a signature of a manifest."""
    return enveloped(bundle.signature_statement(signed), signer)


def statement(**changes: Any) -> bytes:
    """Return the statement of a signature with other fields; those that are None are left out."""
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": HEX}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    } | changes
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def changed(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return a JSON document with a change."""
    document = json.loads(content)
    change(document)
    return json.dumps(document).encode()


def b64(content: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(content).decode()
