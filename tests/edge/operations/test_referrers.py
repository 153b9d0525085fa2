"""Referrers of images: brought along on request, and told of where they stay behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import BuiltImage, BuiltIndex, build_image, build_index, build_referrer
from fixtures.server import RunningServer
from oci_merge import AccessDeniedError, ManifestError, MergeResult, NotFoundError, ServerError
from tests.edge.support import (
    AMD64,
    ARM64,
    REPOSITORY,
    Answers,
    Delays,
    asks,
    merge,
    paths,
    reply,
    tags,
    writes,
)

_SBOM = build_referrer(AMD64)
_SIGNATURE = build_referrer(_SBOM, "application/vnd.dev.sigstore.bundle.v0.3+json")
_INDEX = "application/vnd.oci.image.index.v1+json"


def _fallback(image: BuiltImage) -> str:
    return image.digest.replace(":", "-")


def _add(registry: EmbeddedRegistry, *referrers: BuiltImage, of: str = "team/app-amd64") -> None:
    for referrer in referrers:
        registry.add_image(of, "referrer", referrer)
        registry.storage.repositories[of].tags.pop("referrer")


def _list_by_tag(
    registry: EmbeddedRegistry,
    subject: BuiltImage,
    *referrers: BuiltImage,
    at: str = "team/app-amd64",
) -> None:
    listed = build_index(list(referrers))
    registry.add_image(at, _fallback(subject), listed)


def _listed(registry: EmbeddedRegistry, subject: BuiltImage) -> list[dict[str, Any]]:
    held = registry.storage.repositories[REPOSITORY]
    content = held.manifests[held.tags[_fallback(subject)]].content
    listed: list[dict[str, Any]] = json.loads(content)["manifests"]
    return listed


@pytest.fixture(params=["api", "tag"])
def stocked_with(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry whose image has an SBOM with a signature, known by the API or by tags."""
    registry.settings.referrers = request.param == "api"
    _add(registry, _SBOM, _SIGNATURE)
    if request.param == "tag":
        _list_by_tag(registry, AMD64, _SBOM)
        _list_by_tag(registry, _SBOM, _SIGNATURE)
    return registry


def test_referrers_come_along_with_what_refers_to_them(
    server: RunningServer, stocked_with: EmbeddedRegistry
) -> None:
    result = merge(server.host, referrers=True)
    held = stocked_with.storage.repositories[REPOSITORY]
    assert {_SBOM.digest, _SIGNATURE.digest} <= set(held.manifests)
    assert {_SBOM.layers[0].digest, _SIGNATURE.layers[0].digest} <= held.blobs
    assert result.warnings == ()
    # They are no part of the index.
    assert _SBOM.digest not in result.plan.index.content.decode()
    if stocked_with.settings.referrers:
        assert set(tags(stocked_with)) == {"latest"}
        return
    [entry] = _listed(stocked_with, AMD64)
    assert entry == {
        "mediaType": _SBOM.media_type,
        "digest": _SBOM.digest,
        "size": _SBOM.size,
        "artifactType": "application/spdx+json",
        "annotations": {"org.example.made-by": "a test"},
    }
    assert [entry["digest"] for entry in _listed(stocked_with, _SBOM)] == [_SIGNATURE.digest]


def test_the_tag_moves_after_the_referrers(
    server: RunningServer, stocked_with: EmbeddedRegistry
) -> None:
    merge(server.host, referrers=True)
    assert paths(stocked_with.requests, "PUT")[-1] == f"/v2/{REPOSITORY}/manifests/latest"


def test_a_rerun_writes_nothing(server: RunningServer, stocked_with: EmbeddedRegistry) -> None:
    merge(server.host, referrers=True)
    stocked_with.requests.clear()
    merge(server.host, referrers=True)
    assert [
        record for record in stocked_with.requests if record.method not in ("GET", "HEAD")
    ] == []


