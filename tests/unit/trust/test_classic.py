"""Classic signatures: what is written, byte for byte as cosign does, and what is read."""

from __future__ import annotations

import base64
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
from oci_merge.model.manifest import MAX_DOCUMENT
from oci_merge.trust import classic
from oci_merge.trust.strict_json import UnreadableError
from tests.unit.trust.documents import HEX, OTHER, REPOSITORY, SIGNED, b64, changed

_LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
_ANNOTATION = "dev.cosignproject.cosign/signature"
_CASES = [case for case in load_cases() if case.format == "classic"]
_PAYLOAD = (
    f'{{"critical":{{"identity":{{"docker-reference":"{REPOSITORY}"}},'
    f'"image":{{"docker-manifest-digest":"sha256:{HEX}"}},'
    '"type":"cosign container image signature"},"optional":null}'
).encode()


def _tags(case: SignedCase) -> list[RecordedItem]:
    return [item for item in case.items if item.reference.endswith(".sig")]


def _manifest(*layers: object, **fields: object) -> bytes:
    return json.dumps(json.loads(_one()) | {"layers": list(layers)} | fields).encode()


def _one() -> bytes:
    return classic.with_signature(None, _PAYLOAD, b"sig").content


def _layer(**fields: object) -> dict[str, object]:
    return {
        "mediaType": _LAYER,
        "size": 10,
        "digest": OTHER,
        "annotations": {_ANNOTATION: "c2ln"},
    } | fields


def test_the_payload_is_written_byte_for_byte() -> None:
    assert classic.make_payload(REPOSITORY, SIGNED.digest) == _PAYLOAD


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.key)
def test_payload_config_and_manifest_are_those_of_cosign(case: SignedCase) -> None:
    digests = (case.digest, *case.images)
    for item, digest in zip(_tags(case), digests, strict=True):
        config, payload = item.blobs
        name = classic.read_payload(payload).name
        assert classic.make_payload(name, digest) == payload
        [layer] = classic.read_layers(item.manifest)
        made = classic.with_signature(None, payload, layer.decoded())
        assert made.content == item.manifest
        assert [blob.content for blob in made.blobs] == [config, payload]
        assert item.reference == classic.tag_of(digest)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.key)
def test_what_cosign_signed_is_read(case: SignedCase) -> None:
    read = [classic.read_payload(item.blobs[1]) for item in _tags(case)]
    assert [each.digest for each in read] == [case.digest, *case.images]
    assert {each.name.partition("/")[2] for each in read} == {case.repository}


def test_a_signature_is_read_again() -> None:
    made = classic.with_signature(None, _PAYLOAD, b"\x00sig")
    [layer] = classic.read_layers(made.content)
    assert layer == classic.SignatureLayer(digest_of(_PAYLOAD), len(_PAYLOAD), b64(b"\x00sig"))
    assert layer.decoded() == b"\x00sig"
    assert made.blobs[-1].content == _PAYLOAD


def test_one_more_signature_stands_behind_those_that_are_there() -> None:
    annotations = {"org.example": "ä", "a": "1"}
    first = changed(_one(), lambda held: held.update(annotations=annotations))
    foreign = _layer(mediaType="text/plain", extra=[1])
    first = changed(first, lambda held: held["layers"].append(foreign))
    made = classic.with_signature(first, _PAYLOAD, b"another")
    document = json.loads(made.content)
    layers = document["layers"]
    assert layers[:2] == json.loads(first)["layers"]
    assert layers[2]["annotations"] == {_ANNOTATION: b64(b"another")}
    assert document["annotations"] == annotations
    [config, _] = made.blobs
    assert document["config"]["digest"] == config.digest
    assert json.loads(config.content)["rootfs"]["diff_ids"] == [each["digest"] for each in layers]
    assert len(json.loads(config.content)["history"]) == 3


def test_layers_that_lack_are_those_with_another_signature_of_the_same_payload() -> None:
    held = _one()
    other = classic.with_signature(held, _PAYLOAD, b"another").content
    [missing] = classic.missing_layers(held, other)
    assert missing["annotations"] == {_ANNOTATION: b64(b"another")}
    assert classic.missing_layers(other, held) == []
    assert classic.joined(held, [missing]).content == other


