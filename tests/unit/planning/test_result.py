"""What a merge gives back."""

from __future__ import annotations

import json
from dataclasses import replace

from fixtures.images import build_attestation
from oci_merge.model import media_types
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.model.reference import parse_reference
from oci_merge.planning.plan import Plan, plan_index
from oci_merge.planning.result import (
    MergeResult,
    PlatformResult,
    TagResult,
    TargetResult,
    platform_results,
)
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
        digest=index.digest,
        size=index.size,
        media_type=index.media_type,
        platforms=platform_results(_DECIDED),
        targets=(
            TargetResult(
                str(target),
                (TagResult("latest", True), TagResult("1.0", False)),
                Plan(target, index),
            ),
        ),
        warnings=("a warning",),
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
    assert "plan" not in document
    planned = replace(result, dry_run=True).to_dict()
    assert planned == document | {"dryRun": True, "plan": result.plan.to_dict()}


def test_the_repr_of_a_result_fits_a_screen() -> None:
    names = ["amd64", "arm64", "arm/v7", "arm/v6", "386", "ppc64le", "s390x", "riscv64"]
    built = images(*(f"linux/{name}" for name in names))
    decided = []
    for name, image in zip(names, built, strict=True):
        there = f"app-{name.replace('/', '')}:1"
        platform = parse_platform(f"linux/{name}")
        decided.append((listed(image, there, f"linux/{name}"), platform))
        decided.append((attestation(image, there), UNKNOWN))
    index = plan_index(decided, list_format="auto", annotations={})
    target = parse_reference("registry.example/team/app:1.0")
    result = MergeResult(
        digest=index.digest,
        size=index.size,
        media_type=index.media_type,
        platforms=platform_results(decided),
        targets=(
            TargetResult(
                str(target),
                (TagResult("1.0", True), TagResult("latest", False)),
                Plan(target, index),
            ),
        ),
        warnings=("a long warning, " * 20,),
        dry_run=False,
    )
    assert len(repr(result)) <= 400
    assert repr(result) == (
        "MergeResult(target='registry.example/team/app:1.0', "
        f"digest={index.digest!r}, size={index.size}, "
        "platforms='linux/amd64 linux/arm64 linux/arm/v7 linux/arm/v6 linux/386 linux/ppc64le "
        "linux/s390x linux/riscv64', tags='1.0 latest', warnings=1, dry_run=False)"
    )


def test_the_repr_of_a_result_counts_the_tags_that_it_does_not_name() -> None:
    index = plan_index(_DECIDED, list_format="auto", annotations={})
    target = parse_reference("reg.example/app:latest")
    result = MergeResult(
        digest=index.digest,
        size=index.size,
        media_type=index.media_type,
        platforms=(),
        targets=(
            TargetResult(
                str(target),
                tuple(TagResult(f"1.{number}", True) for number in range(100)),
                Plan(target, index),
            ),
        ),
        warnings=(),
        dry_run=True,
    )
    assert "tags='1.0 1.1 1.2 1.3 1.4 1.5 1.6 1.7 and 92 more'" in repr(result)
