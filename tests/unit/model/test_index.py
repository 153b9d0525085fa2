"""The bytes of an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.parity import RecordedManifest, load_cases
from oci_merge.model import media_types
from oci_merge.model.digest import sha256_digest
from oci_merge.model.index import (
    IndexDocument,
    IndexEntry,
    encode_index,
    encode_platform,
    subject_digest,
)
from oci_merge.model.manifest import Descriptor, ImageIndex, parse_manifest
from oci_merge.model.platform import Platform

_DIGEST = "sha256:" + "ab" * 32
_KINDS = (media_types.OCI_INDEX, media_types.DOCKER_LIST)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_ANNOTATIONS = st.dictionaries(_TEXTS, _TEXTS, max_size=4)
_WORDS = st.text('abz<&\u2028"\\', max_size=4)
_PLATFORMS = st.builds(
    Platform, _WORDS, _WORDS, _WORDS, _WORDS, st.lists(_WORDS, max_size=2).map(tuple)
)
_ENTRIES = st.builds(
    IndexEntry,
    media_type=st.sampled_from(sorted(media_types.MANIFESTS)),
    digest=st.binary(max_size=2).map(sha256_digest),
    size=st.integers(0, 2**63 - 1),
    platform=_PLATFORMS,
    annotations=_ANNOTATIONS,
    artifact_type=_WORDS,
)


def _recorded() -> Iterator[tuple[str, RecordedManifest]]:
    """Return every document that stood at a target once, with the first case that put it there."""
    seen = set()
    for case in load_cases():
        for found in case.pushed.values():
            if found.status == 200 and found.digest not in seen:
                seen.add(found.digest)
                yield case.name, found


_RECORDED = dict(_recorded())


def _entry(descriptor: Descriptor) -> IndexEntry:
    assert descriptor.platform is not None
    return IndexEntry(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        platform=descriptor.platform.to_platform(),
        annotations=descriptor.annotations or {},
        artifact_type=descriptor.artifact_type or "",
    )


def _again(document: IndexDocument) -> ImageIndex:
    parsed = parse_manifest(
        document.content, content_type=document.media_type, digest=document.digest, what="it"
    ).document
    assert isinstance(parsed, ImageIndex)
    return parsed


def test_the_recorded_documents_are_of_both_kinds_and_of_every_shape() -> None:
    bodies = [found.body for found in _RECORDED.values()]
    assert {found.media_type for found in _RECORDED.values()} == set(_KINDS)
    for part in (b"os.version", b"variant", b"reference.digest", b"\\u003cb\\u003e\\u0026c"):
        assert any(part in body for body in bodies)


@pytest.mark.parametrize("name", _RECORDED)
def test_the_entries_of_a_recorded_document_give_its_exact_bytes(name: str) -> None:
    recorded = _RECORDED[name]
    index = ImageIndex.model_validate_json(recorded.body)
    entries = [_entry(descriptor) for descriptor in index.manifests]
    document = encode_index(entries, recorded.media_type, index.annotations or {})
    assert document.content == recorded.body
    assert document.digest == recorded.digest
    assert document.size == len(recorded.body)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (
            media_types.OCI_INDEX,
            ["mediaType", "digest", "size", "annotations", "platform", "artifactType"],
        ),
        (media_types.DOCKER_LIST, ["mediaType", "size", "digest", "annotations", "platform"]),
    ],
)
def test_the_fields_of_an_entry_are_in_the_order_of_its_kind(kind: str, keys: list[str]) -> None:
    entry = IndexEntry(
        media_types.OCI_MANIFEST, _DIGEST, 1, Platform("linux", "arm"), {"a": "b"}, "x/y"
    )
    document = json.loads(encode_index([entry], kind, {}).content)
    assert list(document) == ["schemaVersion", "mediaType", "manifests"]
    assert list(document["manifests"][0]) == keys


def test_the_fields_of_a_platform_are_in_gos_order_without_empty_ones() -> None:
    full = Platform("windows", "arm64", "v8", "10.0.1", ("win32k", "other"))
    assert list(encode_platform(full).items()) == [
        ("architecture", "arm64"),
        ("os", "windows"),
        ("os.version", "10.0.1"),
        ("os.features", ["win32k", "other"]),
        ("variant", "v8"),
    ]
    assert encode_platform(Platform("linux", "amd64")) == {"architecture": "amd64", "os": "linux"}


def test_annotations_are_last_and_sorted_by_their_utf8_bytes() -> None:
    annotations = {"b": "1", "\U00010000": "4", "a": "2", "\uffff": "3", "A": "0"}
    content = encode_index([], media_types.OCI_INDEX, annotations).content
    document = json.loads(content)
    assert list(document)[-1] == "annotations"
    assert list(document["annotations"]) == ["A", "a", "b", "\uffff", "\U00010000"]


def test_strings_are_escaped_as_go_escapes_them() -> None:
    value = '<a href="x">&\u2028\u2029\\\n\r\t\x01\x7f é漢\U0001f600'
    content = encode_index([], media_types.OCI_INDEX, {"k": value}).content.decode()
    escaped = r"\u003ca href=\"x\"\u003e\u0026\u2028\u2029\\\n\r\t\u0001" + "\x7f é漢\U0001f600"
    assert f'"k": "{escaped}"' in content
    assert json.loads(content)["annotations"] == {"k": value}


def test_a_document_is_indented_by_two_and_ends_without_a_newline() -> None:
    entry = IndexEntry(media_types.OCI_MANIFEST, _DIGEST, 7, Platform("linux", "amd64"))
    lines = encode_index([entry], media_types.OCI_INDEX, {}).content.decode().split("\n")
    assert lines[0] == "{"
    assert lines[1] == '  "schemaVersion": 2,'
    assert lines[3] == '  "manifests": ['
    assert lines[5].startswith('      "mediaType": ')
    assert lines[-1] == "}"


@given(st.lists(_ENTRIES, max_size=4), _ANNOTATIONS)
def test_an_encoded_index_parses_to_the_same_entries(
    entries: list[IndexEntry], annotations: dict[str, str]
) -> None:
    document = encode_index(entries, media_types.OCI_INDEX, annotations)
    index = _again(document)
    assert [_entry(descriptor) for descriptor in index.manifests] == entries
    assert (index.annotations or {}) == annotations
    assert document.digest == sha256_digest(document.content)


@given(st.lists(_ENTRIES, max_size=4), st.sampled_from(_KINDS), st.randoms(use_true_random=False))
def test_the_same_entries_give_the_same_bytes_in_whatever_order_annotations_came(
    entries: list[IndexEntry], kind: str, random: Any
) -> None:
    shuffled = []
    for entry in entries:
        keys = list(entry.annotations)
        random.shuffle(keys)
        annotations = {key: entry.annotations[key] for key in keys}
        shuffled.append(
            IndexEntry(
                entry.media_type,
                entry.digest,
                entry.size,
                entry.platform,
                annotations,
                entry.artifact_type,
            )
        )
    assert encode_index(entries, kind, {}) == encode_index(shuffled, kind, {})


@given(st.lists(_ENTRIES, max_size=3), _ANNOTATIONS)
def test_no_byte_is_one_that_go_would_have_escaped(
    entries: list[IndexEntry], annotations: dict[str, str]
) -> None:
    text = encode_index(entries, media_types.OCI_INDEX, annotations).content.decode()
    assert not set(text) & set("<>&\u2028\u2029")
    assert not [char for char in text if ord(char) < 0x20 and char != "\n"]


@pytest.mark.parametrize(
    ("subject", "digest"),
    [
        ({"digest": _DIGEST}, _DIGEST),
        ({"digest": "sha512:" + "0" * 128}, "sha512:" + "0" * 128),
        (None, ""),
        ([], ""),
        ({}, ""),
        ({"digest": 1}, ""),
        ({"digest": "../../x:y"}, ""),
        ({"digest": "sha256:AB"}, ""),
    ],
)
def test_what_an_index_refers_to_is_a_digest_or_nothing(subject: object, digest: str) -> None:
    assert subject_digest(json.dumps({"subject": subject}).encode()) == digest
    assert subject_digest(b"{}") == ""
