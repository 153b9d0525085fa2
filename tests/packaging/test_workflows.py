"""What runs at GitHub: as its schemas want it, without holes, and doing what it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.distribution import PROGRAM, Htpasswd
from fixtures.images import build_image
from fixtures.named_registries import NamedRegistries
from tests.installed import installed
from tests.packaging.conftest import ROOT
from tests.registry.ci.documents import refusal
from tests.registry.ci.running import BASH, Job, listed, push_images
from tools.release import complete
from tools.release.version import read_version

FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
VERSION = read_version()
IMAGE = "ghcr.io/owner/oci-merge"
#: What a runner sets for every step.
VARIABLES = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "ci",
    "GITHUB_REF_NAME": f"v{VERSION}",
    "GITHUB_REPOSITORY": "OWNER/oci-merge",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_SHA": "0" * 40,
}


def workflow(name: str) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load((FOLDER / "workflows" / name).read_text())
    return document


RELEASE: dict[str, Any] = workflow("release.yml")["jobs"]


def steps() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every step of every workflow, with where it stands."""
    for path in WORKFLOWS:
        for name, job in workflow(path.name)["jobs"].items():
            for number, step in enumerate(job.get("steps", ())):
                yield f"{path.name}:{name}:{number}", step


SCRIPTS = {place: str(step["run"]) for place, step in steps() if "run" in step}


def script(job: str, name: str) -> str:
    """Return the script of one step of the release by its name."""
    (found,) = [step["run"] for step in RELEASE[job]["steps"] if step.get("name") == name]
    return str(found)


def needed(job: str) -> set[str]:
    """Return the jobs without which one of the release does not run."""
    needs = RELEASE[job].get("needs", [])
    found: set[str] = set()
    for each in [needs] if isinstance(needs, str) else needs:
        found |= {each} | needed(each)
    return found


def zizmor(*paths: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("zizmor")
    command = [str(program), "--offline", "--no-progress", "--persona=pedantic"]
    return subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def registries() -> Iterator[NamedRegistries]:
    """GitHub's registry, with a password."""
    installed(PROGRAM)
    with NamedRegistries({"ghcr.io": Htpasswd()}) as named:
        yield named


@pytest.fixture
def machine(tmp_path: Path) -> Job:
    """A machine that reaches no registry, with the project in its workspace."""
    folder = tmp_path / "machine"
    folder.mkdir()
    made = Job(folder, NamedRegistries({}))
    copy_project(made.workspace)
    return made


def copy_project(folder: Path) -> None:
    """Put what the scripts of a release read into a folder, with the day of the release."""
    shutil.copytree(ROOT / "tools" / "release", folder / "tools" / "release")
    (folder / "oci_merge").mkdir()
    shutil.copy(ROOT / "oci_merge" / "_version.py", folder / "oci_merge")
    shutil.copy(ROOT / "pyproject.toml", folder)
    text = f"# Changelog\n\n## [{VERSION}] - 2026-01-31\n\n- A thing.\n"
    (folder / "CHANGELOG.md").write_text(text)


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.dependabot", [FOLDER / "dependabot.yml"]),
    ],
)
def test_a_file_is_as_its_schema_wants_it(schema: str, paths: list[Path], tmp_path: Path) -> None:
    assert paths
    for path in paths:
        assert refusal(path.read_text(encoding="utf-8"), schema, tmp_path) == ""


def test_zizmor_finds_nothing() -> None:
    done = zizmor(FOLDER)

    assert done.returncode == 0, done.stdout
    assert "release.yml" in done.stderr


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ('"$GITHUB_REF_NAME")"', '"${{ github.ref_name }}")"'),
        ("\n        with:\n          persist-credentials: false\n", "\n"),
        ("@dc37677b2e1c63e2034f94d8a5b11f265b73ba33", "@release/v1"),
        ("permissions:\n  contents: read\n", ""),
    ],
)
def test_zizmor_would_find_a_hole(text: str, instead: str, tmp_path: Path) -> None:
    whole = (FOLDER / "workflows" / "release.yml").read_text()
    assert text in whole
    changed = tmp_path / ".github" / "workflows" / "release.yml"
    changed.parent.mkdir(parents=True)
    changed.write_text(whole.replace(text, instead))

    assert zizmor(changed).returncode != 0


