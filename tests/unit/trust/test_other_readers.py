"""What we sign is verified by programs of other people: openssl, securesystemslib, sigstore-js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined] # it has no __all__

from fixtures.trust import load_cases, load_keys
from oci_merge.trust import bundle, classic
from oci_merge.trust.keys import LocalSigner
from tests.unit.trust.documents import (
    OTHER,
    OURS,
    REPOSITORY,
    SIGNED,
    SIGNERS,
    changed,
    signed_bundle,
)

#: Verifies a bundle by a key alone: no log entry and no time is asked for. It reads JSON with the
#: bundle and the key, and says whether the signature is the key's.
_SIGSTORE_JS = """
const { bundleFromJSON } = require("@sigstore/bundle");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");
const { createPublicKey } = require("crypto");
const { bundle, key } = JSON.parse(require("fs").readFileSync(0));
const root = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const found = () => ({ publicKey: createPublicKey(key), validFor: () => true });
const none = { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0, tsaThreshold: 0 };
const verifier = new Verifier(toTrustMaterial(root, found), none);
try { verifier.verify(toSignedEntity(bundleFromJSON(bundle))); console.log("valid"); }
catch (error) {
  if (error.code !== "SIGNATURE_ERROR") throw error;
  console.log("invalid");
}
"""


def _openssl_verifies(signer: LocalSigner, signature: bytes, data: bytes, folder: Path) -> bool:
    """Say what `openssl` says to a signature of some data."""
    for name, content in (
        ("key.pem", signer.public.pem.encode()),
        ("data.sig", signature),
        ("data", data),
    ):
        (folder / name).write_bytes(content)
    command = ["dgst", "-sha256", "-verify", "key.pem", "-signature", "data.sig", "data"]
    if signer.public.kind == "Ed25519":  # which has no hash of its own
        command = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
        command += ["-in", "data", "-sigfile", "data.sig"]
    done = subprocess.run(["openssl", *command], cwd=folder, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert ("Verified OK" in said or "Verified Successfully" in said) == (done.returncode == 0)
    return done.returncode == 0


@pytest.mark.parametrize("kind", SIGNERS)
def test_openssl_verifies_the_statement_of_a_bundle(kind: str, tmp_path: Path) -> None:
    signer = SIGNERS[kind]
    envelope = json.loads(signed_bundle(signer))["dsseEnvelope"]
    payload, signature = (_decoded(envelope["payload"]), _decoded(envelope["signatures"][0]["sig"]))
    # The specification's own words, and not our function.
    signed = (
        b"DSSEv1 28 application/vnd.in-toto+json " + str(len(payload)).encode() + b" " + payload
    )
    assert _openssl_verifies(signer, signature, signed, tmp_path)
    assert not _openssl_verifies(signer, signature, signed + b" ", tmp_path)
    assert not _openssl_verifies(signer, signature, payload, tmp_path)


@pytest.mark.parametrize("kind", SIGNERS)
def test_openssl_verifies_a_classic_payload(kind: str, tmp_path: Path) -> None:
    signer = SIGNERS[kind]
    payload = classic.make_payload(REPOSITORY, SIGNED.digest)
    [layer] = classic.read_layers(
        classic.with_signature(None, payload, signer.sign(payload)).content
    )
    signature = _decoded(layer.signature)
    assert _openssl_verifies(signer, signature, payload, tmp_path)
    moved = classic.make_payload(REPOSITORY, OTHER)
    assert not _openssl_verifies(signer, signature, moved, tmp_path)
    other = next(one for name, one in SIGNERS.items() if name not in (kind, "Ed25519"))
    assert not _openssl_verifies(other, signature, payload, tmp_path)


#: How securesystemslib names what we sign with; it knows no SHA-256 with P-384.
_SCHEMES = {
    "EC P-256": "ecdsa-sha2-nistp256",
    "RSA 2048": "rsa-pkcs1v15-sha256",
    "Ed25519": "ed25519",
}


def _envelope_with_key_id(content: bytes, key_id: str) -> Envelope:
    """Return the envelope of a bundle for a reader that asks for the id of the key."""
    document = json.loads(content)["dsseEnvelope"]
    document["signatures"][0]["keyid"] = key_id
    return Envelope.from_dict(document)


def _key(pem: str, scheme: str) -> SSlibKey:
    return SSlibKey.from_crypto(load_pem_public_key(pem.encode()), scheme=scheme)


@pytest.mark.parametrize("kind", _SCHEMES)
def test_securesystemslib_verifies_our_envelope(kind: str) -> None:
    signer = SIGNERS[kind]
    key = _key(signer.public.pem, _SCHEMES[kind])
    envelope = _envelope_with_key_id(signed_bundle(signer), key.keyid)
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert list(envelope.verify([key], 1).values()) == [key]
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([key], 1)


def test_securesystemslib_verifies_what_cosign_signed_as_we_do() -> None:
    [case] = [case for case in load_cases() if (case.key, case.format) == ("p256", "bundle")]
    [content] = [item.blobs[1] for item in case.items if b'"subject"' in item.manifest][:1]
    key = _key(load_keys()["p256"].decode(), "ecdsa-sha2-nistp256")
    assert _envelope_with_key_id(content, key.keyid).verify([key], 1)
    ours = bundle.read_bundle(content)
    assert _envelope_with_key_id(content, key.keyid).pae() == ours.signed_bytes


@pytest.mark.parametrize("kind", SIGNERS)
def test_sigstore_js_verifies_our_bundle(kind: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on this machine")
    found = subprocess.run(
        [node, "-e", "require.resolve('@sigstore/verify')"], capture_output=True, text=True
    )
    if found.returncode:
        pytest.skip("@sigstore/verify is not installed")
    signer = SIGNERS[kind]
    stranger = SIGNERS["RSA 2048" if kind != "RSA 2048" else "EC P-256"]

    def says(content: bytes, key: LocalSigner) -> str:
        asked: dict[str, Any] = {"bundle": json.loads(content), "key": key.public.pem}
        done = subprocess.run(
            [node, "-e", _SIGSTORE_JS], input=json.dumps(asked), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    content = signed_bundle(signer)
    assert says(content, signer) == "valid"
    assert says(content, stranger) == "invalid"
    cut = changed(content, lambda held: held["dsseEnvelope"].update(payload="e30="))
    assert says(cut, signer) == "invalid"


def test_our_key_has_the_id_that_openssl_computes() -> None:
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"],
        input=OURS.public.pem.encode(),
        capture_output=True,
        check=True,
    ).stdout
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"], input=der, capture_output=True, check=True
    ).stdout
    hint = json.loads(signed_bundle())["verificationMaterial"]["publicKey"]["hint"]
    assert _decoded(hint) == digest


def _decoded(text: str) -> bytes:
    """Return the bytes of base64, decoded by openssl."""
    return subprocess.run(
        ["openssl", "base64", "-d", "-A"], input=text.encode(), capture_output=True, check=True
    ).stdout
