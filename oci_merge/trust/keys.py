"""Keys: public ones, which verify, and what signs.

Signatures are those that cosign, skopeo and openssl verify: over the SHA-256 of the data, whatever
the curve; ECDSA in DER (X9.62), RSA with PKCS #1 v1.5 (RFC 8017), Ed25519 without a hash of its own
(RFC 8032).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import field
from typing import NoReturn, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from oci_merge._frozen import frozen
from oci_merge.errors import SigningKeyError
from oci_merge.trust.pem import read_blocks

#: What a key may be, in words.
SUPPORTED = "EC P-256, P-384 or P-521, RSA of at least 2048 bits, or Ed25519"
_LEAST_RSA_BITS = 2048
_SHA256 = hashes.SHA256()
#: The curves, with the hash that belongs to each.
_CURVES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "secp256r1": ("P-256", _SHA256),
    "secp384r1": ("P-384", hashes.SHA384()),
    "secp521r1": ("P-521", hashes.SHA512()),
}
_PUBLIC_LABELS = ("PUBLIC KEY", "RSA PUBLIC KEY")

_Public: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_Private: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@frozen
class PublicKey:
    """A key that verifies signatures.

    Attributes:
        name: how the user named it, in a form that is safe to print; it does not count in
            comparisons.
        kind: what it is, such as ``EC P-256``.
        pem: the key as SubjectPublicKeyInfo in PEM.
        key_id: base64 of the SHA-256 of the key in DER, which bundles give as the hint of a key.
    """

    name: str = field(compare=False)
    kind: str
    pem: str = field(repr=False)
    key_id: str

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Say whether a signature is this key's over some data.

        Args:
            signature: the signature: DER for ECDSA, plain bytes for the others.
            data: what was signed, whole.

        Returns:
            Whether it is, with SHA-256 or with the hash that belongs to the curve: cosign 3 signs
            with that, too.
        """
        if self.verify_sha256(signature, data):
            return True
        key = self._load()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        _, own_hash = _CURVES[key.curve.name]
        return own_hash.name != _SHA256.name and _verifies(key, signature, data, own_hash)

    def verify_sha256(self, signature: bytes, data: bytes) -> bool:
        """Say whether a signature is this key's with SHA-256, which all verifiers try.

        Args:
            signature: the signature.
            data: what was signed, whole.
        """
        return _verifies(self._load(), signature, data, _SHA256)

    @property
    def caveat(self) -> str:
        """What there is to say where a signature does not verify with this key, or nothing."""
        # cryptography has no Ed25519ph (RFC 8032, section 5.1).
        if self.kind != "Ed25519":
            return ""
        return "cosign 3 signs with Ed25519ph where the key is Ed25519, which is not verified here"

    def _load(self) -> _Public:
        key = load_pem_public_key(self.pem.encode())
        assert isinstance(key, _Public)
        return key


class Signer(Protocol):
    """Signs with one key."""

    @property
    def public(self) -> PublicKey:
        """The key that verifies what is signed."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some data; blocks, and may run a program.

        May be called from several threads at once.

        Args:
            data: what to sign, whole.

        Raises:
            SigningKeyError: the key cannot sign.
        """

    def end(self) -> None:
        """End what signs at this moment, from another thread, and sign no more."""


class LocalSigner:
    """Signs with a private key in memory.

    Args:
        key: the key.
        name: how the user named it, in a form that is safe to print.

    Attributes:
        public: the key that verifies what is signed.

    Raises:
        SigningKeyError: the key is of a kind that is not supported.
    """

    __slots__ = ("_key", "public")

    def __init__(self, key: PrivateKeyTypes, *, name: str) -> None:
        self.public = public_key(key.public_key(), name=name)
        assert isinstance(key, _Private)
        self._key = key

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some data: the same bytes each time.

        Args:
            data: what to sign, whole.
        """
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(data, _ecdsa())
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), _SHA256)
        return self._key.sign(data)

    def end(self) -> None:
        """Do nothing: a signature takes a millisecond."""

    def __repr__(self) -> str:
        """Return a text that shows the id of the key alone."""
        return f"LocalSigner(key_id={self.public.key_id!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: always.
        """
        raise TypeError("a private key cannot be pickled or copied")


