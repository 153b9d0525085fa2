"""Sources that are indexes, and targets with an unusual manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.storage import StoredManifest
from fixtures.images import (
    BuiltImage,
    BuiltIndex,
    Child,
    build_attestation,
    build_image,
    build_index,
    digest_of,
)
from fixtures.server import RunningServer
from oci_merge import (
    DuplicatePlatformError,
    ManifestError,
    MergeResult,
    NotFoundError,
    PlatformNotFoundError,
    UnsupportedMediaTypeError,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    REPOSITORY,
    Answers,
    asks,
    merge,
    paths,
    reply,
    tags,
    writes,
)

_S390X = build_image("linux", "s390x")


def _join(server: RunningServer, *names: str, **options: Any) -> MergeResult:
    return merge(server.host, sources=[f"{server.host}/{name}" for name in names], **options)


def _entries(result: MergeResult) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(result.plan.index.content)["manifests"]
    return entries


def _digests(result: MergeResult) -> list[str]:
    return [entry["digest"] for entry in _entries(result)]


def _fetched(registry: EmbeddedRegistry, content: BuiltImage | BuiltIndex) -> list[str]:
    return paths(registry.requests, "GET", content.digest)


def test_an_index_is_flattened_to_its_images_in_order(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([ARM64, ARMV7]))
    result = _join(server, "team/app-amd64:1.0", "team/multi:1")
    assert _digests(result) == [AMD64.digest, ARM64.digest, ARMV7.digest]
    assert tags(registry) == {"latest": result.digest}


def test_an_index_within_an_index_is_flattened_too(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    inner = build_index([ARM64, build_index([ARMV7], docker=True)])
    registry.add_image("team/multi", "1", build_index([AMD64, inner, _S390X]))
    result = _join(server, "team/multi:1")
    assert _digests(result) == [image.digest for image in (AMD64, ARM64, ARMV7, _S390X)]


def test_the_platform_of_a_child_without_one_is_read_from_its_config(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([Child(ARMV7), Child(AMD64, {})]))
    result = _join(server, "team/multi:1")
    assert [entry["platform"] for entry in _entries(result)] == [
        {"architecture": "arm", "os": "linux", "variant": "v7"},
        {"architecture": "amd64", "os": "linux"},
    ]
    assert len(paths(registry.requests, "GET", "/blobs/")) == 2


def test_the_configs_of_children_with_a_platform_are_not_read(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64]))
    _join(server, "team/multi:1")
    assert paths(registry.requests, "GET", "/blobs/") == []


def test_attestations_stay_with_their_images_and_are_listed_last(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    first, second = build_attestation(AMD64), build_attestation(ARM64)
    registry.add_image("team/one", "1", build_index([AMD64, first]))
    registry.add_image("team/two", "1", build_index([second, ARM64]))
    result = _join(server, "team/one:1", "team/two:1")
    assert _digests(result) == [AMD64.digest, ARM64.digest, first.digest, second.digest]
    for entry, image in zip(_entries(result)[2:], (AMD64, ARM64), strict=True):
        assert entry["platform"] == {"architecture": "unknown", "os": "unknown"}
        assert entry["annotations"] == {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image.digest,
        }
    assert [image.attestations for image in result.platforms] == [
        (first.digest,),
        (second.digest,),
    ]


def test_attestations_are_not_even_read_where_they_are_dropped(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    proof = build_attestation(AMD64)
    registry.add_image("team/app-amd64", "proven", build_index([AMD64, proof]))
    result = merge(
        server.host,
        sources=[f"{server.host}/team/app-amd64:proven", f"{server.host}/team/app-arm64:1.0"],
        attestations="drop",
    )
    assert [image.digest for image in result.platforms] == [AMD64.digest, ARM64.digest]
    assert [image.attestations for image in result.platforms] == [(), ()]
    assert proof.digest not in result.plan.index.content.decode()
    assert paths(registry.requests, "GET", proof.digest) == []


def test_an_attestation_of_an_image_that_is_not_listed_stays_in_the_index(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    proof = build_attestation(ARM64)
    registry.add_image("team/one", "1", build_index([AMD64, proof]))
    assert _digests(_join(server, "team/one:1")) == [AMD64.digest, proof.digest]


def test_the_platform_asked_for_is_chosen_from_an_index_with_its_attestation(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    kept, left = build_attestation(ARM64), build_attestation(AMD64)
    index = build_index([AMD64, ARM64, left, kept])
    for architecture in ("amd64", "arm64"):
        registry.add_image(f"team/multi-{architecture}", "1", index)
    template = f"{server.host}/team/multi-ARCH:1"
    result = merge(server.host, template=template, platforms=["linux/arm64"])
    assert _digests(result) == [ARM64.digest, kept.digest]
    # What is not chosen is neither mounted nor pushed.
    pushed = paths(registry.requests, "PUT", "sha256:")
    assert len(pushed) == 2
    assert not [path for path in pushed if AMD64.digest in path or left.digest in path]
    mounted = paths(registry.requests, "POST")
    assert not [path for path in mounted if AMD64.config.digest.removeprefix("sha256:") in path]
    assert paths(registry.requests, "GET", "/blobs/") == []


def test_a_platform_that_an_index_lacks_is_an_error_that_lists_what_it_has(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi-s390x", "1", build_index([AMD64, ARM64]))
    with pytest.raises(PlatformNotFoundError, match="has linux/amd64 and linux/arm64"):
        merge(
            server.host,
            template=f"{server.host}/team/multi-ARCH:1",
            platforms=["linux/s390x"],
        )
    assert not writes(registry.requests)


def test_two_sources_of_one_platform_move_no_tag(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([build_image(text="another"), ARM64]))
    with pytest.raises(DuplicatePlatformError, match="are both linux/amd64"):
        _join(server, "team/app-amd64:1.0", "team/multi:1")
    assert tags(registry) == {}


def test_an_image_that_is_named_twice_is_fetched_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi-amd64", "1", AMD64)
    result = _join(server, "team/multi-amd64:1", "team/multi-amd64:1")
    assert _digests(result) == [AMD64.digest]
    assert len(result.platforms) == 1
    assert len(paths(registry.requests, "GET", "/team/multi-amd64/manifests/")) == 1


def test_an_index_that_lists_nothing_is_refused(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([]))
    with pytest.raises(ManifestError, match=r"team/multi:1 is an index that lists no image"):
        _join(server, "team/multi:1")


def test_an_index_whose_child_is_gone_names_the_child(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64]))
    registry.storage.remove_manifest("team/multi", ARM64.digest)
    with pytest.raises(NotFoundError, match=f"team/multi@{ARM64.digest} was not found"):
        _join(server, "team/multi:1")


def _nested(depth: int) -> BuiltIndex:
    index = build_index([AMD64])
    for _ in range(depth - 1):
        index = build_index([index])
    return index


def test_four_levels_of_indexes_are_followed(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/deep", "1", _nested(4))
    assert _digests(_join(server, "team/deep:1")) == [AMD64.digest]


def test_five_levels_of_indexes_are_refused(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/deep", "1", _nested(5))
    with pytest.raises(ManifestError, match=r"team/deep:1 is an index with more than .* 4 levels"):
        _join(server, "team/deep:1")
    assert _fetched(registry, AMD64) == []
    assert not writes(registry.requests)


def test_an_index_of_more_than_a_thousand_entries_is_refused_before_one_is_fetched(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/wide", "1", build_index([AMD64] * 1001))
    with pytest.raises(ManifestError, match=r"team/wide:1 .* more than 1000 entries"):
        _join(server, "team/wide:1")
    assert _fetched(registry, AMD64) == []


def test_indexes_that_list_more_than_a_thousand_entries_altogether_are_refused(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    content: BuiltImage | BuiltIndex = AMD64
    registry.add_image("team/bomb", content.digest, AMD64)
    for _ in range(2):  # 40 entries, each of which lists 40 of one and the same image
        content = build_index([content] * 40)
        held = StoredManifest(content.digest, content.media_type, content.manifest)
        registry.storage.put_manifest("team/bomb", held, ["1"])
    with pytest.raises(ManifestError, match=r"team/bomb:1 .* more than 1000 entries"):
        _join(server, "team/bomb:1")
    assert len(registry.requests) < 1100
    assert not writes(registry.requests)


def test_an_artifact_is_no_image(server: RunningServer, registry: EmbeddedRegistry) -> None:
    chart = json.loads(AMD64.manifest)
    chart["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json\u202e"
    content = json.dumps(chart).encode()
    held = StoredManifest(digest_of(content), AMD64.media_type, content)
    registry.storage.put_manifest("team/chart", held, ["1"])
    with pytest.raises(
        UnsupportedMediaTypeError, match=r"helm.* does not declare a platform"
    ) as got:
        _join(server, "team/chart:1")
    assert str(got.value).isprintable()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<html>", "text/html"),
        (b"{}", "application/json"),
        (b'{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+json"),
        (b"", ""),
        (b"\xff\x00", "application/octet-stream"),
        (b"[" * 50_000, AMD64.media_type),
    ],
)
def test_any_manifest_at_the_target_may_be_replaced(
    content: bytes, kind: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    odd = reply(200, content, kind=kind, docker_content_digest=digest_of(content))
    registry.hooks.append(Answers(asks("GET", f"/{REPOSITORY}/manifests/latest"), odd))
    result = merge(server.host)
    assert tags(registry) == {"latest": result.digest}


@pytest.mark.parametrize(
    "content", [AMD64.manifest, b" " * (4 * 2**20 + 1)], ids=["corrupt", "too long"]
)
def test_a_broken_manifest_at_the_target_may_be_replaced(
    content: bytes, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    odd = reply(200, content, kind=AMD64.media_type, docker_content_digest=ARM64.digest)
    registry.hooks.append(Answers(asks("GET", f"/{REPOSITORY}/manifests/latest"), odd))
    result = merge(server.host)
    assert tags(registry) == {"latest": result.digest}
