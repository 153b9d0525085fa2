"""Habits of single registries that a merge gets along with, or has advice for."""

from __future__ import annotations

from pathlib import Path

import pytest

import oci_merge
from fixtures.embedded.faults import BreakOff, On, Refuse
from fixtures.embedded.personalities import (
    Personality,
    acr,
    artifactory,
    docker_hub,
    ecr,
    gar,
    ghcr,
    harbor,
    nexus,
    personality,
    quay,
)
from oci_merge import PublishError
from tests.edge.rows import OLD, PLATFORMS, row

_IMMUTABLE = [
    docker_hub(immutable="1.*"),
    quay(immutable="1.*"),
    ecr(immutable="1.*", blob_mounting=True),
    gar(immutable="1.*"),
    harbor(immutable="1.*"),
]


def _name(value: Personality) -> str:
    return value.name


def test_quay_takes_several_tags_though_it_takes_one_push_of_a_manifest_at_a_time(
    home: Path,
) -> None:
    with row(quay(), home) as at:
        result = at.merge(tags=["1.0", "1"])
        assert at.tags == dict.fromkeys(["latest", "1.0", "1"], result.digest)


@pytest.mark.parametrize("name", ["ghcr", "ecr"])
def test_layers_are_copied_on_demand_where_nothing_is_mounted(name: str, home: Path) -> None:
    with row(personality(name), home) as at:
        result = at.merge(copy_layers=True)
        assert at.tags == dict.fromkeys(["latest", "1.0"], result.digest)
        assert not at.kind.registry.open_uploads
        again = at.merge(copy_layers=True)
    assert not any(tag.changed for tag in again.tags)


@pytest.mark.parametrize(
    "kind",
    [artifactory(mounts=False), nexus(mount_refusal=400), nexus(mount_refusal=404)],
    ids=["artifactory", "nexus-400", "nexus-404"],
)
def test_layers_are_copied_on_demand_where_mounts_are_off(kind: Personality, home: Path) -> None:
    with row(kind, home) as at:
        result = at.merge(copy_layers=True)
        assert at.tags == dict.fromkeys(["latest", "1.0"], result.digest)


@pytest.mark.parametrize("kind", _IMMUTABLE, ids=_name)
def test_an_immutable_tag_that_stands_elsewhere_is_called_so(kind: Personality, home: Path) -> None:
    with row(kind, home) as at:
        at.add_old("1.0")
        with pytest.raises(PublishError, match="immutable") as caught:
            at.merge()
        assert at.tags["1.0"] == OLD.digest
        assert at.tags["latest"] != OLD.digest
    assert caught.value.moved == ("latest",)
    assert caught.value.failed == ("1.0",)
    assert "publish under another tag" in caught.value.hint


@pytest.mark.parametrize(
    "kind",
    [
        ecr(immutable="*", blob_mounting=True),
        harbor(immutable="*"),
        acr(locked="*"),
        artifactory(overwrites=False),
        nexus(overwrites=False),
    ],
    ids=_name,
)
def test_an_answer_that_is_lost_is_no_failure_of_a_tag_that_may_not_be_put_again(
    kind: Personality, home: Path
) -> None:
    kind.registry.hooks.insert(0, On("PUT", "*/manifests/latest", BreakOff(done=True), times=1))
    with row(kind, home) as at:
        result = at.merge()
        assert at.tags == dict.fromkeys(["latest", "1.0"], result.digest)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (nexus(), "BLOB_UNKNOWN"),
        (quay(), "MANIFEST_BLOB_UNKNOWN"),
        (harbor(), "MANIFEST_BLOB_UNKNOWN"),
    ],
    ids=["nexus", "quay", "harbor"],
)
def test_a_blob_just_mounted_may_be_seen_a_moment_late(
    kind: Personality, code: str, home: Path
) -> None:
    late = On("PUT", "*/manifests/sha256:*", Refuse(code, status=400), times=1)
    kind.registry.hooks.insert(0, late)
    with row(kind, home) as at:
        result = at.merge(tags=[])
        assert at.tags == {"latest": result.digest}
    assert late.struck == 1


def test_ghcr_may_be_given_only_what_is_in_the_target_s_repository_as_the_error_says(
    home: Path,
) -> None:
    with row(ghcr(), home) as at:
        with pytest.raises(oci_merge.MountRefusedError) as caught:
            at.merge()
        assert "--copy-layers" in caught.value.hint
        result = at.merge(sources=at.add_to_target())
    assert [str(image.platform) for image in result.platforms] == PLATFORMS


def test_a_virtual_artifactory_says_403_of_a_target_that_is_not_there_yet(home: Path) -> None:
    with row(artifactory(is_virtual=True), home) as at:
        result = at.merge()
        assert at.tags == dict.fromkeys(["latest", "1.0"], result.digest)
    assert all(tag.changed for tag in result.tags)


@pytest.mark.parametrize("copy_layers", [True, False], ids=["copying", "mounting"])
def test_a_harbor_without_the_project_is_answered_with_what_to_do(
    copy_layers: bool, home: Path
) -> None:
    with row(harbor(), home) as at:
        sources = [f"{at.host}/{at.repository}-{name}:1.0" for name in ("amd64", "arm64")]
        at.repository = "nowhere/app"
        with pytest.raises(oci_merge.OciMergeError) as caught:
            at.merge(sources=sources, copy_layers=copy_layers)
    assert "project nowhere not found" in str(caught.value)
    assert "create it in Harbor" in caught.value.hint
    assert not at.kind.registry.open_uploads
