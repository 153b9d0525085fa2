"""Judges stored signatures: by which of some keys, and of what. Pure.

A signature stands for an image only if it is made by one of the keys, the document that it signs
is readable without doubt, that says that it is a signature, and it names the image's digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.trust import bundle, classic
from oci_merge.trust.keys import PublicKey
from oci_merge.trust.strict_json import UnreadableError

#: What a stored document turned out to be: a signature of the image; one by none of the keys; no
#: signature of this image; or something that cannot be read.
Kind = Literal["valid", "other_key", "other", "unreadable"]


@frozen(eq=False)
class Verdict:
    """What became of one stored document.

    Attributes:
        kind: what it is.
        key: the key that it is made by, if it is one of the keys.
        reason: why it is no signature of the image, in words that are safe to print.
        name: the repository that a classic signature names.
    """

    kind: Kind
    key: PublicKey | None = None
    reason: str = ""
    name: str = ""


def judge_bundle(
    content: bytes,
    digest: str,
    keys: Sequence[PublicKey],
    predicate_type: str = bundle.SIGNATURE,
) -> Verdict:
    """Judge a sigstore bundle.

    Args:
        content: the bundle.
        digest: the digest of the image.
        keys: the keys of which one has to have signed.
        predicate_type: what the statement in it has to be; cosign's signature by default.
    """
    try:
        envelope = bundle.read_bundle(content)
        statement = bundle.read_statement(envelope.payload)
    except UnreadableError as error:
        return Verdict("unreadable", reason=str(error))
    if statement.predicate_type != predicate_type:
        return Verdict("other", reason=f"it is {printable(statement.predicate_type)}")
    if digest not in statement.digests:
        return Verdict("other", reason="it is of another image")
    key = _signer(keys, envelope.signature, envelope.signed_bytes)
    return Verdict("valid", key) if key else Verdict("other_key")


def judge_payload(
    content: bytes, signature: classic.SignatureLayer, digest: str, keys: Sequence[PublicKey]
) -> Verdict:
    """Judge a classic signature.

    Args:
        content: the payload that is signed; its digest has been verified.
        signature: the layer that it is of.
        digest: the digest of the image.
        keys: the keys of which one has to have signed.
    """
    try:
        made = signature.decoded()
        payload = classic.read_payload(content)
    except UnreadableError as error:
        return Verdict("unreadable", reason=str(error))
    if payload.digest != digest:
        return Verdict("other", reason="it is of another image")
    key = _signer(keys, made, content)
    return Verdict("valid", key, name=payload.name) if key else Verdict("other_key")


def why_not(verdicts: Sequence[Verdict], failures: Sequence[str]) -> str:
    """Say in a few words why an image is not signed as it has to be.

    Args:
        verdicts: what became of the documents that were read; none is valid.
        failures: why others could not be read.
    """
    reasons: list[str] = []
    if any(verdict.kind == "other_key" for verdict in verdicts):
        reasons.append("it is signed by another key")
    unread = [verdict.reason for verdict in verdicts if verdict.kind == "unreadable"]
    if unread or failures:
        first = [*failures, *unread][0]
        reasons.append(f"a signature cannot be read: {first}")
    others = dict.fromkeys(verdict.reason for verdict in verdicts if verdict.kind == "other")
    if not reasons:
        reasons.append("no signature was found")
        if others:
            reasons.append(f"but what stands in the place of one: {listed([*others][:2])}")
    return ", ".join(reasons)


def _signer(keys: Sequence[PublicKey], signature: bytes, data: bytes) -> PublicKey | None:
    return next((key for key in keys if key.verify(signature, data)), None)
