"""Plan and apply on a real distribution, with skopeo as an independent witness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import oci_merge
from fixtures.distribution import Distribution
from fixtures.images import build_image
from oci_merge import PlanChangedError
from tests.cli.running import run_process
from tests.registry.team import THREE, push_team, seeder
from tests.registry.test_merge import copy_with, standing


def dry_run(team: str, folder: Path, *words: str) -> Path:
    """Write the plan of a merge as a shell does."""
    outcome = run_process(
        *("--template", f"{team}/img-ARCHVARIANT:1.0", "--target", f"{team}/img:1.0"),
        *("--tags", "latest", "--dry-run", "--output", "json", *words),
    )
    assert outcome.status == 0, outcome.stderr
    plan = folder / "plan.json"
    plan.write_text(outcome.stdout)
    return plan


def test_a_reviewed_plan_is_published_byte_for_byte(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    plan = dry_run(team, tmp_path)
    document = json.loads(plan.read_text())
    assert standing(plain_registry, f"{team}/img:1.0")[0] == 404

    outcome = run_process("apply", str(plan), "--verify", "--output", "json")

    assert outcome.status == 0, outcome.stderr
    done = json.loads(outcome.stdout)
    assert (done["digest"], done["verified"]) == (document["digest"], True)
    for tag in ("1.0", "latest"):
        content = copy_with(skopeo, f"{team}/img:{tag}", tmp_path / tag)
        assert content.decode() == document["plan"]["index"]["document"]
    again = json.loads(run_process("apply", str(plan), "--output", "json").stdout)
    assert again["changed"] is False


@pytest.mark.parametrize("moved", ["img-arm64:1.0", "img:latest"])
def test_a_plan_is_refused_once_an_image_or_the_target_has_moved(
    plain_registry: Distribution, tmp_path: Path, moved: str
) -> None:
    team = push_team(plain_registry)
    plan = dry_run(team, tmp_path)
    repository, _, tag = moved.partition(":")
    with seeder(plain_registry) as push:
        name = f"{team.partition('/')[2]}/{repository}"
        push.push_image(name, tag, build_image("linux", "arm64", text="newer"))
    with plain_registry.watch() as requests, pytest.raises(PlanChangedError) as caught:
        oci_merge.apply(plan)
    assert caught.value.changed == (f"{team}/{moved}",)
    assert {record.method for record in requests} <= {"GET", "HEAD"}


def test_a_plan_copies_to_two_registries(
    plain_registry: Distribution, docker_registry: Path, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    with Distribution() as other:
        target = f"{other.host}/there/img:1.0"
        plan = oci_merge.merge(
            f"{team}/img:1.0",
            targets=[target],
            template=f"{team}/img-ARCHVARIANT:1.0",
            copy_layers=True,
            dry_run=True,
        )
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan.to_dict()))
        result = oci_merge.apply(path, verify=True)
        assert [each.reference for each in result.targets] == [f"{team}/img:1.0", target]
        content = copy_with(skopeo, target, tmp_path / "image")
        assert content == plan.plan.index.content
    assert len(THREE) == len(result.platforms)
