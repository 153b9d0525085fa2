"""Manifests, indexes and configs: what is parsed, and that only our errors are raised."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixtures.images import build_attestation, build_image, build_index
from oci_merge.errors import ManifestError, UnsupportedMediaTypeError
from oci_merge.model import media_types
from oci_merge.model.digest import sha256_digest
from oci_merge.model.manifest import (
    Descriptor,
    ImageIndex,
    ImageManifest,
    Manifest,
    parse_config,
    parse_manifest,
)
from oci_merge.model.platform import Platform

_DIGEST = "sha256:" + "ab" * 32
_BLOB = {"mediaType": "application/octet-stream", "digest": _DIGEST, "size": 1}
_IMAGE = {"schemaVersion": 2, "config": _BLOB, "layers": [_BLOB]}
_INDEX = {"schemaVersion": 2, "manifests": [_BLOB]}

_OCI_MANIFEST, _OCI_INDEX = media_types.OCI_MANIFEST, media_types.OCI_INDEX
_DOCKER_MANIFEST, _DOCKER_LIST = media_types.DOCKER_MANIFEST, media_types.DOCKER_LIST
_VAGUE = ["", "application/json", "text/plain; charset=utf-8", "application/octet-stream"]

_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(_DIGEST)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    [
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "annotations",
        "platform",
        "digest",
        "size",
        "urls",
        "artifactType",
        "os",
        "architecture",
        "variant",
        "os.version",
        "os.features",
    ]
)
_ODD = st.dictionaries(
    _KEYS,
    st.one_of(
        _JSON,
        st.just(_BLOB),
        st.lists(st.dictionaries(_KEYS, st.one_of(_JSON, st.just(_BLOB))), max_size=2),
        st.sampled_from([2, _OCI_MANIFEST, _OCI_INDEX]),
    ),
    max_size=4,
)
#: Documents that are right, or wrong in a field or two, or in everything.
_DOCUMENTS = st.builds(
    lambda base, odd: json.dumps({**base, **odd}).encode(),
    st.sampled_from([_IMAGE, _INDEX, {**_INDEX, "manifests": [{**_BLOB, "platform": {}}]}, {}]),
    _ODD,
)


def _parse(document: Any, content_type: str = "") -> Manifest:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_manifest(
        content, content_type=content_type, digest=sha256_digest(content), what="reg.example/app:1"
    )


def test_a_manifest_is_its_exact_bytes_with_what_they_say() -> None:
    image = build_image()
    manifest = _parse(image.manifest, image.media_type)
    assert manifest.content == image.manifest
    assert manifest.digest == image.digest
    assert manifest.size == image.size
    assert isinstance(manifest.document, ImageManifest)
    assert manifest.document.config
    assert manifest.document.config.digest == image.config.digest
    assert [layer.digest for layer in manifest.document.layers] == [
        layer.digest for layer in image.layers
    ]


@pytest.mark.parametrize("docker", [False, True])
def test_an_index_is_told_from_an_image(docker: bool) -> None:
    image = build_image(docker=docker)
    index = build_index([image], docker=docker)
    assert isinstance(_parse(index.manifest, index.media_type).document, ImageIndex)
    assert isinstance(_parse(image.manifest, image.media_type).document, ImageManifest)


def test_fields_that_nothing_reads_are_not_kept() -> None:
    document = _parse({**_IMAGE, "subject": {"x": [1]}}, _OCI_MANIFEST).document
    assert document.model_extra is None


@pytest.mark.parametrize(
    "header",
    [
        _OCI_MANIFEST,
        f"{_OCI_MANIFEST}; charset=utf-8",
        f"  {_OCI_MANIFEST.upper()} ;x=y",
        "Application/Vnd.OCI.Image.Manifest.v1+JSON",
    ],
)
def test_the_content_type_counts_without_parameters_and_case(header: str) -> None:
    assert _parse(_IMAGE, header).media_type == _OCI_MANIFEST


@pytest.mark.parametrize("header", _VAGUE)
@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({**_IMAGE, "mediaType": _DOCKER_MANIFEST}, _DOCKER_MANIFEST),
        ({**_INDEX, "mediaType": _DOCKER_LIST}, _DOCKER_LIST),
        ({**_IMAGE, "mediaType": _OCI_MANIFEST.upper()}, _OCI_MANIFEST),
        (_IMAGE, _OCI_MANIFEST),
        (_INDEX, _OCI_INDEX),
    ],
)
def test_where_the_header_is_vague_the_body_decides_then_the_structure(
    header: str, document: dict[str, Any], kind: str
) -> None:
    assert _parse(document, header).media_type == kind


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (_OCI_MANIFEST, _DOCKER_MANIFEST),
        (_DOCKER_MANIFEST, _OCI_MANIFEST),
        (_OCI_INDEX, _OCI_MANIFEST),
        ("text/html", _OCI_MANIFEST),
    ],
)
def test_a_header_that_contradicts_the_body_is_refused_and_both_are_named(
    header: str, body: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        _parse({**_IMAGE, "mediaType": body}, header)
    assert header in caught.value.message
    assert body in caught.value.message
    assert not isinstance(caught.value, UnsupportedMediaTypeError)


@pytest.mark.parametrize(
    ("document", "header"),
    [
        ({"schemaVersion": 1, "fsLayers": [], "history": []}, ""),
        ({"schemaVersion": 1, "fsLayers": []}, "application/json"),
        ({}, "application/vnd.docker.distribution.manifest.v1+json"),
        ({}, "application/vnd.docker.distribution.manifest.v1+prettyjws; charset=utf-8"),
        ({"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, "text/plain"),
        ({**_IMAGE, "schemaVersion": 1}, _OCI_MANIFEST),
    ],
)
def test_schema_1_is_refused_with_advice(document: dict[str, Any], header: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="schema 1") as caught:
        _parse(document, header)
    assert "current builder" in caught.value.hint


@pytest.mark.parametrize(
    ("document", "header"),
    [
        (_IMAGE, "text/html"),
        (_IMAGE, "application/vnd.cncf.helm.config.v1+json"),
        ({**_IMAGE, "mediaType": "application/vnd.oci.artifact.manifest.v1+json"}, ""),
    ],
)
def test_another_kind_is_refused_and_named(document: dict[str, Any], header: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError) as caught:
        _parse(document, header)
    assert (header or str(document["mediaType"])) in caught.value.message


@pytest.mark.parametrize("header", ["", _OCI_MANIFEST, _OCI_INDEX])
@pytest.mark.parametrize(
    "extra", [{"config": _BLOB}, {"layers": []}, {"config": _BLOB, "layers": [_BLOB]}]
)
def test_a_document_that_is_image_and_index_at_once_is_refused(
    header: str, extra: dict[str, Any]
) -> None:
    with pytest.raises(ManifestError, match="an image and an index at once"):
        _parse({**_INDEX, **extra}, header)


def test_null_counts_as_absent() -> None:
    document = {**_INDEX, "config": None, "layers": None, "mediaType": None, "annotations": None}
    assert _parse(document).media_type == _OCI_INDEX
    entry = {**_BLOB, "platform": None, "annotations": None, "urls": None, "artifactType": None}
    assert isinstance(_parse({**_INDEX, "manifests": [entry]}).document, ImageIndex)


_SIZES = [True, "5", 5.0, 1.5, -1, None, [], {}, 2**63, 10**30, 1e300]


@pytest.mark.parametrize("size", _SIZES)
def test_a_size_that_is_not_a_63_bit_integer_is_refused(size: object) -> None:
    with pytest.raises(ManifestError, match=r"at config\.size"):
        _parse({**_IMAGE, "config": {**_BLOB, "size": size}})


@pytest.mark.parametrize("size", [0, 2**63 - 1])
def test_the_smallest_and_the_largest_size_are_read(size: int) -> None:
    document = _parse({**_IMAGE, "config": {**_BLOB, "size": size}}).document
    assert isinstance(document, ImageManifest)
    assert document.config
    assert document.config.size == size


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({**_IMAGE, "schemaVersion": "2"}, "schemaVersion"),
        ({**_IMAGE, "schemaVersion": True}, "schemaVersion"),
        ({**_IMAGE, "mediaType": 5}, "mediaType"),
        ({**_IMAGE, "config": []}, "config"),
        ({**_IMAGE, "layers": {}}, "layers"),
        ({**_IMAGE, "layers": [_BLOB, 5]}, "layers.1"),
        ({**_IMAGE, "layers": [{**_BLOB, "digest": "sha256:abc"}]}, "layers.0.digest"),
        ({**_IMAGE, "layers": [{**_BLOB, "digest": 5}]}, "layers.0.digest"),
        ({**_IMAGE, "layers": [{**_BLOB, "urls": "https://x"}]}, "layers.0.urls"),
        ({**_IMAGE, "layers": [{**_BLOB, "mediaType": 1}]}, "layers.0.mediaType"),
        ({**_IMAGE, "annotations": {"a": 1}}, "annotations.a"),
        ({"schemaVersion": 2}, "config"),
        ({"schemaVersion": 2, "config": _BLOB, "layers": [None]}, "layers.0"),
        ({"schemaVersion": 2, "manifests": {}}, "manifests"),
        ({**_INDEX, "manifests": [{"digest": _DIGEST}]}, "manifests.0.size"),
        ({**_INDEX, "manifests": [{**_BLOB, "platform": "linux/amd64"}]}, "manifests.0.platform"),
        ({**_INDEX, "manifests": [{**_BLOB, "platform": {"os": 1}}]}, "manifests.0.platform.os"),
    ],
)
def test_wrong_types_are_refused_and_the_place_is_named(
    document: dict[str, Any], place: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        _parse(document)
    assert f"the manifest of reg.example/app:1 cannot be read at {place}" in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"<html>503</html>",
        b"null",
        b"[]",
        b'"text"',
        b"2",
        b'{"schemaVersion":2,',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b'{"mediaType":"\xff"}',
        b'{"mediaType":"\\ud800"}',
        b'{"annotations":{"a":"\\udc00"}}',
        b"[" * 100_000,
        b'{"config":' * 100_000,
        b'{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"schemaVersion":' + b"9" * 5_000 + b"}",
        b'{"schemaVersion":1e999}',
        b'{"schemaVersion":NaN}',
        b'{"config":{"size":' + b"9" * 5_000 + b"}}",
        b'{"config":{"size":-Infinity}}',
    ],
    ids=lambda content: content[:24].decode("latin-1"),
)
def test_content_that_is_not_a_manifest_is_a_manifest_error(content: bytes) -> None:
    for header in ("", _OCI_MANIFEST, _OCI_INDEX):
        with pytest.raises(ManifestError):
            _parse(content, header)
    with contextlib.suppress(ManifestError):
        parse_config(content, what="reg.example/app:1")


def test_names_from_the_document_are_shown_escaped() -> None:
    with pytest.raises(ManifestError) as caught:
        _parse({**_IMAGE, "annotations": {"\x1b[31m\u202e": 5}})
    assert r"annotations.\x1b[31m\u202e" in caught.value.message
    with pytest.raises(UnsupportedMediaTypeError) as unsupported:
        _parse(_IMAGE, "application/\x1b[31m")
    assert "\x1b" not in unsupported.value.message


def test_an_error_does_not_carry_the_validators_own() -> None:
    with pytest.raises(ManifestError) as caught:
        _parse(b"{")
    assert caught.value.__suppress_context__
    assert caught.value.hint


@given(st.one_of(st.binary(), _DOCUMENTS))
@example(b'{"schemaVersion":2,"config":1e400,"layers":[]}')
def test_arbitrary_bytes_are_a_manifest_or_a_manifest_error(content: bytes) -> None:
    for header in ("", _OCI_MANIFEST, _DOCKER_LIST):
        with contextlib.suppress(ManifestError):
            assert _parse(content, header).content == content
    with contextlib.suppress(ManifestError):
        assert isinstance(parse_config(content, what="it"), Platform)


def test_the_platform_of_a_config_is_read_as_it_stands() -> None:
    image = build_image(
        "windows", "amd64", os_version="10.0.20348.2227", os_features=("win32k", "x")
    )
    assert parse_config(image.config.content, what="it") == Platform(
        "windows", "amd64", "", "10.0.20348.2227", ("win32k", "x")
    )
    config = b'{"os":"Linux","architecture":"AArch64","variant":"V8"}'
    assert parse_config(config, what="it") == Platform("Linux", "AArch64", "V8")


@pytest.mark.parametrize(
    "config", [b"{}", b'{"os":null,"architecture":null,"variant":null,"os.features":null}']
)
def test_a_config_may_say_nothing(config: bytes) -> None:
    platform = parse_config(config, what="it")
    assert platform == Platform("", "")
    assert not platform.is_known


@pytest.mark.parametrize(
    "config", [b'{"os":1}', b'{"architecture":["amd64"]}', b'{"os.features":"x"}', b"[]"]
)
def test_a_config_with_wrong_types_is_refused(config: bytes) -> None:
    with pytest.raises(ManifestError, match="the config of an image cannot be read"):
        parse_config(config, what="an image")


def test_buildx_attestations_are_told_by_their_annotation() -> None:
    image = build_image()
    index = build_index([image, build_attestation(image)])
    document = _parse(index.manifest, index.media_type).document
    assert isinstance(document, ImageIndex)
    plain, attesting = document.manifests
    assert (plain.is_attestation, plain.attests) == (False, "")
    assert (attesting.is_attestation, attesting.attests) == (True, image.digest)


def test_an_attestation_without_a_digest_attests_nothing() -> None:
    lonely = Descriptor(
        digest=_DIGEST, size=1, annotations={"vnd.docker.reference.type": "attestation-manifest"}
    )
    other = Descriptor(digest=_DIGEST, size=1, annotations={"vnd.docker.reference.digest": _DIGEST})
    assert (lonely.is_attestation, lonely.attests) == (True, "")
    assert (other.is_attestation, other.attests) == (False, "")


def test_foreign_layers_are_told_by_type_and_urls() -> None:
    image = build_image(foreign_layer=True)
    document = _parse(image.manifest, image.media_type).document
    assert isinstance(document, ImageManifest)
    assert [layer.is_foreign for layer in document.layers] == [True, False, False]
