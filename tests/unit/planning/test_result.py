"""What a merge gives back."""

from __future__ import annotations

import json

from fixtures.images import build_attestation
from oci_merge.model import media_types
from oci_merge.model.platform import Platform
from oci_merge.model.reference import parse_reference
from oci_merge.planning.plan import Plan, plan_index
from oci_merge.planning.result import MergeResult, PlatformResult, TagResult, platform_results
from tests.unit.planning.components import UNKNOWN, attestation, component, images, listed

_AMD64, _ARM64 = images("linux/amd64", "linux/arm64")
_DECIDED = [
    (listed(_AMD64, "app-amd64:1", "linux/amd64"), Platform("linux", "amd64")),
    (attestation(_AMD64, "app-amd64:1"), UNKNOWN),
    (component(_ARM64, "app-arm64:1"), Platform("linux", "arm64")),
]


def test_each_image_is_told_of_with_its_attestations() -> None:
    assert platform_results(_DECIDED) == (
        PlatformResult(
            Platform("linux", "amd64"),
            _AMD64.digest,
            _AMD64.size,
            media_types.OCI_MANIFEST,
            "reg.example/app-amd64:1",
            (build_attestation(_AMD64).digest,),
        ),
        PlatformResult(
            Platform("linux", "arm64"),
            _ARM64.digest,
            _ARM64.size,
            media_types.OCI_MANIFEST,
            "reg.example/app-arm64:1",
        ),
    )


def test_an_attestation_that_came_twice_is_told_of_once() -> None:
    [first, *_] = platform_results([*_DECIDED, _DECIDED[1]])
    assert first.attestations == (build_attestation(_AMD64).digest,)


def test_a_result_is_json() -> None:
    index = plan_index(_DECIDED, list_format="auto", annotations={})
    target = parse_reference("reg.example/app:latest")
    result = MergeResult(
        target=str(target),
        digest=index.digest,
        size=index.size,
        media_type=index.media_type,
        platforms=platform_results(_DECIDED),
        tags=(TagResult("latest", True), TagResult("1.0", False)),
        warnings=("a warning",),
        plan=Plan(target, index),
        dry_run=False,
    )
    document = json.loads(json.dumps(result.to_dict()))
    assert document == result.to_dict()
    assert document["platforms"][0] == {
        "platform": "linux/amd64",
        "digest": _AMD64.digest,
        "size": _AMD64.size,
        "mediaType": media_types.OCI_MANIFEST,
        "source": "reg.example/app-amd64:1",
        "attestations": [build_attestation(_AMD64).digest],
    }
    assert document["tags"] == [
        {"name": "latest", "changed": True},
        {"name": "1.0", "changed": False},
    ]
    assert document["warnings"] == ["a warning"]
