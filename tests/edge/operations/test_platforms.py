"""Which platform an image is published under: gaps, odd configs, and what a user or a name says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import Blob, BuiltImage, Child, build_image, build_index
from fixtures.server import RunningServer
from oci_merge import (
    ComponentsFound,
    Event,
    MergeResult,
    PlatformMismatchError,
    PlatformNotFoundError,
    UnsupportedMediaTypeError,
)
from tests.edge.support import AMD64, ARM64, ARMV7, Answers, asks, merge, paths, reply, tags

_OCTETS = "application/octet-stream"


def _join(server: RunningServer, *names: str, **options: Any) -> MergeResult:
    return merge(server.host, sources=[f"{server.host}/{name}" for name in names], **options)


def _published(result: MergeResult) -> list[str]:
    return [str(image.platform) for image in result.platforms]


def with_config(image: BuiltImage, media_type: str | None, content: bytes) -> BuiltImage:
    """Return an image with another config; a media type of None is left out of its descriptor."""
    config = Blob(media_type or "", content)
    document = json.loads(image.manifest)
    document["config"] = {"digest": config.digest, "size": config.size}
    if media_type is not None:
        document["config"]["mediaType"] = media_type
    return replace(image, manifest=json.dumps(document).encode(), config=config)


_ARMV6 = build_image("linux", "arm", "v6")
_WIN_2019 = build_image("windows", "amd64", os_version="10.0.17763.1", os_features=("win32k",))
_WIN_2022 = build_image("windows", "amd64", os_version="10.0.20348.1")


def test_what_an_entry_leaves_out_is_filled_from_its_config(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    windows = {"os": "windows", "architecture": "amd64"}
    index = build_index(
        [
            Child(AMD64, {"os": "linux", "architecture": "amd64"}),
            Child(_ARMV6, {"os": "linux", "architecture": "arm"}),
            Child(ARMV7, {"os": "linux", "architecture": "arm", "variant": "v7"}),
            Child(_WIN_2019, windows),
            Child(_WIN_2022, windows),
        ]
    )
    registry.add_image("team/multi", "1", index)
    result = _join(server, "team/multi:1")
    assert _published(result) == [
        "linux/amd64",
        "linux/arm/v6",
        "linux/arm/v7",
        "windows/amd64 (10.0.17763.1)",
        "windows/amd64 (10.0.20348.1)",
    ]
    assert result.platforms[3].platform.os_features == ("win32k",)
    assert result.warnings == ()
    # A config is read only where it may fill a gap.
    for image in (AMD64, ARMV7):
        assert not paths(registry.requests, "GET", image.config.digest)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/vnd.cncf.helm.config.v1+json", b'{"name":"chart","apiVersion":"v2"}'),
        (_OCTETS, b"this is no JSON, but long enough to be one"),
        ("application/vnd.oci.image.config.v1+json", b'{"os": 5, "architecture": "arm"}'),
    ],
)
def test_an_entry_whose_config_says_nothing_stays_as_its_author_wrote_it(
    server: RunningServer, registry: EmbeddedRegistry, media_type: str, content: bytes
) -> None:
    image = with_config(_ARMV6, media_type, content)
    child = Child(image, {"os": "windows", "architecture": "amd64"})
    registry.add_image("team/multi", "1", build_index([child]))
    assert _published(_join(server, "team/multi:1")) == ["windows/amd64"]


@pytest.mark.parametrize(
    ("media_type", "content", "published"),
    [
        (_OCTETS, b'{"architecture":"arm64","os":"linux","variant":"v8"}', "linux/arm64"),
        ("text/plain", b'{"architecture":"s390x","os":"linux"}', "linux/s390x"),
        ("", b'{"architecture":"amd64","os":"linux"}', "linux/amd64"),
        (None, b'{"architecture":"amd64","os":"linux"}', "linux/amd64"),
        (
            "application/vnd.wasm.config.v0+json",
            b'{"created":"2024-01-01T00:00:00Z","architecture":"wasm","os":"wasip1"}',
            "wasip1/wasm",
        ),
        (
            "application/vnd.unknown.config.v1+json",
            b'{"architecture":"arm","os":"linux","variant":"v6"}',
            "linux/arm/v6",
        ),
        ("application/json", b'{"architecture":"x86_64","os":"Linux"}', "linux/amd64"),
    ],
)
def test_a_config_of_any_type_that_says_a_platform_is_read(
    server: RunningServer,
    registry: EmbeddedRegistry,
    media_type: str | None,
    content: bytes,
    published: str,
) -> None:
    registry.add_image("team/odd", "1", with_config(AMD64, media_type, content))
    assert _published(_join(server, "team/odd:1")) == [published]
    inspected = oci_merge.inspect(f"{server.host}/team/odd:1")
    assert inspected.config == content
    assert inspected.images[0].platform.os


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/vnd.cncf.helm.config.v1+json", b'{"name":"chart","apiVersion":"v2"}'),
        ("application/vnd.oci.empty.v1+json", b"{}"),
        (_OCTETS, b'{"os":"linux","architecture":""}'),
        (_OCTETS, b'{"os":5,"architecture":"amd64"}'),
        (_OCTETS, b'["os", "architecture", "linux", "amd64"]'),
        (_OCTETS, b"\xff\xfe" + b"0" * 64),
    ],
)
def test_what_is_no_image_needs_a_platform_that_the_user_says(
    server: RunningServer, registry: EmbeddedRegistry, media_type: str, content: bytes
) -> None:
    registry.add_image("team/odd", "1", with_config(AMD64, media_type, content))
    with pytest.raises(UnsupportedMediaTypeError, match="does not declare a platform") as caught:
        _join(server, "team/odd:1")
    assert "--source REF=PLATFORM" in caught.value.hint
    assert oci_merge.inspect(f"{server.host}/team/odd:1").config == b""
    assert _published(_join(server, "team/odd:1=linux/arm64")) == ["linux/arm64"]


def test_a_manifest_without_a_config_is_published_as_its_user_says(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    document = json.loads(AMD64.manifest)
    del document["config"]
    bare = replace(AMD64, manifest=json.dumps(document).encode())
    # A registry that keeps such a manifest; the embedded one refuses it, as distribution does.
    stored = reply(200, bare.manifest, kind=bare.media_type)
    registry.hooks.append(Answers(asks("GET", "/v2/team/bare/manifests/1"), stored))
    with pytest.raises(UnsupportedMediaTypeError, match="has no config"):
        _join(server, "team/bare:1")
    result = _join(server, "team/bare:1=linux/arm64", "team/app-amd64:1.0", dry_run=True)
    assert _published(result) == ["linux/arm64", "linux/amd64"]
    assert result.warnings == ()


def test_a_source_s_platform_wins_over_its_config_with_a_warning(server: RunningServer) -> None:
    result = _join(server, "team/app-amd64:1.0=linux/s390x", "team/app-arm64:1.0")
    assert _published(result) == ["linux/s390x", "linux/arm64"]
    (warning,) = result.warnings
    assert "says that it is linux/amd64; it is published as linux/s390x, as asked" in warning
    with pytest.raises(PlatformMismatchError):
        _join(server, "team/app-amd64:1.0=linux/s390x", platform_check="error")


def test_a_source_s_platform_selects_from_an_index(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64, ARMV7]))
    result = _join(server, "team/multi:1=linux/arm64")
    assert [image.digest for image in result.platforms] == [ARM64.digest]


def test_platforms_select_from_the_sources(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    s390x = build_image("linux", "s390x")
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64, ARMV7]))
    registry.add_image("team/others", "1", build_index([s390x, build_image("linux", "ppc64le")]))
    chosen = ["linux/arm64", "linux/s390x", "linux/amd64"]
    result = _join(server, "team/multi:1", "team/others:1", platforms=chosen)
    assert [image.digest for image in result.platforms] == [
        AMD64.digest,
        ARM64.digest,
        s390x.digest,
    ]


def test_platforms_that_no_source_has_are_named_and_nothing_is_published(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64]))
    with pytest.raises(PlatformNotFoundError, match=r"has linux/s390x and linux/arm/v7"):
        _join(server, "team/multi:1", platforms=["linux/amd64", "linux/s390x", "linux/arm/v7"])
    assert tags(registry) == {}


def test_an_index_that_has_none_of_the_platforms_is_warned_of(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64]))
    registry.add_image("team/others", "1", build_index([ARMV7, build_image("linux", "ppc64le")]))
    result = _join(server, "team/multi:1", "team/others:1", platforms=["linux/arm64"])
    assert _published(result) == ["linux/arm64"]
    (warning,) = result.warnings
    assert warning.endswith("team/others:1 has none of the platforms asked for")


def test_a_single_image_of_none_of_the_platforms_is_an_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    with pytest.raises(PlatformMismatchError, match="is linux/arm64, which is not among the"):
        _join(server, "team/app-amd64:1.0", "team/app-arm64:1.0", platforms=["linux/amd64"])
    assert tags(registry) == {}


def _searched(server: RunningServer, template: str, **options: Any) -> tuple[MergeResult, str]:
    events: list[Event] = []
    result = merge(
        server.host, template=f"{server.host}/{template}", on_event=events.append, **options
    )
    (found,) = [event for event in events if isinstance(event, ComponentsFound)]
    return result, found.platforms


@pytest.mark.parametrize("template", ["team/wrong-ARCHVARIANT:1", "team/wrong-ARCH:1"])
def test_a_wrongly_labelled_image_is_published_under_the_name_that_found_it(
    server: RunningServer, registry: EmbeddedRegistry, template: str
) -> None:
    registry.add_image("team/wrong-amd64", "1", AMD64)
    registry.add_image("team/wrong-arm64", "1", build_image("linux", "amd64", text="arm64"))
    result, pin = _searched(server, template)
    assert _published(result) == ["linux/amd64", "linux/arm64"]
    (warning,) = result.warnings
    assert "team/wrong-arm64:1 says that it is linux/amd64" in warning
    assert warning.endswith("it is published as linux/arm64, as it is named")
    assert pin == "linux/amd64,linux/arm64"
    asked = merge(
        server.host, template=f"{server.host}/{template}", platforms=pin.split(","), dry_run=True
    )
    assert asked.digest == result.digest
    with pytest.raises(PlatformMismatchError):
        _searched(server, template, platform_check="error")


def test_a_name_leaves_to_the_image_what_it_does_not_say(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/bare-amd64", "1", _WIN_2022)
    registry.add_image("team/bare-arm", "1", _ARMV6)
    result, pin = _searched(server, "team/bare-ARCH:1")
    assert _published(result) == ["windows/amd64 (10.0.20348.1)", "linux/arm/v6"]
    assert result.warnings == ()
    # --platforms linux/amd64 would publish the Windows image as Linux.
    assert pin == ""


def test_platforms_are_suggested_only_where_they_give_the_same_images(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    both = build_index([AMD64, build_image("linux", "riscv64")])
    registry.add_image("team/both-amd64", "1", both)
    registry.add_image("team/both-arm64", "1", ARM64)
    result, pin = _searched(server, "team/both-ARCH:1")
    assert _published(result) == ["linux/amd64", "linux/riscv64", "linux/arm64"]
    assert pin == ""


def test_annotations_make_an_oci_index_of_docker_images(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for architecture in ("amd64", "arm64"):
        image = build_image("linux", architecture, docker=True)
        registry.add_image(f"team/docker-{architecture}", "1", image)
    names = ("team/docker-amd64:1", "team/docker-arm64:1")
    result = _join(server, *names, annotations={"index:org.example": "x"})
    assert result.media_type == "application/vnd.oci.image.index.v1+json"
    assert json.loads(result.plan.index.content)["annotations"] == {"org.example": "x"}
    assert "list.v2" in _join(server, *names).media_type


def test_a_registry_that_fails_is_an_error_and_no_gap_that_stays(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    child = Child(_ARMV6, {"os": "linux", "architecture": "arm"})
    registry.add_image("team/multi", "1", build_index([child]))
    registry.hooks.append(Answers(asks("GET", _ARMV6.config.digest), reply(503)))
    with pytest.raises(oci_merge.ServerError):
        _join(server, "team/multi:1", retries=0)
    assert tags(registry) == {}
