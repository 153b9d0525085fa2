"""Sigstore bundles: what is written, byte for byte, and what is read and refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.images import digest_of
from fixtures.recorded import RecordedItem
from fixtures.trust import SignedCase, load_cases
from oci_merge.trust import bundle
from oci_merge.trust.formats import Signed, StoredBlob
from oci_merge.trust.strict_json import UnreadableError
from tests.unit.trust.documents import (
    BUNDLE,
    HEX,
    OURS,
    SIGNED,
    SLSA,
    b64,
    changed,
    enveloped,
    signed_bundle,
    statement,
)

_STATEMENT = (
    '{"_type":"https://in-toto.io/Statement/v1",'
    f'"subject":[{{"digest":{{"sha256":"{HEX}"}}}}],'
    '"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}'
).encode()
_EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
_CASES = [case for case in load_cases() if case.format == "bundle"]


def _bundles(case: SignedCase) -> list[RecordedItem]:
    return [item for item in case.items if b'"subject"' in item.manifest]


def test_the_statement_is_the_one_that_cosign_signs() -> None:
    assert bundle.signature_statement(SIGNED) == _STATEMENT


def test_another_statement_names_its_subject() -> None:
    made = bundle.statement(SIGNED, SLSA, {"a": ["ä"]}, "reg.example/app")
    assert made.decode() == (
        '{"_type":"https://in-toto.io/Statement/v1",'
        f'"subject":[{{"name":"reg.example/app","digest":{{"sha256":"{HEX}"}}}}],'
        f'"predicateType":"{SLSA}","predicate":{{"a":["ä"]}}}}'
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", b"DSSEv1 28 application/vnd.in-toto+json 0 "),
        (b"{}", b"DSSEv1 28 application/vnd.in-toto+json 2 {}"),
        ("ä 1".encode(), b"DSSEv1 28 application/vnd.in-toto+json 4 \xc3\xa4 1"),
        (b"\n\x00", b"DSSEv1 28 application/vnd.in-toto+json 2 \n\x00"),
    ],
)
def test_what_is_signed_has_the_lengths_in_bytes(payload: bytes, expected: bytes) -> None:
    assert bundle.pae(payload) == expected


def test_the_lengths_are_those_of_the_specification_s_example() -> None:
    # DSSE, "Protocol", test vectors.
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert bundle.pae(b"hello world", "http://example.com/HelloWorld") == expected


@given(st.lists(st.tuples(st.text(), st.binary()), min_size=2, max_size=2, unique=True))
def test_two_documents_never_have_the_same_signed_bytes(pairs: list[tuple[str, bytes]]) -> None:
    (kind, payload), (other_kind, other_payload) = pairs
    assert bundle.pae(payload, kind) != bundle.pae(other_payload, other_kind)


def test_the_bundle_is_written_byte_for_byte() -> None:
    made = bundle.make_bundle(b'{"a":1}', b"\x00\xffsig", "aGludA==")
    assert made.media_type == BUNDLE
    assert made.content == (
        b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",'
        b'"verificationMaterial":{"publicKey":{"hint":"aGludA=="}},'
        b'"dsseEnvelope":{"payload":"eyJhIjoxfQ==","payloadType":"application/vnd.in-toto+json",'
        b'"signatures":[{"sig":"AP9zaWc="}]}}'
    )


def test_the_manifest_is_written_byte_for_byte() -> None:
    held = StoredBlob(b'{"bundle":1}', BUNDLE)
    made = bundle.bundle_manifest(SIGNED, held, bundle.SIGNATURE)
    assert made.content.decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        f'"artifactType":"{BUNDLE}",'
        '"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,'
        f'"digest":"{_EMPTY}"}},'
        f'"layers":[{{"mediaType":"{BUNDLE}","size":12,'
        f'"digest":"sha256:{hashlib.sha256(held.content).hexdigest()}"}}],'
        '"subject":{"mediaType":"application/vnd.oci.image.index.v1+json","size":645,'
        f'"digest":"sha256:{HEX}"}},'
        '"annotations":{"dev.sigstore.bundle.content":"dsse-envelope",'
        '"dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/v1"}}'
    )
    assert [(blob.content, blob.digest) for blob in made.blobs] == [
        (b"{}", _EMPTY),
        (held.content, held.digest),
    ]
    assert made.digest == digest_of(made.content)


def test_a_statement_that_nobody_signs_is_a_layer_of_its_own() -> None:
    made = bundle.statement_manifest(SIGNED, b'{"s":1}', SLSA)
    document = json.loads(made.content)
    assert document["artifactType"] == "application/vnd.in-toto+json"
    assert [layer["mediaType"] for layer in document["layers"]] == ["application/vnd.in-toto+json"]
    assert document["annotations"] == {"in-toto.io/predicate-type": SLSA}
    assert made.blobs[1].content == b'{"s":1}'


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.key)
def test_the_manifest_differs_from_cosign_s_in_its_date_and_the_type_in_its_config(
    case: SignedCase,
) -> None:
    for item in _bundles(case):
        theirs = json.loads(item.manifest)
        held = StoredBlob(item.blobs[1], BUNDLE)
        subject = theirs["subject"]
        signed = Signed(subject["mediaType"], subject["digest"], subject["size"])
        ours = json.loads(bundle.bundle_manifest(signed, held, bundle.SIGNATURE).content)
        del theirs["annotations"]["org.opencontainers.image.created"]
        del theirs["config"]["artifactType"]
        assert ours == theirs


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.key)
def test_what_cosign_signed_is_read(case: SignedCase) -> None:
    read = [
        bundle.read_statement(bundle.read_bundle(item.blobs[1]).payload) for item in _bundles(case)
    ]
    assert [each.digests for each in read] == [(d,) for d in (case.digest, *case.images)]
    assert {each.predicate_type for each in read} == {bundle.SIGNATURE}


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.key)
def test_the_bundle_has_the_fields_of_cosign_s(case: SignedCase) -> None:
    for item in _bundles(case):
        theirs = json.loads(item.blobs[1])
        envelope = bundle.read_bundle(item.blobs[1])
        hint = theirs["verificationMaterial"]["publicKey"]["hint"]
        ours = bundle.make_bundle(envelope.payload, envelope.signature, hint).content
        assert json.loads(ours) == theirs


def test_what_is_signed_is_read_again() -> None:
    envelope = bundle.read_bundle(signed_bundle())
    assert envelope.payload == _STATEMENT
    assert envelope.signed_bytes == b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (
        len(_STATEMENT),
        _STATEMENT,
    )
    assert OURS.public.verify(envelope.signature, envelope.signed_bytes)
    read = bundle.read_statement(envelope.payload)
    assert read == bundle.Statement((SIGNED.digest,), bundle.SIGNATURE, {})


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
    ],
)
def test_each_version_of_the_bundle_is_read(media_type: str) -> None:
    content = changed(signed_bundle(), lambda held: held.update(mediaType=media_type))
    assert bundle.is_bundle(media_type)
    assert bundle.read_bundle(content) == bundle.read_bundle(signed_bundle())


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "application/json",
        "application/vnd.in-toto+json",
        "application/vnd.dsse.envelope.v1+json",
    ],
)
def test_other_media_types_are_no_bundle(media_type: str) -> None:
    assert not bundle.is_bundle(media_type)
    content = changed(signed_bundle(), lambda held: held.update(mediaType=media_type))
    with pytest.raises(UnreadableError, match="no sigstore bundle"):
        bundle.read_bundle(content)


def _in_envelope(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda held: held["dsseEnvelope"].update(fields)


_SIG = {"sig": "c2ln"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda held: held.pop("mediaType"), "no sigstore bundle"),
        (lambda held: held.update(mediaType=None), "no sigstore bundle"),
        (lambda held: held.update(mediaType=[BUNDLE]), "no sigstore bundle"),
        (lambda held: held.update(messageSignature={"signature": "c2ln"}), "signs a message"),
        (lambda held: held.pop("dsseEnvelope"), "no statement with one signature"),
        (lambda held: held.update(dsseEnvelope=None), "no statement with one signature"),
        (lambda held: held.update(dsseEnvelope=[]), "no statement with one signature"),
        (_in_envelope(signatures=[]), "no statement with one signature"),
        (_in_envelope(signatures=None), "no statement with one signature"),
        (_in_envelope(signatures={"0": _SIG}), "no statement with one signature"),
        (_in_envelope(signatures="s"), "no statement with one signature"),
        (_in_envelope(signatures=[_SIG, _SIG]), "no statement with one signature"),
        (_in_envelope(signatures=["c2ln"]), "its signature is not base64"),
        (_in_envelope(signatures=[None]), "its signature is not base64"),
        (_in_envelope(signatures=[{}]), "its signature is not base64"),
        (_in_envelope(signatures=[{"sig": "c2ln\n"}]), "its signature is not base64"),
        (_in_envelope(signatures=[{"sig": "c2"}]), "its signature is not base64"),
        (_in_envelope(payload=None), "its payload is not base64"),
        (_in_envelope(payload={"a": 1}), "its payload is not base64"),
        (_in_envelope(payload=" e30="), "its payload is not base64"),
        (_in_envelope(payload="e30"), "its payload is not base64"),
        (_in_envelope(payload="-_-_"), "its payload is not base64"),
        (_in_envelope(payloadType=None), "no in-toto statement"),
        (_in_envelope(payloadType="text/plain"), "no in-toto statement"),
        (_in_envelope(payloadType=["application/vnd.in-toto+json"]), "no in-toto statement"),
        (_in_envelope(payloadType="application/vnd.in-toto+json "), "no in-toto statement"),
    ],
)
def test_a_bundle_without_one_signed_statement_is_unreadable(
    change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    with pytest.raises(UnreadableError, match=reason):
        bundle.read_bundle(changed(signed_bundle(), change))


@pytest.mark.parametrize(
    "part",
    [
        '"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"',
        '"payloadType":"application/vnd.in-toto+json"',
        f'"payload":"{b64(_STATEMENT)}"',
        '"hint":"aGludA=="',
        '"sig":"c2ln"',
    ],
)
def test_a_bundle_with_a_key_twice_is_unreadable(part: str) -> None:
    content = bundle.make_bundle(_STATEMENT, b"sig", "aGludA==").content.decode()
    assert part in content
    with pytest.raises(UnreadableError, match="a key twice"):
        bundle.read_bundle(content.replace(part, f"{part},{part}").encode())


@pytest.mark.parametrize("part", ["signatures", "dsseEnvelope", "verificationMaterial"])
def test_a_bundle_with_a_whole_part_twice_is_unreadable(part: str) -> None:
    content = signed_bundle().decode()
    assert content.count(f'"{part}":') == 1
    with pytest.raises(UnreadableError, match="a key twice"):
        bundle.read_bundle(content.replace(f'"{part}":', f'"{part}":null,"{part}":').encode())


@pytest.mark.parametrize(
    "content",
    [
        signed_bundle() * 2,
        signed_bundle() + b"x",
        signed_bundle() + b"\x00",
        b"\xef\xbb\xbf" + signed_bundle(),
        signed_bundle().replace(b'"hint"', b'"hint\xff"'),
        signed_bundle().replace(b"{", b'{"n":NaN,', 1),
        b'{"a":' * 50_000 + signed_bundle() + b"}" * 50_000,
        b"[" + signed_bundle() + b"]",
    ],
    ids=["two", "tail", "NUL", "byte order mark", "UTF-8", "NaN", "depth", "list"],
)
def test_a_bundle_that_is_not_one_json_object_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableError):
        bundle.read_bundle(content)


def test_a_bundle_that_is_cut_anywhere_is_unreadable() -> None:
    whole = signed_bundle()
    for length in range(len(whole)):
        with pytest.raises(UnreadableError):
            bundle.read_bundle(whole[:length])


@given(st.binary(max_size=200))
def test_any_payload_is_signed_and_read_again(payload: bytes) -> None:
    assert bundle.read_bundle(enveloped(payload)).payload == payload


def test_a_statement_of_the_version_before_is_read() -> None:
    read = bundle.read_statement(statement(_type="https://in-toto.io/Statement/v0.1"))
    assert read.digests == (SIGNED.digest,)


@pytest.mark.parametrize(
    ("subjects", "digests"),
    [
        ([], ()),
        ([{}], ()),
        ([{"digest": None}], ()),
        ([{"digest": {"sha512": HEX * 2}}], ()),
        ([{"digest": {"sha256": None}}], ()),
        ([{"digest": {"sha256": [HEX]}}], ()),
        ([{"digest": f"sha256:{HEX}"}], ()),
        ([HEX, None, 1, [HEX]], ()),
        ([{"name": HEX, "digest": {"sha512": HEX}}, {"digest": {"sha256": HEX}}], (HEX,)),
        ([{"digest": {"sha256": HEX}}, {"digest": {"sha256": "0" * 64}}], (HEX, "0" * 64)),
        ([{"digest": {"sha256": HEX.upper()}}], (HEX.upper(),)),
    ],
)
def test_the_sha256_digests_of_the_subjects_are_read(
    subjects: list[object], digests: tuple[str, ...]
) -> None:
    read = bundle.read_statement(statement(subject=subjects))
    assert read.digests == tuple(f"sha256:{digest}" for digest in digests)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (statement(_type=None), "no in-toto statement"),
        (statement(_type="https://in-toto.io/Statement/v2"), "no in-toto statement"),
        (statement(_type="https://example.com"), "no in-toto statement"),
        (statement(subject=None), "no in-toto statement"),
        (statement(subject={"digest": {"sha256": HEX}}), "no in-toto statement"),
        (statement(subject=HEX), "no in-toto statement"),
        (statement(predicateType=None), "no predicate type"),
        (statement(predicateType=["https://sigstore.dev/cosign/sign/v1"]), "no predicate type"),
        (_STATEMENT[:-1], "not JSON"),
        (_STATEMENT * 2, "not JSON"),
        (b"\xef\xbb\xbf" + _STATEMENT, "not JSON"),
        (_STATEMENT.replace(b'"sha256":', b'"sha256":"","sha256":'), "a key twice"),
        (_STATEMENT.replace(b'"digest":', b'"digest":{},"digest":'), "a key twice"),
        (_STATEMENT.replace(b'"subject":', b'"subject":[],"subject":'), "a key twice"),
        (_STATEMENT.replace(b'"predicateType":', b'"predicateType":"","predicateType":'), "twice"),
        (_STATEMENT.replace(b'"_type":', b'"_type":"","_type":'), "a key twice"),
        (_STATEMENT.replace(b'"predicate":{}', b'"predicate":{"a":1,"a":2}'), "a key twice"),
        (b"hello", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_is_no_statement_is_unreadable(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        bundle.read_statement(content)


@given(st.binary() | st.text(alphabet='{}[]":,_typesubjcdiga256mT \\u0').map(str.encode))
def test_bytes_are_read_or_unreadable(content: bytes) -> None:
    for read in (bundle.read_bundle, bundle.read_statement):
        with pytest.raises(UnreadableError):
            read(content)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(b64(_STATEMENT)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.data())
def test_a_bundle_with_any_other_value_is_read_or_unreadable(data: st.DataObject) -> None:
    document = json.loads(signed_bundle())
    envelope = document["dsseEnvelope"]
    where = data.draw(st.sampled_from([document, envelope, envelope["signatures"][0]]))
    where[data.draw(st.sampled_from([*where]))] = data.draw(_VALUES)
    with suppress(UnreadableError):
        bundle.read_bundle(json.dumps(document).encode())


@given(st.data())
def test_a_statement_with_any_other_value_is_read_or_unreadable(data: st.DataObject) -> None:
    document = json.loads(_STATEMENT)
    subject = document["subject"][0]
    where = data.draw(st.sampled_from([document, subject, subject["digest"]]))
    where[data.draw(st.sampled_from([*where]))] = data.draw(_VALUES)
    with suppress(UnreadableError):
        bundle.read_statement(json.dumps(document).encode())
