"""Cleaning up: which tags are deleted, and that no manifest of the index is."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Settings
from fixtures.embedded.faults import Answer, BreakOff, On, Refuse
from fixtures.embedded.quirks.staleness import OldTags, TagDeletion
from fixtures.images import build_image, build_index
from fixtures.server import RunningServer, serve
from fixtures.tokens import Account
from oci_merge import MergeResult, TagDeleted, VerificationError
from tests.edge.support import (
    AMD64,
    ARM64,
    IMAGES,
    PASSWORD,
    REPOSITORY,
    merge,
    paths,
    sources,
    stocked,
    tags,
    target,
    with_tokens,
)

NEWER = build_image("linux", "amd64", text="newer")


def own_images() -> EmbeddedRegistry:
    """Return a registry with the images in the target's own repository."""
    registry = stocked(images={})
    registry.add_image(REPOSITORY, "1.0-amd64", AMD64)
    registry.add_image(REPOSITORY, "1.0-arm64", ARM64)
    return registry


def merge_own(host: str, **options: Any) -> MergeResult:
    return merge(host, template=f"{host}/{REPOSITORY}:1.0-ARCH", delete_sources=True, **options)


def deletions(registry: EmbeddedRegistry) -> list[str]:
    return paths(registry.requests, "DELETE", "/manifests/")


