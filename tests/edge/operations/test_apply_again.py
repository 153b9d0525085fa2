"""Plans of what is not published for the first time: second runs, appends, kept tags, rivals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.images import build_image
from fixtures.server import RunningServer
from oci_merge import PlanChangedError, TagKept, TagMoved, UsageError
from tests.edge.support import AMD64, ARM64, OLD, REPOSITORY, add_old, merge, sources, tags, target

_OLDER = build_image("linux", "amd64", labels={"org.opencontainers.image.version": "1.0.0"})
_NEWER = build_image("linux", "amd64", labels={"org.opencontainers.image.version": "2.0.0"})


def _plan(result: oci_merge.MergeResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(result.to_dict()))
    return document


def _one(host: str, **options: Any) -> oci_merge.MergeResult:
    return oci_merge.merge(target(host), sources=sources(host)[:1], **options)


def test_a_second_publish_is_applied_though_images_share_a_layer(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _one(server.host)
    plan = _plan(merge(server.host, dry_run=True))
    shared = {mount["digest"] for mount in plan["plan"]["mounts"]} & {
        mount["digest"] for mount in plan["plan"]["expected"]["mounts"]
    }
    assert shared  # the base layer, from the repositories of two images
    assert oci_merge.apply(plan).digest == plan["digest"]
    assert tags(registry) == {"latest": plan["digest"]}


def test_a_plan_that_brings_a_blob_twice_is_refused(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    plan = _plan(merge(server.host, dry_run=True))
    plan["plan"]["mounts"].append(plan["plan"]["mounts"][0])
    registry.requests.clear()
    with pytest.raises(UsageError, match="brings a blob twice"):
        oci_merge.apply(plan)
    assert registry.requests == []


def test_the_plan_of_an_append_is_applied(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _one(server.host)
    arm = sources(server.host)[1:2]
    planned = oci_merge.append(target(server.host), sources=arm, dry_run=True)
    plan = _plan(planned)
    assert plan["plan"]["stays"] == [AMD64.digest]
    result = oci_merge.apply(plan)
    assert tags(registry) == {"latest": result.digest}
    assert {image.digest for image in result.platforms} == {AMD64.digest, ARM64.digest}


def test_what_an_append_leaves_in_place_has_to_be_there_still(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    before = _one(server.host)
    plan = _plan(
        oci_merge.append(target(server.host), sources=sources(server.host)[1:2], dry_run=True)
    )
    registry.storage.repositories[REPOSITORY].manifests.pop(AMD64.digest)
    with pytest.raises(PlanChangedError, match=AMD64.digest):
        oci_merge.apply(plan)
    assert tags(registry) == {"latest": before.digest}


def test_the_plan_of_a_removal_is_applied(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    plan = _plan(oci_merge.remove(target(server.host), platforms=["linux/arm64"], dry_run=True))
    result = oci_merge.apply(plan)
    assert tags(registry) == {"latest": result.digest}
    assert "linux/arm64" not in [str(image.platform) for image in result.platforms]


def test_a_plan_tells_of_the_tags_that_it_keeps(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/new", "1", _NEWER)
    registry.add_image("team/old", "1", _OLDER)
    newer = oci_merge.merge(target(server.host), sources=[f"{server.host}/team/new:1"])
    plan = _plan(
        oci_merge.merge(
            target(server.host),
            sources=[f"{server.host}/team/old:1"],
            tags=["1.0"],
            only_newer="version",
            dry_run=True,
        )
    )
    events: list[oci_merge.Event] = []
    result = oci_merge.apply(plan, on_event=events.append)
    assert [(tag.name, tag.changed, tag.kept) for tag in result.tags] == [
        ("latest", False, True),
        ("1.0", True, False),
    ]
    assert tags(registry) == {"latest": newer.digest, "1.0": result.digest}
    assert [event.tag for event in events if isinstance(event, TagKept)] == ["latest"]


def test_a_tag_that_is_put_again_has_not_changed(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    plan = _plan(merge(server.host, dry_run=True, force=True))
    events: list[oci_merge.Event] = []
    result = oci_merge.apply(plan, on_event=events.append)
    assert not result.changed
    [moved] = [event for event in events if isinstance(event, TagMoved)]
    assert (moved.changed, moved.again) == (False, True)


class _Rival(Hook):
    """Moves the tag as soon as the first manifest of the plan is put."""

    def __init__(self, registry: EmbeddedRegistry) -> None:
        self._registry = registry
        self._has_come = False

    async def before(self, request: Request) -> Response | None:
        puts = request.method == "PUT" and "/manifests/sha256" in request.url.path
        if puts and not self._has_come:
            self._has_come = True
            add_old(self._registry, "latest")
        return None


def test_a_tag_that_moves_while_blobs_are_brought_is_not_overwritten(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    plan = _plan(merge(server.host, dry_run=True))
    registry.hooks.append(_Rival(registry))
    with pytest.raises(PlanChangedError, match=r"latest points to"):
        oci_merge.apply(plan)
    assert tags(registry) == {"latest": OLD.digest}


def test_an_image_of_a_batch_may_not_delete_what_another_one_joins(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    host = server.host
    images: list[dict[str, Any]] = [
        {"target": f"{host}/team/one:1", "sources": sources(host), "delete_sources": True},
        {"target": f"{host}/team/two:1", "sources": sources(host)[:1]},
    ]
    with pytest.raises(UsageError, match="the first deletes"):
        oci_merge.batch(images)
    assert registry.requests == []
