"""The artifact type and the subject of an index."""

from __future__ import annotations

from typing import Any

import pytest

from oci_merge._keywords import checked
from oci_merge.errors import InvalidReferenceError, UsageError
from oci_merge.model import media_types
from oci_merge.model.index import IndexEntry, encode_index
from oci_merge.options import MergeKeywords
from oci_merge.planning.job import Job
from oci_merge.planning.request import merge_job

_DIGEST = f"sha256:{'5' * 64}"


def _job(**asked: Any) -> Job:
    given = {"sources": ["reg.example/a:1"], **asked}
    return merge_job("reg.example/app:1", checked(MergeKeywords, given))


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("reg.example/app:old", "reg.example/app:old"),
        (f"reg.example/app@{_DIGEST}", f"reg.example/app@{_DIGEST}"),
        (_DIGEST, f"reg.example/app@{_DIGEST}"),
        (None, "None"),
    ],
)
def test_a_subject_is_in_the_targets_repository(subject: str | None, expected: str) -> None:
    assert str(_job(subject=subject).subject) == expected


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"subject": "reg.example/app"}, InvalidReferenceError, "neither a tag nor a digest"),
        ({"subject": "reg.example/other:1"}, UsageError, "not in the target's repository"),
        ({"subject": "sha256:55"}, InvalidReferenceError, "is not a digest"),
        ({"subject": ""}, InvalidReferenceError, "is empty"),
        ({"subject": _DIGEST, "format": "docker"}, UsageError, "cannot have a subject"),
        ({"artifact_type": "a/b", "format": "docker"}, UsageError, "cannot have an artifact type"),
        ({"artifact_type": ""}, UsageError, "'' is not a media type"),
        ({"artifact_type": "release"}, UsageError, "'release' is not a media type"),
        ({"artifact_type": "a/b/c"}, UsageError, "is not a media type"),
        ({"artifact_type": "a/b; c=d"}, UsageError, "is not a media type"),
    ],
)
def test_what_an_index_cannot_have_is_refused(
    asked: dict[str, Any], kind: type[UsageError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        _job(**asked)


def test_an_index_has_them_in_the_order_of_the_spec() -> None:
    entry = IndexEntry(media_types.OCI_MANIFEST, _DIGEST, 7, None)
    index = encode_index(
        [entry], media_types.OCI_INDEX, {"a": "b"}, artifact_type="x/y", subject=entry
    )
    places = [
        index.content.index(f'"{name}"'.encode())
        for name in ("schemaVersion", "artifactType", "manifests", "subject", "annotations")
    ]
    assert places == sorted(places)
