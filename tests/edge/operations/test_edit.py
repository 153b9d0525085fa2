"""An index that exists is changed, and no other writer's change is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.embedded.faults import On, Refuse
from fixtures.embedded.storage import StoredManifest
from fixtures.images import (
    BuiltImage,
    BuiltIndex,
    Child,
    build_attestation,
    build_image,
    build_index,
    digest_of,
)
from fixtures.server import RunningServer, serve
from oci_merge import (
    AccessDeniedError,
    ManifestError,
    MergeResult,
    PlanError,
    TagChangedError,
    UsageError,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    REPOSITORY,
    paths,
    tags,
    target,
    writes,
)

S390X = build_image("linux", "s390x")
NEW_ARM64 = build_image("linux", "arm64", text="new")
BUILDX = build_index([AMD64, ARM64, build_attestation(AMD64), build_attestation(ARM64)])
_TAG = f"/v2/{REPOSITORY}/manifests/latest"

#: The changes, each with what another writer may do at the same time without contradicting it.
CHANGES: dict[str, Callable[[str], MergeResult]] = {
    "append": lambda host: append(host, "armv7"),
    "remove": lambda host: oci_merge.remove(target(host), platforms=["linux/arm64"]),
    "annotate": lambda host: oci_merge.annotate(target(host), annotations={"own": "1"}),
}


class Interrupts(Hook):
    """Does something once a request is through, before its answer is sent.

    Args:
        act: called each time.
        early: act before the registry sees the request.
    """

    def __init__(self, act: Callable[[], object], *, early: bool = False) -> None:
        self._act = act
        self._early = early

    async def before(self, request: Request) -> Response | None:
        if self._early:
            self._act()
        return None

    async def after(self, request: Request, response: Response) -> Response:
        if not self._early:
            self._act()
        return response


def append(host: str, *names: str, **options: Any) -> MergeResult:
    """Append images to the target's latest."""
    given = [f"{host}/team/app-{name}:1.0" for name in names]
    return oci_merge.append(target(host), sources=given, **options)


def digests(registry: EmbeddedRegistry, tag: str = "latest") -> list[str]:
    """Return the digests that the target's index lists."""
    return [entry["digest"] for entry in document(registry, tag)["manifests"]]


def document(registry: EmbeddedRegistry, tag: str = "latest") -> dict[str, Any]:
    """Return the target's index as JSON values."""
    held = registry.storage.manifest(REPOSITORY, tag)
    assert held is not None
    parsed: dict[str, Any] = json.loads(held.content)
    return parsed


def put(registry: EmbeddedRegistry, index: BuiltIndex | BuiltImage, *names: str) -> None:
    """Put an index under tags of the target."""
    for tag in names or ("latest",):
        registry.add_image(REPOSITORY, tag, index)


def another_platform(registry: EmbeddedRegistry) -> Callable[[], None]:
    """Return what adds a platform to whatever stands at the target."""

    def act() -> None:
        registry.add_image(REPOSITORY, S390X.digest, S390X)
        values = document(registry)
        if S390X.digest not in digests(registry):
            values["manifests"].append(S390X.descriptor(S390X.platform))
        content = json.dumps(values).encode()
        put(registry, BuiltIndex(content, str(values["mediaType"]), ()))

    return act


def did(change: str, registry: EmbeddedRegistry) -> bool:
    """Say whether a change is in the target's index."""
    if change == "append":
        return ARMV7.digest in digests(registry)
    if change == "remove":
        return ARM64.digest not in digests(registry)
    return document(registry).get("annotations") == {"own": "1"}


