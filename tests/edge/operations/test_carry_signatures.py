"""Signatures of the images come along: their tags and what refers to them."""

from __future__ import annotations

import json

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.faults import On, Refuse
from fixtures.embedded.quirks.tags import ImmutableTags
from fixtures.images import BuiltImage, build_index, build_referrer
from fixtures.server import RunningServer
from oci_merge import ManifestError, OciMergeError
from tests.edge.operations.guarded import Does
from tests.edge.operations.signing import (
    BOTH,
    OTHER,
    OWN,
    add_classic,
    all_formats,
    document,
    formats,
    list_tag,
    puts,
    referrers,
    sig_tag,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    REPOSITORY,
    merge,
    paths,
    tags,
    target,
    writes,
)

_SOURCE = "team/app-amd64"
_SUFFIXES = (".sig", ".att", ".sbom")


def _theirs(registry: EmbeddedRegistry) -> list[BuiltImage]:
    """Let an image have a signature, an attestation, an SBOM and another referrer of its own."""
    made = [
        add_classic(registry, AMD64.digest, OTHER, _SOURCE, suffix=suffix) for suffix in _SUFFIXES
    ]
    other = build_referrer(AMD64)
    registry.add_image(_SOURCE, "other", other)
    registry.storage.repositories[_SOURCE].tags.pop("other")
    if not registry.settings.referrers:
        registry.add_image(_SOURCE, list_tag(AMD64.digest), build_index([other]))
    return [*made, other]


