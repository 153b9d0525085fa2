"""Several targets: all are ready before the first tag of any moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Settings
from fixtures.server import RunningServer, serve
from fixtures.tokens import Account
from oci_merge import (
    Event,
    MergeResult,
    OciMergeError,
    PublishError,
    ServerError,
    TagMoved,
    TagResult,
    UsageError,
)
from tests.edge.support import (
    IMAGES,
    Answers,
    asks,
    paths,
    reply,
    sources,
    stocked,
    tags,
)


def _merge(host: str, *names: str, **options: Any) -> MergeResult:
    return oci_merge.merge(
        targets=[f"{host}/{name}" for name in names], sources=sources(host), **options
    )


def test_every_target_gets_the_index_and_what_it_lists(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = _merge(server.host, "team/app:1.0", "mirror/app:latest", tags=["stable"])
    for repository, own in (("team/app", "1.0"), ("mirror/app", "latest")):
        assert tags(registry, repository) == {own: result.digest, "stable": result.digest}
        held = registry.storage.repositories[repository]
        assert {image.digest for image in IMAGES.values()} <= set(held.manifests)
    assert [target.reference for target in result.targets] == [
        f"{server.host}/team/app:1.0",
        f"{server.host}/mirror/app:latest",
    ]
    assert result.targets[1].tags == (TagResult("latest", True), TagResult("stable", True))
    assert (result.target, result.tags) == (result.targets[0].reference, result.targets[0].tags)


def test_no_tag_moves_before_every_target_is_ready(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = _merge(server.host, "team/app:1.0", "mirror/app:1.0", "mirror/other:1.0")
    puts = paths(registry.requests, "PUT", "/manifests/")
    assert all("/manifests/sha256:" in path for path in puts[:9])
    assert sorted(puts[9:]) == [
        "/v2/mirror/app/manifests/1.0",
        "/v2/mirror/other/manifests/1.0",
        "/v2/team/app/manifests/1.0",
    ]
    assert len(puts) == 12
    assert result.changed


def test_a_target_that_cannot_be_made_ready_leaves_every_tag(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("PUT", "mirror/app/manifests/sha256"), reply(500)))
    with pytest.raises(ServerError):
        _merge(server.host, "team/app:1.0", "mirror/app:1.0", retries=0)
    assert tags(registry) == {}
    assert tags(registry, "mirror/app") == {}


def test_a_tag_that_fails_is_named_with_its_repository(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    hook = Answers(asks("PUT", "mirror/app/manifests/1.0"), reply(500))
    registry.hooks.append(hook)
    names = "team/app:1.0", "mirror/app:1.0"
    with pytest.raises(PublishError, match="points to the new index, but") as caught:
        _merge(server.host, *names, retries=0)
    host = server.host
    assert caught.value.moved == (f"{host}/team/app:1.0",)
    assert caught.value.failed == (f"{host}/mirror/app:1.0",)
    assert caught.value.message.count("could not be moved") == 1
    registry.hooks.remove(hook)
    again = _merge(server.host, *names)
    assert [target.tags[0].changed for target in again.targets] == [False, True]


def test_an_error_of_every_target_is_told_as_it_is(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("PUT", "/manifests/1.0"), reply(500)))
    with pytest.raises(OciMergeError) as caught:
        _merge(server.host, "team/app:1.0", "mirror/app:1.0", retries=0)
    assert isinstance(caught.value, ServerError)
    assert caught.value.__cause__ is not caught.value  # who walks the causes would never end


def test_an_unchanged_target_is_told_apart_from_a_changed_one(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    events: list[Event] = []
    _merge(server.host, "team/app:1.0")
    result = _merge(server.host, "team/app:1.0", "mirror/app:1.0", on_event=events.append)
    assert [target.tags for target in result.targets] == [
        (TagResult("1.0", False),),
        (TagResult("1.0", True),),
    ]
    moved = {event.reference: event.changed for event in events if isinstance(event, TagMoved)}
    assert moved == {f"{server.host}/team/app:1.0": False, f"{server.host}/mirror/app:1.0": True}


def test_targets_in_other_registries_have_logins_of_their_own(
    server: RunningServer, registry: EmbeddedRegistry, tmp_path: Any
) -> None:
    other = EmbeddedRegistry(
        Settings(
            auth=BasicAuth(
                [Account("mirror", "word-for-mirror", {"*": frozenset({"pull", "push"})})]
            )
        )
    )
    with serve(other.app) as elsewhere:
        config = {"auths": {elsewhere.host: {"username": "mirror", "password": "word-for-mirror"}}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        result = oci_merge.merge(
            f"{server.host}/team/app:1.0",
            targets=[f"{elsewhere.host}/team/app:1.0"],
            sources=sources(server.host),
            copy_layers=True,
            docker_config=tmp_path,
        )
    assert tags(registry) == tags(other) == {"1.0": result.digest}
    assert all("authorization" not in record.headers for record in registry.requests)


def test_a_dry_run_writes_to_no_target(server: RunningServer, registry: EmbeddedRegistry) -> None:
    result = _merge(server.host, "team/app:1.0", "mirror/app:1.0", dry_run=True)
    assert tags(registry) == tags(registry, "mirror/app") == {}
    document = json.loads(json.dumps(result.to_dict()))
    assert [target["target"] for target in document["targets"]] == [
        f"{server.host}/team/app:1.0",
        f"{server.host}/mirror/app:1.0",
    ]


def test_the_images_own_repository_may_be_a_target_beside_another() -> None:
    registry = stocked()
    with serve(registry.app) as server:
        result = _merge(server.host, "team/app-amd64:all", "mirror/app:all")
    assert tags(registry, "team/app-amd64")["all"] == result.digest
    assert tags(registry, "mirror/app") == {"all": result.digest}


def test_without_a_target_there_is_an_error() -> None:
    with pytest.raises(UsageError, match="the merge has no target"):
        oci_merge.merge(sources=["reg.example/app:1"])
