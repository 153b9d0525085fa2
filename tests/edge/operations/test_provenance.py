"""The provenance of a merge: what it says, where it stands, and when it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.faults import Answer, On
from fixtures.embedded.personalities import ecr, gitlab
from fixtures.embedded.quirks.tags import ImmutableTags
from fixtures.images import BuiltIndex, build_index, build_referrer
from fixtures.server import RunningServer
from oci_merge import SigningError
from tests.edge.operations.signing import (
    BOTH,
    OWN,
    PROVENANCE,
    Spans,
    Statement,
    all_formats,
    bundle_image,
    list_tag,
    referrers,
    statements,
)
from tests.edge.rows import row
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    IMAGES,
    REPOSITORY,
    merge,
    paths,
    sources,
    target,
    writes,
)

_GITLAB = {"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.example/team/app/-/jobs/1"}
_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "team/app",
    "GITHUB_RUN_ID": "23",
    "GITHUB_RUN_ATTEMPT": "2",
}


@pytest.fixture(params=["api", "tag"])
def kept(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry that lists referrers by itself, or leaves that to its clients."""
    registry.settings.referrers = request.param == "api"
    return registry


def _only(registry: EmbeddedRegistry, digest: str, repository: str = REPOSITORY) -> Statement:
    [made] = statements(registry, digest, PROVENANCE, repository)
    return made