@pytest.mark.parametrize(
    "present",
    [
        b"",
        b"[]",
        b'{"layers":[],"layers":[]}',
        b'{"layers":{}}',
        b'{"layers":""}',
        b'{"layers":0}',
        b'{"layers":false}',
        b'{"layers":["a"]}',
        b'{"layers":[null]}',
        b'{"layers":[{}]}',
        b'{"layers":[{"digest":1}]}',
        b'{"manifests":[]}',
        b'{"schemaVersion":2,"manifests":null}',
        b'{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
        b'{"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]}',
        b'{"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json"}',
        b'{"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws"}',
        b'{"mediaType":null}',
        b'{"mediaType":[]}',
        b'{"mediaType":{}}',
        b'{"a":"\\ud800"}',
        b'{"a":1e999}',
    ],
)
@pytest.mark.parametrize(
    "read",
    [
        classic.read_layers,
        lambda present: classic.with_signature(present, _PAYLOAD, b"sig"),
        lambda present: classic.joined(present, []),
        lambda present: classic.missing_layers(_one(), present),
        lambda present: classic.missing_layers(present, _one()),
    ],
    ids=["read", "sign", "join", "other", "held"],
)
def test_what_is_no_image_manifest_is_neither_read_nor_written_over(
    read: Callable[[bytes], object], present: bytes
) -> None:
    with pytest.raises(UnreadableError):
        read(present)


@pytest.mark.parametrize(
    "present",
    [
        b"{}",
        b'{"layers":null}',
        b'{"layers":[]}',
        b'{"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":null}',
        b'{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","layers":[]}',
    ],
)
def test_a_manifest_without_layers_has_no_signature_and_takes_one(present: bytes) -> None:
    assert classic.read_layers(present) == ()
    assert classic.with_signature(present, _PAYLOAD, b"sig").content == _one()


@pytest.mark.parametrize(
    "layer",
    [
        _layer(mediaType="application/vnd.dev.cosign.simplesigning.v2+json"),
        _layer(mediaType="application/vnd.oci.image.layer.v1.tar+gzip"),
        _layer(mediaType=_LAYER.upper()),
        _layer(mediaType=""),
        _layer(mediaType=None),
        _layer(mediaType=[_LAYER]),
        _layer(mediaType="text/plain", digest="../../etc/passwd"),
        _layer(size=-1),
        _layer(size=MAX_DOCUMENT + 1),
        _layer(size=10**40),
        _layer(size=True),
        _layer(size=10.0),
        _layer(size="10"),
        _layer(size=None),
    ],
)
def test_a_layer_that_can_be_no_signature_is_left_out(layer: dict[str, object]) -> None:
    read = classic.read_layers(_manifest(layer, _layer()))
    assert read == (classic.SignatureLayer(OTHER, 10, "c2ln"),)


@pytest.mark.parametrize(
    "digest",
    [
        *("", "sha256:", "sha256:../../../v2/other/blobs/x", "../" + OTHER, OTHER + "/../x"),
        *(OTHER + "\n", OTHER + "?a=b", OTHER + "#", OTHER[:-1], OTHER + "0", OTHER.upper()),
        *("sha256:" + "g" * 64, "sha256:" + "\uff10" * 64, "md5:" + "0" * 32, "sha512:" + "0" * 64),
        *("http://elsewhere.example/" + OTHER, "0" * 64, " " + OTHER, "sha384:" + "0" * 96),
    ],
)
def test_a_layer_whose_digest_is_none_is_unreadable(digest: str) -> None:
    with pytest.raises(UnreadableError, match="a layer without a digest"):
        classic.read_layers(_manifest(_layer(digest=digest)))


@pytest.mark.parametrize(
    "layer",
    [
        _layer(annotations=None),
        _layer(annotations={}),
        _layer(annotations={_ANNOTATION: ""}),
        _layer(annotations={_ANNOTATION: None}),
        _layer(annotations={_ANNOTATION: ["c2ln"]}),
        _layer(annotations=["c2ln"]),
        _layer(annotations={_ANNOTATION: "c2ln\n"}),
        _layer(annotations={_ANNOTATION: "c2l"}),
        _layer(annotations={_ANNOTATION: "-_-_"}),
        _layer(annotations={_ANNOTATION: "no base64"}),
        _layer(annotations={_ANNOTATION.upper(): "c2ln"}),
    ],
)
def test_a_layer_without_a_signature_does_not_hide_the_next(layer: dict[str, object]) -> None:
    first, second = classic.read_layers(_manifest(layer, _layer()))
    with pytest.raises(UnreadableError, match="its signature is not base64"):
        first.decoded()
    assert second.decoded() == b"sig"


