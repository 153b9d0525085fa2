"""Batches: side by side, with bounds, one failure stops no other, and a rerun does what is left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from fixtures.server import RunningServer, serve
from oci_merge import (
    BatchStarted,
    Event,
    ImageFinished,
    ImageProgressed,
    ImageStarted,
    StageStarted,
    Warned,
)
from tests.edge.support import AMD64, CI, PASSWORD, asks, reply, stocked, tags, writes
from tests.edge.support import Answers as AnswersHook

pytestmark = pytest.mark.anyio


def image(host: str, name: str, **more: Any) -> dict[str, Any]:
    """Return an image of the batch, joined of the samples."""
    return {
        "name": name,
        "target": f"{host}/team/{name}:1.0",
        "template": f"{host}/team/app-ARCHVARIANT:1.0",
        "platforms": ["linux/amd64", "linux/arm64"],
        **more,
    }


def test_many_images_are_published_and_an_unchanged_rerun_writes_nothing(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    images = [image(server.host, f"out{number}") for number in range(5)]
    with oci_merge.Client() as client:
        first = client.batch(images)
        assert (first.published, first.unchanged, first.failed) == (5, 0, 0)
        assert first.ok
        registry.requests.clear()
        again = client.batch(images)
    assert (again.published, again.unchanged, again.failed) == (0, 5, 0)
    assert writes(registry.requests) == []
    assert [image.digest for image in again.images] == [image.digest for image in first.images]
    assert [image.name for image in again.images] == [f"out{number}" for number in range(5)]


def test_one_failure_stops_no_other_and_a_rerun_does_what_is_left(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    images = [
        image(server.host, "out1"),
        image(server.host, "out2", template=f"{server.host}/team/missing-ARCH:1.0"),
        image(server.host, "out3"),
    ]
    result = oci_merge.batch(images)
    assert [each.status for each in result.images] == ["published", "failed", "published"]
    assert isinstance(result.images[1].error, oci_merge.MissingComponentError)
    assert not result.ok
    assert set(tags(registry, "team/out1")) == set(tags(registry, "team/out3")) == {"1.0"}

    registry.add_image("team/missing-amd64", "1.0", AMD64)
    images[1]["platforms"] = ["linux/amd64"]
    again = oci_merge.batch(images)
    assert [each.status for each in again.images] == ["unchanged", "published", "unchanged"]


def test_no_more_images_than_asked_are_under_way_at_once(server: RunningServer) -> None:
    under_way, counts = set[str](), list[int]()

    def note(event: Event) -> None:
        if isinstance(event, ImageStarted):
            under_way.add(event.target)
        if isinstance(event, ImageFinished):
            under_way.discard(event.image.target)
        counts.append(len(under_way))

    images = [image(server.host, f"out{number}") for number in range(9)]
    assert oci_merge.batch(images, concurrency=3, on_event=note).published == 9
    assert max(counts) == 3
    assert under_way == set()


def test_events_say_which_image_they_are_about(server: RunningServer) -> None:
    events: list[Event] = []
    images = [image(server.host, "out1"), {**image(server.host, "out2"), "name": ""}]
    oci_merge.batch(images, on_event=events.append, concurrency=1)
    second = f"{server.host}/team/out2:1.0"
    assert events[0] == BatchStarted(2)
    started = [event for event in events if isinstance(event, ImageStarted)]
    assert started == [
        ImageStarted("out1", f"{server.host}/team/out1:1.0"),
        ImageStarted(second, second),
    ]
    finished = [event.image.name for event in events if isinstance(event, ImageFinished)]
    assert finished == ["out1", second]
    about = [event.name for event in events if isinstance(event, ImageProgressed)]
    assert list(dict.fromkeys(about)) == ["out1", second]
    stages = [
        event.progress.stage
        for event in events
        if isinstance(event, ImageProgressed) and isinstance(event.progress, StageStarted)
    ]
    assert stages.count("tags") == 2


def test_a_wrong_image_is_told_before_the_first_request(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    images = [image(server.host, "out1"), image(server.host, "out2", tags=["not a tag"])]
    with pytest.raises(oci_merge.InvalidReferenceError, match="the image out2: 'not a tag'"):
        oci_merge.batch(images, shard="1/2")
    assert registry.requests == []


def test_shards_share_the_images(registry: EmbeddedRegistry, server: RunningServer) -> None:
    images = [image(server.host, f"out{number}") for number in range(5)]
    parts = [oci_merge.batch(images, shard=f"{number}/3") for number in (1, 2, 3)]
    assert [[each.name for each in part.images] for part in parts] == [
        ["out0", "out3"],
        ["out1", "out4"],
        ["out2"],
    ]
    assert oci_merge.batch(images).unchanged == 5
    assert oci_merge.batch(images[:1], shard="2/2").images == ()


def test_a_dry_run_writes_nothing_and_shows_the_plans(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    spec = oci_merge.parse_batch(
        f"image: {server.host}/team/out2:1.0\n"
        f"manifests: [{{image: '{server.host}/team/app-amd64:1.0'}}]\n",
        name="spec.yml",
    )
    result = oci_merge.batch([image(server.host, "out1"), *spec], dry_run=True)
    assert [each.status for each in result.images] == ["published", "published"]
    assert writes(registry.requests) == []
    document = result.to_dict()
    assert document["dryRun"] is True
    assert [each["plan"]["target"] for each in document["images"]] == [
        f"{server.host}/team/out1:1.0",
        f"{server.host}/team/out2:1.0",
    ]


def test_a_spec_of_manifest_tool_is_pushed_by_its_rules(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    text = (
        f"image: {server.host}/team/out:1.0\n"
        "manifests:\n"
        f"  - image: {server.host}/team/app-amd64:1.0\n"
        "    platform: {os: linux, architecture: x86_64}\n"
    )
    batch = oci_merge.parse_batch(text, name="spec.yml")
    pushed = oci_merge.push(oci_merge.parse_spec(text, name="spec.yml"))
    result = oci_merge.batch(batch)
    assert result.images[0].digest == pushed.digest
    assert result.images[0].status == "unchanged"
    assert pushed.media_type == "application/vnd.docker.distribution.manifest.list.v2+json"


def test_results_keep_warnings_and_no_plan(server: RunningServer) -> None:
    events: list[Event] = []
    untagged = image(server.host, "out", template=f"{server.host}/team/none-ARCH")
    result = oci_merge.batch([untagged], on_event=events.append)
    assert result.images[0].status == "failed"
    warned = [
        event.progress.message
        for event in events
        if isinstance(event, ImageProgressed) and isinstance(event.progress, Warned)
    ]
    assert len(warned) == 1
    ok = oci_merge.batch([image(server.host, "out")]).images[0]
    assert ok.warnings == ()
    assert "plan" not in ok.document
    assert ok.document["changed"] is True


def test_results_are_json_values(server: RunningServer) -> None:
    failing = image(server.host, "out2", template=f"{server.host}/team/missing-ARCH:1.0")
    document = oci_merge.batch([image(server.host, "out1"), failing]).to_dict()
    counts = {key: value for key, value in document.items() if key != "images"}
    assert counts == {"published": 1, "unchanged": 0, "kept": 0, "failed": 1, "dryRun": False}
    first, second = document["images"]
    assert first["name"] == "out1"
    assert first["status"] == "published"
    assert first["digest"].startswith("sha256:")
    assert second["error"]["kind"] == "MissingComponentError"
    assert second["error"]["message"].startswith(f"{server.host}/team/missing-amd64:1.0 ")
    assert second["target"] == f"{server.host}/team/out2:1.0"


def test_registries_of_images_may_differ(registry: EmbeddedRegistry, server: RunningServer) -> None:
    other = stocked()
    with serve(other.app) as elsewhere:
        images = [
            image(server.host, "out1"),
            image(
                elsewhere.host,
                "out2",
                template=f"{server.host}/team/app-ARCHVARIANT:1.0",
                copy_layers=True,
            ),
        ]
        assert oci_merge.batch(images).published == 2
    assert set(tags(registry, "team/out1")) == set(tags(other, "team/out2")) == {"1.0"}


def test_a_given_login_is_sent_to_no_second_registry(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    other = stocked()
    with serve(other.app) as elsewhere:
        images = [image(server.host, "out1"), image(elsewhere.host, "out2")]
        with pytest.raises(oci_merge.UsageError, match="one login is given"):
            oci_merge.batch(images, username="ci", password=PASSWORD)
    assert registry.requests == other.requests == []


def test_many_images_with_a_login_are_published(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    registry.settings.auth = BasicAuth([CI])
    images = [image(server.host, f"out{number}") for number in range(4)]
    assert oci_merge.batch(images, username="ci", password=PASSWORD).published == 4


def test_a_bug_in_one_image_lets_the_others_end_first(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, ImageProgressed) and event.name == "out1":
            raise ZeroDivisionError

    images = [image(server.host, "out1"), image(server.host, "out2")]
    with pytest.raises(ZeroDivisionError):
        oci_merge.batch(images, on_event=on_event, concurrency=1)
    assert set(tags(registry, "team/out2")) == {"1.0"}


def test_a_deadline_is_for_the_whole_batch(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    class Slow(Hook):
        async def before(self, request: Request) -> Response | None:
            await asyncio.sleep(0.3)
            return None

    registry.hooks.append(Slow())
    images = [image(server.host, f"out{number}") for number in range(3)]
    result = oci_merge.batch(images, concurrency=1, deadline=0.1)
    assert [each.status for each in result.images] == ["failed"] * 3
    assert all("did not end within its 0.1" in str(each.error) for each in result.images)


def test_a_registry_that_fails_for_one_image_lets_the_others_pass(
    registry: EmbeddedRegistry, server: RunningServer, waits: list[float]
) -> None:
    registry.hooks.append(AnswersHook(asks("PUT", "/team/out1/manifests/1.0"), reply(403)))
    images = [image(server.host, "out1"), image(server.host, "out2")]
    result = oci_merge.batch(images)
    assert [each.status for each in result.images] == ["failed", "published"]


async def test_a_cancelled_batch_ends_and_the_client_goes_on(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    class Stuck(Hook):
        reached = False

        async def before(self, request: Request) -> Response | None:
            Stuck.reached = True
            await asyncio.sleep(30)
            return None

    stuck = Stuck()
    registry.hooks.append(stuck)
    images = [image(server.host, f"out{number}") for number in range(40)]
    async with oci_merge.AsyncClient(concurrency=4) as client:
        task = asyncio.ensure_future(client.batch(images))
        while not Stuck.reached:  # noqa: ASYNC110 - set in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        registry.hooks.remove(stuck)
        assert (await client.batch(images[:1])).published == 1


async def test_a_client_that_is_closed_ends_a_batch(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    events: list[Event] = []
    client = oci_merge.AsyncClient(concurrency=1)

    def close(event: Event) -> None:
        events.append(event)
        if isinstance(event, ImageFinished):
            closing.append(asyncio.ensure_future(client.aclose()))

    closing: list[asyncio.Future[None]] = []
    images = [image(server.host, f"out{number}") for number in range(5)]
    with pytest.raises(RuntimeError, match="closed"):
        await client.batch(images, on_event=close)
    await asyncio.gather(*closing)
    assert len(tags(registry, "team/out4")) == 0


def test_a_file_of_stored_variables_is_merged(
    registry: EmbeddedRegistry, server: RunningServer, tmp_path: Path
) -> None:
    text = """
defaults:
  template: ${REGISTRY}/team/app-ARCHVARIANT:1.0
  target: ${REGISTRY}/team/${name}:1.0
images:
  - name: out1
    tags: ${TAGS}
  - name: out2
"""
    variables = {"REGISTRY": server.host, "TAGS": "latest,1"}
    batch = oci_merge.parse_batch(text, name="images.yml", variables=variables)
    assert oci_merge.batch(batch).published == 2
    assert set(tags(registry, "team/out1")) == {"1.0", "latest", "1"}
