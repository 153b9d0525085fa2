"""The pages for those who come from other tools: each of our commands does what its row says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.images import build_attestation, build_image, build_index
from fixtures.named_registries import NamedRegistries
from oci_merge.client import AsyncClient
from oci_merge.http.timings import Timings
from oci_merge_cli.program import run
from tests.registry.ci.documents import block, refusal
from tests.registry.ci.running import Job, listed, push_images

FOLDER = "docs/coming-from"
PAGES = ("docker-manifest", "buildx-imagetools", "crane")
ROOT = Path(__file__).parents[3]
APP = "registry.example/team/app"

IMAGES = {
    "amd64": build_image("linux", "amd64"),
    "arm64": build_image("linux", "arm64"),
    "riscv64": build_image("linux", "riscv64"),
    "any": build_image("", ""),
    "win": build_image("windows", "amd64"),
}
S390X = build_image("linux", "s390x")
ATTESTATION = build_attestation(IMAGES["amd64"])
STANDING = build_index([IMAGES["amd64"], IMAGES["arm64"], S390X, ATTESTATION])
"""What `app:1.0` points to before each command."""

AMD64, ARM64, RISCV64, ANY, WIN = (image.digest for image in IMAGES.values())
ALL = [AMD64, ARM64, S390X.digest, ATTESTATION.digest]
TWO = [AMD64, ARM64]

PUBLISHED = {
    "join images": {f"{APP}:1.0": TWO},
    "the same, by one name for all": {f"{APP}:1.0": TWO},
    "join by digest": {f"{APP}:1.0": sorted(TWO)},
    "add an image to what is published": {f"{APP}:1.0": [*ALL, RISCV64]},
    "take a platform out": {f"{APP}:1.0": [*TWO, ATTESTATION.digest]},
    "take some platforms of an index": {f"{APP}:small": [*TWO, ATTESTATION.digest]},
    "say the platform of an image": {f"{APP}:1.0": [ANY, AMD64]},
    "say a variant": {f"{APP}:1.0": [ANY]},
    "say a version of Windows": {f"{APP}:1.0": [WIN]},
    "several tags": {f"{APP}:1.0": TWO, f"{APP}:latest": TWO},
    "several repositories": {f"{APP}:1.0": TWO, "registry.example/mirror/app:1.0": TWO},
    "another registry": {"other.example/team/app:1.0": TWO},
    "a Docker manifest list": {f"{APP}:1.0": TWO},
    "copy an index in its registry": {"registry.example/mirror/app:1.0": ALL},
    "copy an index to another registry": {"other.example/team/app:1.0": ALL},
    "give an index another name": {f"{APP}:stable": ALL},
    "set a tag on an index": {f"{APP}:stable": ALL},
    "annotate the index": {f"{APP}:1.0": ALL},
    "annotate an index": {f"{APP}:1.0": ALL},
    "annotate an entry": {f"{APP}:1.0": ALL},
    "write nothing": {f"{APP}:1.0": ALL},
    "the digest in a file": {f"{APP}:1.0": TWO},
    "no progress": {f"{APP}:1.0": TWO},
    "progress for programs": {f"{APP}:1.0": TWO},
    "accept any certificate": {},
}
"""What each task leaves behind: the digests that are listed, by the reference of the index."""

PRINTED = {
    "look at it": "[1]    -    Arch: amd64\n",
    "all of it as JSON": '"name": "registry.example/team/app:1.0"',
    "the exact bytes": STANDING.manifest.decode(),
    "the manifest": STANDING.manifest.decode(),
    "for a script": f'"digest": "{STANDING.digest}"',
    "the digest": f'"digest": "{STANDING.digest}"',
    "is everything there?": "is complete",
    "which login is used": "there is no credential",
    "write nothing": "Tags\n  1.0  to move\n",
    "accept any certificate": "sha256:",
}
"""What the commands print that publish nothing."""

COPIED_BYTES = {
    "copy an index in its registry",
    "copy an index to another registry",
    "give an index another name",
    "set a tag on an index",
}
PLATFORMS = {
    "say the platform of an image": {"architecture": "arm64", "os": "linux"},
    "say a variant": {"architecture": "arm", "os": "linux", "variant": "v7"},
    "say a version of Windows": {
        "architecture": "amd64",
        "os": "windows",
        "os.version": "10.0.20348.2227",
    },
}
"""The platform of the first entry."""


def rows(page: str) -> list[tuple[str, str]]:
    """Return the tasks of a page's first table, each with our command for it."""
    text = (ROOT / FOLDER / f"{page}.md").read_text(encoding="utf-8")
    table = text.partition("## The commands\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| ([^|`]+) \|.*?`(oci-merge [^`]+)`", table, re.MULTILINE)
    assert len(found) >= table.count("`oci-merge ")
    return found


ROWS = [(page, *row) for page in PAGES for row in rows(page)]


@pytest.fixture(scope="module")
def named(docker_registry: Path) -> Iterator[NamedRegistries]:
    """The registries that the pages name, with the images."""
    access = dict.fromkeys(("registry.example", "other.example", "ghcr.io"))
    with NamedRegistries(access) as registries:
        push_images(registries, f"{APP}-ARCH:1.0", IMAGES)
        with registries.seeder("registry.example") as push:
            push.push_index("team/app", "1.0", STANDING)
            for architecture in ("amd64", "arm64"):
                image = IMAGES[architecture]
                push.push_image("team/app", image.digest, image)
        yield registries