def test_the_tags_of_the_images_are_deleted_after_a_verified_publish(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    events: list[oci_merge.Event] = []
    result = merge(server.host, delete_sources=True, on_event=events.append)
    assert result.verified
    assert result.deleted == tuple(sources(server.host))
    assert result.to_dict()["deleted"] == sources(server.host)
    assert [e.reference for e in events if isinstance(e, TagDeleted)] == sources(server.host)
    assert all(tags(registry, repository) == {} for repository in IMAGES)
    assert result.warnings == ()
    assert oci_merge.verify(target(server.host), digest=result.digest).manifests == 3


def test_in_the_targets_own_repository_the_manifests_stay() -> None:
    registry = own_images()
    with serve(registry.app) as server:
        result = merge_own(server.host)
        assert tags(registry) == {"latest": result.digest}
        assert oci_merge.verify(target(server.host)).manifests == 2


def test_nothing_is_deleted_by_digest(registry: EmbeddedRegistry, server: RunningServer) -> None:
    merge(server.host, delete_sources=True)
    assert deletions(registry)
    assert not [path for path in deletions(registry) if "sha256" in path]


def test_nothing_is_deleted_where_the_publish_cannot_be_verified(waits: list[float]) -> None:
    registry = stocked(hooks=[OldTags(10**6)])
    with serve(registry.app) as server, pytest.raises(VerificationError):
        merge(server.host, delete_sources=True)
    assert deletions(registry) == []


def test_a_dry_run_deletes_nothing(registry: EmbeddedRegistry, server: RunningServer) -> None:
    assert merge(server.host, delete_sources=True, dry_run=True).deleted == ()
    assert deletions(registry) == []


def test_a_tag_that_has_moved_since_is_kept_and_named(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    def on_event(event: oci_merge.Event) -> None:
        if isinstance(event, oci_merge.TagMoved):
            registry.add_image("team/app-amd64", "1.0", NEWER)

    result = merge(server.host, delete_sources=True, on_event=on_event)
    first, *others = sources(server.host)
    assert result.deleted == tuple(others)
    [warning] = result.warnings
    assert warning.startswith(f"{first} stays: it points to {NEWER.digest} since")
    assert tags(registry, "team/app-amd64") == {"1.0": NEWER.digest}


def test_an_image_whose_tag_is_a_target_keeps_it() -> None:
    registry = own_images()
    with serve(registry.app) as server:
        result = merge_own(server.host, tags=["1.0-amd64"])
        assert tags(registry) == {"latest": result.digest, "1.0-amd64": result.digest}
        assert result.deleted == (f"{server.host}/{REPOSITORY}:1.0-arm64",)


def test_images_by_digest_have_no_tag_to_delete(server: RunningServer) -> None:
    first, second, _ = sources(server.host)
    by_digest = f"{server.host}/team/app-arm64@{ARM64.digest}"
    result = merge(server.host, sources=[first, by_digest], delete_sources=True)
    assert result.deleted == (first,)
    assert result.warnings == (f"{by_digest} was joined by digest, so no tag is deleted",)
    assert oci_merge.inspect(second).digest == ARM64.digest


def test_one_tag_of_two_platforms_is_deleted_once() -> None:
    registry = stocked(images={})
    registry.add_image("team/whole", "1.0", build_index([AMD64, ARM64]))
    with serve(registry.app) as server:
        whole = f"{server.host}/team/whole:1.0"
        result = merge(
            server.host,
            sources=[(whole, "linux/amd64"), (whole, "linux/arm64")],
            delete_sources=True,
        )
    assert result.deleted == (whole,)
    assert deletions(registry) == ["/v2/team/whole/manifests/1.0"]


@pytest.mark.parametrize(
    ("way", "status"), [("refused", 405), ("invalid", 400), ("no endpoint", 404)]
)
def test_a_registry_that_deletes_no_tag_is_asked_once_and_warned_of(
    way: Literal["refused", "invalid", "no endpoint"], status: int
) -> None:
    registry = stocked(hooks=[TagDeletion(way)])
    with serve(registry.app) as server:
        result = merge(server.host, delete_sources=True)
        [warning] = result.warnings
        for name in sources(server.host):
            assert name in warning
        assert (
            f"{server.host} deletes no tag without its manifest (it answered {status})" in warning
        )
    assert result.deleted == ()
    assert len(deletions(registry)) == 1
    assert all(tags(registry, repository) for repository in IMAGES)


def test_a_deletion_without_effect_is_warned_of(waits: list[float]) -> None:
    registry = stocked(hooks=[TagDeletion("nothing")])
    with serve(registry.app) as server:
        result = merge(server.host, delete_sources=True)
    assert result.deleted == ()
    assert "has accepted the deletion, but still shows it" in result.warnings[0]


def test_a_manifest_that_goes_with_its_tag_is_put_back_and_no_other_tag_is_deleted() -> None:
    registry = own_images()
    registry.hooks.append(TagDeletion("manifest"))
    with serve(registry.app) as server:
        with pytest.raises(VerificationError) as caught:
            merge_own(server.host)
        error = caught.value
        digest = tags(registry)["latest"]
        assert error.digest == digest
        lost = f"{server.host}/{REPOSITORY}@{AMD64.digest}"
        assert f"{server.host} has deleted {lost} with the tag 1.0-amd64" in error.message
        assert "it was put back, and no other tag is deleted" in error.message
        assert error.missing == ()
        assert oci_merge.verify(target(server.host), digest=digest).manifests == 2
    assert "1.0-arm64" in tags(registry)
    assert len(deletions(registry)) == 1


def test_a_manifest_that_cannot_be_put_back_is_named() -> None:
    registry = own_images()
    registry.hooks += [
        TagDeletion("manifest"),
        On("PUT", f"/v2/{REPOSITORY}/manifests/sha256*", Refuse("DENIED")),
    ]
    with serve(registry.app) as server, pytest.raises(VerificationError) as caught:
        merge_own(server.host)
    assert "it could not be put back" in caught.value.message
    assert caught.value.missing == (f"{server.host}/{REPOSITORY}@{AMD64.digest}",)


def test_in_another_repository_a_manifest_may_go_with_its_tag(server: RunningServer) -> None:
    registry = stocked(hooks=[TagDeletion("manifest")])
    with serve(registry.app) as server:
        result = merge(server.host, delete_sources=True)
        assert result.deleted == tuple(sources(server.host))
        assert oci_merge.verify(target(server.host)).manifests == 3


def test_an_answer_that_got_lost_is_looked_after() -> None:
    registry = stocked(hooks=[On("DELETE", "*/manifests/*", BreakOff(done=True))])
    with serve(registry.app) as server:
        result = merge(server.host, delete_sources=True, retries=0)
        assert result.deleted == tuple(sources(server.host))
    assert result.warnings == ()


def test_a_registry_that_fails_leaves_the_publish_as_it_is() -> None:
    registry = stocked(hooks=[On("DELETE", "*/manifests/*", Answer(503))])
    with serve(registry.app) as server:
        result = merge(server.host, delete_sources=True, retries=0)
    assert result.deleted == ()
    assert result.verified
    assert len(result.warnings) == 3


class TestRights:
    """What a token is asked for."""

    def registry(self, *actions: str) -> EmbeddedRegistry:
        account = Account("ci", PASSWORD, {"*": frozenset({"pull", "push", *actions})})
        return stocked(Settings(auth=with_tokens(accounts=[account])))

    def test_delete_is_asked_for_at_the_end_alone(self) -> None:
        registry = self.registry("delete")
        with serve(registry.app) as server:
            login = {"username": "ci", "password": PASSWORD}
            merge(server.host, tags=["0"], **login)
            plain = paths(registry.requests, "GET", "/token")
            assert not [path for path in plain if "delete" in path]
            result = merge(server.host, delete_sources=True, **login)
        assert result.deleted == tuple(sources(server.host))
        asked = [path for path in paths(registry.requests, "GET", "/token") if "delete" in path]
        assert len(asked) == len(IMAGES)

    def test_without_the_right_the_tags_stay_and_the_warning_says_why(self) -> None:
        registry = self.registry()
        with serve(registry.app) as server:
            result = merge(server.host, delete_sources=True, username="ci", password=PASSWORD)
        assert result.deleted == ()
        assert all("stays: " in warning for warning in result.warnings)
        assert result.warnings


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ghcr.io/team/app", "GitHub deletes no tag alone"),
        ("team/app", "Docker Hub deletes no tag"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app", "ECR deletes an image"),
    ],
)
def test_registries_known_for_it_are_refused_before_the_first_request(name: str, said: str) -> None:
    with pytest.raises(oci_merge.UsageError, match=said) as caught:
        oci_merge.merge(f"{name}:1.0", template=f"{name}:1.0-ARCH", delete_sources=True)
    assert "leave --delete-sources out" in caught.value.hint


def test_a_plan_says_what_is_deleted_and_apply_does_it(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    plan = json.loads(json.dumps(merge(server.host, delete_sources=True, dry_run=True).to_dict()))
    result = oci_merge.apply(plan)
    assert result.verified
    assert result.deleted == tuple(sources(server.host))
    again = oci_merge.apply(plan)
    assert (again.changed, again.deleted) == (False, ())
