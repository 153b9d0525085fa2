"""Publishing: what is written, in which order, and what is not written."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from fixtures.embedded import EmbeddedRegistry, RequestRecord
from fixtures.images import BuiltImage, build_image, build_index
from fixtures.server import RunningServer
from oci_merge import MergeResult
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    IMAGES,
    OLD,
    REPOSITORY,
    Delays,
    Holds,
    add_old,
    asks,
    merge,
    paths,
    tags,
    writes,
)

_TAGS = ["1.0", "1", "stable"]


def _blob(record: RequestRecord) -> str:
    """Return the blob that a request mounts, or an empty string."""
    return parse_qs(urlsplit(record.path).query).get("mount", [""])[0]


def _answered(registry: EmbeddedRegistry) -> dict[str, int]:
    """Return when each blob, child and tag was answered: its place in the log."""
    places = {}
    for place, record in enumerate(registry.requests):
        if record.method in ("POST", "PUT"):
            places[_blob(record) or record.path.rpartition("/")[2]] = place
    return places


def _blobs() -> set[str]:
    return {blob.digest for image in IMAGES.values() for blob in image.blobs}


def _is_put(registry: EmbeddedRegistry, *names: str) -> bool:
    return all(paths(registry.requests, "PUT", f"/manifests/{name}") for name in names)


@pytest.mark.parametrize("slow", IMAGES.values(), ids=["amd64", "arm64", "armv7"])
def test_a_child_waits_for_its_own_blobs_alone_and_the_tags_for_all_children(
    slow: BuiltImage, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    others = [child.digest for child in IMAGES.values() if child is not slow]
    part = slow.config.digest.removeprefix("sha256:")
    registry.hooks.append(Holds(asks("POST", part), lambda: _is_put(registry, *others)))
    merge(server.host, tags=_TAGS)
    answered = _answered(registry)
    assert max(answered[child] for child in others) < answered[slow.config.digest]
    for child in IMAGES.values():
        assert answered[child.digest] > max(answered[blob.digest] for blob in child.blobs)
    last_child = max(answered[child.digest] for child in IMAGES.values())
    assert min(answered[tag] for tag in ("latest", *_TAGS)) > last_child


def test_a_slow_child_holds_back_every_tag(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Delays(asks("PUT", ARM64.digest), 0.15, answers=True))
    merge(server.host, tags=_TAGS)
    answered = _answered(registry)
    assert min(answered[tag] for tag in ("latest", *_TAGS)) > answered[ARM64.digest]


def test_a_slow_config_holds_back_the_tags_but_neither_mounts_nor_children(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    children = [image.digest for image in IMAGES.values()]
    is_config = asks("GET", f"/blobs/{ARMV7.config.digest}")
    registry.hooks.append(Holds(is_config, lambda: _is_put(registry, *children)))
    merge(server.host)
    answered = _answered(registry)
    read = next(
        place
        for place, record in enumerate(registry.requests)
        if record.method == "GET" and record.path.endswith(f"/blobs/{ARMV7.config.digest}")
    )
    assert answered[ARMV7.digest] < read < answered["latest"]


def test_the_tags_are_put_side_by_side(server: RunningServer, registry: EmbeddedRegistry) -> None:
    others = Holds(asks("PUT", "/manifests/latest"), lambda: _is_put(registry, *_TAGS))
    registry.hooks.append(others)
    result = merge(server.host, tags=_TAGS)
    assert [tag.name for tag in result.tags] == ["latest", *_TAGS]
    assert list(_answered(registry))[-1] == "latest"
    assert set(tags(registry).values()) == {result.digest}


def test_each_blob_is_mounted_once_however_many_images_share_it(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    mounted = [_blob(record) for record in registry.requests if record.method == "POST"]
    assert sorted(mounted) == sorted(_blobs())
    assert len(mounted) < sum(len(image.blobs) for image in IMAGES.values())


def test_a_blob_is_mounted_from_the_repository_that_has_it(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    for path in paths(registry.requests, "POST"):
        query = parse_qs(urlsplit(path).query)
        held = registry.storage.repositories[query["from"][0]].blobs
        assert query["mount"][0] in held


def test_no_layer_is_read_and_nothing_is_uploaded(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    configs = {image.config.digest for image in IMAGES.values()}
    read = {path.rpartition("/")[2] for path in paths(registry.requests, "GET", "/blobs/")}
    assert read == configs
    assert {record.method for record in writes(registry.requests)} == {"POST", "PUT"}
    assert registry.open_uploads == []


def test_a_run_takes_no_request_more_than_it_needs(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host, tags=["1.0"])
    # sources, the target, its other tag, configs; how the registry lists referrers, and whether
    # the images have any
    reads = 3 + 1 + 1 + 3 + 1 + 3
    assert len(registry.requests) == reads + len(_blobs()) + 3 + 2
    assert not paths(registry.requests, "GET", "/v2/?")


def test_images_of_the_target_s_own_repository_are_neither_mounted_nor_pushed(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for tag, image in (("a", AMD64), ("b", ARM64)):
        registry.add_image(REPOSITORY, tag, image)
    merge(server.host, sources=[f"{server.host}/{REPOSITORY}:{tag}" for tag in "ab"])
    assert [record.path for record in writes(registry.requests)] == [
        f"/v2/{REPOSITORY}/manifests/latest"
    ]


def test_a_foreign_layer_that_the_source_does_not_hold_is_done_without(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    image = build_image("windows", "amd64", docker=True, foreign_layer=True)
    registry.add_image("team/win", "1", image)
    result = merge(server.host, sources=[f"{server.host}/team/win:1"])
    assert tags(registry) == {"latest": result.digest}
    assert image.layers[0].digest not in registry.storage.repositories[REPOSITORY].blobs
    assert registry.open_uploads == []


def test_a_foreign_layer_that_the_source_holds_is_mounted(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    image = build_image("windows", "amd64", docker=True, foreign_layer=True)
    registry.add_image("team/win", "1", image)
    foreign = image.layers[0]
    registry.storage.put_blob("team/win", foreign.digest, foreign.content)
    merge(server.host, sources=[f"{server.host}/team/win:1"])
    assert foreign.digest in registry.storage.repositories[REPOSITORY].blobs


def test_an_unchanged_rerun_only_reads(server: RunningServer, registry: EmbeddedRegistry) -> None:
    first = merge(server.host, tags=_TAGS)
    registry.requests.clear()
    again = merge(server.host, tags=_TAGS)
    assert again.digest == first.digest
    assert [tag.changed for tag in again.tags] == [False] * 4
    assert writes(registry.requests) == []


def test_a_tag_that_points_to_the_index_already_is_not_pushed_while_another_moves(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    add_old(registry, "1.0")
    registry.requests.clear()
    result = merge(server.host, tags=["1.0", "new"])
    assert [(tag.name, tag.changed) for tag in result.tags] == [
        ("latest", False),
        ("1.0", True),
        ("new", True),
    ]
    assert sorted(record.path for record in writes(registry.requests)) == [
        f"/v2/{REPOSITORY}/manifests/1.0",
        f"/v2/{REPOSITORY}/manifests/new",
    ]
    assert set(tags(registry).values()) == {result.digest}


def test_only_the_image_that_changed_is_transferred(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    changed = build_image("linux", "arm64", text="changed")
    registry.add_image("team/app-arm64", "1.0", changed)
    registry.requests.clear()
    result = merge(server.host)
    children = [path.rpartition("/")[2] for path in paths(registry.requests, "PUT")]
    assert children == [changed.digest, "latest"]
    assert tags(registry) == {"latest": result.digest}


def test_a_target_that_is_a_single_image_counts_as_present(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "latest", AMD64)
    merge(server.host)
    assert AMD64.digest not in [path[-71:] for path in paths(registry.requests, "PUT")]


def test_the_same_merge_has_the_same_bytes_wherever_it_is_done(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    options = {"annotations": {"b": "2", "a": "1"}}
    results: list[MergeResult] = []
    for tag in ("one", "two"):
        results.append(merge(server.host, tags=[tag], **options))
        registry.storage.repositories.pop(REPOSITORY)
    assert results[0].plan.index.content == results[1].plan.index.content
    assert results[0].digest == results[1].digest


def test_the_registry_stores_the_plan_s_index(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = merge(server.host)
    held = registry.storage.manifest(REPOSITORY, "latest")
    assert held is not None
    assert (held.content, held.media_type) == (result.plan.index.content, result.media_type)
    expected = build_index([AMD64, ARM64, ARMV7])
    assert held.media_type == expected.media_type


@pytest.mark.parametrize("present", [False, True])
def test_a_dry_run_reads_the_same_and_writes_nothing(
    present: bool, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    if present:
        add_old(registry, "latest")
    planned = merge(server.host, tags=_TAGS, dry_run=True)
    assert writes(registry.requests) == []
    assert tags(registry) == ({"latest": OLD.digest} if present else {})
    assert planned.dry_run
    assert all(tag.changed for tag in planned.tags)
    done = merge(server.host, tags=_TAGS)
    assert done.digest == planned.digest
    assert done.plan.to_dict() == planned.plan.to_dict()
