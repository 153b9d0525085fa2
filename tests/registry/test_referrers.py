"""Referrers on a real distribution, which has no referrers API: clients maintain tags."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.distribution import Distribution
from fixtures.images import BuiltImage, build_attestation, build_index, build_referrer
from tests.registry.team import THREE, THREE_PLATFORMS, push_team, seeder
from tests.registry.test_merge import standing

_SBOM = build_referrer(THREE["amd64"])
_SIGNATURE = build_referrer(_SBOM, "application/vnd.dev.sigstore.bundle.v0.3+json")


def _push_referrer(
    registry: Distribution, repository: str, subject: BuiltImage, referrer: BuiltImage
) -> None:
    with seeder(registry) as push:
        push.push_index(repository, subject.digest.replace(":", "-"), build_index([referrer]))


def _raw(skopeo: Path, reference: str) -> Any:
    run = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return json.loads(run.stdout)


def _merge(team: str, **options: Any) -> oci_merge.MergeResult:
    return oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        **options,
    )


@pytest.fixture
def team(plain_registry: Distribution) -> str:
    """Images of which one has an SBOM, and that a signature."""
    team = push_team(plain_registry)
    repository = f"{team.rpartition('/')[2]}/img-amd64"
    _push_referrer(plain_registry, repository, THREE["amd64"], _SBOM)
    _push_referrer(plain_registry, repository, _SBOM, _SIGNATURE)
    return team


def test_referrers_are_found_at_the_target(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path, team: str
) -> None:
    result = _merge(team, referrers=True)
    assert result.warnings == ()
    for subject, referrer in ((THREE["amd64"], _SBOM), (_SBOM, _SIGNATURE)):
        listed = _raw(skopeo, f"{team}/img:{subject.digest.replace(':', '-')}")
        assert [entry["digest"] for entry in listed["manifests"]] == [referrer.digest]
        subprocess.run(
            [
                *(skopeo, "copy", "--src-tls-verify=false"),
                *(
                    f"docker://{team}/img@{referrer.digest}",
                    f"dir:{tmp_path / referrer.digest[7:19]}",
                ),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
    with plain_registry.watch() as records:
        again = _merge(team, referrers=True)
    assert not again.changed
    assert {record.method for record in records} <= {"GET", "HEAD"}


def test_without_the_option_a_line_says_that_some_stay_behind(team: str) -> None:
    [warning] = _merge(team).warnings
    assert warning == (
        f"what refers to {team}/img-amd64:1.0 stays behind; --referrers brings it along"
    )


def test_an_index_is_found_from_its_subject(
    plain_registry: Distribution, skopeo: Path, team: str
) -> None:
    first = _merge(team)
    result = _merge(
        team,
        subject=f"{team}/img@{first.digest}",
        artifact_type="application/vnd.example.release",
        force=True,
    )
    assert standing(plain_registry, f"{team}/img:1.0") == (200, result.digest)
    assert _raw(skopeo, f"{team}/img:1.0")["subject"]["digest"] == first.digest
    listed = _raw(skopeo, f"{team}/img:{first.digest.replace(':', '-')}")
    assert [entry["digest"] for entry in listed["manifests"]] == [result.digest]


def test_an_index_that_is_changed_stays_to_be_found_from_its_subject(
    plain_registry: Distribution, skopeo: Path, team: str
) -> None:
    first = _merge(team)
    options = {"subject": f"{team}/img@{first.digest}", "force": True}
    found = [_merge(team, **options).digest]
    with plain_registry.watch() as records:
        _merge(team, subject=f"{team}/img@{first.digest}")
    assert {record.method for record in records} <= {"GET", "HEAD"}
    tag = f"{team}/img:1.0"
    found.append(oci_merge.annotate(tag, annotations={"a": "1"}).digest)
    found.append(oci_merge.remove(tag, platforms=["linux/arm64"]).digest)
    found.append(oci_merge.append(tag, sources=[f"{team}/img-arm64:1.0"]).digest)
    assert standing(plain_registry, tag) == (200, found[-1])
    listed = _raw(skopeo, f"{team}/img:{first.digest.replace(':', '-')}")
    assert [entry["digest"] for entry in listed["manifests"]] == found


def test_attestations_can_be_left_out(plain_registry: Distribution, skopeo: Path) -> None:
    team = push_team(plain_registry)
    with seeder(plain_registry) as push:
        proven = build_index([THREE["amd64"], build_attestation(THREE["amd64"])])
        push.push_index(f"{team.rpartition('/')[2]}/img-amd64", "1.0", proven)
    assert len(_raw(skopeo, f"{team}/img-amd64:1.0")["manifests"]) == 2
    assert len(_merge(team).platforms[0].attestations) == 1
    dropped = _merge(team, attestations="drop")
    assert dropped.changed
    assert len(_raw(skopeo, f"{team}/img:1.0")["manifests"]) == 3