def test_what_others_have_put_into_the_list_stays(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.referrers = False
    _add(registry, _SBOM)
    _list_by_tag(registry, AMD64, _SBOM)
    other = build_referrer(AMD64, "application/x-other")
    registry.add_image(REPOSITORY, "other", other)
    _list_by_tag(registry, AMD64, other, at=REPOSITORY)
    merge(server.host, referrers=True)
    assert [entry["digest"] for entry in _listed(registry, AMD64)] == [other.digest, _SBOM.digest]


def test_a_list_that_is_not_kept_is_an_error_before_the_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.referrers = False
    _add(registry, _SBOM)
    _list_by_tag(registry, AMD64, _SBOM)
    answer = reply(201, docker_content_digest="sha256:" + "0" * 64)
    registry.hooks.append(
        Answers(asks("PUT", f"{REPOSITORY}/manifests/{_fallback(AMD64)}"), answer)
    )
    with pytest.raises(ManifestError):
        merge(server.host, referrers=True)
    assert "latest" not in tags(registry)


def test_a_list_that_is_no_list_is_not_overwritten(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.referrers = False
    _add(registry, _SBOM)
    _list_by_tag(registry, AMD64, _SBOM)
    registry.add_image(REPOSITORY, _fallback(AMD64), ARM64)
    with pytest.raises(ManifestError, match="no list"):
        merge(server.host, referrers=True)
    assert tags(registry) == {_fallback(AMD64): ARM64.digest}


def test_what_a_list_only_claims_does_not_come(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.referrers = False
    stranger = build_referrer(ARM64)
    _add(registry, stranger)
    _list_by_tag(registry, AMD64, stranger, build_image("linux", "mips64le"))
    registry.add_image("team/app-amd64", "x", build_image("linux", "mips64le"))
    merge(server.host, referrers=True)
    assert stranger.digest not in registry.storage.repositories[REPOSITORY].manifests


def test_a_referrer_that_is_gone_is_an_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.referrers = False
    _list_by_tag(registry, AMD64, _SBOM)
    registry.storage.repositories["team/app-amd64"].manifests.pop(_SBOM.digest)
    with pytest.raises(NotFoundError):
        merge(server.host, referrers=True)
    assert tags(registry) == {}


def test_more_referrers_than_an_image_may_have_are_an_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _add(registry, *(build_referrer(AMD64, text=str(number)) for number in range(51)))
    with pytest.raises(ManifestError, match="more than 50 referrers"):
        merge(server.host, referrers=True)


def test_pages_of_a_list_are_followed_at_the_registry_alone(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _add(registry, _SBOM)
    path = f"/v2/team/app-amd64/referrers/{AMD64.digest}"
    first = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": []}
    link = f'<http://elsewhere.example{path}?last=1>; rel="next"'
    registry.hooks.append(
        Answers(
            lambda request: request.url.path == path and not request.url.query,
            reply(200, json.dumps(first), kind=_INDEX, link=link),
        )
    )
    merge(server.host, referrers=True)
    assert _SBOM.digest in registry.storage.repositories[REPOSITORY].manifests


def test_a_list_without_end_is_left(server: RunningServer, registry: EmbeddedRegistry) -> None:
    path = f"/v2/team/app-amd64/referrers/{AMD64.digest}"
    page = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": []}
    link = f'<{path}?last=1>; rel="next"'
    hook = Answers(asks("GET", path), reply(200, json.dumps(page), kind=_INDEX, link=link))
    registry.hooks.append(hook)
    merge(server.host, referrers=True)
    assert hook.count == 20


def test_without_the_option_a_warning_says_what_stays_behind(
    server: RunningServer, stocked_with: EmbeddedRegistry
) -> None:
    result = merge(server.host)
    assert result.warnings == (
        f"what refers to {server.host}/team/app-amd64:1.0 stays behind; "
        "--referrers brings it along",
    )
    assert _SBOM.digest not in stocked_with.storage.repositories[REPOSITORY].manifests


def test_a_registry_that_fails_at_the_question_does_not_fail_the_merge(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for status in (500, 403, 303, 429):
        hook = Answers(asks("GET", "/referrers/"), reply(status))
        registry.hooks.append(hook)
        assert merge(server.host, tags=[f"t{status}"], retries=0).warnings == ()
        registry.hooks.remove(hook)
        registry.storage.repositories.pop(REPOSITORY)


def test_a_registry_that_does_not_answer_the_question_holds_no_tag_up(
    server: RunningServer, registry: EmbeddedRegistry, set_timings: Any
) -> None:
    set_timings(aside=0.05)
    registry.hooks.append(Delays(asks("GET", "/referrers/"), 5))
    assert merge(server.host).warnings == ()
    assert "latest" in tags(registry)


def test_with_the_option_a_registry_that_fails_is_an_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("GET", "/referrers/"), reply(500)))
    with pytest.raises(ServerError):
        merge(server.host, referrers=True, retries=0)
    assert tags(registry) == {}


def test_an_unchanged_rerun_asks_nothing(server: RunningServer, registry: EmbeddedRegistry) -> None:
    merge(server.host)
    registry.requests.clear()
    merge(server.host)
    assert paths(registry.requests, "GET", "/referrers/") == []


def test_an_index_refers_to_its_subject(
    server: RunningServer, stocked_with: EmbeddedRegistry
) -> None:
    stocked_with.add_image(REPOSITORY, "old", AMD64)
    subject = f"{server.host}/{REPOSITORY}:old"
    result = merge(server.host, subject=subject, artifact_type="application/x-release")
    document = json.loads(result.plan.index.content)
    assert document["artifactType"] == "application/x-release"
    assert document["subject"] == AMD64.descriptor()
    if not stocked_with.settings.referrers:
        [entry] = _listed(stocked_with, AMD64)
        assert entry["digest"] == result.digest
        assert entry["artifactType"] == "application/x-release"


def _index_of(registry: EmbeddedRegistry, subject: BuiltImage) -> None:
    """Put an index that refers to an image, as a tool does that lists referrers by tags."""
    registry.add_image(REPOSITORY, "old", subject)
    index = build_index([AMD64, ARM64])
    document = {**json.loads(index.manifest), "subject": subject.descriptor()}
    made = BuiltIndex(json.dumps(document).encode(), index.media_type, index.children)
    registry.add_image(REPOSITORY, "latest", made)
    registry.add_image(REPOSITORY, _fallback(subject), build_index([made]))


_CHANGES: dict[str, Callable[[str], MergeResult]] = {
    "append": lambda host: oci_merge.append(
        f"{host}/{REPOSITORY}:latest", sources=[f"{host}/team/app-armv7:1.0"]
    ),
    "remove": lambda host: oci_merge.remove(
        f"{host}/{REPOSITORY}:latest", platforms=["linux/arm64"]
    ),
    "annotate": lambda host: oci_merge.annotate(
        f"{host}/{REPOSITORY}:latest", annotations={"a": "1"}
    ),
}


@pytest.mark.parametrize("change", _CHANGES)
@pytest.mark.parametrize("others", [0, 60])
def test_a_changed_index_is_found_from_its_subject_before_its_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry, change: str, others: int
) -> None:
    registry.settings.referrers = False
    _index_of(registry, AMD64)
    if others:
        referrers = [build_referrer(AMD64, text=str(number)) for number in range(others)]
        _list_by_tag(registry, AMD64, *referrers, at=REPOSITORY)
    result = _CHANGES[change](server.host)
    assert result.changed
    digests = [entry["digest"] for entry in _listed(registry, AMD64)]
    assert digests[-1] == result.digest == tags(registry)["latest"]
    assert len(digests) == (others or 1) + 1
    put = [path.rpartition("/")[2] for path in paths(registry.requests, "PUT", "/manifests/")]
    assert put[-3:] == [result.digest, _fallback(AMD64), "latest"]


@pytest.mark.parametrize("change", _CHANGES)
def test_where_the_list_is_not_kept_a_changed_index_does_not_get_its_tag(
    server: RunningServer, registry: EmbeddedRegistry, change: str
) -> None:
    registry.settings.referrers = False
    _index_of(registry, AMD64)
    before = tags(registry)
    registry.hooks.append(
        Answers(asks("PUT", f"{REPOSITORY}/manifests/{_fallback(AMD64)}"), reply(403))
    )
    with pytest.raises(AccessDeniedError):
        _CHANGES[change](server.host)
    assert tags(registry) == before


def test_a_rerun_with_a_subject_writes_nothing(
    server: RunningServer, stocked_with: EmbeddedRegistry
) -> None:
    stocked_with.add_image(REPOSITORY, "old", AMD64)
    options: dict[str, Any] = {"subject": f"{server.host}/{REPOSITORY}:old", "referrers": True}
    assert merge(server.host, **options).changed
    stocked_with.requests.clear()
    assert not merge(server.host, **options).changed
    assert writes(stocked_with.requests) == []


def test_a_subject_that_is_not_there_is_an_error(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    with pytest.raises(NotFoundError, match="none"):
        merge(server.host, subject=f"{server.host}/{REPOSITORY}:none")
    assert tags(registry) == {}
