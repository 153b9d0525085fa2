"""Public keys, and signing with keys in memory; openssl is the second opinion."""

from __future__ import annotations

import base64
import copy
import hashlib
import pickle
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_merge.errors import SigningKeyError
from oci_merge.trust.keys import LocalSigner, PublicKey, parse_public_key
from tests.unit.trust.support import (
    ED25519,
    KINDS,
    P256,
    P384,
    P521,
    RSA2048,
    assert_silent,
    forms,
    openssl,
    pem,
    pkcs8,
    public,
)

_DATA = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
_KINDS = pytest.mark.parametrize("kind", KINDS)


def _public_key(key: PrivateKeyTypes) -> PublicKey:
    return parse_public_key(public(key), name="cosign.pub")


@_KINDS
def test_what_is_signed_verifies_and_nothing_else(kind: str) -> None:
    signer = LocalSigner(KINDS[kind], name="cosign.key")
    signature = signer.sign(_DATA)
    key = _public_key(KINDS[kind])
    assert key == signer.public
    assert key.kind == kind
    assert key.verify(signature, _DATA)
    assert key.verify_sha256(signature, _DATA)
    assert not key.verify(signature, _DATA + b"\n")
    assert not key.verify(signature[:-1] + bytes([signature[-1] ^ 1]), _DATA)
    assert not key.verify(b"", _DATA)
    others = [_public_key(other) for name, other in KINDS.items() if name != kind]
    assert not any(other.verify(signature, _DATA) for other in others)


@_KINDS
def test_openssl_verifies_what_is_signed(kind: str, tmp_path: Path) -> None:
    signer = LocalSigner(KINDS[kind], name="cosign.key")
    (tmp_path / "key.pub").write_text(signer.public.pem)
    (tmp_path / "signature").write_bytes(signer.sign(_DATA))
    (tmp_path / "data").write_bytes(_DATA)
    how: list[str | Path]
    if kind == "Ed25519":
        how = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", tmp_path / "key.pub"]
        how += ["-sigfile", tmp_path / "signature", "-in", tmp_path / "data"]
    else:
        how = ["dgst", "-sha256", "-verify", tmp_path / "key.pub"]
        how += ["-signature", tmp_path / "signature", tmp_path / "data"]
    assert b"Verified" in openssl(*how)


@_KINDS
def test_what_openssl_signs_verifies(kind: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(pkcs8(KINDS[kind]))
    (tmp_path / "data").write_bytes(_DATA)
    how: list[str | Path]
    if kind == "Ed25519":
        how = ["pkeyutl", "-sign", "-rawin", "-inkey", tmp_path / "key", "-in", tmp_path / "data"]
    else:
        how = ["dgst", "-sha256", "-sign", tmp_path / "key", tmp_path / "data"]
    assert _public_key(KINDS[kind]).verify(openssl(*how), _DATA)


@_KINDS
def test_signing_twice_gives_the_same_bytes(kind: str) -> None:
    signer = LocalSigner(KINDS[kind], name="cosign.key")
    assert signer.sign(_DATA) == signer.sign(_DATA)
    assert signer.sign(_DATA) != signer.sign(b"")


def test_a_cryptography_without_deterministic_ecdsa_signs_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = ec.ECDSA

    def refuse(algorithm: hashes.HashAlgorithm, deterministic_signing: bool = False) -> ec.ECDSA:
        if deterministic_signing:
            raise UnsupportedAlgorithm("no")
        return real(algorithm)

    monkeypatch.setattr(ec, "ECDSA", refuse)
    signature = LocalSigner(P256, name="cosign.key").sign(_DATA)
    monkeypatch.undo()
    assert _public_key(P256).verify(signature, _DATA)


@pytest.mark.parametrize(
    ("key", "own_hash"), [(P384, hashes.SHA384()), (P521, hashes.SHA512())], ids=["P-384", "P-521"]
)
def test_the_curves_own_hash_verifies_too_but_not_where_sha256_is_asked_for(
    key: ec.EllipticCurvePrivateKey, own_hash: hashes.HashAlgorithm
) -> None:
    signature = key.sign(_DATA, ec.ECDSA(own_hash))
    assert _public_key(key).verify(signature, _DATA)
    assert not _public_key(key).verify(signature, _DATA + b"x")
    assert not _public_key(key).verify_sha256(signature, _DATA)


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        (P256, P256.sign(_DATA, ec.ECDSA(hashes.SHA384()))),
        (P384, P384.sign(_DATA, ec.ECDSA(hashes.SHA512()))),
        (P521, P521.sign(_DATA, ec.ECDSA(hashes.SHA384()))),
        (RSA2048, RSA2048.sign(_DATA, padding.PKCS1v15(), hashes.SHA512())),
        (RSA2048, RSA2048.sign(_DATA, _PSS, hashes.SHA256())),
        (ED25519, ED25519.sign(hashlib.sha512(_DATA).digest())),
    ],
    ids=["P-256 SHA-384", "P-384 SHA-512", "P-521 SHA-384", "RSA SHA-512", "RSA PSS", "Ed25519"],
)
def test_other_hashes_and_paddings_do_not_verify(key: PrivateKeyTypes, signature: bytes) -> None:
    assert not _public_key(key).verify(signature, _DATA)