@pytest.mark.parametrize("change", CHANGES)
class TestEachChange:
    """What all of the changes do alike."""

    def test_it_keeps_the_rest_and_a_rerun_writes_nothing(
        self, change: str, registry: EmbeddedRegistry, server: RunningServer
    ) -> None:
        put(registry, BUILDX)
        result = CHANGES[change](server.host)
        assert result.changed
        assert did(change, registry)
        assert {AMD64.digest, build_attestation(AMD64).digest} <= set(digests(registry))
        assert tags(registry)["latest"] == result.digest
        registry.requests.clear()
        if change == "remove":
            return  # what is not there any more is an error
        again = CHANGES[change](server.host)
        assert not again.changed
        assert again.digest == result.digest
        assert writes(registry.requests) == []

    def test_a_writer_before_the_write_is_not_overwritten(
        self,
        change: str,
        registry: EmbeddedRegistry,
        server: RunningServer,
        waits: list[float],
    ) -> None:
        put(registry, BUILDX)
        act = Interrupts(another_platform(registry), early=True)
        registry.hooks.append(On("HEAD", _TAG, act, times=1))
        result = CHANGES[change](server.host)
        assert did(change, registry)
        assert S390X.digest in digests(registry)
        assert result.changed
        assert "linux/s390x" in [str(image.platform) for image in result.platforms]
        assert len(paths(registry.requests, "PUT", _TAG)) == 1
        assert len(waits) == 2  # before the second try, and before the look at the end

    def test_a_writer_after_the_write_who_had_not_seen_it_gets_the_change_as_well(
        self,
        change: str,
        registry: EmbeddedRegistry,
        server: RunningServer,
        waits: list[float],
    ) -> None:
        put(registry, BUILDX)
        other = build_index([*BUILDX.children, S390X])
        registry.hooks.append(On("PUT", _TAG, Interrupts(lambda: put(registry, other)), times=1))
        result = CHANGES[change](server.host)
        assert did(change, registry)
        assert S390X.digest in digests(registry)
        assert result.changed
        assert tags(registry)["latest"] == result.digest
        assert len(paths(registry.requests, "PUT", _TAG)) == 2

    def test_a_writer_after_the_write_who_has_seen_it_is_left_alone(
        self,
        change: str,
        registry: EmbeddedRegistry,
        server: RunningServer,
        waits: list[float],
    ) -> None:
        put(registry, BUILDX)
        registry.hooks.append(On("PUT", _TAG, Interrupts(another_platform(registry)), times=1))
        result = CHANGES[change](server.host)
        assert did(change, registry)
        assert S390X.digest in digests(registry)
        assert result.changed
        assert result.digest == tags(registry)["latest"]
        assert len(paths(registry.requests, "PUT", _TAG)) == 1

    def test_a_tag_that_never_stands_still_is_an_error_that_says_so(
        self,
        change: str,
        registry: EmbeddedRegistry,
        server: RunningServer,
        waits: list[float],
    ) -> None:
        put(registry, BUILDX)
        numbers = iter(range(100))

        def act() -> None:
            put(registry, build_index(BUILDX.children, annotations={"n": str(next(numbers))}))

        registry.hooks.append(On("HEAD", _TAG, Interrupts(act, early=True)))
        with pytest.raises(TagChangedError, match="each of the 5 times") as caught:
            CHANGES[change](server.host)
        assert caught.value.failed == (target(server.host),)
        assert paths(registry.requests, "PUT", _TAG) == []
        assert len(waits) == 4

    def test_a_dry_run_writes_nothing_and_says_what_would_come(
        self, change: str, registry: EmbeddedRegistry, server: RunningServer
    ) -> None:
        put(registry, BUILDX)
        dry = {
            "append": lambda host: append(host, "armv7", dry_run=True),
            "remove": lambda host: oci_merge.remove(
                target(host), platforms=["linux/arm64"], dry_run=True
            ),
            "annotate": lambda host: oci_merge.annotate(
                target(host), annotations={"own": "1"}, dry_run=True
            ),
        }[change](server.host)
        assert dry.changed
        assert dry.dry_run
        assert writes(registry.requests) == []
        assert CHANGES[change](server.host).digest == dry.digest

    def test_what_the_registry_has_lost_is_not_listed_again(
        self, change: str, registry: EmbeddedRegistry, server: RunningServer
    ) -> None:
        registry.settings.children = "anything"
        put(registry, BUILDX)
        del registry.storage.repositories[REPOSITORY].manifests[AMD64.digest]
        with pytest.raises(ManifestError, match=f"linux/amd64 as {AMD64.digest}"):
            CHANGES[change](server.host)
        assert tags(registry)["latest"] == BUILDX.digest

    def test_a_tag_that_may_not_be_read_is_an_error(
        self, change: str, registry: EmbeddedRegistry, server: RunningServer
    ) -> None:
        put(registry, BUILDX)
        registry.hooks.append(On("GET", _TAG, Refuse("DENIED", status=403)))
        with pytest.raises(AccessDeniedError):
            CHANGES[change](server.host)
        assert paths(registry.requests, "PUT", _TAG) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda at: oci_merge.remove(at, platforms=["linux/arm64"]),
        lambda at: oci_merge.annotate(at, annotations={"a": "1"}),
    ],
    ids=["remove", "annotate"],
)
class TestRemoveAndAnnotate:
    """What is asked of a tag that cannot be changed."""

    def test_a_digest_is_refused(self, call: Callable[[str], MergeResult]) -> None:
        with pytest.raises(UsageError, match="has a digest"):
            call(f"reg.test/team/app@{AMD64.digest}")

    def test_a_name_without_a_tag_is_refused(self, call: Callable[[str], MergeResult]) -> None:
        with pytest.raises(UsageError, match="has no tag"):
            call("reg.test/team/app")

    def test_a_single_image_is_refused(
        self,
        call: Callable[[str], MergeResult],
        registry: EmbeddedRegistry,
        server: RunningServer,
    ) -> None:
        put(registry, AMD64)
        with pytest.raises(ManifestError, match="single image and no index"):
            call(target(server.host))

    def test_a_tag_that_is_not_there_is_refused(
        self, call: Callable[[str], MergeResult], server: RunningServer
    ) -> None:
        with pytest.raises(oci_merge.NotFoundError):
            call(target(server.host))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "no annotation is given"),
        ({"annotations": {"a": "1"}, "remove_annotations": ["a"]}, "to be set and to be removed"),
        ({"remove_annotations": ["manifest:a"]}, "building it anew"),
        ({"annotations": {"manifest-descriptor[x]:a": "1"}}, "not a platform"),
        ({"remove_annotations": ["a", ""]}, "has an empty key"),
    ],
)
def test_annotations_that_make_no_sense_are_refused(options: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        oci_merge.annotate("reg.test/team/app:1", **options)


def test_a_removal_without_a_platform_is_refused() -> None:
    with pytest.raises(UsageError, match="no platform to remove"):
        oci_merge.remove("reg.test/team/app:1")


def test_entries_without_a_platform_are_known_by_their_configs(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    put(registry, build_index([Child(AMD64), Child(ARM64)]))
    oci_merge.remove(target(server.host), platforms=["linux/arm64"])
    assert digests(registry) == [AMD64.digest]


def test_appending_to_nothing_is_a_plain_merge(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    result = append(server.host, "amd64", "arm64")
    assert digests(registry) == [AMD64.digest, ARM64.digest]
    assert result.changed


def test_of_two_who_append_first_neither_is_lost(
    registry: EmbeddedRegistry, server: RunningServer, waits: list[float]
) -> None:
    act = Interrupts(lambda: put(registry, build_index([S390X])), early=True)
    registry.hooks.append(On("HEAD", _TAG, act, times=1))
    append(server.host, "amd64")
    assert digests(registry) == [S390X.digest, AMD64.digest]


def test_a_single_image_becomes_an_entry(registry: EmbeddedRegistry, server: RunningServer) -> None:
    put(registry, AMD64)
    result = append(server.host, "arm64")
    assert digests(registry) == [AMD64.digest, ARM64.digest]
    assert document(registry)["manifests"][0]["platform"] == {
        "architecture": "amd64",
        "os": "linux",
    }
    assert [image.source for image in result.platforms] == [
        target(server.host),
        f"{server.host}/team/app-arm64:1.0",
    ]


def test_a_single_image_without_a_platform_is_an_error(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    put(registry, build_image("", ""))
    with pytest.raises(ManifestError, match="config says no platform"):
        append(server.host, "arm64")


def test_what_stands_at_the_target_and_cannot_be_read_is_an_error_and_not_replaced(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    broken = b'{"schemaVersion":2,"manifests":[{"digest":"x"}]}'
    held = StoredManifest(digest_of(broken), BUILDX.media_type, broken)
    registry.storage.put_manifest(REPOSITORY, held, ["latest"])
    before = tags(registry)
    with pytest.raises(ManifestError):
        append(server.host, "arm64")
    assert tags(registry) == before


def test_every_tag_and_every_target_gets_the_index_of_the_first(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    put(registry, BUILDX)
    put(registry, build_index([S390X]), "old")
    other = f"{server.host}/else/where:latest"
    result = append(server.host, "armv7", tags=["old"], targets=[other])
    assert [ARMV7.digest] == digests(registry, "old")[4:]
    assert tags(registry)["old"] == tags(registry)["latest"] == result.digest
    assert tags(registry, "else/where") == {"latest": result.digest, "old": result.digest}
    held = registry.storage.repositories["else/where"]
    assert set(digests(registry)) <= set(held.manifests)
    for image in (AMD64, ARM64, ARMV7, build_attestation(AMD64)):
        assert {blob.digest for blob in image.blobs} <= held.blobs


def test_an_image_is_replaced_with_its_attestation(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    put(registry, BUILDX)
    fresh = build_index([NEW_ARM64, build_attestation(NEW_ARM64)])
    registry.add_image("team/app-new", "1.0", fresh)
    result = append(server.host, "new")
    assert digests(registry) == [
        AMD64.digest,
        NEW_ARM64.digest,
        build_attestation(AMD64).digest,
        build_attestation(NEW_ARM64).digest,
    ]
    assert [image.attestations for image in result.platforms] == [
        (build_attestation(AMD64).digest,),
        (build_attestation(NEW_ARM64).digest,),
    ]


def test_a_removal_that_another_writer_made_meanwhile_is_done(
    registry: EmbeddedRegistry, server: RunningServer, waits: list[float]
) -> None:
    put(registry, BUILDX)
    act = Interrupts(lambda: put(registry, build_index([AMD64])), early=True)
    registry.hooks.append(On("HEAD", _TAG, act, times=1))
    result = oci_merge.remove(target(server.host), platforms=["linux/arm64"])
    assert not result.changed
    assert digests(registry) == [AMD64.digest]


def test_a_look_that_shows_an_old_tag_leads_to_no_second_write(
    registry: EmbeddedRegistry, server: RunningServer, waits: list[float]
) -> None:
    put(registry, BUILDX)

    class Late(Hook):
        async def after(self, request: Request, response: Response) -> Response:
            response.headers["docker-content-digest"] = BUILDX.digest
            return response

    registry.hooks.append(late := On("HEAD", _TAG, Late(), skip=1, times=1))
    result = oci_merge.annotate(target(server.host), annotations={"a": "1"})
    assert result.changed
    assert late.struck == 1
    assert len(paths(registry.requests, "PUT", _TAG)) == 1


def test_a_writer_who_looked_before_the_write_and_wrote_after_it_is_seen(
    registry: EmbeddedRegistry, server: RunningServer, set_timings: Callable[..., None]
) -> None:
    put(registry, BUILDX)
    other = build_index([*BUILDX.children, S390X])

    others = [other]

    async def sleep(wait: float) -> None:
        if others:
            put(registry, others.pop())

    set_timings(sleep=sleep)
    oci_merge.annotate(target(server.host), annotations={"own": "1"})
    assert did("annotate", registry)
    assert S390X.digest in digests(registry)


def test_a_docker_list_is_not_annotated(registry: EmbeddedRegistry, server: RunningServer) -> None:
    put(registry, build_index([build_image(docker=True)], docker=True))
    with pytest.raises(PlanError, match="Docker manifest list"):
        oci_merge.annotate(target(server.host), annotations={"a": "1"})


def test_an_index_within_the_index_goes_to_no_other_repository(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    put(registry, build_index([build_index([S390X]), AMD64]))
    with pytest.raises(PlanError, match="cannot go to another repository"):
        append(server.host, "arm64", targets=[f"{server.host}/else/where:latest"])
    result = append(server.host, "arm64")
    assert digests(registry)[1:] == [AMD64.digest, ARM64.digest]
    assert "says no platform; it is kept" in result.warnings[0]


def test_what_stays_is_copied_to_a_target_in_another_registry(
    registry: EmbeddedRegistry, server: RunningServer
) -> None:
    put(registry, BUILDX)
    with serve((other := EmbeddedRegistry()).app) as elsewhere:
        there = f"{elsewhere.host}/{REPOSITORY}:latest"
        result = append(server.host, "armv7", targets=[there], copy_layers=True)
    assert tags(other) == {"latest": result.digest}
    held = other.storage.repositories[REPOSITORY]
    assert set(digests(registry)) <= set(held.manifests)
    assert {blob.digest for blob in AMD64.blobs} <= held.blobs