@pytest.fixture(params=["api", "tag"])
def kept(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry that lists referrers by itself, or leaves that to its clients."""
    registry.settings.referrers = request.param == "api"
    return registry


def test_signatures_come_along_byte_for_byte_by_mounts(
    server: RunningServer, kept: EmbeddedRegistry
) -> None:
    *under_tags, other = _theirs(kept)
    result = merge(server.host, carry_signatures=True)
    assert result.warnings == ()
    for suffix, made in zip(_SUFFIXES, under_tags, strict=True):
        assert tags(kept)[list_tag(AMD64.digest) + suffix] == made.digest
    assert referrers(kept, AMD64.digest) == [other.digest]
    held = kept.storage.repositories[REPOSITORY]
    assert {made.layers[0].digest for made in (*under_tags, other)} <= held.blobs
    # No blob was sent: all were mounted.
    assert not paths(kept.requests, "PUT", "/blobs/")
    assert not paths(kept.requests, "PATCH")
    assert paths(kept.requests, "PUT")[-1] == f"/v2/{REPOSITORY}/manifests/latest"
    kept.requests.clear()
    assert not merge(server.host, carry_signatures=True).changed
    assert writes(kept.requests) == []


def test_without_the_option_they_stay_behind(server: RunningServer, kept: EmbeddedRegistry) -> None:
    _theirs(kept)
    merge(server.host)
    assert set(tags(kept)) == {"latest"}
    assert referrers(kept, AMD64.digest) == []


def test_what_the_target_has_under_a_tag_stays_beside(
    server: RunningServer, kept: EmbeddedRegistry
) -> None:
    _theirs(kept)
    own = add_classic(kept, AMD64.digest, OWN)
    merge(server.host, carry_signatures=True)
    whole = document(kept, sig_tag(AMD64.digest))
    assert whole["layers"][0] == json.loads(own.manifest)["layers"][0]
    assert whole["annotations"] == {"org.example.whole": "kept"}
    assert len(whole["layers"]) == 2
    assert formats(kept, AMD64.digest, OWN) == formats(kept, AMD64.digest, OTHER) == {"classic"}
    kept.requests.clear()
    merge(server.host, carry_signatures=True)
    assert writes(kept.requests) == []


def test_another_sbom_stays_and_a_warning_says_so(
    server: RunningServer, kept: EmbeddedRegistry
) -> None:
    _theirs(kept)
    held = add_classic(kept, AMD64.digest, OWN, suffix=".sbom")
    result = merge(server.host, carry_signatures=True)
    [warning] = result.warnings
    assert "another SBOM" in warning
    assert tags(kept)[f"{list_tag(AMD64.digest)}.sbom"] == held.digest
    kept.requests.clear()
    merge(server.host, carry_signatures=True)
    assert writes(kept.requests) == []


def test_carried_and_own_signatures_stand_side_by_side(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    *_, other = _theirs(kept)
    result = merge(server.host, carry_signatures=True, sign_key=key)
    assert result.warnings == ()
    assert set(all_formats(kept, "latest").values()) == {BOTH}
    # Under the tag, which names the source, and in the list.
    assert formats(kept, AMD64.digest, OTHER) == {"classic"}
    assert other.digest in referrers(kept, AMD64.digest)
    assert len(referrers(kept, AMD64.digest)) == 2
    kept.requests.clear()
    again = merge(server.host, carry_signatures=True, sign_key=key)
    assert writes(kept.requests) == []
    assert {each.outcome for each in again.signatures} == {"present"}


def test_a_carried_signature_by_the_same_key_does_not_stand_for_the_target(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    add_classic(kept, AMD64.digest, OWN, _SOURCE)
    merge(server.host, carry_signatures=True, sign_key=key, sign_format="classic")
    whole = document(kept, sig_tag(AMD64.digest))
    named = [
        json.loads(kept.storage.blob(REPOSITORY, layer["digest"]) or b"")["critical"]["identity"]
        for layer in whole["layers"]
    ]
    assert [each["docker-reference"] for each in named] == [
        f"somewhere/{_SOURCE}",
        f"{server.host}/{REPOSITORY}",
    ]
    kept.requests.clear()
    merge(server.host, carry_signatures=True, sign_key=key, sign_format="classic")
    assert writes(kept.requests) == []


def test_signatures_go_to_every_target(server: RunningServer, kept: EmbeddedRegistry) -> None:
    made = _theirs(kept)
    merge(server.host, targets=[f"{server.host}/mirror/app:1.0"], carry_signatures=True)
    for repository in (REPOSITORY, "mirror/app"):
        assert tags(kept, repository)[sig_tag(AMD64.digest)] == made[0].digest
        assert referrers(kept, AMD64.digest, repository) == [made[-1].digest]


def test_images_of_the_targets_own_repository_keep_what_they_have(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "1.0-amd64", AMD64)
    registry.add_image(REPOSITORY, "1.0-arm64", ARM64)
    made = add_classic(registry, AMD64.digest)
    oci_merge.merge(
        target(server.host),
        sources=[f"{server.host}/{REPOSITORY}:1.0-{name}" for name in ("amd64", "arm64")],
        carry_signatures=True,
    )
    assert tags(registry)[sig_tag(AMD64.digest)] == made.digest
    assert not paths(registry.requests, "PUT", ".sig")


def test_the_images_of_an_index_bring_theirs(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/other", "1.0", build_index([AMD64, ARM64]))
    add_classic(registry, ARM64.digest, OTHER, "team/other")
    add_classic(registry, AMD64.digest, OTHER, "team/other")
    oci_merge.merge(
        target(server.host), sources=[f"{server.host}/team/other:1.0"], carry_signatures=True
    )
    for image in (AMD64, ARM64):
        assert formats(registry, image.digest, OTHER) == {"classic"}


def test_an_index_under_a_tag_stays_behind_with_a_warning(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(_SOURCE, sig_tag(AMD64.digest), build_index([ARM64]))
    [warning] = merge(server.host, carry_signatures=True).warnings
    assert "stays behind" in warning
    assert set(tags(registry)) == {"latest"}


def test_what_another_writer_puts_meanwhile_is_joined(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_classic(registry, AMD64.digest, OTHER, _SOURCE)
    hook = Does(
        puts(sig_tag(AMD64.digest)), lambda: add_classic(registry, AMD64.digest, OWN), after=True
    )
    registry.hooks.append(hook)
    merge(server.host, carry_signatures=True)
    assert hook.count == 1
    assert formats(registry, AMD64.digest, OWN) == {"classic"}
    assert formats(registry, AMD64.digest, OTHER) == {"classic"}


def test_a_writer_that_never_gives_way_is_an_error_before_the_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_classic(registry, AMD64.digest, OTHER, _SOURCE)
    hook = Does(
        puts(sig_tag(AMD64.digest)),
        lambda: add_classic(registry, AMD64.digest, OWN),
        after=True,
        times=100,
    )
    registry.hooks.append(hook)
    with pytest.raises(ManifestError, match="does not keep"):
        merge(server.host, carry_signatures=True)
    assert hook.count < 10
    assert "latest" not in tags(registry)


def test_a_tag_that_cannot_be_added_to_is_an_error_before_the_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_classic(registry, AMD64.digest, OTHER, _SOURCE)
    add_classic(registry, AMD64.digest, OWN)
    registry.hooks.append(ImmutableTags("*", 400, "TAG_INVALID", "{tag} is immutable"))
    with pytest.raises(OciMergeError, match="immutable"):
        merge(server.host, carry_signatures=True)
    assert "latest" not in tags(registry)


def test_a_run_that_ends_at_a_tag_is_finished_by_a_rerun(
    server: RunningServer, kept: EmbeddedRegistry
) -> None:
    made = _theirs(kept)
    for suffix in _SUFFIXES:
        kept.storage.repositories.pop(REPOSITORY, None)
        kept.hooks[:] = [On("PUT", f"*/manifests/*{suffix}", Refuse("DENIED"))]
        with pytest.raises(OciMergeError):
            merge(server.host, carry_signatures=True)
        assert "latest" not in tags(kept)
        kept.hooks.clear()
        merge(server.host, carry_signatures=True)
        assert tags(kept)[sig_tag(AMD64.digest)] == made[0].digest
        assert kept.open_uploads == []


def test_an_append_brings_signatures_of_what_it_adds(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    made = _theirs(kept)
    oci_merge.merge(target(server.host), sources=[f"{server.host}/team/app-arm64:1.0"])

    def run() -> None:
        oci_merge.merge(
            target(server.host),
            sources=[f"{server.host}/{_SOURCE}:1.0"],
            append=True,
            carry_signatures=True,
            sign_key=key,
        )

    run()
    assert made[-1].digest in referrers(kept, AMD64.digest)
    assert formats(kept, AMD64.digest, OTHER) == {"classic"}
    assert set(all_formats(kept, "latest").values()) == {BOTH}
    kept.requests.clear()
    run()
    assert writes(kept.requests) == []
