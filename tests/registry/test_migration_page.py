"""The jobs of the migration page, run as GitLab's runner runs them, on a real distribution."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.distribution import Distribution, Htpasswd
from fixtures.images import build_image
from tests.registry.team import seeder

PAGE = Path(__file__).parents[2] / "docs" / "coming-from" / "manifest-tool.md"
IMAGES = {"amd64": build_image("linux", "amd64"), "arm64": build_image("linux", "arm64")}
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def job(name: str) -> dict[str, Any]:
    """Return the job of the page whose first line is the comment ``# name``."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(f"# {name}\n")]
    loaded: dict[str, Any] = yaml.safe_load(block)["merge-php"]
    return loaded


@pytest.fixture(scope="module")
def registry(docker_registry: Path) -> Iterator[Distribution]:
    """A registry with a password and the two images that kaniko built."""
    with Distribution(auth=Htpasswd()) as running:
        with seeder(running) as push:
            for architecture, image in IMAGES.items():
                push.push_image(f"group/project/php-{architecture}", "1.2.3", image)
        yield running


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the installed command, under both of its names."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("oci-merge", "manifest-tool"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m oci_merge_cli "$@"\n')
        program.chmod(0o755)
    return folder


def run_job(name: str, registry: Distribution, programs: Path) -> subprocess.CompletedProcess[str]:
    """Run a job's script lines as the runner does: one shell, the CI variables, no terminal."""
    described = job(name)
    username, password = registry.credentials or ("", "")
    variables = {
        "CI": "true",
        "CI_REGISTRY": registry.host,
        "CI_REGISTRY_IMAGE": f"{registry.host}/group/project",
        "CI_REGISTRY_USER": username,
        "CI_REGISTRY_PASSWORD": password,
        "IMAGE_TAG": "1.2.3",
    }
    own = {
        key: re.sub(r"\$\{(\w+)\}", lambda match: variables[match[1]], value)
        for key, value in described.get("variables", {}).items()
    }
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(described["script"])],
        env=os.environ | variables | own | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "media_type"), [("after", DOCKER_LIST), ("best", OCI_INDEX), ("before", DOCKER_LIST)]
)
def test_a_job_of_the_page_publishes_both_tags(
    registry: Distribution, programs: Path, name: str, media_type: str
) -> None:
    done = run_job(name, registry, programs)

    assert done.returncode == 0, done.stderr
    digest = re.fullmatch(r"Digest: (sha256:[0-9a-f]{64}) \d+\n", done.stdout)
    assert digest is not None, done.stdout
    with seeder(registry) as reader:
        for tag in ("latest", "1.2.3"):
            found = reader.get_manifest("group/project/php", tag)
            assert (found.status, found.digest, found.media_type) == (200, digest[1], media_type)
    entries = json.loads(found.body)["manifests"]
    assert [entry["digest"] for entry in entries] == [image.digest for image in IMAGES.values()]


def test_only_the_name_of_the_program_differs_between_before_and_after() -> None:
    before, after = job("before")["script"], job("after")["script"]

    assert [line.replace("manifest-tool", "oci-merge") for line in before] == after


def test_the_best_job_shows_no_password_to_other_processes() -> None:
    assert not [line for line in job("best")["script"] if "PASSWORD" in line]