def public_key(key: PublicKeyTypes, *, name: str) -> PublicKey:
    """Return a public key of ``cryptography`` as ours.

    Args:
        key: the key.
        name: how the user named it, in a form that is safe to print.

    Raises:
        SigningKeyError: the key is of a kind that is not supported.
    """
    kind = _kind(key)
    if not isinstance(key, _Public) or not _is_supported(key):
        raise SigningKeyError(
            f"{name} is a key of the kind {kind}, where another was expected: {SUPPORTED}"
        )
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key_id = base64.b64encode(hashlib.sha256(der).digest()).decode()
    return PublicKey(name, kind, pem.decode(), key_id)


def parse_public_key(content: bytes, *, name: str) -> PublicKey:
    """Read a public key: SubjectPublicKeyInfo (RFC 5280) or PKCS #1 (RFC 8017) in PEM.

    Args:
        content: the text of a file or variable.
        name: how the user named it, in a form that is safe to print.

    Raises:
        SigningKeyError: it holds no public key, or more than one, or one of a kind that is not
            supported.
    """
    blocks = read_blocks(content, name=name)
    labels = [block.label for block in blocks]
    _check_is_public(labels, name)
    if len(blocks) > 1:
        raise SigningKeyError(
            f"{name} holds {len(blocks)} keys, where one was expected",
            hint="write each key into a file of its own, and name each file",
        )
    pem = blocks[0].pem(name=name)
    try:
        key = load_pem_public_key(pem)
    except UnsupportedAlgorithm:
        raise SigningKeyError(
            f"{name} is a key of an unknown kind, where another was expected: {SUPPORTED}"
        ) from None
    except ValueError:
        raise SigningKeyError(
            f"{name} is damaged: its {labels[0]} cannot be read",
            hint="print the key again: cosign public-key --key KEY, "
            "or openssl pkey -in KEY -pubout",
        ) from None
    return public_key(key, name=name)


def _check_is_public(labels: list[str], name: str) -> None:
    """Say what was given in the place of a public key."""
    for label in labels:
        if label.endswith(("PRIVATE KEY", "PRIVATE KEY BLOCK")):
            raise SigningKeyError(
                f"{name} holds a private key, where a public key was expected",
                hint="print its public key: cosign public-key --key KEY, "
                "or openssl pkey -in KEY -pubout",
            )
    for label in labels:
        if "CERTIFICATE" in label:
            raise SigningKeyError(
                f"{name} holds a {label}, where a public key was expected",
                hint="give its public key: openssl x509 -pubkey -noout -in CERTIFICATE",
            )
        if label not in _PUBLIC_LABELS:
            raise SigningKeyError(
                f"{name} holds {label}, where PUBLIC KEY was expected",
                hint=f"expected is {SUPPORTED}, as cosign generate-key-pair writes it",
            )


def _kind(key: PublicKeyTypes) -> str:
    """Return what a public key is, in words."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        name, _ = _CURVES.get(key.curve.name, (key.curve.name, _SHA256))
        return f"EC {name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    # X25519 and X448 agree on keys, and the like may come with later versions of cryptography.
    return type(key).__name__.removesuffix("PublicKey")


def _is_supported(key: _Public) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name in _CURVES
    return not isinstance(key, rsa.RSAPublicKey) or key.key_size >= _LEAST_RSA_BITS


def _verifies(key: _Public, signature: bytes, data: bytes, hashed: hashes.HashAlgorithm) -> bool:
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashed))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashed)
        else:
            key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _ecdsa() -> ec.ECDSA:
    """Return ECDSA that gives the same bytes each time (RFC 6979): a rerun changes nothing."""
    try:
        return ec.ECDSA(_SHA256, deterministic_signing=True)
    except UnsupportedAlgorithm:
        # A cryptography that was built with an OpenSSL before 3.2. Its signatures verify as well.
        return ec.ECDSA(_SHA256)
