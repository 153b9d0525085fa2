"""What is asked of signatures: checked before the first request. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from oci_merge._frozen import frozen
from oci_merge._text import has_controls
from oci_merge.errors import UsageError
from oci_merge.options import SignatureFormat, SignKeywords

#: A format in which a signature is stored.
Format = Literal["bundle", "classic"]
#: What became of a signature: it was written; it was there already; or the registry does not keep
#: it in this format.
Outcome = Literal["written", "present", "unsupported"]

_FORMATS: dict[SignatureFormat, tuple[Format, ...]] = {
    "both": ("bundle", "classic"),
    "bundle": ("bundle",),
    "classic": ("classic",),
}


@frozen
class SignWish:
    """How a repository's manifests are to be signed.

    Attributes:
        key: where the private key is; empty for the default one.
        formats: the formats to store.
        index_only: whether the manifests that an index lists are left out.
    """

    key: str
    formats: tuple[Format, ...]
    index_only: bool = False


@frozen
class SignatureResult:
    """One signature of one manifest.

    Attributes:
        digest: the digest of the manifest that is signed.
        format: the format.
        reference: where it stands; where it would, if the registry does not keep it.
        key_id: base64 of the sha256 digest of the public key in DER, by which bundles name it.
        outcome: what became of it.
    """

    digest: str
    format: Format
    reference: str
    key_id: str
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """Return the signature as JSON values."""
        return {
            "digest": self.digest,
            "format": self.format,
            "reference": self.reference,
            "keyId": self.key_id,
            "outcome": self.outcome,
        }


@frozen
class VerifiedSignature:
    """A signature that was found to be valid.

    Attributes:
        digest: the digest of the manifest that is signed.
        format: the format.
        reference: where it stands.
        key_id: base64 of the sha256 digest of the public key in DER.
        key: the key, as it was named.
    """

    digest: str
    format: Format
    reference: str
    key_id: str
    key: str

    def to_dict(self) -> dict[str, Any]:
        """Return the signature as JSON values."""
        return {
            "digest": self.digest,
            "format": self.format,
            "reference": self.reference,
            "keyId": self.key_id,
            "key": self.key,
        }


@frozen
class SignResult:
    """What was signed.

    Attributes:
        reference: the reference, with its digest.
        digest: the digest that it stands at.
        media_type: the media type of what it points to.
        signatures: those of it and of what it lists.
        warnings: what the user should know, in sentences.
    """

    reference: str
    digest: str
    media_type: str
    signatures: tuple[SignatureResult, ...]
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a signature was written."""
        return any(signature.outcome == "written" for signature in self.signatures)

    def to_dict(self) -> dict[str, Any]:
        """Return what was signed as JSON values."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "mediaType": self.media_type,
            "signatures": [signature.to_dict() for signature in self.signatures],
            "changed": self.changed,
            "warnings": list(self.warnings),
        }


def sign_wish(asked: SignKeywords) -> SignWish | None:
    """Return how to sign; None where that is not asked for.

    Raises:
        UsageError: the key is empty, or how to sign is said without a wish to.
    """
    key = asked["sign_key"]
    if key is not None:
        check_key("sign_key", key)
    elif not asked["sign"]:
        if asked["sign_index_only"] or asked["sign_format"] != "both":
            raise UsageError(
                "it is said how to sign, but nothing is signed",
                hint="add --sign, or --sign-key with the private key (sign=True in Python)",
            )
        return None
    return SignWish(key or "", _FORMATS[asked["sign_format"]], asked["sign_index_only"])


def formats_of(name: SignatureFormat) -> tuple[Format, ...]:
    """Return the formats to store, by the word for them."""
    return _FORMATS[name]


def check_keys(name: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Return keys, each once.

    Raises:
        UsageError: one is empty.
    """
    for key in keys:
        check_key(name, key)
    return tuple(dict.fromkeys(keys))


def check_key(name: str, key: str) -> None:
    """Check where a key is said to be.

    Raises:
        UsageError: it is empty, most likely since a variable is not set, or no text for a file.
    """
    if not key.strip() or has_controls(key):
        option = name.replace("_", "-").removesuffix("s")
        raise UsageError(
            f"--{option} ({name} in Python) has an empty value, or one that names no key",
            hint="name the file of the key, or env://VARIABLE, or leave it out",
        )
