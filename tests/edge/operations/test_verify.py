"""Verification: what is read again after a merge, how long, and what it finds."""

from __future__ import annotations

import json

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Settings
from fixtures.embedded.faults import Answer, On, Refuse
from fixtures.embedded.quirks.staleness import LateReads, OldTags
from fixtures.images import build_attestation, build_image, build_index
from fixtures.server import RunningServer, serve
from oci_merge import StageAdvanced, StageStarted, VerificationError
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    CI,
    IMAGES,
    OLD,
    PASSWORD,
    REPOSITORY,
    add_old,
    merge,
    paths,
    sources,
    stocked,
    tags,
    target,
    with_tokens,
)

CHILDREN = {image.digest for image in IMAGES.values()}
BLOBS = {blob.digest for image in IMAGES.values() for blob in (image.config, *image.layers)}


def test_every_tag_child_and_blob_is_read_again_from_the_target(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    result = merge(server.host, tags=["1.0"], verify=True)
    assert result.verified
    assert result.to_dict()["verified"] is True
    puts = [n for n, record in enumerate(registry.requests) if record.method == "PUT"]
    after = registry.requests[puts[-1] + 1 :]
    assert set(paths(after, "GET", f"{REPOSITORY}/manifests/")) == {
        f"/v2/{REPOSITORY}/manifests/{name}" for name in ("latest", "1.0", *CHILDREN)
    }
    assert set(paths(after, "HEAD")) == {f"/v2/{REPOSITORY}/blobs/{digest}" for digest in BLOBS}


def test_without_the_option_nothing_is_read_after_the_tags(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    result = merge(server.host)
    assert not result.verified
    assert registry.requests[-1].method == "PUT"


def test_a_dry_run_verifies_nothing(server: RunningServer) -> None:
    assert not merge(server.host, verify=True, dry_run=True).verified


def test_a_verification_logs_in_anew() -> None:
    registry = stocked(Settings(auth=with_tokens()))
    with serve(registry.app) as server:
        merge(server.host, verify=True, username=CI.username, password=PASSWORD)
    tokens = paths(registry.requests, "GET", "/token")
    assert len(tokens) == 2
    assert "push" in tokens[0]
    assert "push" not in tokens[1]


@pytest.mark.parametrize("there_before", [True, False], ids=["an old image", "nothing"])
def test_a_tag_that_a_cache_shows_as_it_was_is_looked_at_until_it_is_new(
    waits: list[float], there_before: bool
) -> None:
    registry = stocked()
    if there_before:
        add_old(registry, "latest")
    registry.hooks.append(OldTags(3))
    with serve(registry.app) as server:
        result = merge(server.host, verify=True)
    assert result.verified
    assert waits == [0.5, 1.0, 2.0]


def test_manifests_and_blobs_that_come_late_are_looked_for_again(waits: list[float]) -> None:
    registry = stocked(hooks=[LateReads(REPOSITORY, 2)])
    with serve(registry.app) as server:
        assert merge(server.host, verify=True).verified
    assert waits


def test_a_tag_that_stays_old_is_an_error_that_says_what_it_points_to(waits: list[float]) -> None:
    registry = stocked(hooks=[OldTags(10**6)])
    add_old(registry, "latest")
    with serve(registry.app) as server, pytest.raises(VerificationError) as caught:
        merge(server.host, tags=["1.0"], verify=True)
    error = caught.value
    digest = tags(registry)["latest"]
    assert error.digest == digest
    assert error.missing == (target(server.host), target(server.host, "1.0"))
    assert f"is published as {digest}" in error.message
    assert f"{target(server.host)} still points to {OLD.digest}" in error.message
    assert f"{target(server.host, '1.0')} is not there" in error.message
    assert "the tags have moved already" in error.hint
    assert max(waits) == 8.0
    assert 45 < sum(waits) <= 60


def test_the_deadline_ends_the_looking(waits: list[float]) -> None:
    registry = stocked(hooks=[OldTags(10**6)])
    with serve(registry.app) as server, pytest.raises(VerificationError):
        merge(server.host, verify=True, deadline=3)
    assert waits == [0.5, 1.0, 2.0]


def test_a_tag_that_somebody_else_has_moved_is_not_called_old(waits: list[float]) -> None:
    registry = stocked()
    other = build_image("linux", "riscv64", text="other")

    def on_event(event: oci_merge.Event) -> None:
        if isinstance(event, oci_merge.TagMoved):
            registry.add_image(REPOSITORY, "latest", other)

    with serve(registry.app) as server, pytest.raises(VerificationError) as caught:
        merge(server.host, verify=True, on_event=on_event)
    assert f"{target(server.host)} points to {other.digest}" in caught.value.message


def test_a_child_that_vanishes_after_the_push_is_named(waits: list[float]) -> None:
    registry = stocked()
    lost = ARM64.digest

    def on_event(event: oci_merge.Event) -> None:
        if isinstance(event, oci_merge.TagMoved):
            registry.storage.remove_manifest(REPOSITORY, lost)

    with serve(registry.app) as server, pytest.raises(VerificationError) as caught:
        merge(server.host, verify=True, on_event=on_event)
    assert caught.value.missing == (f"{server.host}/{REPOSITORY}@{lost}",)


def test_a_blob_that_vanishes_after_the_push_is_named(waits: list[float]) -> None:
    registry = stocked()
    lost = ARMV7.layers[-1].digest

    def on_event(event: oci_merge.Event) -> None:
        if isinstance(event, oci_merge.TagMoved):
            registry.storage.remove_blob(REPOSITORY, lost)

    with serve(registry.app) as server, pytest.raises(VerificationError, match=lost):
        merge(server.host, verify=True, on_event=on_event)


def test_a_registry_that_fails_meanwhile_is_an_error_that_says_what_is_published(
    waits: list[float],
) -> None:
    registry = stocked(hooks=[On("GET", f"/v2/{REPOSITORY}/manifests/sha256*", Answer(503))])
    with serve(registry.app) as server, pytest.raises(VerificationError) as caught:
        merge(server.host, verify=True, retries=0)
    assert "but could not be verified: " in caught.value.message
    assert caught.value.digest == tags(registry)["latest"]
    assert isinstance(caught.value.__cause__, oci_merge.ServerError)


def test_who_may_push_but_not_pull_hears_that_it_is_published_unverified() -> None:
    registry = stocked(hooks=[On("GET", f"/v2/{REPOSITORY}/manifests/*", Refuse("DENIED"))])
    with serve(registry.app) as server, pytest.raises(VerificationError, match="not be verified"):
        merge(server.host, verify=True)


def test_foreign_layers_need_not_be_there() -> None:
    windows = build_image("windows", "amd64", foreign_layer=True)
    registry = stocked(images={"team/app-windows": windows})
    with serve(registry.app) as server:
        assert merge(
            server.host, sources=[f"{server.host}/team/app-windows:1.0"], verify=True
        ).verified


def test_attestations_are_verified_and_have_no_platform() -> None:
    attestation = build_attestation(AMD64)
    registry = stocked(images={})
    registry.add_image("team/whole", "1.0", build_index([AMD64, attestation]))
    with serve(registry.app) as server:
        result = merge(server.host, sources=[f"{server.host}/team/whole:1.0"], verify=True)
    assert result.verified
    assert result.warnings == ()
    gets = paths(registry.requests, "GET", f"{REPOSITORY}/manifests/{attestation.digest}")
    assert gets


def test_a_platform_that_was_asked_for_is_warned_of_once(server: RunningServer) -> None:
    wrong = [f"{sources(server.host)[0]}=linux/arm64"]
    result = merge(server.host, sources=wrong, verify=True)
    assert len(result.warnings) == 1
    assert merge(server.host, sources=wrong, verify=True, platform_check="off").warnings == ()


def test_an_entry_of_an_index_that_its_config_contradicts_is_warned_of() -> None:
    registry = stocked(images={})
    index = build_index([AMD64])
    document = json.loads(index.manifest)
    document["manifests"][0]["platform"] = {"os": "linux", "architecture": "arm64"}
    registry.add_image("team/whole", "1.0", AMD64)
    from fixtures.embedded.storage import StoredManifest
    from fixtures.images import digest_of

    content = json.dumps(document).encode()
    stored = StoredManifest(digest_of(content), document["mediaType"], content)
    registry.storage.put_manifest("team/whole", stored, ["wrong"])
    with serve(registry.app) as server:
        source = f"{server.host}/team/whole:wrong"
        [warning] = merge(server.host, sources=[source], verify=True).warnings
        assert "is listed as linux/arm64, but its config says linux/amd64" in warning
        with pytest.raises(VerificationError, match="is listed as linux/arm64"):
            oci_merge.verify(source)


def test_every_target_is_verified(waits: list[float]) -> None:
    registry = stocked()

    def on_event(event: oci_merge.Event) -> None:
        if isinstance(event, oci_merge.TagMoved) and "other" in event.reference:
            registry.storage.remove_manifest("team/other", AMD64.digest)

    with serve(registry.app) as server, pytest.raises(VerificationError, match="team/other@"):
        merge(
            server.host,
            targets=[f"{server.host}/team/other:1.0"],
            verify=True,
            on_event=on_event,
        )


def test_progress_counts_tags_and_manifests(server: RunningServer) -> None:
    events: list[oci_merge.Event] = []
    merge(server.host, verify=True, on_event=events.append)
    [start] = [e for e in events if isinstance(e, StageStarted) and e.stage == "verify"]
    done = [e for e in events if isinstance(e, StageAdvanced) and e.stage == "verify"]
    assert start.total == len(done) == 1 + len(IMAGES)


class TestVerb:
    """``verify`` by itself."""

    def test_it_counts_what_is_there(self, server: RunningServer) -> None:
        result = merge(server.host)
        found = oci_merge.verify(target(server.host), digest=result.digest)
        assert found.digest == result.digest
        assert found.reference == f"{target(server.host)}@{result.digest}"
        assert [str(platform) for platform in found.platforms] == [
            "linux/amd64",
            "linux/arm64",
            "linux/arm/v7",
        ]
        assert (found.manifests, found.blobs) == (3, len(BLOBS))
        assert json.loads(json.dumps(found.to_dict())) == found.to_dict()

    def test_a_single_image_is_verified_too(self, server: RunningServer) -> None:
        found = oci_merge.verify(sources(server.host)[0], platforms=["linux/amd64"])
        assert (found.digest, found.manifests) == (AMD64.digest, 0)

    def test_a_platform_that_it_must_have_and_has_not_is_an_error(
        self, server: RunningServer
    ) -> None:
        merge(server.host)
        with pytest.raises(VerificationError, match="no image for linux/s390x"):
            oci_merge.verify(target(server.host), platforms=["linux/arm64", "linux/s390x"])

    def test_a_tag_at_another_digest_is_an_error(
        self, server: RunningServer, waits: list[float]
    ) -> None:
        merge(server.host)
        source = sources(server.host)[0]
        with pytest.raises(VerificationError) as caught:
            oci_merge.verify(source, digest=ARM64.digest)
        assert "is not complete" in caught.value.message

    def test_a_tag_that_is_not_there_is_waited_for(
        self, registry: EmbeddedRegistry, server: RunningServer, waits: list[float]
    ) -> None:
        with pytest.raises(VerificationError, match="is not there"):
            oci_merge.verify(target(server.host))
        assert waits

    @pytest.mark.parametrize("wrong", ["team/app", "reg.test/app"])
    def test_a_reference_without_tag_and_digest_is_wrong_usage(self, wrong: str) -> None:
        with pytest.raises(oci_merge.UsageError):
            oci_merge.verify(wrong)

    def test_two_digests_are_wrong_usage(self) -> None:
        with pytest.raises(oci_merge.UsageError, match="another digest"):
            oci_merge.verify(f"reg.test/app@{AMD64.digest}", digest=ARM64.digest)
