"""Whole merges: their result, their events and the number of dependent steps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures import media_types
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook, Settings
from fixtures.images import build_image
from fixtures.server import RunningServer, serve
from fixtures.tokens import TokenService
from oci_merge import Event, StageAdvanced, StageStarted, TagMoved, TagResult
from tests.edge.support import (
    CI,
    IMAGES,
    PASSWORD,
    REPOSITORY,
    merge,
    sources,
    stocked,
    tags,
    target,
    with_tokens,
)

_CI = {"username": "ci", "password": PASSWORD}


class _Steps(Hook):
    """Holds every request until no other has come for a while: those go on as one step."""

    QUIET = 0.15

    def __init__(self) -> None:
        self.count = 0
        self._gate: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def before(self, request: Request) -> Response | None:
        if self._gate is None:
            self._gate = asyncio.Event()
            self.count += 1
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self.QUIET, self._open, self._gate)
        await self._gate.wait()
        return None

    def _open(self, gate: asyncio.Event) -> None:
        self._gate = None
        gate.set()


def _steps(
    auth: BasicAuth | TokenService | None, *, at_best: int, again: bool = False, **options: Any
) -> int:
    """Return in how many dependent steps a merge of three images is done, or done again.

    The scheme is given: where it is not known, a registry's first request goes ahead to find out.
    """
    counts: list[int] = []
    while len(counts) < 3 and at_best not in counts:  # a busy machine only ever makes more of them
        steps = _Steps()
        registry = stocked(Settings(auth=auth))
        with serve(registry.app) as server:
            given = {"template": f"{server.host}/team/app-ARCHVARIANT:1.0", "plain_http": True}
            given |= options
            if again:
                merge(server.host, tags=["a", "b"], **_CI, **given)
            registry.hooks.append(steps)
            merge(server.host, tags=["a", "b"], **_CI, **given)
        counts.append(steps.count)
    return min(counts)


_PINNED: Mapping[str, Any] = {"platforms": ["linux/amd64", "linux/arm64", "linux/arm/v7"]}


def test_three_images_become_one(server: RunningServer, registry: EmbeddedRegistry) -> None:
    result = merge(server.host, tags=["1.0"])
    assert tags(registry) == {"latest": result.digest, "1.0": result.digest}
    assert result.target == target(server.host)
    assert result.tags == (TagResult("latest", True), TagResult("1.0", True))
    assert [str(image.platform) for image in result.platforms] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    assert [image.source for image in result.platforms] == sources(server.host)
    held = registry.storage.manifest(REPOSITORY, "latest")
    assert held is not None
    listed = json.loads(held.content)["manifests"]
    assert [entry["digest"] for entry in listed] == [image.digest for image in IMAGES.values()]


@pytest.mark.parametrize(
    ("docker", "media_type"),
    [
        ((True, True), media_types.DOCKER_LIST),
        ((True, False), media_types.OCI_INDEX),
        ((False, False), media_types.OCI_INDEX),
    ],
)
def test_the_kind_of_index_follows_the_images(docker: tuple[bool, bool], media_type: str) -> None:
    images = {
        f"team/app-{name}": build_image("linux", name, docker=kind)
        for name, kind in zip(("amd64", "arm64"), docker, strict=True)
    }
    registry = stocked(images=images)
    with serve(registry.app) as server:
        result = merge(server.host, sources=sources(server.host, images))
    assert result.media_type == media_type


def test_a_run_emits_an_event_for_each_step_and_each_finished_request(
    server: RunningServer,
) -> None:
    events: list[Event] = []
    merge(server.host, tags=["1.0"], on_event=events.append)
    started = {event.stage: event.total for event in events if isinstance(event, StageStarted)}
    done = [event.stage for event in events if isinstance(event, StageAdvanced)]
    assert started == {"manifests": 3, "configs": 3, "mounts": 7, "children": 3, "tags": 2}
    assert {stage: done.count(stage) for stage in started} == started
    assert {event.tag for event in events if isinstance(event, TagMoved)} == {"latest", "1.0"}
    assert len([event for event in events if isinstance(event, TagMoved)]) == 2


def test_a_run_takes_four_dependent_steps() -> None:
    assert _steps(None, at_best=4, **_PINNED) == 4


def test_an_unchanged_rerun_takes_two_dependent_steps() -> None:
    assert _steps(None, at_best=2, again=True, **_PINNED) == 2


def test_looking_for_the_images_takes_one_step_more() -> None:
    assert _steps(None, at_best=5) == 5


def test_finding_out_how_a_loopback_registry_speaks_takes_one_step_more() -> None:
    assert _steps(None, at_best=5, plain_http=False, **_PINNED) == 5


@pytest.mark.parametrize("auth", [BasicAuth([CI]), with_tokens()], ids=["basic", "bearer"])
def test_a_login_takes_two_steps_more_the_challenge_and_its_answer(
    auth: BasicAuth | TokenService,
) -> None:
    assert _steps(auth, at_best=6, **_PINNED) == 6
