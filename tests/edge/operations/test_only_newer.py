"""Tags move forward alone: by version, by time, by a label, and while others move them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.images import build_index
from fixtures.server import RunningServer
from oci_merge import Event, NotComparableError, OciMergeError, PublishError, TagKept, TagMoved
from tests.edge.operations.guarded import Does, build, merge, of_version, pair, put_tags
from tests.edge.support import REPOSITORY, Answers, asks, paths, reply, tags, writes

_EARLY, _LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def test_an_older_version_keeps_the_tag_and_writes_nothing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    stands = registry.add_image(REPOSITORY, "latest", pair("1.3.0"))
    events: list[Event] = []
    result = merge(
        server,
        registry,
        of_version("1.2.9"),
        target="latest",
        only_newer="version",
        on_event=events.append,
    )
    assert not writes(registry.requests)
    assert tags(registry)["latest"] == stands
    assert (result.changed, result.tags[0].changed, result.tags[0].kept) == (False, False, True)
    assert result.to_dict()["tags"] == [{"name": "latest", "changed": False, "kept": True}]
    reference = f"{server.host}/{REPOSITORY}:latest"
    assert [event for event in events if isinstance(event, TagKept | TagMoved)] == [
        TagKept("latest", "1.2.9 is older than 1.3.0", reference)
    ]


def test_each_tag_is_compared_by_itself(server: RunningServer, registry: EmbeddedRegistry) -> None:
    registry.add_image(REPOSITORY, "latest", pair("2.0.0"))
    registry.add_image(REPOSITORY, "1", pair("1.2.0"))
    result = merge(
        server,
        registry,
        of_version("1.2.1"),
        target="1.2.1",
        tags=["1", "latest"],
        only_newer="version",
    )
    assert sorted(put_tags(registry)) == ["1", "1.2.1"]
    assert [(tag.name, tag.changed, tag.kept) for tag in result.tags] == [
        ("1.2.1", True, False),
        ("1", True, False),
        ("latest", False, True),
    ]


def test_each_target_is_compared_by_itself(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/one", "latest", pair("2.0.0"))
    registry.add_image("team/two", "latest", pair("1.0.0"))
    result = merge(
        server,
        registry,
        of_version("1.5.0"),
        targets=[f"{server.host}/team/one:latest", f"{server.host}/team/two:latest"],
        only_newer="version",
    )
    assert [target.tags[0].kept for target in result.targets] == [True, False]
    assert all("/team/two/" in record.path for record in writes(registry.requests))


@pytest.mark.parametrize(
    ("by", "ours", "theirs", "kept"),
    [
        ("version", ("1.2.0", _EARLY), ("1.1.0", _LATE), False),
        ("version", ("main", _LATE), ("main", _EARLY), False),
        ("version", ("main", _EARLY), ("1.0.0", _LATE), True),
        ("version", ("1.0.0", ""), ("1.0.0", ""), False),
        ("version", ("1.0.0", _EARLY), ("1.0.0", _LATE), True),
        ("created", ("9.0.0", _EARLY), ("1.0.0", _LATE), True),
        ("created", ("1.0.0", _LATE), ("9.0.0", _EARLY), False),
    ],
)
def test_what_is_older_is_kept(
    server: RunningServer,
    registry: EmbeddedRegistry,
    by: str,
    ours: tuple[str, str],
    theirs: tuple[str, str],
    kept: bool,
) -> None:
    registry.add_image(REPOSITORY, "1.0", pair(*theirs, url="present"))
    result = merge(server, registry, of_version(*ours), only_newer=by)
    assert result.tags[0].kept is kept
    assert bool(put_tags(registry)) is not kept


def test_the_annotations_of_an_index_go_before_the_labels_of_its_images(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    version = "org.opencontainers.image.version"
    registry.add_image(
        REPOSITORY, "1.0", build_index(of_version("9.0.0"), annotations={version: "1.0.0"})
    )
    options: dict[str, Any] = {"only_newer": "version"}
    newer = merge(server, registry, of_version("0.1.0"), annotations={version: "1.0.1"}, **options)
    older = merge(server, registry, of_version("9.9.9"), annotations={version: "1.0.0"}, **options)
    assert (newer.tags[0].kept, older.tags[0].kept) == (False, True)


def test_a_label_decides_alone(server: RunningServer, registry: EmbeddedRegistry) -> None:
    label = "org.opencontainers.image.build"
    registry.add_image(REPOSITORY, "1.0", pair("9.0", build="41"))
    assert not merge(server, registry, of_version(build="42"), only_newer=label).tags[0].kept
    assert merge(server, registry, of_version(build="9"), only_newer=label).tags[0].kept


@pytest.mark.parametrize(
    ("by", "ours", "theirs"),
    [
        ("version", {"version": "1.0"}, {}),
        ("version", {"version": "1.0.0-rc9"}, {"version": "1.0.0-rc10"}),
        ("created", {"created": "0001-01-01T00:00:00Z"}, {"created": _LATE}),
        ("vendor.build", {"created": _LATE}, {"created": _EARLY}),
    ],
)
def test_what_is_not_known_is_an_error_and_no_step_back(
    server: RunningServer,
    registry: EmbeddedRegistry,
    by: str,
    ours: dict[str, str],
    theirs: dict[str, str],
) -> None:
    registry.add_image(REPOSITORY, "1.0", pair(**theirs, url="present"))
    with pytest.raises(NotComparableError, match="is not known: they say") as raised:
        merge(server, registry, of_version(**ours), only_newer=by)
    assert f"--only-newer {by}" in raised.value.hint
    assert not writes(registry.requests)


def test_a_tag_that_does_not_exist_moves_whatever_the_images_say(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server, registry, of_version(), only_newer="version")
    assert put_tags(registry) == ["1.0"]
    # And so does an unchanged one, without a question.
    assert not merge(server, registry, of_version(), only_newer="version").tags[0].kept
    assert not put_tags(registry)


def test_a_single_image_at_the_tag_is_compared_too(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "1.0", build("amd64", "2.0"))
    assert merge(server, registry, of_version("1.0"), only_newer="version").tags[0].kept


def test_an_image_that_a_clean_up_took_is_not_asked(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    present = pair("2.0")
    registry.add_image(REPOSITORY, "1.0", present)
    lost = present.children[1].digest
    registry.hooks.append(Answers(asks("GET", lost), reply(404)))
    assert merge(server, registry, of_version("1.0"), only_newer="version").tags[0].kept


def test_an_index_at_several_tags_is_read_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for tag in ("1.0", "1", "latest"):
        registry.add_image(REPOSITORY, tag, pair("2.0"))
    merge(server, registry, of_version("1.0"), tags=["1", "latest"], only_newer="version")
    read = paths(registry.requests, "GET", f"/{REPOSITORY}/manifests/")
    assert len(read) == len(set(read)) == 3


def test_a_dry_run_says_which_tags_are_kept(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "latest", pair("2.0"))
    result = merge(
        server,
        registry,
        of_version("1.0"),
        tags=["latest"],
        only_newer="version",
        dry_run=True,
    )
    assert [(tag.name, tag.kept) for tag in result.tags] == [("1.0", False), ("latest", True)]
    assert result.plan.kept == {"latest": "1.0 is older than 2.0"}
    assert result.to_dict()["plan"]["tags"][1] == {"name": "latest", "changed": False, "kept": True}


def test_force_moves_no_tag_back(server: RunningServer, registry: EmbeddedRegistry) -> None:
    registry.add_image(REPOSITORY, "latest", pair("2.0"))
    images = of_version("1.0")
    for expected in (["1.0"], ["1.0"]):
        merge(server, registry, images, tags=["latest"], only_newer="version", force=True)
        assert put_tags(registry) == expected


def test_a_tag_that_newer_images_take_meanwhile_is_kept(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "1.0", pair("1.0"))
    newer = pair("3.0")
    registry.hooks.append(Does(asks("POST"), lambda: registry.add_image(REPOSITORY, "1.0", newer)))
    result = merge(server, registry, of_version("2.0"), tags=["2.0"], only_newer="version")
    assert tags(registry)["1.0"] == newer.digest
    assert [(tag.name, tag.changed, tag.kept) for tag in result.tags] == [
        ("1.0", False, True),
        ("2.0", True, False),
    ]


def test_older_images_that_are_put_over_ours_are_replaced_again(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "1.0", pair("1.0"))
    overtaken = Does(
        asks("PUT", "/manifests/1.0"),
        lambda: registry.add_image(REPOSITORY, "1.0", pair("1.5")),
        after=True,
    )
    registry.hooks.append(overtaken)
    result = merge(server, registry, of_version("2.0"), only_newer="version")
    assert overtaken.count == 1
    assert tags(registry)["1.0"] == result.digest
    assert put_tags(registry) == ["1.0", "1.0"]


def test_a_job_that_puts_older_images_each_time_is_an_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    older = pair("1.5")
    registry.hooks.append(
        Does(
            asks("PUT", "/manifests/1.0"),
            lambda: registry.add_image(REPOSITORY, "1.0", older),
            after=True,
            times=99,
        )
    )
    with pytest.raises(NotComparableError, match=r"1\.0 was put 3 times"):
        merge(server, registry, of_version("2.0"), only_newer="version")
    assert put_tags(registry) == ["1.0"] * 3


def test_a_tag_is_looked_at_again_after_as_long_as_another_run_may_take(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Callable[..., None]
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    set_timings(sleep=sleep, overtaking=1000.0)
    merge(server, registry, of_version("2.0"), only_newer="version")
    assert len(waits) == 1
    assert waits[0] > 0
    methods = [
        record.method for record in registry.requests if record.path.endswith("/manifests/1.0")
    ]
    assert methods == ["GET", "HEAD", "PUT", "HEAD"]


def test_newer_images_that_are_put_over_ours_stay(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    newer = pair("3.0")
    registry.hooks.append(
        Does(
            asks("PUT", "/manifests/1.0"),
            lambda: registry.add_image(REPOSITORY, "1.0", newer),
            after=True,
        )
    )
    result = merge(server, registry, of_version("2.0"), only_newer="version")
    assert result.tags[0].kept
    assert tags(registry)["1.0"] == newer.digest


def test_a_kept_tag_is_not_among_those_that_moved_where_another_fails(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "latest", pair("2.0"))
    registry.hooks.append(Answers(asks("PUT", "/manifests/1.0"), reply(403)))
    with pytest.raises(PublishError) as raised:
        merge(server, registry, of_version("1.0"), tags=["latest", "1"], only_newer="version")
    assert (raised.value.moved, raised.value.failed) == (("1",), ("1.0",))


class _Fails(Hook):
    """Answers the request of a number by a status, and lets all others through."""

    def __init__(self, number: int, status: int) -> None:
        self._left = number
        self._status = status

    async def before(self, request: Request) -> Response | None:
        self._left -= 1
        return Response(status_code=self._status) if self._left == -1 else None


@pytest.mark.parametrize("status", [404, 403, 500])
def test_no_failure_of_any_request_sets_a_tag_back(
    server: RunningServer, registry: EmbeddedRegistry, status: int
) -> None:
    stands = {tag: registry.add_image(REPOSITORY, tag, pair("2.0")) for tag in ("1.0", "latest")}
    options: dict[str, Any] = {"tags": ["latest", "1.9"], "only_newer": "version", "retries": 0}
    merge(server, registry, of_version("1.9"), dry_run=True, **options)
    for number in range(len(registry.requests) + 10):
        registry.hooks[:] = [_Fails(number, status)]
        with suppress(OciMergeError):
            merge(server, registry, of_version("1.9"), **options)
        assert {tag: tags(registry)[tag] for tag in stands} == stands
