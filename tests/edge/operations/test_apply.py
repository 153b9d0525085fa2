"""Plan and apply: what is published is what was planned, and nothing if something has changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.faults import Answer, On, Refuse
from fixtures.images import build_image, build_index
from fixtures.server import RunningServer, serve
from oci_merge import PlanChangedError, TagMoved, Warned
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    OLD,
    REPOSITORY,
    add_old,
    merge,
    paths,
    sources,
    stocked,
    tags,
    target,
    writes,
)

NEWER = build_image("linux", "amd64", text="newer")


def planned(host: str, **options: Any) -> dict[str, Any]:
    """Return the document of a dry run."""
    document: dict[str, Any] = json.loads(
        json.dumps(merge(host, dry_run=True, **options).to_dict())
    )
    return document


def test_the_planned_bytes_are_published(registry: EmbeddedRegistry, server: RunningServer) -> None:
    plan = planned(server.host, tags=["1.0"], annotations={"key": "value"})
    assert not writes(registry.requests)
    result = oci_merge.apply(plan)
    assert result.digest == plan["digest"]
    assert tags(registry) == {"latest": plan["digest"], "1.0": plan["digest"]}
    stored = registry.storage.manifest(REPOSITORY, "latest")
    assert stored is not None
    assert stored.content.decode() == plan["plan"]["index"]["document"]
    assert [(tag.name, tag.changed) for tag in result.tags] == [("latest", True), ("1.0", True)]
    done = result.to_dict()
    for name in ("platforms", "target", "size", "mediaType", "tags", "warnings"):
        assert done[name] == plan[name]


@pytest.mark.parametrize(
    "given",
    [
        lambda plan, folder: plan,
        lambda plan, folder: json.dumps(plan),
        lambda plan, folder: f"\ufeff {json.dumps(plan, indent=2)}",
        lambda plan, folder: written(folder, json.dumps(plan).encode()),
        lambda plan, folder: str(written(folder, json.dumps(plan).encode())),
        lambda plan, folder: written(folder, json.dumps(plan).encode("utf-16")),
        lambda plan, folder: written(folder, json.dumps(plan).encode("utf-8-sig")),
    ],
    ids=["values", "text", "text with a mark", "path", "path as text", "PowerShell", "marked file"],
)
def test_a_plan_is_taken_as_a_file_as_text_and_as_values(
    registry: EmbeddedRegistry,
    server: RunningServer,
    tmp_path: Path,
    given: Callable[[dict[str, Any], Path], Any],
) -> None:
    plan = planned(server.host)
    oci_merge.apply(given(plan, tmp_path))
    assert tags(registry) == {"latest": plan["digest"]}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "plan.json"
    path.write_bytes(content)
    return path


def test_the_result_of_a_dry_run_is_taken_too(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    result = merge(server.host, dry_run=True)
    assert oci_merge.apply(result).digest == result.digest
    with pytest.raises(oci_merge.UsageError, match="not the result of a dry run"):
        oci_merge.apply(merge(server.host))


@pytest.mark.parametrize("wrong", ["no/such/file.json", "", 1, None, b"{}"])
def test_what_is_no_plan_is_wrong_usage(wrong: Any) -> None:
    with pytest.raises(oci_merge.UsageError):
        oci_merge.apply(wrong)


def test_a_wrong_plan_sends_no_request(registry: EmbeddedRegistry, server: RunningServer) -> None:
    plan = planned(server.host)
    before = len(registry.requests)
    plan["plan"]["children"][0]["size"] += 1
    with pytest.raises(oci_merge.UsageError):
        oci_merge.apply(plan)
    assert len(registry.requests) == before


def test_warnings_of_the_dry_run_are_repeated(server: RunningServer) -> None:
    plan = planned(server.host, sources=[f"{sources(server.host)[0]}=linux/arm64"])
    assert len(plan["warnings"]) == 1
    events: list[oci_merge.Event] = []
    result = oci_merge.apply(plan, on_event=events.append)
    assert list(result.warnings) == plan["warnings"]
    assert [e.message for e in events if isinstance(e, Warned)] == plan["warnings"]
    assert str(result.platforms[0].platform) == "linux/arm64"


def test_an_image_whose_tag_has_moved_stops_it(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    plan = planned(server.host)
    registry.add_image("team/app-amd64", "1.0", NEWER)
    with pytest.raises(PlanChangedError) as caught:
        oci_merge.apply(plan)
    name = sources(server.host)[0]
    assert caught.value.changed == (name,)
    assert f"{name} points to {NEWER.digest} and pointed to {AMD64.digest}" in str(caught.value)
    assert not writes(registry.requests)


def test_images_that_are_gone_stop_it_by_tag_and_by_digest(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    by_digest = f"{server.host}/team/app-arm64@{ARM64.digest}"
    plan = planned(server.host, sources=[sources(server.host)[0], by_digest])
    registry.storage.remove_manifest("team/app-amd64", "1.0")
    registry.storage.remove_manifest("team/app-arm64", ARM64.digest)
    with pytest.raises(PlanChangedError) as caught:
        oci_merge.apply(plan)
    assert caught.value.changed == (sources(server.host)[0], by_digest)
    assert not writes(registry.requests)


def test_an_image_by_digest_may_have_lost_its_tag(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    plan = planned(server.host, sources=[f"{server.host}/team/app-arm64@{ARM64.digest}"])
    registry.add_image("team/app-arm64", "1.0", NEWER)
    assert oci_merge.apply(plan).changed


@pytest.mark.parametrize("before", [True, False], ids=["moved", "appeared"])
def test_a_target_tag_that_has_moved_stops_it(before: bool) -> None:
    registry = stocked()
    if before:
        add_old(registry, "latest")
    with serve(registry.app) as server:
        plan = planned(server.host, tags=["1.0"])
        registry.add_image(REPOSITORY, "latest", NEWER)
        with pytest.raises(PlanChangedError) as caught:
            oci_merge.apply(plan)
    assert caught.value.changed == (target(server.host),)
    was = f"pointed to {OLD.digest}" if before else "did not exist"
    assert f"points to {NEWER.digest} and {was}" in caught.value.message
    assert tags(registry) == {"latest": NEWER.digest}


def test_a_target_tag_that_was_deleted_stops_it() -> None:
    registry = stocked()
    add_old(registry, "latest")
    with serve(registry.app) as server:
        plan = planned(server.host)
        registry.storage.remove_manifest(REPOSITORY, "latest")
        with pytest.raises(PlanChangedError, match="is not there any more"):
            oci_merge.apply(plan)


def test_a_second_run_changes_nothing_even_if_the_images_are_gone(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    plan = planned(server.host)
    oci_merge.apply(plan)
    registry.storage.remove_manifest("team/app-amd64", "1.0")
    before = len(registry.requests)
    result = oci_merge.apply(plan)
    assert not result.changed
    assert not writes(registry.requests[before:])


def test_a_tag_that_was_to_be_put_although_it_stood_there_is_put(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    merge(server.host)
    plan = planned(server.host)
    plan["plan"]["options"]["force"] = True
    before = len(registry.requests)
    oci_merge.apply(plan)
    assert paths(registry.requests[before:], "PUT") == [f"/v2/{REPOSITORY}/manifests/latest"]


def test_a_tag_that_was_to_stay_stays(registry: EmbeddedRegistry, server: RunningServer) -> None:
    plan = planned(server.host, tags=["1.0"])
    plan["plan"]["tags"][1] = {"name": "1.0", "changed": False, "kept": True}
    result = oci_merge.apply(plan, verify=True)
    assert tags(registry) == {"latest": result.digest}


def test_a_rerun_finishes_what_failed() -> None:
    fault = On("PUT", f"/v2/{REPOSITORY}/manifests/1.0", Answer(500))
    registry = stocked(hooks=[fault])
    with serve(registry.app) as server:
        plan = planned(server.host, tags=["1.0"])
        with pytest.raises(oci_merge.PublishError):
            oci_merge.apply(plan, retries=0)
        assert tags(registry) == {"latest": plan["digest"]}
        registry.hooks.remove(fault)
        result = oci_merge.apply(plan)
    assert [tag.changed for tag in result.tags] == [False, True]
    assert tags(registry) == {"latest": plan["digest"], "1.0": plan["digest"]}


def test_children_come_before_tags(registry: EmbeddedRegistry, server: RunningServer) -> None:
    plan = planned(server.host)
    before = len(registry.requests)
    oci_merge.apply(plan)
    puts = paths(registry.requests[before:], "PUT", "/manifests/")
    assert puts[-1].endswith("/latest")
    assert {path.rpartition("/")[2] for path in puts[:-1]} == {
        image.digest for image in (AMD64, ARM64, ARMV7)
    }


def test_children_that_a_clean_up_took_meanwhile_are_brought_again(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    merge(server.host)
    plan = planned(server.host, tags=["1.0"])
    assert plan["plan"]["children"] == []
    registry.storage.remove_manifest(REPOSITORY, ARM64.digest)
    for blob in (ARM64.config, *ARM64.layers):
        registry.storage.remove_blob(REPOSITORY, blob.digest)
    oci_merge.apply(plan, verify=True)
    assert registry.storage.manifest(REPOSITORY, ARM64.digest) is not None


def test_images_in_the_targets_own_repository_have_to_be_there() -> None:
    registry = stocked(images={})
    registry.add_image(REPOSITORY, "parts", build_index([AMD64, ARM64]))
    with serve(registry.app) as server:
        plan = planned(server.host, sources=[f"{server.host}/{REPOSITORY}:parts"], tags=["1.0"])
        own = [child["digest"] for child in plan["plan"]["own"]]
        assert own == [AMD64.digest, ARM64.digest]
        registry.storage.remove_manifest(REPOSITORY, ARM64.digest)
        with pytest.raises(PlanChangedError) as caught:
            oci_merge.apply(plan)
        assert caught.value.changed == (f"{server.host}/{REPOSITORY}@{ARM64.digest}",)
        registry.add_image(REPOSITORY, "again", ARM64)
        assert oci_merge.apply(plan).changed


def test_several_targets_are_published_to_or_none() -> None:
    registry = stocked()
    with serve(registry.app) as server:
        other = f"{server.host}/team/other:1.0"
        plan = planned(server.host, targets=[other])
        moved = copy.deepcopy(plan)
        result = oci_merge.apply(plan)
        assert [one.reference for one in result.targets] == [target(server.host), other]
        assert tags(registry, "team/other") == {"1.0": plan["digest"]}
        registry.storage.remove_manifest(REPOSITORY, "latest")
        registry.add_image("team/other", "1.0", NEWER)
        with pytest.raises(PlanChangedError) as caught:
            oci_merge.apply(moved)
    assert caught.value.changed == (other,)
    assert tags(registry) == {}


def test_layers_are_copied_from_another_registry_as_planned(registry: EmbeddedRegistry) -> None:
    elsewhere = stocked(images={})
    with serve(registry.app) as server, serve(elsewhere.app) as there:
        plan = json.loads(
            json.dumps(
                oci_merge.merge(
                    target(there.host),
                    sources=sources(server.host),
                    copy_layers=True,
                    dry_run=True,
                ).to_dict()
            )
        )
        oci_merge.apply(plan, verify=True)
    assert tags(elsewhere) == {"latest": plan["digest"]}


def test_a_target_that_could_not_be_read_may_be_denied_again_but_not_appear() -> None:
    hidden = On("GET", f"/v2/{REPOSITORY}/manifests/latest", Refuse("DENIED"))
    registry = stocked(hooks=[hidden])
    with serve(registry.app) as server:
        plan = planned(server.host)
        assert "latest" not in plan["plan"]["standing"]
        assert any("could not be read" in warning for warning in plan["warnings"])
        registry.hooks.remove(hidden)
        add_old(registry, "latest")
        with pytest.raises(PlanChangedError, match="could not be read when the plan was made"):
            oci_merge.apply(plan)
        registry.storage.remove_manifest(REPOSITORY, "latest")
        registry.hooks.append(hidden)
        assert oci_merge.apply(plan).changed


def test_apply_verifies_where_the_plan_or_the_caller_says_so(server: RunningServer) -> None:
    assert oci_merge.apply(planned(server.host, verify=True)).verified
    assert oci_merge.apply(planned(server.host, tags=["2"]), verify=True).verified
    assert not oci_merge.apply(planned(server.host, tags=["3"])).verified


def test_events_tell_of_the_tags(server: RunningServer) -> None:
    events: list[oci_merge.Event] = []
    oci_merge.apply(planned(server.host), on_event=events.append)
    assert [event for event in events if isinstance(event, TagMoved)] == [TagMoved("latest", True)]


def test_a_plan_holds_no_secret(registry: EmbeddedRegistry, server: RunningServer) -> None:
    plan = json.dumps(planned(server.host, username="somebody", password="pass-5ecret"))
    assert "pass-5ecret" not in plan
    assert "somebody" not in plan


@pytest.mark.anyio
async def test_a_client_applies_too(registry: EmbeddedRegistry, server: RunningServer) -> None:
    async with oci_merge.AsyncClient() as client:
        plan = await client.merge(target(server.host), sources=sources(server.host), dry_run=True)
        assert (await client.apply(plan)).changed
        found = await client.verify(target(server.host), digest=plan.digest)
    assert found.digest == plan.digest
