"""Stored signatures are judged: what stands for an image, and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.trust import SignedCase, load_cases, load_keys
from oci_merge.trust import bundle, classic
from oci_merge.trust.formats import Signed
from oci_merge.trust.keys import LocalSigner, PublicKey, parse_public_key
from oci_merge.trust.verification import Verdict, judge_bundle, judge_payload, why_not
from tests.unit.trust.documents import (
    HEX,
    OTHER,
    OURS,
    REPOSITORY,
    SIGNED,
    SIGNERS,
    SLSA,
    STRANGER,
    b64,
    changed,
    enveloped,
    signed_bundle,
    statement,
)

_KEYS = [OURS.public]
_PAYLOAD = classic.make_payload(REPOSITORY, SIGNED.digest)


def _key(name: str) -> PublicKey:
    return parse_public_key(load_keys()[name], name=name)


def _layer(payload: bytes, signature: bytes | str) -> classic.SignatureLayer:
    text = signature if isinstance(signature, str) else b64(signature)
    return classic.SignatureLayer("sha256:" + "1" * 64, len(payload), text)


def _judged(payload: bytes, signer: LocalSigner = OURS, digest: str = SIGNED.digest) -> Verdict:
    return judge_payload(payload, _layer(payload, signer.sign(payload)), digest, _KEYS)


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: f"{case.key} {case.format}")
def test_what_cosign_signed_is_valid_by_its_key_for_its_digest_alone(case: SignedCase) -> None:
    keys = [_key(name) for name in load_keys()]
    others = [key for key in keys if key.name != case.key]
    digests = (case.digest, *case.images)
    stored = [item for item in case.items if len(item.blobs) == 2 and len(item.blobs[1]) < 2000]
    assert len(stored) == len(digests)
    for item, digest in zip(stored, digests, strict=True):

        def judge(about: str, trusted: list[PublicKey], held: Any = item) -> Verdict:
            if case.format == "bundle":
                return judge_bundle(held.blobs[1], about, trusted)
            [layer] = classic.read_layers(held.manifest)
            return judge_payload(held.blobs[1], layer, about, trusted)

        valid = judge(digest, keys)
        assert (valid.kind, valid.key) == ("valid", _key(case.key))
        assert judge(digest, others).kind == "other_key"
        assert judge(digest, []).kind == "other_key"
        for other in {*digests, OTHER} - {digest}:
            assert judge(other, keys).kind == "other"


@pytest.mark.parametrize("kind", SIGNERS)
def test_what_is_signed_by_a_key_of_each_kind_is_valid_by_that_alone(kind: str) -> None:
    signer = SIGNERS[kind]
    others = [other.public for name, other in SIGNERS.items() if name != kind]
    payload = _layer(_PAYLOAD, signer.sign(_PAYLOAD))
    judges: list[Callable[[list[PublicKey]], Verdict]] = [
        lambda keys: judge_bundle(signed_bundle(signer), SIGNED.digest, keys),
        lambda keys: judge_payload(_PAYLOAD, payload, SIGNED.digest, keys),
    ]
    for judge in judges:
        verdict = judge([*others, signer.public])
        assert (verdict.kind, verdict.key, verdict.reason) == ("valid", signer.public, "")
        assert judge(others).kind == "other_key"
        assert judge(others).key is None


def test_a_classic_signature_says_in_which_repository_it_was_made() -> None:
    assert _judged(_PAYLOAD).name == REPOSITORY


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (statement(), "valid"),
        (statement(_type="https://in-toto.io/Statement/v0.1"), "valid"),
        (
            statement(subject=[{"digest": {"sha256": "0" * 64}}, {"digest": {"sha256": HEX}}]),
            "valid",
        ),
        (statement(subject=[{"digest": {"sha256": HEX, "sha512": "0" * 128}}]), "valid"),
        (statement(subject=[{"name": "x", "digest": {"sha256": HEX}, "annotations": {}}]), "valid"),
        (statement(predicate=None), "valid"),
        (statement(predicateType=SLSA), "other"),
        (statement(predicateType=SLSA, predicate={"buildDefinition": {}}), "other"),
        (statement(predicateType="https://cosign.sigstore.dev/attestation/v1"), "other"),
        (statement(predicateType="https://sigstore.dev/cosign/sign/v1 "), "other"),
        (statement(predicateType="HTTPS://sigstore.dev/cosign/sign/v1"), "other"),
        (statement(predicateType=""), "other"),
        (statement(subject=[]), "other"),
        (statement(subject=[{"digest": {"sha256": "0" * 64}}]), "other"),
        (statement(subject=[{"digest": {"sha512": HEX}}]), "other"),
        (statement(subject=[{"digest": {"sha256": f"sha256:{HEX}"}}]), "other"),
        (statement(subject=[{"digest": {"sha256": HEX.upper()}}]), "other"),
        (statement(subject=[{"digest": {"sha256": HEX[:-1]}}]), "other"),
        (statement(subject=[{"name": SIGNED.digest, "digest": {}}]), "other"),
        (statement(subject=None), "unreadable"),
        (statement(_type=None), "unreadable"),
        (statement(_type=[]), "unreadable"),
        (statement(predicateType=None), "unreadable"),
        (statement() + b"x", "unreadable"),
        (statement()[:-1], "unreadable"),
        (statement() * 2, "unreadable"),
        (statement().replace(b'"sha256":', b'"sha256":"0","sha256":'), "unreadable"),
        (
            statement().replace(b'"predicateType":', b'"predicateType":"x","predicateType":'),
            "unreadable",
        ),
        (_PAYLOAD, "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_a_statement_that_our_key_signed_has_to_be_a_signature_of_the_image(
    payload: bytes, kind: str
) -> None:
    verdict = judge_bundle(enveloped(payload), SIGNED.digest, _KEYS)
    assert verdict.kind == kind
    assert (verdict.key is not None) == (kind == "valid")


def test_a_provenance_is_taken_where_one_is_looked_for() -> None:
    made = enveloped(statement(predicateType=SLSA))
    assert judge_bundle(made, SIGNED.digest, _KEYS, SLSA).kind == "valid"
    assert judge_bundle(signed_bundle(), SIGNED.digest, _KEYS, SLSA).kind == "other"


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (changed(_PAYLOAD, lambda held: held.update(optional={"team": "a"})), "valid"),
        (changed(_PAYLOAD, lambda held: held["critical"].pop("identity")), "valid"),
        (classic.make_payload("reg.example/another", SIGNED.digest), "valid"),
        (classic.make_payload(REPOSITORY, OTHER), "other"),
        (classic.make_payload(REPOSITORY, HEX), "other"),
        (classic.make_payload(REPOSITORY, f"sha256:{HEX.upper()}"), "other"),
        (changed(_PAYLOAD, lambda held: held["critical"].update(type="x")), "unreadable"),
        (_PAYLOAD.replace(b'"image":', b'"image":{},"image":'), "unreadable"),
        (_PAYLOAD.replace(b'"critical":', b'"critical":{},"critical":'), "unreadable"),
        (_PAYLOAD + b"x", "unreadable"),
        (_PAYLOAD * 2, "unreadable"),
        (_PAYLOAD[:-1], "unreadable"),
        (statement(), "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_a_payload_that_our_key_signed_has_to_be_of_the_image(payload: bytes, kind: str) -> None:
    verdict = _judged(payload)
    assert verdict.kind == kind
    assert (verdict.key is not None) == (kind == "valid")


def _in_envelope(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda held: held["dsseEnvelope"].update(fields)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (_in_envelope(payload=b64(statement(predicate={"a": 1}))), "other_key"),
        (_in_envelope(payload=b64(bundle.signature_statement(SIGNED) + b" ")), "other_key"),
        (_in_envelope(signatures=[{"sig": b64(OURS.sign(statement()))}]), "other_key"),
        (_in_envelope(signatures=[{"sig": b64(b"")}]), "other_key"),
        (_in_envelope(signatures=[{"sig": b64(b"\x30")}]), "other_key"),
        (_in_envelope(signatures=[]), "unreadable"),
        (_in_envelope(payloadType="text/plain"), "unreadable"),
        (lambda held: held.update(messageSignature={}), "unreadable"),
        (lambda held: held["verificationMaterial"]["publicKey"].update(hint="x"), "valid"),
        (lambda held: held.pop("verificationMaterial"), "valid"),
    ],
)
def test_a_bundle_that_was_changed_is_not_valid_but_for_its_hint(
    change: Callable[[dict[str, Any]], object], kind: str
) -> None:
    assert judge_bundle(changed(signed_bundle(), change), SIGNED.digest, _KEYS).kind == kind


def test_a_second_signature_does_not_bring_a_bundle_through() -> None:
    def add(held: dict[str, Any]) -> None:
        held["dsseEnvelope"]["signatures"].append({"sig": "c2ln"})

    assert judge_bundle(changed(signed_bundle(), add), SIGNED.digest, _KEYS).kind == "unreadable"


def test_a_stranger_s_bundle_with_the_hint_of_our_key_is_not_valid() -> None:
    payload = bundle.signature_statement(SIGNED)
    signature = STRANGER.sign(bundle.pae(payload))
    made = bundle.make_bundle(payload, signature, OURS.public.key_id).content
    assert judge_bundle(made, SIGNED.digest, _KEYS).kind == "other_key"


def test_the_signature_of_one_format_is_none_of_the_other() -> None:
    payload = bundle.signature_statement(SIGNED)
    without_pae = bundle.make_bundle(payload, OURS.sign(payload), OURS.public.key_id).content
    assert judge_bundle(without_pae, SIGNED.digest, _KEYS).kind == "other_key"
    with_pae = _layer(_PAYLOAD, OURS.sign(bundle.pae(_PAYLOAD)))
    assert judge_payload(_PAYLOAD, with_pae, SIGNED.digest, _KEYS).kind == "other_key"


@pytest.mark.parametrize(
    ("signature", "kind"),
    [
        (OURS.sign(_PAYLOAD + b" "), "other_key"),
        (OURS.sign(_PAYLOAD)[:-1], "other_key"),
        (OURS.sign(_PAYLOAD) + b"\x00", "other_key"),
        (b"\x00" * 64, "other_key"),
        ("", "unreadable"),
        ("c2ln\n", "unreadable"),
        ("no base64", "unreadable"),
        (b64(OURS.sign(_PAYLOAD)) + "\n", "unreadable"),
    ],
    # Keys are made anew in each process, and so are the signatures in these names.
    ids=["other data", "cut", "longer", "zeros", "none", "line", "no base64", "line behind"],
)
def test_a_classic_signature_that_was_changed_is_not_valid(
    signature: bytes | str, kind: str
) -> None:
    verdict = judge_payload(_PAYLOAD, _layer(_PAYLOAD, signature), SIGNED.digest, _KEYS)
    assert verdict.kind == kind


def test_an_image_with_a_sha512_digest_has_no_bundle() -> None:
    digest = "sha512:" + "0" * 128
    made = enveloped(statement(subject=[{"digest": {"sha512": "0" * 128}}]))
    assert judge_bundle(made, digest, _KEYS).kind == "other"


@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_byte_of_a_bundle_can_be_another(place: int, flip: int) -> None:
    content = bytearray(signed_bundle())
    content[place % len(content)] ^= flip
    verdict = judge_bundle(bytes(content), SIGNED.digest, _KEYS)
    if verdict.kind == "valid":  # what nobody signs: the hint, and the version in the media type
        ours, theirs = json.loads(signed_bundle()), json.loads(content)
        assert theirs["dsseEnvelope"] == ours["dsseEnvelope"]


@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_byte_of_a_payload_can_be_another(place: int, flip: int) -> None:
    content = bytearray(_PAYLOAD)
    content[place % len(content)] ^= flip
    layer = _layer(_PAYLOAD, OURS.sign(_PAYLOAD))
    assert judge_payload(bytes(content), layer, SIGNED.digest, _KEYS).kind != "valid"


@given(st.binary(max_size=200), st.sampled_from([*SIGNERS]))
def test_bytes_are_no_signature_of_any_key(signature: bytes, kind: str) -> None:
    keys = [SIGNERS[kind].public]
    made = bundle.make_bundle(bundle.signature_statement(SIGNED), signature, "").content
    assert judge_bundle(made, SIGNED.digest, keys).kind == "other_key"
    verdict = judge_payload(_PAYLOAD, _layer(_PAYLOAD, signature or b"0"), SIGNED.digest, keys)
    assert verdict.kind == "other_key"


@given(st.binary())
def test_bytes_are_unreadable(content: bytes) -> None:
    assert judge_bundle(content, SIGNED.digest, _KEYS).kind == "unreadable"
    assert judge_payload(content, _layer(content, b"s"), SIGNED.digest, _KEYS).kind == "unreadable"


def test_a_predicate_type_is_shown_without_what_a_terminal_obeys() -> None:
    hostile = "\x1b[31m\n::set-output name=x::y" + "x" * 9000
    verdict = judge_bundle(enveloped(statement(predicateType=hostile)), SIGNED.digest, _KEYS)
    assert verdict.kind == "other"
    assert verdict.reason.isprintable()
    assert "::set-output" not in verdict.reason
    assert len(verdict.reason) < 600


_OTHER_KEY = Verdict("other_key")
_UNREADABLE = Verdict("unreadable", reason="it is not JSON")
_PROVENANCE = Verdict("other", reason=f"it is {SLSA}")
_MOVED = Verdict("other", reason="it is of another image")


@pytest.mark.parametrize(
    ("verdicts", "failures", "said"),
    [
        ([], [], "no signature was found"),
        ([_OTHER_KEY, _OTHER_KEY], [], "it is signed by another key"),
        ([_UNREADABLE], [], "a signature cannot be read: it is not JSON"),
        ([_UNREADABLE], ["reg.example is busy"], "a signature cannot be read: reg.example is busy"),
        ([], ["reg.example is busy"], "a signature cannot be read: reg.example is busy"),
        (
            [_OTHER_KEY, _UNREADABLE, _PROVENANCE],
            [],
            "it is signed by another key, a signature cannot be read: it is not JSON",
        ),
        (
            [_PROVENANCE, _PROVENANCE, _MOVED, Verdict("other", reason="a third")],
            [],
            "no signature was found, but what stands in the place of one: "
            f"it is {SLSA} and it is of another image",
        ),
    ],
)
def test_the_reason_is_said_in_a_few_words(
    verdicts: list[Verdict], failures: list[str], said: str
) -> None:
    assert why_not(verdicts, failures) == said


def test_another_digest_of_the_same_key_is_another_image() -> None:
    moved = signed_bundle(OURS, Signed(SIGNED.media_type, OTHER, 645))
    assert judge_bundle(moved, SIGNED.digest, _KEYS).reason == "it is of another image"