def test_every_action_is_pinned_by_its_commit_and_says_its_version() -> None:
    used = [
        line.strip()
        for path in WORKFLOWS
        for line in path.read_text().splitlines()
        if "uses:" in line and "$/" not in line
    ]

    assert len(used) > 10
    pinned = re.compile(r"(- )?uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in used if not pinned.fullmatch(line)] == []


def test_an_action_has_one_commit_everywhere() -> None:
    texts = [path.read_text() for path in WORKFLOWS]
    used = {found for text in texts for found in re.findall(r"uses: ([\w./-]+)@(\S+)", text)}

    assert len({name for name, _ in used}) == len(used)


@pytest.mark.parametrize("place", SCRIPTS)
def test_a_script_is_bash_and_nothing_is_put_into_it(place: str) -> None:
    assert "${{" not in SCRIPTS[place]
    subprocess.run(["bash", "-n", "-c", SCRIPTS[place]], check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_ends_and_may_do_no_more_than_it_says(path: Path) -> None:
    document = workflow(path.name)

    assert document["permissions"] == {"contents": "read"}
    for name, job in document["jobs"].items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 45, name


def test_what_scripts_call_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    text = "\n".join(SCRIPTS.values())
    targets = re.findall(r"\bmake ([a-z-]+)", text)
    files = re.findall(r"(?:^|\s)((?:tools|\.ci)/\S+)", text)
    commands = re.findall(r"-m tools\.release (\w+)", text)

    assert set(targets) == {"wheel", "onefile"}
    assert [target for target in targets if f"\n{target}: " not in makefile] == []
    assert "PYZ_ARGS" in text
    assert "tools/pyz/build.py $(PYZ_ARGS)" in makefile
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert set(commands) == {"tag", "constraints", "gather", "notes"}


def test_nothing_is_published_that_was_not_tested() -> None:
    for job in ("publish", "image", "images", "github-release"):
        assert {"version", "test", "archives", "single-files", "gather"} <= needed(job)


def test_the_page_for_maintainers_knows_every_job_and_what_is_set_up_for_it() -> None:
    page = (ROOT / "docs" / "releasing.md").read_text()
    table = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    environments = [job["environment"] for job in RELEASE.values() if "environment" in job]

    assert table == list(RELEASE)
    assert [name for name in environments if f"**The environment `{name}`**" not in page] == []
    secrets = set(re.findall(r"secrets\.(\w+)", yaml.safe_dump(RELEASE)))
    assert [name for name in sorted(secrets) if f"`{name}`" not in page] == []


def test_one_job_alone_may_publish_to_the_index_and_runs_no_code_of_ours() -> None:
    publish = RELEASE["publish"]
    used = [step["uses"].partition("@")[0] for step in publish["steps"] if "uses" in step]

    trusted = {
        name
        for name, job in RELEASE.items()
        if job.get("permissions", {}).get("id-token") == "write"
    }
    assert trusted == {"publish", "gather"}
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "pypi"
    assert used == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]


def test_the_keys_are_for_one_job_alone() -> None:
    with_secrets = [name for name, job in RELEASE.items() if "secrets." in yaml.safe_dump(job)]

    assert with_secrets == ["image"]
    assert RELEASE["image"]["environment"] == "signing"


def test_single_files_are_made_for_what_is_released() -> None:
    matrix = RELEASE["single-files"]["strategy"]["matrix"]
    platforms = {"ubuntu-24.04": "linux_x86_64", "ubuntu-24.04-arm": "linux_aarch64"}

    assert matrix["python"] == complete.pythons()
    assert {platforms[runner] for runner in matrix["runner"]} == set(complete.PLATFORMS)


def test_the_tag_gives_the_version(machine: Job) -> None:
    output = machine.home / "output"

    done = machine.run(
        script("version", "Compare the tag with the program and the changelog"),
        VARIABLES | {"GITHUB_OUTPUT": str(output)},
        shell=BASH,
    )

    assert done.returncode == 0, done.stderr
    assert output.read_text() == f"version={VERSION}\n"


@pytest.mark.parametrize("tag", ["v99.0.0", VERSION, f"v{VERSION}.", f"v{VERSION}\nversion=x"])
def test_another_tag_than_the_version_ends_the_release(machine: Job, tag: str) -> None:
    output = machine.home / "output"

    done = machine.run(
        script("version", "Compare the tag with the program and the changelog"),
        VARIABLES | {"GITHUB_OUTPUT": str(output), "GITHUB_REF_NAME": tag},
        shell=BASH,
    )

    assert done.returncode != 0
    assert f"oci_merge/_version.py is {VERSION}" in done.stderr
    assert not output.exists()


def test_files_that_are_not_complete_end_the_release(machine: Job) -> None:
    folder = machine.workspace / "dist"
    folder.mkdir()
    (folder / f"oci_merge-{VERSION}.tar.gz").touch()

    done = machine.run(
        script("gather", "Check that all is there, and write the checksums"), VARIABLES, shell=BASH
    )

    assert done.returncode == 1
    assert f"error: oci_merge-{VERSION}-py3-none-any.whl is missing" in done.stderr


def test_the_index_gets_the_archives_alone(machine: Job) -> None:
    folder = machine.workspace / "dist"
    folder.mkdir()
    names = complete.archives(VERSION) | complete.single_files(VERSION) | {"SHA256SUMS"}
    for name in names:
        (folder / name).touch()

    done = machine.run(script("publish", "Take what the index takes"), VARIABLES, shell=BASH)

    assert done.returncode == 0, done.stderr
    assert {path.name for path in (machine.workspace / "index").iterdir()} == {
        f"oci_merge-{VERSION}.tar.gz",
        f"oci_merge-{VERSION}-py3-none-any.whl",
    }


def test_the_release_has_the_notes_and_all_files(machine: Job) -> None:
    folder = machine.workspace / "dist"
    folder.mkdir()
    for name in ("one.whl", "SHA256SUMS"):
        (folder / name).touch()
    machine.add_program("gh", 'printf "%s\\n" "$@"; cat notes.md')  # in place of GitHub's own

    done = machine.run(
        script("github-release", "Make the release with all files"), VARIABLES, shell=BASH
    )

    assert done.returncode == 0, done.stderr
    arguments = ["release", "create", f"v{VERSION}", "--verify-tag", "--title", f"v{VERSION}"]
    files = ["--notes-file", "notes.md", "dist/SHA256SUMS", "dist/one.whl"]
    assert done.stdout.splitlines() == [*arguments, *files, "- A thing."]


def test_tags_of_images_move_after_the_index_has_the_release() -> None:
    jobs = yaml.safe_load((FOLDER / "workflows" / "release.yml").read_text())["jobs"]
    assert "publish" in jobs["image"]["needs"]
    assert {"images", "gather"} <= {*jobs["publish"]["needs"]}
    assert {"publish", "image"} <= {*jobs["github-release"]["needs"]}


def test_an_image_is_built_for_its_architecture_and_no_password_is_an_argument(
    machine: Job,
) -> None:
    # In place of docker's own: it prints its arguments, and what it reads of a password.
    machine.add_program("docker", 'echo "docker $*"; [ "$1" != login ] || cat')
    variables = VARIABLES | {"ARCHITECTURE": "arm64", "VERSION": VERSION, "TOKEN": "secret"}
    folder = machine.workspace / "dist"
    folder.mkdir()
    (folder / "oci_merge.whl").touch()
    component = {"type": "library", "name": "rich", "version": "15.0.0"}
    (folder / "oci_merge.cdx.json").write_text(json.dumps({"components": [component]}))

    login = machine.run(script("images", "Log in"), variables, shell=BASH)
    build = machine.run(script("images", "Build and push it"), variables, shell=BASH)

    assert login.stdout == "docker login ghcr.io --username ci --password-stdin\nsecret"
    commands = [shlex.split(line) for line in build.stdout.splitlines()]
    assert [command[1] for command in commands] == ["build", "run", "push"]
    assert all(f"{IMAGE}:{VERSION}-arm64" in command for command in commands)
    assert f"org.opencontainers.image.version={VERSION}" in commands[0]
    # What the image has in it is what was tested.
    assert {"OCI_MERGE=dist/oci_merge.whl", "PIP_CONSTRAINT=dist/constraints.txt"} < {*commands[0]}
    assert (folder / "constraints.txt").read_text() == "rich==15.0.0\n"


@pytest.mark.real_registry
def test_the_images_are_joined_and_signed_by_oci_merge_itself(
    tmp_path: Path, registries: NamedRegistries
) -> None:
    machine = Job(tmp_path, registries)
    (machine.workspace / "tool" / "bin").mkdir(parents=True)
    # The job installs the wheel here, as other tests do.
    (machine.workspace / "tool" / "bin" / "oci-merge").symlink_to(tmp_path / "bin" / "oci-merge")
    shutil.copytree(ROOT / "tools" / "image", machine.workspace / "tools" / "image")
    labels = {"org.opencontainers.image.version": VERSION}
    images = {name: build_image("linux", name, labels=labels) for name in ("amd64", "arm64")}
    push_images(registries, f"{IMAGE}:{VERSION}-ARCH", images)
    token = registries.registries["ghcr.io"].credentials
    assert token is not None
    password = {"COSIGN_PASSWORD": "a password of a key"}
    made = machine.run("oci-merge generate-key-pair", password)
    assert made.returncode == 0, made.stderr
    key = (machine.workspace / "cosign.key").read_text()
    secrets = {"COSIGN_PRIVATE_KEY": key, "GITHUB_TOKEN": token[1], "VERSION": VERSION}
    program = {"OCI_MERGE_PROGRAM": "tool/bin/oci-merge"}

    done = machine.run(
        script("image", "Join the images, and sign before a tag moves"),
        VARIABLES | password | secrets | program,
        shell=BASH,
    )

    assert done.returncode == 0, done.stderr
    assert listed(registries, f"{IMAGE}:{VERSION}") == [each.digest for each in images.values()]
    assert listed(registries, f"{IMAGE}:latest") == listed(registries, f"{IMAGE}:{VERSION}")
    verified = machine.run(
        f"oci-merge verify {IMAGE}:{VERSION} --key cosign.pub",
        VARIABLES | {"GITHUB_TOKEN": token[1]},
    )
    assert verified.returncode == 0, verified.stderr
