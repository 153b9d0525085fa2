"""What is checked before anything is written: platforms, labels, and what tags would lose."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import BuiltImage, BuiltIndex, Child, build_image, build_index
from fixtures.server import RunningServer
from oci_merge import (
    Event,
    LabelMismatchError,
    NotComparableError,
    PlatformLossError,
    PublishError,
    RequiredPlatformError,
    TagMoved,
    UsageError,
)
from oci_merge.planning.guards import parsed_index
from tests.edge.operations.guarded import PREFIX, Does, build, merge, of_version, pair, put_tags
from tests.edge.support import OLD, REPOSITORY, Answers, asks, paths, reply, tags, writes

_REVISION = f"{PREFIX}revision"
_S390X = build("s390x", "1.0")


def _with_s390x() -> BuiltIndex:
    return build_index([*of_version("1.0"), _S390X])


@pytest.mark.parametrize("dry_run", [False, True])
def test_without_a_required_platform_nothing_is_written(
    server: RunningServer, registry: EmbeddedRegistry, dry_run: bool
) -> None:
    with pytest.raises(RequiredPlatformError, match="no image for linux/s390x") as raised:
        merge(
            server,
            registry,
            of_version("1.0"),
            require=["linux/amd64", "linux/s390x"],
            dry_run=dry_run,
        )
    assert raised.value.missing == ("linux/s390x",)
    assert not writes(registry.requests)


def test_required_platforms_that_are_there_are_published(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(
        server,
        registry,
        [build("amd64"), build("arm", variant="v6")],
        require=["linux/x86_64", "linux/arm"],
    )
    assert put_tags(registry) == ["1.0"]


def test_images_of_two_revisions_are_not_joined(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    images = [build("amd64", revision="c0ffee"), build("arm64", revision="decaf")]
    with pytest.raises(LabelMismatchError) as raised:
        merge(server, registry, images, require_same=[_REVISION])
    assert f"{server.host}/team/part-0:new has 'c0ffee'" in raised.value.message
    assert f"{server.host}/team/part-1:new has 'decaf'" in raised.value.message
    assert not writes(registry.requests)


def test_images_of_one_revision_are_joined_and_each_config_is_read_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    # An entry without a variant is read to choose among the entries; one with it only for labels.
    armv6 = build("arm", variant="v6", revision="c0ffee")
    index = build_index(
        [Child(armv6, {"os": "linux", "architecture": "arm"}), pair(revision="c0ffee")]
    )
    registry.add_image("team/multi", "new", index)
    amd64 = build("amd64", revision="c0ffee")
    source = f"{server.host}/team/multi:new"
    result = merge(
        server,
        registry,
        [amd64],
        sources=[
            (source, "linux/arm/v6"),
            (source, "linux/arm64"),
            f"{server.host}/team/part-0:new",
        ],
        require_same=[_REVISION],
    )
    assert [str(image.platform) for image in result.platforms] == [
        "linux/arm/v6",
        "linux/arm64",
        "linux/amd64",
    ]
    arm64 = next(image for image in of_version(revision="c0ffee")[1:])
    reads = Counter(paths(registry.requests, "GET", "/blobs/"))
    configs = [image.config.digest for image in (armv6, arm64, amd64)]
    assert {path.rpartition("/")[2]: count for path, count in reads.items()} == dict.fromkeys(
        configs, 1
    )


def test_a_plain_merge_reads_no_config_for_its_labels(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "new", pair("1.0"))
    merge(server, registry, [], sources=[f"{server.host}/team/multi:new"])
    assert not paths(registry.requests, "GET", "/blobs/")


@pytest.mark.parametrize("tag", ["1.0", "latest"])
def test_no_tag_may_lose_a_platform(
    server: RunningServer, registry: EmbeddedRegistry, tag: str
) -> None:
    registry.add_image(REPOSITORY, tag, _with_s390x())
    with pytest.raises(PlatformLossError) as raised:
        merge(server, registry, of_version("1.1"), tags=["latest"], no_shrink=True)
    assert raised.value.lost == ("linux/s390x",)
    assert f"{server.host}/{REPOSITORY}:{tag} would lose linux/s390x" in raised.value.message
    assert not writes(registry.requests)


def test_without_the_guard_a_line_says_what_the_targets_own_tag_loses(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for tag in ("1.0", "latest"):
        registry.add_image(REPOSITORY, tag, _with_s390x())
    images = of_version("1.1")
    result = merge(server, registry, images, tags=["latest"])
    assert result.warnings == (
        f"{server.host}/{REPOSITORY}:1.0 loses linux/s390x, which it has now",
    )
    assert len(paths(registry.requests, "GET", f"/{REPOSITORY}/")) == 1
    assert merge(server, registry, images, tags=["latest"]).warnings == ()


def test_the_single_image_that_a_tag_points_to_is_a_platform_too(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "1.0", OLD)
    with pytest.raises(PlatformLossError, match="would lose linux/s390x"):
        merge(server, registry, of_version("1.0"), no_shrink=True)
    # Its platform is in its config, which a plain merge does not read.
    assert merge(server, registry, of_version("1.0")).warnings == ()
    assert not paths(registry.requests, "GET", OLD.config.digest)


def test_what_is_not_lost_is_published(server: RunningServer, registry: EmbeddedRegistry) -> None:
    amd64, arm64 = of_version("1.0")
    present = build_index(
        [
            Child(amd64, {"os": "linux", "architecture": "x86_64"}),
            Child(build("amd64", "1.1"), {"os": "linux", "architecture": "amd64"}),
            Child(arm64, {"os": "linux", "architecture": "arm64", "variant": "v8"}),
            Child(build("arm", variant="v7")),
            pair("0.9"),
        ]
    )
    registry.add_image(REPOSITORY, "1.0", present)
    images = [*of_version("2.0"), build("arm", variant="v7", version="2.0")]
    merge(server, registry, images, tags=["new"], no_shrink=True)
    assert sorted(put_tags(registry)) == ["1.0", "new"]


def test_an_entry_without_a_platform_has_the_one_of_its_config(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "1.0", build_index([*of_version("1.0"), Child(_S390X)]))
    with pytest.raises(PlatformLossError, match="would lose linux/s390x"):
        merge(server, registry, of_version("1.1"), no_shrink=True)


def test_a_platform_that_a_tag_gains_meanwhile_is_not_lost(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for tag in ("1.0", "latest"):
        registry.add_image(REPOSITORY, tag, pair("1.0"))
    gains = Does(asks("POST"), lambda: registry.add_image(REPOSITORY, "latest", _with_s390x()))
    registry.hooks.append(gains)
    with pytest.raises(PublishError, match="latest would lose linux/s390x") as raised:
        merge(server, registry, of_version("1.1"), tags=["latest"], no_shrink=True)
    assert (raised.value.moved, raised.value.failed) == (("1.0",), ("latest",))
    assert tags(registry)["latest"] == _with_s390x().digest


@pytest.mark.parametrize("asked", [{"no_shrink": True}, {"only_newer": "version"}])
@pytest.mark.parametrize(
    "answer",
    [
        reply(403, '{"errors":[{"code":"DENIED","message":"no"}]}'),
        reply(200, "<html>", kind="text/html"),
        reply(200, '{"schemaVersion": 1}', kind="application/json"),
    ],
    ids=["denied", "web page", "schema 1"],
)
def test_what_cannot_be_read_is_not_taken_for_absent(
    server: RunningServer, registry: EmbeddedRegistry, asked: dict[str, Any], answer: Any
) -> None:
    registry.hooks.append(Answers(asks("GET", f"/{REPOSITORY}/manifests/1.0"), answer))
    with pytest.raises(NotComparableError) as raised:
        merge(server, registry, of_version("1.0"), **asked)
    assert "could not be read" in raised.value.message
    assert "leave out --" in raised.value.hint
    assert not writes(registry.requests)


@pytest.mark.parametrize(
    "options",
    [{"require_same": [""]}, {"require_same": ["a\n"]}, {"only_newer": ""}, {"only_newer": "  "}],
)
def test_an_empty_label_is_refused_as_it_may_be_an_unset_variable(
    server: RunningServer, registry: EmbeddedRegistry, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="has an empty value"):
        merge(server, registry, of_version("1.0"), **options)
    assert not registry.requests


def test_an_unchanged_tag_is_put_by_force_and_counts_as_unchanged(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    images = of_version("1.0")
    merge(server, registry, images, tags=["latest"])
    assert merge(server, registry, images, tags=["latest"]).changed is False
    assert put_tags(registry) == []

    events: list[Event] = []
    result = merge(server, registry, images, tags=["latest"], force=True, on_event=events.append)

    assert sorted(put_tags(registry)) == ["1.0", "latest"]
    assert result.changed is False
    moves = [event for event in events if isinstance(event, TagMoved)]
    assert {(event.tag, event.changed, event.again) for event in moves} == {
        ("1.0", False, True),
        ("latest", False, True),
    }


def test_labels_on_which_the_images_agree_annotate_the_index(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    images = [
        build(
            "amd64", title="app", description="Does <it> & more.", created="2026-01-01T00:00:00Z"
        ),
        build(
            "arm64", title="app", description="Does <it> & more.", created="2026-01-01T00:00:09Z"
        ),
    ]
    result = merge(
        server,
        registry,
        images,
        annotations_from_labels=True,
        annotations={f"{PREFIX}title": "mine"},
    )
    assert parsed_index(result.plan.index).annotations == {
        f"{PREFIX}description": "Does <it> & more.",
        f"{PREFIX}title": "mine",
    }
    assert all("created" not in warning for warning in result.warnings)


@pytest.mark.parametrize(("labels", "is_oci"), [({"title": "app"}, True), ({}, False)])
def test_docker_images_become_an_oci_index_only_where_there_are_annotations(
    server: RunningServer, registry: EmbeddedRegistry, labels: dict[str, str], is_oci: bool
) -> None:
    images: list[BuiltImage] = [
        build_image(
            "linux",
            name,
            docker=True,
            labels={f"{PREFIX}{key}": value for key, value in labels.items()},
        )
        for name in ("amd64", "arm64")
    ]
    result = merge(server, registry, images, annotations_from_labels=True)
    assert result.media_type.startswith("application/vnd.oci") is is_oci


def test_a_docker_list_takes_no_labels(server: RunningServer, registry: EmbeddedRegistry) -> None:
    with pytest.raises(UsageError, match="cannot carry annotations"):
        merge(server, registry, of_version(), annotations_from_labels=True, format="docker")
    assert not registry.requests