def test_a_payload_with_annotations_is_read() -> None:
    content = changed(_PAYLOAD, lambda held: held.update(optional={"team": "a", "n": "1"}))
    assert classic.read_payload(content) == classic.Payload(SIGNED.digest, REPOSITORY)


def test_a_payload_without_a_repository_is_read() -> None:
    content = changed(_PAYLOAD, lambda held: held["critical"].pop("identity"))
    assert classic.read_payload(content) == classic.Payload(SIGNED.digest, "")


def _critical(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda held: held["critical"].update(fields)


@pytest.mark.parametrize(
    "content",
    [
        changed(_PAYLOAD, lambda held: held.pop("critical")),
        changed(_PAYLOAD, lambda held: held.update(critical=None)),
        changed(_PAYLOAD, lambda held: held.update(critical=[held["critical"]])),
        changed(_PAYLOAD, _critical(type="atomic container signature")),
        changed(_PAYLOAD, _critical(type=None)),
        changed(_PAYLOAD, _critical(type=["cosign container image signature"])),
        changed(_PAYLOAD, _critical(image=None)),
        changed(_PAYLOAD, _critical(image={})),
        changed(_PAYLOAD, _critical(image=SIGNED.digest)),
        changed(_PAYLOAD, _critical(image={"docker-manifest-digest": None})),
        changed(_PAYLOAD, _critical(image={"docker-manifest-digest": [SIGNED.digest]})),
        changed(_PAYLOAD, _critical(image={"Docker-manifest-digest": SIGNED.digest})),
        _PAYLOAD * 2,
        _PAYLOAD + b"x",
        b"\xef\xbb\xbf" + _PAYLOAD,
        _PAYLOAD.replace(b"null", b"NaN"),
        _PAYLOAD.replace(b"team", b"te\xffm"),
        _PAYLOAD.replace(b'"critical":', b'"critical":{},"critical":'),
        _PAYLOAD.replace(b'"image":', b'"image":{},"image":'),
        _PAYLOAD.replace(b'"docker-manifest', b'"docker-manifest-digest":"","docker-manifest'),
        _PAYLOAD.replace(b'"type":', b'"type":"","type":'),
        _PAYLOAD.replace(b'"optional":null', b'"optional":{"a":"1","a":"2"}'),
    ],
)
def test_what_is_no_payload_of_an_image_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableError):
        classic.read_payload(content)


def test_what_is_cut_anywhere_is_unreadable() -> None:
    for length in range(len(_PAYLOAD)):
        with pytest.raises(UnreadableError):
            classic.read_payload(_PAYLOAD[:length])
    whole = _one()
    for length in range(len(whole)):
        with pytest.raises(UnreadableError):
            classic.read_layers(whole[:length])


@given(st.binary() | st.text(alphabet='{}[]":,layersdigt0 \\u').map(str.encode))
def test_bytes_are_no_signature(content: bytes) -> None:
    with pytest.raises(UnreadableError):
        classic.read_payload(content)
    with suppress(UnreadableError):
        assert classic.read_layers(content) == ()
    with suppress(UnreadableError):
        assert classic.with_signature(content, _PAYLOAD, b"sig").blobs


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.data())
def test_a_manifest_with_any_other_value_is_read_or_unreadable(data: st.DataObject) -> None:
    document = json.loads(_one())
    layer = document["layers"][0]
    where = data.draw(st.sampled_from([document, layer, layer["annotations"]]))
    where[data.draw(st.sampled_from([*where]))] = data.draw(_VALUES)
    content = json.dumps(document).encode()
    with suppress(UnreadableError):
        made = classic.with_signature(content, _PAYLOAD, b"more").content
        assert classic.read_layers(made)[-1].decoded() == b"more"
    with suppress(UnreadableError):
        for each in classic.read_layers(content):
            each.decoded()


@given(st.binary(max_size=100))
def test_any_signature_is_stored_and_read_again(signature: bytes) -> None:
    [layer] = classic.read_layers(classic.with_signature(None, _PAYLOAD, signature).content)
    assert base64.b64decode(layer.signature) == signature


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ("docker.io", "index.docker.io/library/app"),
        ("reg.example:5000", "reg.example:5000/library/app"),
    ],
)
def test_the_repository_is_named_as_policies_match_it(registry: str, name: str) -> None:
    assert classic.identity(registry, "library/app") == name


@pytest.mark.parametrize("suffix", classic.SUFFIXES)
def test_the_tag_spells_the_digest(suffix: str) -> None:
    assert classic.tag_of(SIGNED.digest, suffix) == f"sha256-{HEX}{suffix}"