@given(st.binary(max_size=600))
@settings(deadline=None, max_examples=50)
def test_any_bytes_are_no_signature_and_no_crash(signature: bytes) -> None:
    assert not any(_public_key(key).verify(signature, _DATA) for key in KINDS.values())


def test_only_ed25519_has_a_caveat() -> None:
    assert {kind for kind in KINDS if _public_key(KINDS[kind]).caveat} == {"Ed25519"}
    assert "Ed25519ph" in _public_key(ED25519).caveat


@_KINDS
def test_the_id_of_a_key_is_the_hint_of_bundles(kind: str) -> None:
    content = KINDS[kind].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    expected = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert _public_key(KINDS[kind]).key_id == expected


def test_a_public_key_is_the_same_whatever_its_name_and_can_be_pickled() -> None:
    key = parse_public_key(public(P256), name="one.pub")
    other = parse_public_key(public(P256), name="env://KEY")
    assert key == other
    assert hash(key) == hash(other)
    assert key != _public_key(P384)
    assert pickle.loads(pickle.dumps(key)).pem.encode() == public(P256)


def test_a_private_key_shows_its_id_alone_and_cannot_be_pickled_or_copied() -> None:
    signer = LocalSigner(P256, name="cosign.key")
    assert repr(signer) == f"LocalSigner(key_id={signer.public.key_id!r})"
    assert str(signer) == repr(signer)
    signer.end()
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a private key cannot be pickled or copied"):
            take(signer)


def test_the_public_key_of_rsa_may_be_pkcs_1() -> None:
    old = RSA2048.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    assert old.startswith(b"-----BEGIN RSA PUBLIC KEY-----")
    assert parse_public_key(old, name="old.pub") == _public_key(RSA2048)


@pytest.mark.parametrize("form", forms(b""))
@pytest.mark.parametrize("kind", ["EC P-256", "RSA 2048"])
def test_a_public_key_is_read_as_people_hand_it_on(kind: str, form: str) -> None:
    content = forms(public(KINDS[kind]))[form]
    assert content != public(KINDS[kind])
    assert parse_public_key(content, name="cosign.pub") == _public_key(KINDS[kind])


