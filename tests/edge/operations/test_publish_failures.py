"""Registries that refuse or lose something while it is written: what they store afterwards."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.images import build_image, build_index
from fixtures.server import RunningServer
from oci_merge import (
    AccessDeniedError,
    DigestMismatchError,
    Event,
    ImmutableTagError,
    MountRefusedError,
    OciMergeError,
    PlatformMismatchError,
    PublishError,
    RateLimitedError,
    RegistryError,
    ServerError,
    TagMoved,
    TransportError,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    IMAGES,
    OLD,
    REPOSITORY,
    Answers,
    Delays,
    Truncated,
    add_old,
    asks,
    merge,
    paths,
    reply,
    tags,
    writes,
)

_DENIED = '{"errors":[{"code":"DENIED","message":"the tag is immutable"}]}'
_BLOBS = {blob.digest for image in IMAGES.values() for blob in image.blobs}
_LAYERS = {layer.digest for image in IMAGES.values() for layer in image.layers}
_UNKNOWN = '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown"}]}'


class _OpensUploads(Hook):
    """Mounts some blobs not, but opens uploads for them, as registries do that cannot."""

    def __init__(self, registry: EmbeddedRegistry, digests: set[str]) -> None:
        self._registry = registry
        self._digests = digests

    async def before(self, request: Request) -> Response | None:
        refuse = request.query_params.get("mount") in self._digests
        self._registry.settings.refuse_mounts = refuse
        return None


def _child_puts(registry: EmbeddedRegistry) -> set[str]:
    return {path.rpartition("/")[2] for path in paths(registry.requests, "PUT", "sha256:")}


def test_mounts_that_are_refused_are_counted_cancelled_and_move_no_tag(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.refuse_mounts = True
    add_old(registry, "latest")
    with pytest.raises(MountRefusedError) as caught:
        merge(server.host)
    missing = _LAYERS - {layer.digest for layer in OLD.layers}
    assert set(caught.value.digests) == missing
    assert f"did not mount {len(missing)} blobs of " in str(caught.value)
    assert "sha256:" not in str(caught.value)
    assert all(name in str(caught.value) for name in IMAGES)
    assert "it offered an upload instead" in str(caught.value)
    assert REPOSITORY in caught.value.hint or "target" in caught.value.hint
    assert len(paths(registry.requests, "DELETE")) == len(_LAYERS)
    assert registry.open_uploads == []
    assert tags(registry) == {"latest": OLD.digest}
    assert _child_puts(registry) == set()


def test_children_whose_blobs_were_all_mounted_are_put_and_the_others_are_not(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    layer = ARM64.layers[-1].digest
    registry.hooks.append(_OpensUploads(registry, {layer}))
    with pytest.raises(MountRefusedError) as caught:
        merge(server.host)
    assert caught.value.digests == (layer,)
    assert _child_puts(registry) == {AMD64.digest, ARMV7.digest}
    assert registry.open_uploads == []
    assert tags(registry) == {}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_mount_that_is_refused_by_status_is_the_same_refusal(
    status: int, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("POST"), reply(status, _DENIED)))
    with pytest.raises(MountRefusedError, match="the tag is immutable") as caught:
        merge(server.host)
    assert set(caught.value.digests) == _BLOBS


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitedError), (500, ServerError), (503, ServerError)]
)
def test_a_registry_that_fails_to_mount_ends_the_run_with_no_upload_left_open(
    status: int, kind: type[OciMergeError], server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.refuse_mounts = True
    part = ARM64.config.digest.removeprefix("sha256:")
    registry.hooks += [
        Answers(asks("POST", part), reply(status)),
        Delays(asks("POST"), 0.1, answers=True),
    ]
    add_old(registry, "latest")
    with pytest.raises(kind, match=f"mount {ARM64.config.digest}"):
        merge(server.host)
    assert registry.open_uploads == []
    assert tags(registry) == {"latest": OLD.digest}


def test_an_upload_that_cannot_be_cancelled_does_not_hide_the_refusal(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.refuse_mounts = True
    registry.hooks.append(Answers(asks("DELETE"), Truncated))
    with pytest.raises(MountRefusedError):
        merge(server.host)


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (400, _UNKNOWN, RegistryError),
        (403, _DENIED, AccessDeniedError),
        (413, "", RegistryError),
        (429, "", RateLimitedError),
        (500, "", ServerError),
    ],
)
def test_a_child_that_cannot_be_put_moves_no_tag(
    status: int,
    content: str,
    kind: type[RegistryError],
    server: RunningServer,
    registry: EmbeddedRegistry,
) -> None:
    registry.hooks.append(Answers(asks("PUT", ARM64.digest), reply(status, content)))
    add_old(registry, "latest", "1.0")
    with pytest.raises(kind, match=ARM64.digest):
        merge(server.host, tags=["1.0"])
    assert tags(registry) == {"latest": OLD.digest, "1.0": OLD.digest}
    assert not paths(registry.requests, "PUT", "/latest")


def test_a_registry_that_alters_a_child_moves_no_tag(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    altered = reply(201, docker_content_digest=OLD.digest)
    registry.hooks.append(Answers(asks("PUT", ARM64.digest), altered))
    with pytest.raises(DigestMismatchError, match=f"stored {OLD.digest}"):
        merge(server.host)
    assert tags(registry) == {}


def test_an_image_of_the_wrong_platform_moves_no_tag_even_where_its_blobs_are_mounted(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/app-s390x", "1.0", ARM64)
    add_old(registry, "latest")
    with pytest.raises(PlatformMismatchError):
        merge(
            server.host,
            template=f"{server.host}/team/app-ARCH:1.0",
            platforms=["linux/amd64", "linux/s390x"],
            platform_check="error",
        )
    assert tags(registry) == {"latest": OLD.digest}
    assert registry.open_uploads == []


def test_the_error_names_the_tag_that_failed_and_those_that_moved_and_a_rerun_completes(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_old(registry, "latest", "1.0", "1")
    fails = Answers(asks("PUT", "/manifests/1.0"), reply(403, _DENIED))
    registry.hooks.append(fails)
    events: list[Event] = []
    with pytest.raises(PublishError, match=r"1\.0 could not be moved.*immutable") as caught:
        merge(server.host, tags=["1.0", "1"], on_event=events.append)
    assert caught.value.moved == ("latest", "1")
    assert caught.value.failed == ("1.0",)
    assert "run the same command again" in caught.value.hint
    assert {event.tag for event in events if isinstance(event, TagMoved)} == {"latest", "1"}
    assert tags(registry)["1.0"] == OLD.digest
    registry.hooks.remove(fails)
    registry.requests.clear()
    result = merge(server.host, tags=["1.0", "1"])
    assert [tag.changed for tag in result.tags] == [False, True, False]
    assert len(writes(registry.requests)) == 1
    assert set(tags(registry).values()) == {result.digest}


def test_tags_that_all_fail_are_the_registry_s_error_and_none_has_moved(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_old(registry, "latest", "1.0")
    matches = [asks("PUT", f"/manifests/{tag}") for tag in ("latest", "1.0")]
    registry.hooks += [Answers(match, reply(403, _DENIED)) for match in matches]
    with pytest.raises(ImmutableTagError, match=r"the tag latest of \S+/team/app is immutable"):
        merge(server.host, tags=["1.0"])
    assert tags(registry) == {"latest": OLD.digest, "1.0": OLD.digest}


def test_the_error_names_a_tag_that_pointed_to_the_index_already_as_moved(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    registry.hooks.append(Answers(asks("PUT", "/manifests/1.0"), reply(500)))
    with pytest.raises(PublishError) as caught:
        merge(server.host, tags=["1.0"])
    assert (caught.value.moved, caught.value.failed) == (("latest",), ("1.0",))


def test_a_tag_whose_answer_breaks_off_counts_as_failed_and_the_others_move(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("PUT", "/manifests/1.0"), Truncated))
    with pytest.raises(PublishError, match="broke off") as caught:
        merge(server.host, tags=["1.0"])
    assert (caught.value.moved, caught.value.failed) == (("latest",), ("1.0",))
    assert list(tags(registry)) == ["latest"]


def test_children_without_an_answer_to_head_are_transferred_once_a_push_misses_them(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("HEAD", ARM64.digest), reply(405)))
    merge(server.host)
    repository = registry.storage.repositories[REPOSITORY]
    del repository.manifests[ARM64.digest]
    repository.blobs.discard(ARM64.config.digest)
    registry.requests.clear()
    result = merge(server.host, tags=["new"])
    assert tags(registry) == {"latest": result.digest, "new": result.digest}
    assert ARM64.digest in repository.manifests
    statuses = [seen.status for seen in registry.requests if seen.path.endswith("/new")]
    assert statuses == [404, 400, 201]


def test_children_are_transferred_again_only_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    registry.requests.clear()
    registry.hooks.append(Answers(asks("PUT", "/manifests/new"), reply(400, _UNKNOWN)))
    with pytest.raises(PublishError) as caught:
        merge(server.host, tags=["new"])
    assert (caught.value.moved, caught.value.failed) == (("latest",), ("new",))
    assert len(paths(registry.requests, "PUT", "/manifests/new")) == 2
    assert _child_puts(registry) == {image.digest for image in IMAGES.values()}


def test_another_failure_of_a_tag_transfers_no_child_again(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    registry.requests.clear()
    registry.hooks.append(Answers(asks("PUT", "/manifests/new"), reply(403, _DENIED)))
    with pytest.raises(PublishError):
        merge(server.host, tags=["new"])
    assert len(writes(registry.requests)) == 1


def test_a_mount_that_is_refused_on_the_second_try_is_the_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    images = [AMD64, build_image("linux", "s390x")]
    registry.add_image(REPOSITORY, "latest", build_index(images))
    repository = registry.storage.repositories[REPOSITORY]
    del repository.manifests[AMD64.digest]
    repository.blobs.remove(AMD64.layers[-1].digest)
    registry.settings.refuse_mounts = True
    with pytest.raises(MountRefusedError):
        merge(server.host, sources=[f"{server.host}/team/app-amd64:1.0"])
    assert registry.open_uploads == []
    assert tags(registry)["latest"] == build_index(images).digest


def test_a_connection_that_breaks_in_the_middle_of_mounts_moves_no_tag(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    part = ARMV7.config.digest.removeprefix("sha256:")
    registry.hooks.append(Answers(asks("POST", part), Truncated))
    add_old(registry, "latest")
    with pytest.raises(TransportError, match="broke off"):
        merge(server.host)
    assert tags(registry) == {"latest": OLD.digest}