@pytest.fixture
def machine(
    named: NamedRegistries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> NamedRegistries:
    """This process as the machine on which the commands are typed; `app:1.0` as it was."""
    for variable, value in named.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(AsyncClient, "_timings", Timings(settling=0.01))
    folder = tmp_path / "digests"
    folder.mkdir()
    for digest in TWO:
        (folder / digest.removeprefix("sha256:")).touch()
    (tmp_path / "spec.yml").write_text(block(f"{FOLDER}/docker-manifest.md", "# spec.yml"))
    with named.seeder("registry.example") as push:
        # The others point to an image, so that a command that does nothing is seen.
        for tag in ("latest", "stable", "small"):
            push.push_manifest("team/app", tag, S390X.media_type, S390X.manifest)
        push.push_manifest("team/app", "1.0", STANDING.media_type, STANDING.manifest)
    return named


@pytest.mark.parametrize(("page", "task", "command"), ROWS)
def test_our_command_does_the_task_of_its_row(
    machine: NamedRegistries,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    task: str,
    command: str,
) -> None:
    if "--insecure" in command:
        monkeypatch.delenv("SSL_CERT_FILE")
    status = run(shlex.split(command)[1:])
    printed = capsys.readouterr()

    assert status == 0, printed.err
    assert task in PUBLISHED or task in PRINTED
    assert PRINTED.get(task, "") in printed.out
    for reference, digests in PUBLISHED.get(task, {}).items():
        found = machine.fetch(reference)
        entries = json.loads(found.body)["manifests"]
        assert [entry["digest"] for entry in entries] == digests, reference
        if task in COPIED_BYTES:
            assert found.digest == STANDING.digest
        if task in PLATFORMS:
            assert entries[0]["platform"] == PLATFORMS[task]
        if task == "a Docker manifest list":
            assert found.media_type == "application/vnd.docker.distribution.manifest.list.v2+json"
        if "annotat" in task:
            assert b"com.example.tested" in found.body
        if task == "the digest in a file":
            assert found.digest in Path("metadata.json").read_text()
        if task == "no progress":
            assert printed.err == ""
        if task == "progress for programs":
            assert [json.loads(line) for line in printed.err.splitlines()]


GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_REGISTRY": "registry.example",
    "CI_REGISTRY_IMAGE": "registry.example/team",
    "CI_REGISTRY_USER": "ci",
    "CI_REGISTRY_PASSWORD": "registry-password",
    "CI_COMMIT_TAG": "1.0",
}


def document(page: str, name: str) -> dict[str, Any]:
    """Return what a page shows as its job before or after."""
    # YAML's `on` is true to a reader of YAML 1.1.
    loaded: dict[Any, Any] = yaml.safe_load(block(f"{FOLDER}/{page}.md", f"# {name}"))
    return {"on" if key is True else key: value for key, value in loaded.items()}


def lines(page: str, name: str) -> list[str]:
    """Return the script of a page's job, with what stands before it."""
    shown = document(page, name)
    if "jobs" in shown:
        return [step["run"] for step in shown["jobs"]["merge"]["steps"] if "run" in step]
    return [*shown["merge"]["before_script"], *shown["merge"]["script"]]


def test_the_jobs_are_as_their_vendors_schemas_want_them(tmp_path: Path) -> None:
    # All jobs of a vendor at once: the program takes seconds to start.
    jobs = {(page, name): document(page, name) for page in PAGES for name in ("before", "after")}
    workflow = jobs.pop((PAGES[1], "before")) | {"jobs": {}}
    for name in ("before", "after"):
        workflow["jobs"][name] = document(PAGES[1], name)["jobs"]["merge"]
    del jobs[PAGES[1], "after"]
    pipeline = {f"{page} {name}": each["merge"] for (page, name), each in jobs.items()}

    transform = ("--data-transform", "gitlab-ci")
    assert refusal(json.dumps(pipeline), "vendor.gitlab-ci", tmp_path, *transform) == ""
    text = json.dumps(workflow)
    assert refusal(text, "vendor.github-workflows", tmp_path) == ""


@pytest.mark.parametrize("page", PAGES)
def test_the_job_after_publishes_what_the_job_before_names(
    named: NamedRegistries, tmp_path: Path, page: str
) -> None:
    job = Job(tmp_path, named)
    for program in ("pip", "pipx"):
        job.add_program(program, 'test "$*" = "install oci-merge"')  # it is on PATH already
    for program in ("docker", "crane"):
        job.add_program(
            program, 'printf "%s\\n" "$@" >>"$HOME/said"'
        )  # what the job before asks for
    names = [f"{APP}-amd64:1.0", f"{APP}-arm64:1.0", f"{APP}:1.0", "latest"]
    variables = GITLAB
    if page == PAGES[1]:
        push_images(named, "ghcr.io/acme/app:ARCH")
        (job.workspace / "digests").mkdir()
        for digest in TWO:
            (job.workspace / "digests" / digest.removeprefix("sha256:")).touch()
        variables = {"TAG": "1.0"}
        names = [
            *(f"ghcr.io/acme/app@{digest}" for digest in TWO),
            "ghcr.io/acme/app:1.0",
            "latest",
        ]

    # Another page publishes the same images under the same names.
    with named.seeder("registry.example") as push:
        for tag in ("1.0", "latest"):
            push.push_index("team/app", tag, STANDING)
    for name in ("before", "after"):
        done = job.run(lines(page, name), variables)
        assert done.returncode == 0, done.stderr

    said = (job.home / "said").read_text().split()
    assert [each for each in names if not any(word.endswith(each) for word in said)] == []
    target = names[2]
    assert listed(named, target) == (sorted(TWO) if page == PAGES[1] else TWO)
    assert listed(named, target.replace(":1.0", ":latest")) == listed(named, target)