_CERTIFICATE = pem("CERTIFICATE", b"0")
_LABEL = b"PGP PUBLIC KEY BLOCK-----"
_PGP = b"-----BEGIN " + _LABEL + b"\nVersion: 1\n\nmQ==\n=x\n-----END " + _LABEL


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cosign.pub is empty, where a key in PEM was expected"),
        (b" \r\n\t", "cosign.pub is empty"),
        (b"hello", "cosign.pub is not PEM: it has no line -----BEGIN …"),
        (b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", "cosign.pub is not PEM"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here", "cosign.pub is not PEM"),
        (b"untrusted comment: minisign public key\nRWQ", "cosign.pub is not PEM"),
        (b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce", "cosign.pub is DER, where a key in PEM"),
        (b"\x99\x01\x8d\x04", "cosign.pub is binary, where a key in PEM"),
        (b"x" * 65537, "cosign.pub has more than 64 KiB, so it is no key"),
        (public(P256) + public(P384), "cosign.pub holds 2 keys, where one was expected"),
        (pkcs8(P256), "cosign.pub holds a private key, where a public key was expected"),
        (public(P256) + pkcs8(P256), "cosign.pub holds a private key"),
        (_CERTIFICATE, "cosign.pub holds a CERTIFICATE, where a public key was expected"),
        (_CERTIFICATE * 3, "cosign.pub holds a CERTIFICATE"),
        (base64.b64encode(_CERTIFICATE), "cosign.pub holds a CERTIFICATE"),
        (pem("EC PARAMETERS", b"0"), "cosign.pub holds EC PARAMETERS, where PUBLIC KEY was"),
        (_PGP, "cosign.pub holds PGP PUBLIC KEY BLOCK, where PUBLIC KEY was expected"),
        (pem("PUBLIC KEY", b"nothing of a key"), "cosign.pub is damaged: its PUBLIC KEY cannot be"),
        (b"-----BEGIN PUBLIC KEY-----\n?\n-----END PUBLIC KEY-----", "cosign.pub is damaged: what"),
        (b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "cosign.pub is damaged: what"),
        (public(P256)[:-10], "cosign.pub lacks the line -----END PUBLIC KEY-----"),
        (public(P256)[:60], "cosign.pub lacks the line -----END PUBLIC KEY-----"),
        (b"-----BEGIN PUBLIC KEY\nMFkw\n", "cosign.pub has a damaged -----BEGIN line"),
        (b"-----BEGIN public\x1b key-----\n", "cosign.pub has a damaged -----BEGIN line"),
        (b"-----BEGIN " + b"A" * 9999 + b"-----", "cosign.pub has a damaged -----BEGIN line"),
    ],
)  # fmt: skip
def test_what_is_no_public_key_is_said(content: bytes, message: str) -> None:
    with pytest.raises(SigningKeyError) as caught:
        parse_public_key(content, name="cosign.pub")
    assert caught.value.message.startswith(message)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here", "ssh-keygen -e -m PKCS8"),
        (b"untrusted comment: minisign public key\nRWQ", "minisign"),
        (b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce", "openssl pkey -inform DER"),
        (pkcs8(P256), "cosign public-key --key KEY"),
        (_CERTIFICATE, "openssl x509 -pubkey -noout"),
        (public(P256) + public(P384), "a file of its own"),
    ],
)
def test_the_hint_says_how_to_get_a_public_key(content: bytes, hint: str) -> None:
    with pytest.raises(SigningKeyError) as caught:
        parse_public_key(content, name="cosign.pub")
    assert hint in caught.value.hint


_UNSUPPORTED: dict[str, PrivateKeyTypes] = {
    "EC secp224r1": ec.generate_private_key(ec.SECP224R1()),
    "EC secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "EC brainpoolP256r1": ec.generate_private_key(ec.BrainpoolP256R1()),
    "RSA 1024": rsa.generate_private_key(65537, 1024),
    "DSA": dsa.generate_private_key(2048),
    "X25519": x25519.X25519PrivateKey.generate(),
    "Ed448": ed448.Ed448PrivateKey.generate(),
}


@pytest.mark.parametrize("kind", _UNSUPPORTED)
def test_keys_of_other_kinds_are_refused_by_name(kind: str) -> None:
    with pytest.raises(SigningKeyError) as caught:
        parse_public_key(public(_UNSUPPORTED[kind]), name="cosign.pub")
    assert caught.value.message == (
        f"cosign.pub is a key of the kind {kind}, where another was expected: "
        "EC P-256, P-384 or P-521, RSA of at least 2048 bits, or Ed25519"
    )
    with pytest.raises(SigningKeyError, match=kind):
        LocalSigner(_UNSUPPORTED[kind], name="cosign.key")


def test_an_unknown_kind_of_key_is_refused() -> None:
    # The key of P-256, with an object identifier that stands for nothing.
    content = load_pem_public_key(public(P256)).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    unknown = content.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a030405060708"))
    with pytest.raises(SigningKeyError, match="is a key of an unknown kind"):
        parse_public_key(pem("PUBLIC KEY", unknown), name="cosign.pub")


def test_a_private_key_in_the_place_of_a_public_one_is_not_shown() -> None:
    for content in (pkcs8(P256), pkcs8(P256)[:-30], base64.b64encode(pkcs8(P256))):
        with pytest.raises(SigningKeyError) as caught:
            parse_public_key(content, name="cosign.pub")
        assert_silent(caught.value, *pkcs8(P256).splitlines()[1:-1])
