"""Waiting for images that are not there yet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.server import RunningServer
from oci_merge import AccessDeniedError, Event, MissingComponentError, TransportError, Waiting
from tests.edge.support import (
    AMD64,
    IMAGES,
    REPOSITORY,
    Answers,
    add_old,
    asks,
    merge,
    paths,
    reply,
    sources,
    tags,
    writes,
)

_LATE = "team/app-arm64"


class _Clock:
    """Lets no wait last; after so many of them something happens."""

    def __init__(self, after: int, happens: Callable[[], object]) -> None:
        self.waits: list[float] = []
        self._after = after
        self._happens = happens

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self._after:
            self._happens()
        await asyncio.sleep(0)


def _without(registry: EmbeddedRegistry, repository: str = _LATE) -> None:
    registry.storage.repositories.pop(repository)


def _push(registry: EmbeddedRegistry, repository: str = _LATE) -> Callable[[], object]:
    return lambda: registry.add_image(repository, "1.0", IMAGES[repository])


def test_images_that_come_later_are_joined(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    _without(registry)
    clock = _Clock(3, _push(registry))
    set_timings(sleep=clock.sleep)
    events: list[Event] = []
    result = merge(server.host, wait=60, on_event=events.append)
    assert tags(registry) == {"latest": result.digest}
    assert len(result.platforms) == 3
    assert clock.waits == [2.0, 3.0, 4.5]
    told = [event for event in events if isinstance(event, Waiting)]
    assert [event.missing for event in told] == [(f"{server.host}/{_LATE}:1.0",)] * 3
    assert all(0 <= event.waited < 60 and event.left <= 60 for event in told)
    # Looked for by HEAD, read once more when it was there.
    assert len(paths(registry.requests, "HEAD", _LATE)) == 3
    assert len(paths(registry.requests, "GET", f"{_LATE}/manifests")) == 2


def test_the_waits_grow_to_a_quarter_of_a_minute(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    _without(registry)
    clock = _Clock(9, _push(registry))
    set_timings(sleep=clock.sleep)
    merge(server.host, wait=600)
    assert clock.waits[:5] == [2.0, 3.0, 4.5, 6.75, 10.125]
    assert set(clock.waits[5:]) == {15.0}


def test_nothing_is_looked_for_twice_where_all_are_there(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host, wait=60)
    assert paths(registry.requests, "HEAD") == []
    assert len(paths(registry.requests, "GET", "app-arm64/manifests")) == 1


def test_what_is_missing_at_the_end_is_named(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    set_timings(polling=0.01)
    _without(registry)
    _without(registry, "team/app-armv7")
    with pytest.raises(
        MissingComponentError, match=r"still not there after 0\.1 seconds"
    ) as caught:
        merge(server.host, wait=0.1)
    expected = (f"{server.host}/{_LATE}:1.0", f"{server.host}/team/app-armv7:1.0")
    assert caught.value.missing == expected
    assert all(name in caught.value.message for name in expected)
    assert "--wait" in caught.value.hint
    assert writes(registry.requests) == []


def test_without_a_wait_the_missing_images_are_named_at_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _without(registry)
    with pytest.raises(MissingComponentError) as caught:
        merge(server.host)
    assert caught.value.missing == (f"{server.host}/{_LATE}:1.0",)


def test_only_a_missing_image_is_waited_for(
    server: RunningServer, registry: EmbeddedRegistry, waits: list[float]
) -> None:
    _without(registry)
    denied = '{"errors":[{"code":"DENIED","message":"not yours"}]}'
    registry.hooks.append(Answers(asks("GET", "app-armv7/manifests"), reply(403, denied)))
    with pytest.raises(AccessDeniedError):
        merge(server.host, wait=60)
    assert waits == []


def test_the_deadline_ends_the_wait(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    set_timings(polling=30)
    _without(registry)
    with pytest.raises(TransportError, match=f"still waited for .*{_LATE}"):
        merge(server.host, wait=60, deadline=3)


def test_the_target_is_read_again_after_a_wait(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    before = merge(server.host)
    _without(registry)

    def another_moves_the_tag() -> None:
        add_old(registry, "latest")
        _push(registry)()

    clock = _Clock(1, another_moves_the_tag)
    set_timings(sleep=clock.sleep)
    result = merge(server.host, wait=60)
    assert result.digest == before.digest
    assert result.tags[0].changed
    assert tags(registry) == {"latest": before.digest}


def test_optional_images_are_left_out_where_they_are_missing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = _optional(server.host, optional=["linux/riscv64", "linux/s390x"])
    assert [str(image.platform) for image in result.platforms] == ["linux/amd64", "linux/arm64"]
    assert result.warnings == tuple(
        f"linux/{name} is left out: it is optional, "
        f"and {server.host}/team/app-{name}:1.0 is not there"
        for name in ("riscv64", "s390x")
    )


def test_optional_images_that_are_there_are_joined(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = _optional(server.host, optional=["linux/arm64", "linux/arm/v7"])
    assert len(result.platforms) == 3
    assert result.warnings == ()


def test_all_other_images_have_to_be_there(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _without(registry)
    with pytest.raises(MissingComponentError) as caught:
        _optional(server.host, optional=["linux/riscv64"])
    assert caught.value.missing == (f"{server.host}/{_LATE}:1.0",)
    assert writes(registry.requests) == []


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_an_optional_image_is_left_out_for_a_404_alone(
    server: RunningServer, registry: EmbeddedRegistry, status: int
) -> None:
    registry.hooks.append(Answers(asks("GET", "app-riscv64/manifests"), reply(status, "{}")))
    with pytest.raises(Exception, match="riscv64"):
        _optional(server.host, optional=["linux/riscv64"], retries=0)
    assert tags(registry) == {}


def test_an_optional_image_is_not_waited_for_but_taken_if_it_comes_meanwhile(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    _without(registry)
    _without(registry, "team/app-armv7")

    def both_come() -> None:
        _push(registry)()
        _push(registry, "team/app-armv7")()

    clock = _Clock(1, both_come)
    set_timings(sleep=clock.sleep)
    result = _optional(server.host, optional=["linux/arm/v7", "linux/riscv64"], wait=60)
    assert len(result.platforms) == 3
    assert len(result.warnings) == 1
    assert len(clock.waits) == 1


def test_an_optional_platform_may_be_missing_in_an_index(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    index = merge(server.host)
    result = merge(
        server.host,
        sources=[f"{server.host}/{REPOSITORY}@{index.digest}"],
        platforms=["linux/amd64", "linux/riscv64"],
        optional=["linux/riscv64"],
    )
    assert [image.digest for image in result.platforms] == [AMD64.digest]
    assert "linux/riscv64 is left out: it is optional, and no source has it" in result.warnings


def test_a_source_with_an_optional_platform_may_be_missing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    named = [*sources(server.host), f"{server.host}/team/app-riscv64:1.0=linux/riscv64"]
    result = merge(server.host, sources=named, optional=["linux/riscv64"])
    assert len(result.platforms) == 3
    assert len(result.warnings) == 1


def test_an_annotation_of_an_optional_image_that_is_left_out_is_left_out_with_it(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = _optional(
        server.host,
        optional=["linux/riscv64"],
        annotations={
            "manifest-descriptor[linux/riscv64]:key": "riscv64",
            "manifest-descriptor[linux/arm64]:key": "arm64",
        },
    )
    entries = json.loads(result.plan.index.content)["manifests"]
    assert [entry.get("annotations") for entry in entries] == [None, {"key": "arm64"}]


def _optional(host: str, **options: Any) -> Any:
    given: dict[str, Any] = {"template": f"{host}/team/app-ARCHVARIANT:1.0"}
    given |= {"platforms": ["linux/amd64", "linux/arm64"]}
    return merge(host, **given | options)
