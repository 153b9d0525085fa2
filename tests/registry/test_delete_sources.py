"""Cleaning up on a real distribution: 2.8.2 deletes no tag alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

import oci_merge
from fixtures.distribution import Distribution
from tests.registry.team import THREE, push_team
from tests.registry.test_merge import copy_with, standing


def test_distribution_2_keeps_its_tags_and_a_warning_names_them(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    with plain_registry.watch() as requests:
        result = oci_merge.merge(
            f"{team}/img:1.0", template=f"{team}/img-ARCHVARIANT:1.0", delete_sources=True
        )
    assert result.verified
    assert result.deleted == ()
    [warning] = result.warnings
    assert f"{plain_registry.host} deletes no tag without its manifest (it answered 400)" in warning
    sources = [f"{team}/img-{name}:1.0" for name in THREE]
    assert all(source in warning for source in sources)
    deletions = [record for record in requests if record.method == "DELETE"]
    assert [record.path.rpartition("/")[2] for record in deletions] == ["1.0"]
    for source, image in zip(sources, THREE.values(), strict=True):
        assert standing(plain_registry, source) == (200, image.digest)
    copy_with(skopeo, f"{team}/img:1.0", tmp_path / "image")


def test_what_the_command_says_is_what_the_registry_answers_to_others(
    plain_registry: Distribution,
) -> None:
    team = push_team(plain_registry)
    repository = f"{team.partition('/')[2]}/img-amd64"
    answer = httpx.delete(f"{plain_registry.url}/v2/{repository}/manifests/1.0")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")


def test_an_index_in_the_images_own_repository_stays_whole(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    for name in THREE:
        subprocess.run(
            [
                *(skopeo, "copy", "--src-tls-verify=false", "--dest-tls-verify=false"),
                *(f"docker://{team}/img-{name}:1.0", f"docker://{team}/own:1.0-{name}"),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
    sources = [f"{team}/own:1.0-{name}" for name in THREE]
    result = oci_merge.merge(f"{team}/own:1.0", sources=sources, delete_sources=True)
    assert result.deleted == ()
    copy_with(skopeo, f"{team}/own:1.0", tmp_path / "image")
    with pytest.raises(oci_merge.UsageError):
        oci_merge.merge("ghcr.io/t/own:1.0", sources=["ghcr.io/t/own:1.0-a"], delete_sources=True)
