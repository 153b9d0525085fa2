"""A batch on a real distribution: what fails, what a rerun does, and shards on several machines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import oci_merge
from fixtures.distribution import Distribution
from tests.registry.team import THREE, push_team, seeder

PROGRAM = (sys.executable, "-m", "oci_merge_cli")
PLATFORMS = {"linux/amd64", "linux/arm64", "linux/arm/v7"}

FILE = """
defaults:
  template: ${TEAM}/img-ARCHVARIANT:1.0
  target: ${TEAM}/${name}:${VERSION:-1.0}
images:
  - name: app
    tags: [latest]
    annotations: {org.opencontainers.image.title: app}
  - name: late
    template: ${TEAM}/late-ARCHVARIANT:1.0
    platforms: [linux/amd64, linux/arm64]
  - image: ${TEAM}/spec:1.0
    manifests:
      - image: ${TEAM}/img-amd64:1.0
      - image: ${TEAM}/img-armv7:1.0
        platform: {os: linux, architecture: arm, variant: v7}
"""


def batch(file: Path, team: str, *options: str) -> tuple[int, dict[str, object]]:
    """Run the command in a process of its own; return its exit status and its JSON."""
    done = subprocess.run(
        [*PROGRAM, "batch", str(file), "--output", "json", *options],
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "TEAM": team, "PYTHONPATH": ":".join(sys.path)},
        timeout=120,
    )
    return done.returncode, json.loads(done.stdout)


def statuses(document: dict[str, object]) -> dict[str, str]:
    images = document["images"]
    assert isinstance(images, list)
    return {image["name"].rpartition("/")[2]: image["status"] for image in images}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "images.yml"
    path.write_text(FILE)
    return path


def skopeo_platforms(skopeo: Path, reference: str) -> set[str]:
    """Return the platforms of an index as skopeo reads it."""
    done = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    platforms = [entry["platform"] for entry in json.loads(done.stdout)["manifests"]]
    return {
        "/".join(filter(None, (each["os"], each["architecture"], each.get("variant"))))
        for each in platforms
    }


def test_a_rerun_does_what_failed_and_leaves_the_rest(
    plain_registry: Distribution, skopeo: Path, file: Path
) -> None:
    team = push_team(plain_registry)
    status, document = batch(file, team)
    assert status == 1
    assert statuses(document) == {
        "app": "published",
        "late": "failed",
        "spec:1.0": "published",
    }
    assert skopeo_platforms(skopeo, f"{team}/app:latest") == PLATFORMS
    assert skopeo_platforms(skopeo, f"{team}/spec:1.0") == {"linux/amd64", "linux/arm/v7"}

    with seeder(plain_registry) as push:
        for suffix in ("amd64", "arm64"):
            name = f"{team.partition('/')[2]}/late-{suffix}"
            push.push_image(name, "1.0", THREE[suffix])
    with plain_registry.watch() as records:
        status, document = batch(file, team)
    assert status == 0
    assert statuses(document) == {
        "app": "unchanged",
        "late": "published",
        "spec:1.0": "unchanged",
    }
    written = [record.path for record in records if record.method not in ("GET", "HEAD")]
    assert written
    assert all("/late/" in path for path in written)
    assert skopeo_platforms(skopeo, f"{team}/late:1.0") == {"linux/amd64", "linux/arm64"}


def test_shards_in_processes_of_their_own_publish_every_image_once(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    names = [f"out{number}" for number in range(7)]
    file = tmp_path / "images.yml"
    file.write_text(
        FILE.partition("images:")[0]
        + "images:\n"
        + "".join(f"  - name: {name}\n" for name in names)
    )
    found: list[str] = []
    for number in (1, 2, 3):
        status, document = batch(file, team, "--shard", f"{number}/3")
        assert status == 0
        assert set(statuses(document).values()) == {"published"}
        found += statuses(document)
    assert sorted(found) == names
    status, document = batch(file, team)
    assert set(statuses(document).values()) == {"unchanged"}
    assert skopeo_platforms(skopeo, f"{team}/out6:1.0") == PLATFORMS


def test_one_batch_publishes_to_several_registries(
    plain_registry: Distribution, docker_registry: Path, skopeo: Path
) -> None:
    team = push_team(plain_registry)
    template = f"{team}/img-ARCHVARIANT:1.0"
    with Distribution() as other:
        elsewhere = f"{other.host}/team/app:1.0"
        result = oci_merge.batch(
            [
                {"target": f"{team}/app:1.0", "template": template},
                {"target": elsewhere, "template": template, "copy_layers": True},
            ]
        )
        assert result.published == 2
        assert result.images[0].digest == result.images[1].digest
        assert skopeo_platforms(skopeo, elsewhere) == PLATFORMS
