"""The jobs of the migration page, run as GitLab's runner runs them, on a real distribution."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.named_registries import NamedRegistries
from tests.registry.ci.documents import block
from tests.registry.ci.gitlab import REGISTRY, USER, Pipeline, Runners, predefined
from tests.registry.ci.running import TWO, Job, push_images

PAGE = "docs/coming-from/manifest-tool.md"
PROJECT = "group/project"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def job(name: str) -> dict[str, Any]:
    """Return the job of the page whose first line is the comment ``# name``."""
    loaded: dict[str, Any] = yaml.safe_load(block(PAGE, f"# {name}"))["merge-php"]
    return loaded


@pytest.fixture(scope="module")
def named(docker_registry: Path) -> Iterator[NamedRegistries]:
    """A registry with a password and the two images that kaniko built."""
    with NamedRegistries({REGISTRY: USER}) as registries:
        push_images(registries, f"{REGISTRY}/{PROJECT}/php-ARCH:1.2.3")
        yield registries


def downloads(machine: Job) -> None:
    """Put programs onto a machine that stand for those which bring the one that merges."""
    for name in ("apk", "curl", "tar", "pip"):
        machine.add_program(name, "")


@pytest.mark.parametrize(
    ("name", "media_type"), [("after", DOCKER_LIST), ("best", OCI_INDEX), ("before", DOCKER_LIST)]
)
def test_a_job_of_the_page_publishes_both_tags(
    named: NamedRegistries, tmp_path: Path, name: str, media_type: str
) -> None:
    variables = predefined(PROJECT) | {"IMAGE_TAG": "1.2.3"}
    pipeline = Pipeline(block(PAGE, f"# {name}"), variables)

    [ran] = Runners(tmp_path, named, {}, downloads).run(pipeline)

    assert ran.done.returncode == 0, ran.done.stderr
    digest = re.fullmatch(r"Digest: (sha256:[0-9a-f]{64}) \d+\n", ran.done.stdout)
    assert digest is not None, ran.done.stdout
    with named.seeder(REGISTRY) as reader:
        for tag in ("latest", "1.2.3"):
            found = reader.get_manifest(f"{PROJECT}/php", tag)
            assert (found.status, found.digest, found.media_type) == (200, digest[1], media_type)
    entries = json.loads(found.body)["manifests"]
    assert [entry["digest"] for entry in entries] == [image.digest for image in TWO.values()]


def test_only_the_name_of_the_program_differs_between_before_and_after() -> None:
    before, after = job("before")["script"], job("after")["script"]

    assert [line.replace("manifest-tool", "oci-merge") for line in before] == after


def test_the_best_job_shows_no_password_to_other_processes() -> None:
    assert not [line for line in job("best")["script"] if "PASSWORD" in line]
