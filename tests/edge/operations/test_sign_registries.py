"""Signing at registries of each kind: what is kept, what is warned of, and what is an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.embedded.faults import Answer, BreakOff, On, Refuse
from fixtures.embedded.personalities import (
    NAMES,
    Personality,
    artifactory,
    docker_hub,
    ecr,
    gar,
    ghcr,
    gitlab,
    harbor,
    nexus,
    personality,
    quay,
)
from fixtures.embedded.quirks.manifests import SubjectRefused
from fixtures.embedded.quirks.tags import ImmutableTags
from fixtures.images import BuiltImage, BuiltIndex, build_index
from fixtures.server import RunningServer
from oci_merge import (
    AccessDeniedError,
    OciMergeError,
    RateLimitedError,
    ServerError,
    SigningError,
)
from tests.edge.operations.signing import (
    BOTH,
    OTHER,
    add_classic,
    all_formats,
    children,
    formats,
    list_tag,
    outcomes,
    sig_tag,
)
from tests.edge.rows import Row, row
from tests.edge.support import (
    AMD64,
    ARM64,
    REPOSITORY,
    merge,
    sources,
    tags,
    writes,
)

_IMMUTABLE = "tag {tag} is immutable and cannot be overwritten"
_CLASSIC = frozenset({"classic"})
_BUNDLE = frozenset({"bundle"})


def _kind(name: str) -> Personality:
    """Return a registry of a kind; those that mount nothing by default do here."""
    return ecr(blob_mounting=True) if name == "ecr" else personality(name)


def _found(at: Row) -> dict[str, frozenset[str]]:
    return dict(all_formats(at.kind.registry, "latest", repository=at.repository))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gitlab"])
def test_both_formats_are_kept_and_a_rerun_writes_nothing(name: str, home: Path, key: str) -> None:
    with row(_kind(name), home) as at:
        at.kind.registry.settings.refuse_mounts = False
        result = at.merge(sign_key=key)
        assert result.warnings == ()
        assert set(_found(at).values()) == {BOTH}
        assert len(result.signatures) == 6
        at.kind.registry.requests.clear()
        again = at.merge(sign_key=key)
        assert at.writes() == []
        assert set(outcomes(again).values()) == {"present"}
        signed = oci_merge.sign(at.target, key=key)
        assert at.writes() == []
        assert set(outcomes(signed).values()) == {"present"}


def test_a_web_site_in_the_place_of_the_api_is_not_asked_for_lists(home: Path, key: str) -> None:
    with row(ghcr(), home) as at:
        result = at.merge(sign_key=key, copy_layers=True)
        assert result.warnings == ()
        assert set(_found(at).values()) == {BOTH}
        assert {list_tag(result.digest), sig_tag(result.digest)} <= at.tags.keys()
        assert not [record for record in at.requests if "github" in record.path]


def test_gitlab_keeps_classic_signatures_alone(home: Path, key: str) -> None:
    with row(gitlab(), home) as at:
        result = at.merge(sign_key=key)
        [warning] = result.warnings
        assert at.host in warning
        assert "podman" not in warning
        assert set(_found_classic(at).values()) == {True}
        assert {(name, outcome) for (_, name), outcome in outcomes(result).items()} == {
            ("classic", "written"),
            ("bundle", "unsupported"),
        }
        # Nothing has taken the place of what the tag spells.
        at.kind.registry.requests.clear()
        again = at.merge(sign_key=key)
        assert at.writes() == []
        assert again.warnings == result.warnings
        assert oci_merge.sign(at.target, key=key).warnings == result.warnings
        assert at.writes() == []


def _found_classic(at: Row) -> dict[str, bool]:
    registry, repository = at.kind.registry, at.repository
    digests = [at.tags["latest"], *children(registry, "latest", repository)]
    return {digest: sig_tag(digest) in at.tags for digest in digests}


def test_gitlab_with_bundles_alone_is_an_error_and_no_tag_moves(home: Path, key: str) -> None:
    with row(gitlab(), home) as at:
        at.add_old("latest", "1.0")
        before = {tag: at.tags[tag] for tag in ("latest", "1.0")}
        with pytest.raises(SigningError) as caught:
            at.merge(sign_key=key, sign_format="bundle")
        assert at.host in caught.value.message
        assert caught.value.hint
        assert {tag: at.tags[tag] for tag in ("latest", "1.0")} == before
        # Now that what is signed is there, the registry answers for the tag at once.
        with pytest.raises(SigningError, match="takes the tag of a list of referrers"):
            at.merge(sign_key=key, sign_format="bundle")
        assert {tag: at.tags[tag] for tag in ("latest", "1.0")} == before
        at.merge(sign_key=key, sign_format="classic")
        assert at.tags["latest"] != before["latest"]


class ApiOfWhatIsThere(Hook):
    """Answers 404 to the referrers API of a repository without manifests."""

    def __init__(self, registry: EmbeddedRegistry) -> None:
        self._registry = registry

    async def before(self, request: Request) -> Response | None:
        name, asks_for, _ = request.url.path.removeprefix("/v2/").partition("/referrers/")
        held = self._registry.storage.repositories.get(name)
        if asks_for and not (held and held.manifests):
            return Response(status_code=404)
        return None


@pytest.mark.parametrize("name", ["both", "bundle", "classic"])
def test_an_api_that_only_what_is_there_has_is_used_once_it_shows(
    name: Any, server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.hooks.append(ApiOfWhatIsThere(registry))
    result = merge(server.host, sign_key=key, sign_format=name)
    assert result.warnings == ()
    found = {"both": BOTH, "bundle": _BUNDLE, "classic": _CLASSIC}[name]
    assert set(all_formats(registry, "latest").values()) == {found}
    # No list is left that clients of the API would not read, and that nobody would keep up.
    assert {tag for tag in tags(registry) if not tag.endswith(".sig")} == {"latest"}
    registry.requests.clear()
    merge(server.host, sign_key=key, sign_format=name)
    assert writes(registry.requests) == []


def test_a_registry_that_refuses_subjects_keeps_classic_signatures(home: Path, key: str) -> None:
    with row(ecr(blob_mounting=True, subjects=False), home) as at:
        result = at.merge(sign_key=key)
        [warning] = result.warnings
        assert "bundle" in warning
        assert set(_found(at).values()) == {_CLASSIC}
        assert ("bundle", "unsupported") in {
            (name, outcome) for (_, name), outcome in outcomes(result).items()
        }
        with pytest.raises(SigningError):
            at.merge(sign_key=key, sign_format="bundle", tags=["2.0"])
        assert "2.0" not in at.tags


@pytest.mark.parametrize("referrers", [True, False], ids=["api", "tag"])
def test_a_sig_tag_of_others_that_is_immutable_stays_and_bundles_are_enough(
    referrers: bool, server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = referrers
    theirs = add_classic(registry, AMD64.digest)
    registry.hooks.append(ImmutableTags("*", 400, "TAG_INVALID", _IMMUTABLE))
    result = merge(server.host, sign_key=key)
    [warning] = result.warnings
    assert "does not keep 1 of 4 signatures as .sig tags" in warning
    assert "immutable" in warning
    assert tags(registry)[sig_tag(AMD64.digest)] == theirs.digest
    found = all_formats(registry, "latest")
    assert found[AMD64.digest] == _BUNDLE
    assert {made for digest, made in found.items() if digest != AMD64.digest} == {BOTH}
    assert outcomes(result)[AMD64.digest, "classic"] == "unsupported"
    assert outcomes(result)[ARM64.digest, "classic"] == "written"
    assert formats(registry, AMD64.digest, OTHER) == _CLASSIC


@pytest.mark.parametrize(
    "kind",
    [
        lambda: harbor(immutable="*"),
        lambda: quay(immutable="*", push_seconds=0.01),
        lambda: docker_hub(immutable="*"),
        lambda: gar(immutable="*"),
        lambda: ecr(blob_mounting=True, immutable="*"),
        lambda: artifactory(overwrites=False),
        lambda: nexus(overwrites=False),
    ],
    ids=["harbor", "quay", "docker-hub", "gar", "ecr", "artifactory", "nexus"],
)
def test_where_all_tags_are_immutable_a_first_signature_is_kept_and_reruns_write_nothing(
    kind: Callable[[], Personality], home: Path, key: str
) -> None:
    with row(kind(), home) as at:
        result = at.merge(sign_key=key)
        assert result.warnings == ()
        assert set(_found(at).values()) == {BOTH}
        at.kind.registry.requests.clear()
        at.merge(sign_key=key)
        assert at.writes() == []


def test_a_registry_that_refuses_both_formats_is_an_error_and_no_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.hooks += [
        SubjectRefused(),
        On("PUT", "*/manifests/*.sig", Refuse("TAG_INVALID", "no such tags here", status=400)),
    ]
    with pytest.raises(SigningError) as caught:
        merge(server.host, sign_key=key)
    assert "no such tags here" in caught.value.message
    assert f"{server.host}/{REPOSITORY}" in caught.value.message
    assert caught.value.hint
    assert "latest" not in tags(registry)
    assert registry.open_uploads == []


def test_one_target_that_keeps_no_signature_keeps_the_tags_of_all(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.hooks += [
        On("PUT", "/v2/mirror/*/manifests/*.sig", Refuse("TAG_INVALID", status=400)),
    ]
    with pytest.raises(SigningError, match="mirror/app"):
        merge(
            server.host,
            targets=[f"{server.host}/mirror/app:1.0"],
            sign_key=key,
            sign_format="classic",
        )
    assert "latest" not in tags(registry)
    assert "1.0" not in tags(registry, "mirror/app")


def test_a_list_tag_that_holds_something_else_stays(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = False
    registry.add_image(REPOSITORY, list_tag(AMD64.digest), ARM64)
    registry.add_image(REPOSITORY, sig_tag(ARM64.digest), _untyped_index(AMD64))
    result = merge(server.host, sign_key=key)
    assert len(result.warnings) == 2
    assert tags(registry)[list_tag(AMD64.digest)] == ARM64.digest
    assert tags(registry)[sig_tag(ARM64.digest)] == _untyped_index(AMD64).digest
    assert outcomes(result)[AMD64.digest, "bundle"] == "unsupported"
    assert outcomes(result)[ARM64.digest, "classic"] == "unsupported"
    assert formats(registry, result.digest) == BOTH


def _untyped_index(image: BuiltImage) -> BuiltIndex:
    """Return an index that does not say its own media type, as the spec allows."""
    made = build_index([image])
    content = json.loads(made.manifest)
    del content["mediaType"]
    return BuiltIndex(json.dumps(content).encode(), made.media_type, made.children)


@pytest.mark.parametrize("referrers", [True, False], ids=["api", "tag"])
def test_a_login_that_may_only_read_is_named_as_the_reason(
    referrers: bool, home: Path, key: str
) -> None:
    kind = harbor() if referrers else quay()
    with row(kind, home) as at:
        at.merge()
        before = at.tags
        login = kind.login
        assert login
        account = kind.tokens.accounts[login[0]]
        kind.tokens.accounts[login[0]] = type(account)(*login, {"*": frozenset({"pull"})})
        for run in (lambda: oci_merge.sign(at.target, key=key), lambda: at.merge(sign_key=key)):
            with pytest.raises(AccessDeniedError) as caught:
                run()
            assert login[0] in caught.value.message
        assert at.tags == before


_SIGNATURE_REQUESTS = {
    "api": "GET */referrers/*",
    "read of a tag": "GET */manifests/sha256-*",
    "opened upload": f"POST /v2/{REPOSITORY}/blobs/uploads/",
    "sent upload": "PUT */blobs/uploads/*",
    "bundle": "PUT */manifests/sha256:*",
    "sig tag": "PUT */manifests/*.sig",
    "list": "PUT */manifests/sha256-*",
}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("where", _SIGNATURE_REQUESTS)
@pytest.mark.parametrize("lasts", [False, True], ids=["once", "for good"])
def test_a_failure_for_now_is_tried_again_and_never_taken_for_a_refusal(
    status: int,
    where: str,
    lasts: bool,
    server: RunningServer,
    registry: EmbeddedRegistry,
    key: str,
    waits: list[float],
) -> None:
    registry.settings.referrers = False
    method, _, path = _SIGNATURE_REQUESTS[where].partition(" ")
    merge(server.host)  # so that only what is signed is written
    del registry.storage.repositories[REPOSITORY].tags["latest"]
    on = On(method, path, Answer(status), times=None if lasts else 1)
    registry.hooks.append(on)
    if lasts:
        with pytest.raises((ServerError, RateLimitedError)):
            merge(server.host, sign_key=key, retries=1)
        assert "latest" not in tags(registry)
        registry.hooks.clear()
    result = merge(server.host, sign_key=key, retries=1)
    assert on.struck
    assert result.warnings == ()
    assert set(all_formats(registry, "latest").values()) == {BOTH}
    assert registry.open_uploads == []


@pytest.mark.parametrize("referrers", [True, False], ids=["api", "tag"])
@pytest.mark.parametrize(
    "fault",
    [BreakOff, lambda: BreakOff(done=True), lambda: Refuse("DENIED")],
    ids=["broken before", "broken after", "403"],
)
def test_a_run_that_ends_at_any_request_is_finished_by_a_rerun(
    referrers: bool,
    fault: Callable[[], Hook],
    server: RunningServer,
    registry: EmbeddedRegistry,
    key: str,
    waits: list[float],
) -> None:
    registry.settings.referrers = referrers
    usual = {"sources": sources(server.host)[:1], "sign_key": key, "provenance": True}
    digest = merge(server.host, **usual).digest
    requests = [(record.method, record.path) for record in registry.requests]
    for number, (method, path) in enumerate(requests):
        if "mount=" in path or f"/v2/{REPOSITORY}/" not in path:
            continue  # tests/faults is about what every merge asks
        if "/blobs/uploads/" in path and method != "POST":
            path = "*/blobs/uploads/*" + path[path.index("digest=") :]
        what = f"{method} {path}, number {number}"
        registry.storage.repositories.pop(REPOSITORY)
        skip = sum(each == requests[number] for each in requests[:number])
        registry.hooks[:] = [On(method, path, fault(), skip=skip)]
        try:
            result = merge(server.host, **usual, retries=0)
        except OciMergeError:
            is_put = method == "PUT" and path.endswith("/manifests/latest")
            if "latest" in tags(registry):
                # Only the look beside the tags, and the answer to the tag itself, come after it.
                assert is_put or method == "GET", what
                assert all(all_formats(registry, "latest").values()), what
        else:
            assert result.digest == digest, what
            assert all(all_formats(registry, "latest").values()), what
        assert registry.open_uploads == [] or method in ("POST", "DELETE"), what
        registry.hooks.clear()
        result = merge(server.host, **usual)
        assert result.warnings == (), what
        assert result.digest == digest, what
        assert set(all_formats(registry, "latest").values()) == {BOTH}, what
        for upload in registry.open_uploads:  # whose session was made, and its address lost
            registry._uploads.sessions.pop(upload.identifier)


@pytest.mark.parametrize("referrers", [True, False], ids=["api", "tag"])
def test_a_signature_whose_answer_is_lost_is_no_error(
    referrers: bool,
    server: RunningServer,
    registry: EmbeddedRegistry,
    key: str,
    waits: list[float],
) -> None:
    registry.settings.referrers = referrers
    for pattern in ("*/manifests/*.sig", "*/manifests/sha256-*", "*/manifests/sha256:*"):
        registry.storage.repositories.pop(REPOSITORY, None)
        registry.hooks[:] = [On("PUT", pattern, BreakOff(done=True))]
        result = merge(server.host, sign_key=key, retries=0)
        assert result.warnings == ()
        assert set(all_formats(registry, "latest").values()) == {BOTH}


def test_a_proxy_that_answers_for_the_registry_is_no_signature(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.hooks.append(On("PUT", "*/manifests/*.sig", Answer(200)))
    with pytest.raises(SigningError):
        merge(server.host, sign_key=key, sign_format="classic")
    assert "latest" not in tags(registry)