def _hex(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_it_says_which_images_an_index_was_made_of(
    signed: bool, server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    result = merge(server.host, provenance=True, **({"sign_key": key} if signed else {}))
    made = _only(kept, result.digest)
    assert made.is_by(OWN) == signed
    assert made.content["subject"][0]["name"] == f"{server.host}/{REPOSITORY}"
    predicate = made.content["predicate"]
    names = [f"{server.host}/{repository}:1.0" for repository in IMAGES]
    assert predicate["buildDefinition"]["externalParameters"] == {
        "target": f"{server.host}/{REPOSITORY}",
        "sources": names,
    }
    assert predicate["buildDefinition"]["resolvedDependencies"] == [
        {
            "uri": f"oci://{name}",
            "digest": _hex(image.digest),
            "annotations": {"platforms": [platform]},
        }
        for name, image, platform in zip(
            names,
            (AMD64, ARM64, ARMV7),
            ("linux/amd64", "linux/arm64", "linux/arm/v7"),
            strict=True,
        )
    ]
    assert predicate["runDetails"]["builder"]["version"] == {"oci-merge": oci_merge.__version__}
    assert "metadata" not in predicate["runDetails"]
    # It is no signature, and is not taken for one.
    assert set(all_formats(kept, "latest").values()) == {BOTH if signed else frozenset()}


def test_an_index_among_the_images_is_named_with_all_of_its_platforms(
    server: RunningServer, kept: EmbeddedRegistry
) -> None:
    index = build_index([AMD64, ARM64])
    kept.add_image("team/multi", "1.0", index)
    names = [f"{server.host}/team/multi:1.0", f"{server.host}/team/app-armv7:1.0"]
    result = oci_merge.merge(target(server.host), sources=names, provenance=True)
    found = _only(kept, result.digest).content["predicate"]["buildDefinition"]
    assert [
        (each["uri"], each["digest"], each["annotations"]["platforms"])
        for each in found["resolvedDependencies"]
    ] == [
        (f"oci://{names[0]}", _hex(index.digest), ["linux/amd64", "linux/arm64"]),
        (f"oci://{names[1]}", _hex(ARMV7.digest), ["linux/arm/v7"]),
    ]


@pytest.mark.parametrize(
    ("environ", "job"),
    [
        (_GITLAB, "https://gitlab.example/team/app/-/jobs/1"),
        (_GITHUB, "https://github.example/team/app/actions/runs/23/attempts/2"),
        ({"CI_JOB_URL": "https://not.example"}, None),
        ({**_GITHUB, "GITHUB_RUN_ID": ""}, None),
    ],
    ids=["gitlab", "github", "none", "half"],
)
def test_it_names_the_job(
    environ: Mapping[str, str],
    job: str | None,
    server: RunningServer,
    kept: EmbeddedRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    result = merge(server.host, provenance=True)
    details = _only(kept, result.digest).content["predicate"]["runDetails"]
    assert details.get("metadata", {}).get("invocationId") == job


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_a_rerun_in_another_job_writes_nothing(
    signed: bool,
    server: RunningServer,
    kept: EmbeddedRegistry,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = {"sign_key": key} if signed else {}
    for name, value in _GITLAB.items():
        monkeypatch.setenv(name, value)
    merge(server.host, provenance=True, **options)
    kept.requests.clear()
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.example/team/app/-/jobs/2")
    assert not merge(server.host, provenance=True, **options).changed
    assert writes(kept.requests) == []


def test_one_that_nobody_signed_does_not_stand_for_a_signed_one(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    digest = merge(server.host, provenance=True).digest
    assert merge(server.host, provenance=True, sign_key=key).digest == digest
    assert [made.is_by(OWN) for made in statements(kept, digest, PROVENANCE)] == [False, True]


def test_the_provenance_of_another_program_does_not_stand_for_it(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    result = merge(server.host)
    held = kept.storage.manifest(REPOSITORY, result.digest)
    assert held
    index = BuiltIndex(held.content, held.media_type, ())
    other = bundle_image(
        index,
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": _hex(result.digest)}],
            "predicateType": PROVENANCE,
            "predicate": {"buildDefinition": {"buildType": "https://example.com/build"}},
        },
        OWN,
    )
    kept.add_image(REPOSITORY, "other", other)
    if not kept.settings.referrers:
        kept.add_image(REPOSITORY, list_tag(result.digest), build_index([other]))
    merge(server.host, provenance=True, sign_key=key)
    made = statements(kept, result.digest, PROVENANCE)
    assert len(made) == 2
    assert made[0].digest == other.digest
    assert all(each.is_by(OWN) for each in made)


def test_it_stands_before_the_tag_and_beside_what_others_have_listed(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    digest = merge(server.host).digest
    held = kept.storage.manifest(REPOSITORY, digest)
    assert held
    other = build_referrer(BuiltIndex(held.content, held.media_type, ()), "application/x-other")
    kept.add_image(REPOSITORY, "other", other)
    if not kept.settings.referrers:
        kept.add_image(REPOSITORY, list_tag(digest), build_index([other]))
    del kept.storage.repositories[REPOSITORY].tags["latest"]
    spans = Spans()
    kept.hooks.append(spans)
    assert merge(server.host, provenance=True, sign_key=key).digest == digest
    listed = referrers(kept, digest)
    assert listed[0] == other.digest
    assert len(listed) == 3
    seen = [list_tag(digest)] if not kept.settings.referrers else listed[1:]
    assert spans.ends(seen) < spans.begins(["latest"])
    assert spans.ends([digest]) < spans.begins(listed[1:]) or not kept.settings.referrers


def test_every_target_has_its_own(server: RunningServer, kept: EmbeddedRegistry) -> None:
    result = merge(server.host, targets=[f"{server.host}/mirror/app:1.0"], provenance=True)
    for repository in (REPOSITORY, "mirror/app"):
        made = _only(kept, result.digest, repository)
        assert made.content["subject"][0]["name"] == f"{server.host}/{repository}"


def test_an_append_names_the_index_before(server: RunningServer, kept: EmbeddedRegistry) -> None:
    first = merge(server.host, sources=sources(server.host)[:1]).digest
    added = [f"{server.host}/team/app-arm64:1.0"]
    result = oci_merge.merge(target(server.host), sources=added, append=True, provenance=True)
    definition = _only(kept, result.digest).content["predicate"]["buildDefinition"]
    assert [(each["uri"], each["digest"]) for each in definition["resolvedDependencies"]] == [
        (f"oci://{added[0]}", _hex(ARM64.digest)),
        (f"oci://{target(server.host)}", _hex(first)),
    ]
    kept.requests.clear()
    again = oci_merge.merge(target(server.host), sources=added, append=True, provenance=True)
    assert again.digest == result.digest
    assert writes(kept.requests) == []


def test_an_append_to_nothing_names_nothing_before(
    server: RunningServer, kept: EmbeddedRegistry
) -> None:
    result = oci_merge.merge(
        target(server.host), sources=sources(server.host)[:1], append=True, provenance=True
    )
    definition = _only(kept, result.digest).content["predicate"]["buildDefinition"]
    assert len(definition["resolvedDependencies"]) == 1


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize(
    "kind", [gitlab, lambda: ecr(blob_mounting=True, subjects=False)], ids=["gitlab", "ecr"]
)
def test_a_registry_that_keeps_no_referrers_is_an_error_and_no_tag_moves(
    kind: Any, signed: bool, home: Path, key: str
) -> None:
    with row(kind(), home) as at:
        at.add_old("latest", "1.0")
        before = {tag: at.tags[tag] for tag in ("latest", "1.0")}
        for _ in range(2):
            with pytest.raises(SigningError, match="keep a provenance") as caught:
                at.merge(provenance=True, **({"sign_key": key} if signed else {}))
            assert "--provenance" in caught.value.hint
            assert {tag: at.tags[tag] for tag in ("latest", "1.0")} == before


@pytest.mark.parametrize("immutable", [False, True], ids=["mutable", "immutable"])
def test_signature_and_provenance_are_listed_by_one_write(
    immutable: bool, server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = False
    if immutable:
        registry.hooks.append(ImmutableTags("*", 400, "TAG_INVALID", "{tag} is immutable"))
    result = merge(server.host, provenance=True, sign_key=key)
    assert result.warnings == ()
    assert set(all_formats(registry, "latest").values()) == {BOTH}
    assert _only(registry, result.digest).is_by(OWN)
    put = [path.rpartition("/")[2] for path in paths(registry.requests, "PUT", "/manifests/")]
    assert put.count(list_tag(result.digest)) == 1
    registry.requests.clear()
    merge(server.host, provenance=True, sign_key=key)
    assert writes(registry.requests) == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_failure_for_now_is_no_refusal(
    status: int, server: RunningServer, kept: EmbeddedRegistry, waits: list[float]
) -> None:
    digest = merge(server.host).digest
    on = On("PUT", "*/manifests/sha256:*", Answer(status), times=1)
    kept.hooks.append(on)
    merge(server.host, provenance=True, retries=1)
    assert on.struck == 1
    assert _only(kept, digest)


def test_what_is_not_to_be_said_stays_out(
    server: RunningServer, kept: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_REGISTRY_PASSWORD", "s3cret-registry")
    for name, value in _GITLAB.items():
        monkeypatch.setenv(name, value)
    digest = merge(server.host, provenance=True).digest
    assert "s3cret-registry" not in str(_only(kept, digest).content)
