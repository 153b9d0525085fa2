"""Annotations with the prefixes of buildx."""

from __future__ import annotations

import pytest

from oci_merge import InvalidPlatformError, UsageError
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.planning.annotations import (
    EntryAnnotation,
    index_annotations,
    parse_annotations,
    values_for,
)


def test_the_prefix_of_the_index_is_left_out_and_other_colons_stay() -> None:
    given = {
        "index:org.opencontainers.image.title": "a:b",
        "org.example.key": "1",
        "urn:example": "2",
        "index": "3",
        "index:urn:example2": "4",
    }
    assert index_annotations(given) == {
        "org.opencontainers.image.title": "a:b",
        "org.example.key": "1",
        "urn:example": "2",
        "index": "3",
        "urn:example2": "4",
    }


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("manifest:a", "manifest"),
        ("manifest[linux/amd64]:a", "manifest[linux/amd64]"),
        ("manifest-descriptor:a", "manifest-descriptor"),
        ("manifest-descriptor[linux/amd64]:a", "manifest-descriptor[linux/amd64]"),
        ("manifest-descriptor[linux/arm/v7]:a", "manifest-descriptor[linux/arm/v7]"),
        ("index-descriptor:a", "index-descriptor"),
        ("index,manifest:a", "manifest"),
        ("index,manifest-descriptor:a", "manifest-descriptor"),
        ("manifest, index:a", "manifest"),
        ("index,other:a", "other"),
        ("index[linux/amd64]:a", "index[linux/amd64]"),
        ("Index:a", "Index"),
    ],
)
def test_a_prefix_for_anything_else_is_refused_and_never_a_key(key: str, shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        index_annotations({key: "v"})
    assert caught.value.message == (
        f"the annotation {key!r} is for {shown!r}, and only the index can be annotated"
    )
    assert "index:key=value" in caught.value.hint


def test_one_key_with_two_values_is_refused_by_whatever_prefix() -> None:
    assert index_annotations({"index:a": "1", "a": "1"}) == {"a": "1"}
    with pytest.raises(UsageError, match="'a' is given twice"):
        index_annotations({"index:a": "1", "a": "2"})


@pytest.mark.parametrize("key", ["index:", "index: "])
def test_a_prefix_without_a_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="has no key"):
        index_annotations({key: "v"})


def test_annotations_are_divided_by_their_prefixes() -> None:
    amd64, arm64 = parse_platform("linux/amd64"), parse_platform("linux/arm64")
    parsed = parse_annotations(
        {
            "plain": "1",
            "urn:example": "2",
            "index:own": "3",
            "manifest-descriptor:each": "4",
            "manifest-descriptor[linux/amd64]:one": "5",
            "index, manifest-descriptor[linux/amd64,linux/arm64]:many": "6",
            "index,manifest-descriptor:urn:both": "7",
        }
    )
    assert parsed.index == {
        "plain": "1",
        "urn:example": "2",
        "own": "3",
        "many": "6",
        "urn:both": "7",
    }
    assert parsed.entries == (
        EntryAnnotation("each", "4"),
        EntryAnnotation("one", "5", amd64),
        EntryAnnotation("many", "6", amd64),
        EntryAnnotation("many", "6", arm64),
        EntryAnnotation("urn:both", "7"),
    )


@pytest.mark.parametrize("key", ["manifest:a", "index,manifest:a", "manifest[linux/amd64]:a"])
def test_a_manifest_cannot_be_annotated_and_the_hint_says_what_can(key: str) -> None:
    # docker/metadata-action gives these lines unless it is told otherwise.
    with pytest.raises(UsageError, match="without building it anew") as caught:
        parse_annotations({key: "v"})
    assert "DOCKER_METADATA_ANNOTATIONS_LEVELS=index" in caught.value.hint


@pytest.mark.parametrize(
    "key",
    ["index-descriptor:a", "index,other:a", "index[linux/amd64]:a", "Index:a", "Manifest:a"],
)
def test_other_prefixes_are_refused(key: str) -> None:
    with pytest.raises(UsageError, match="cannot be annotated"):
        parse_annotations({key: "v"})


@pytest.mark.parametrize("inner", ["", "amd64", "linux/amd64,", "linux/amd64/v1/2"])
def test_what_is_no_platform_in_brackets_is_refused(inner: str) -> None:
    with pytest.raises(InvalidPlatformError):
        parse_annotations({f"manifest-descriptor[{inner}]:a": "v"})


def test_one_key_with_two_values_for_the_same_entries_is_refused() -> None:
    with pytest.raises(UsageError, match="'a' is given twice"):
        parse_annotations(
            {
                "manifest-descriptor[linux/amd64]:a": "1",
                "manifest-descriptor[linux/x86_64]:a": "2",
            }
        )


def test_the_value_that_says_most_of_an_entry_wins() -> None:
    given = parse_annotations(
        {
            "manifest-descriptor[linux/arm/v7]:a": "variant",
            "manifest-descriptor[linux/arm]:a": "architecture",
            "manifest-descriptor:a": "all",
        }
    ).entries
    values = {
        name: values_for(given, parse_platform(name), is_image=True).get("a")
        for name in ("linux/arm/v7", "linux/arm/v6", "linux/amd64")
    }
    assert values == {
        "linux/arm/v7": "variant",
        "linux/arm/v6": "architecture",
        "linux/amd64": "all",
    }
    assert values_for(given, Platform("unknown", "unknown"), is_image=False) == {}
