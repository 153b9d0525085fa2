"""Looking for the images of a template, and images that do not exist."""

from __future__ import annotations

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import RunningServer
from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    ComponentsFound,
    Event,
    MissingComponentError,
    OciMergeError,
    RateLimitedError,
    ServerError,
    StageAdvanced,
    StageStarted,
    TransportError,
)
from tests.edge.support import (
    IMAGES,
    OLD,
    Answers,
    Truncated,
    add_old,
    asks,
    merge,
    paths,
    reply,
    sources,
    tags,
    writes,
)

_DENIED = '{"errors":[{"code":"DENIED","message":"not yours"}]}'


def _template(host: str) -> str:
    return f"{host}/team/app-ARCHVARIANT:1.0"


def _answers(part: str, status: int, content: str = "") -> list[Answers]:
    return [Answers(asks(method, part), reply(status, content)) for method in ("HEAD", "GET")]


def test_the_images_that_are_there_are_joined_and_the_others_left_out(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = merge(server.host, template=_template(server.host))
    assert [str(image.platform) for image in result.platforms] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    assert result.warnings == ()
    assert tags(registry) == {"latest": result.digest}


def test_images_are_looked_for_by_head_alone(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host, template=_template(server.host))
    looked = paths(registry.requests, "HEAD", "/team/app-")
    fetched = paths(registry.requests, "GET", "/manifests/1.0")
    assert len(looked) == len(set(looked)) == 11
    assert sorted(fetched) == sorted(f"/v2/{name}/manifests/1.0" for name in IMAGES)


def test_windows_is_looked_for_where_the_template_has_the_os(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    windows = build_image("windows", "amd64", os_version="10.0.20348.1")
    registry.add_image("team/app-windows-amd64", "1.0", windows)
    registry.add_image("team/app-linux-amd64", "1.0", build_image("linux", "amd64"))
    result = merge(server.host, template=f"{server.host}/team/app-OS-ARCHVARIANT:1.0")
    assert [image.platform.os for image in result.platforms] == ["linux", "windows"]


def test_an_event_names_the_platforms_that_give_the_same_images(server: RunningServer) -> None:
    events: list[Event] = []
    merge(server.host, template=_template(server.host), on_event=events.append)
    (told,) = [event for event in events if isinstance(event, ComponentsFound)]
    assert told.references == tuple(sources(server.host))
    assert told.platforms == "linux/amd64,linux/arm64,linux/arm/v7"
    pinned = merge(
        server.host, template=_template(server.host), platforms=told.platforms.split(",")
    )
    assert pinned.tags[0].changed is False
    assert StageStarted("probe", 11) in events


def test_every_answer_counts_as_progress_of_the_search(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks += _answers("/team/app-arm64/", 403, _DENIED)
    events: list[Event] = []
    merge(server.host, template=_template(server.host), on_event=events.append)
    (total,) = [each.total for each in events if each == StageStarted("probe", 11)]
    looked = [each for each in events if isinstance(each, StageAdvanced) and each.stage == "probe"]
    assert len({each.subject for each in looked}) == len(looked) == total


@pytest.mark.parametrize("status", [401, 403])
def test_an_image_that_may_not_be_read_is_left_out_with_a_warning(
    status: int, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks += _answers("/team/app-arm64/", status, _DENIED)
    result = merge(server.host, template=_template(server.host))
    assert [image.platform.architecture for image in result.platforms] == ["amd64", "arm"]
    (warning,) = result.warnings
    assert f"{server.host}/team/app-arm64:1.0 is left out" in warning
    assert "not yours" in warning


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, AccessDeniedError)])
def test_where_every_image_is_denied_the_denial_is_the_error(
    status: int, kind: type[OciMergeError], server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks += _answers("/team/app-", status, _DENIED)
    with pytest.raises(kind, match="not yours"):
        merge(server.host, template=_template(server.host))
    assert not writes(registry.requests)


def test_where_some_are_denied_and_the_others_not_there_the_denial_is_the_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks += _answers("/team/app-arm64/", 403, _DENIED)
    for name in ("team/app-amd64", "team/app-armv7"):
        registry.storage.remove_manifest(name, "1.0")
    with pytest.raises(AccessDeniedError, match=r"app-arm64:1\.0"):
        merge(server.host, template=_template(server.host))


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitedError), (500, ServerError), (503, ServerError)]
)
@pytest.mark.parametrize("image", ["amd64", "s390x"])
def test_a_failing_registry_does_not_mean_that_an_image_is_missing(
    status: int,
    kind: type[OciMergeError],
    image: str,
    server: RunningServer,
    registry: EmbeddedRegistry,
) -> None:
    add_old(registry, "latest")
    registry.hooks += _answers(
        f"/team/app-{image}/", status, '{"errors":[{"code":"NAME_UNKNOWN"}]}'
    )
    with pytest.raises(kind, match=rf"app-{image}:1\.0"):
        merge(server.host, template=_template(server.host))
    assert tags(registry) == {"latest": OLD.digest}


def test_a_broken_answer_does_not_mean_that_an_image_is_missing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks += [
        Answers(asks("HEAD", "/team/app-s390x/"), reply(500)),
        Answers(asks("GET", "/team/app-s390x/"), Truncated),
    ]
    with pytest.raises(TransportError, match="broke off"):
        merge(server.host, template=_template(server.host))
    assert tags(registry) == {}


def test_where_nothing_is_found_the_error_says_what_was_tried(server: RunningServer) -> None:
    template = f"{server.host}/team/none-ARCHVARIANT:1.0"
    with pytest.raises(MissingComponentError, match="none of the images") as caught:
        merge(server.host, template=template)
    assert caught.value.message.endswith(f"; tried {server.host}/team/none-amd64:1.0 and 10 more")
    assert "--platforms" in caught.value.hint


def test_all_images_that_are_missing_are_named_in_one_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_old(registry, "latest")
    names = [*sources(server.host), f"{server.host}/team/app:gone", f"{server.host}/team/no:1"]
    with pytest.raises(MissingComponentError) as caught:
        merge(server.host, sources=names)
    assert str(caught.value) == (
        f"{server.host}/team/app:gone and {server.host}/team/no:1 were not found on {server.host}"
    )
    assert caught.value.hint
    assert not writes(registry.requests)


def test_one_image_that_is_missing_has_the_registry_s_own_words(server: RunningServer) -> None:
    with pytest.raises(MissingComponentError, match=r"app:gone was not found .*manifest unknown"):
        merge(server.host, sources=[*sources(server.host), f"{server.host}/team/app:gone"])


def test_an_image_that_fails_is_the_error_where_another_is_missing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks += _answers("/team/app-arm64/manifests/", 500)
    with pytest.raises(ServerError, match=r"app-arm64:1\.0"):
        merge(server.host, sources=[*sources(server.host), f"{server.host}/team/app:gone"])
