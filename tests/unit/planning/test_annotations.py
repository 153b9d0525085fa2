"""Annotations with the prefixes of buildx."""

from __future__ import annotations

import pytest

from oci_merge import UsageError
from oci_merge.planning.annotations import index_annotations


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
