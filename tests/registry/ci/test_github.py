"""The action and the workflows of the pages for GitHub, run as a runner runs them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml

import oci_merge
from fixtures.distribution import Htpasswd
from fixtures.images import build_attestation, build_image, build_index
from fixtures.named_registries import NamedRegistries
from tests.registry.ci.documents import ROOT, blocks, refusal
from tests.registry.ci.github import (
    OURS,
    JobRun,
    Outputs,
    Runner,
    StepFailed,
    UnknownForm,
    evaluate,
    parse_outputs,
)
from tests.registry.ci.github_actions import ACTIONS, noted
from tests.registry.ci.running import BASH, TWO, Job, listed, push_images

PAGES = ("docs/ci/github.md", "docs/ci/buildx.md")
OTHER_PAGES = ("README.md", "docs/credentials.md", "docs/next-job.md")
ACTION = ROOT / "action.yml"
TOKEN = "registry-password"
# As it was before the tests were cut off from the developer's settings: which index to install
# from may stand in them.
ENVIRONMENT = dict(os.environ)
EVENT = {
    "repository": "acme/app",
    "repository_owner": "acme",
    "actor": "ci",
    "ref": "refs/tags/v1.2.3",
    "ref_name": "v1.2.3",
    "ref_type": "tag",
    "sha": "4f2c1a9d7be04c0bb8e3ed1c9f5c3c8f1a2b3c4d",
    "event_name": "push",
    "workflow": "image",
    "run_id": "17",
    "run_number": "3",
    "run_attempt": "1",
    "server_url": "https://github.com",
    "api_url": "https://api.github.com",
}

#: Stands for uv. What it puts into the folder for programs is the oci-merge that is tested.
UV = f"""
[ "$1 $2" = "tool install" ] || exit 9
for what; do :; done
echo "uv installs $what"
mkdir -p "$UV_TOOL_BIN_DIR"
printf '#!/bin/sh\\nexec %s -m oci_merge_cli "$@"\\n' {shlex.quote(sys.executable)} \\
  > "$UV_TOOL_BIN_DIR/oci-merge"
chmod +x "$UV_TOOL_BIN_DIR/oci-merge"
"""

#: Stands for pip and pipx: this oci-merge is on PATH already.
INSTALLER = '[ "$*" = "install oci-merge" ]'


@pytest.fixture(scope="module")
def named(docker_registry: Path) -> Iterator[NamedRegistries]:
    """ghcr.io, where the user `ci` may push, and another registry."""
    with NamedRegistries({"ghcr.io": Htpasswd(), "registry.example": None}) as registries:
        yield registries


@pytest.fixture
def runner(named: NamedRegistries, tmp_path: Path) -> Runner:
    return Runner(
        tmp_path,
        named,
        github=EVENT,
        token=TOKEN,
        secrets={"COSIGN_PASSWORD": "key-password"},
        actions=ACTIONS,
        programs={"uv": UV, "pip": INSTALLER, "pipx": INSTALLER},
    )


def workflow(job: Mapping[str, Any]) -> str:
    """Return a workflow of one job, of which only the part that matters is given."""
    whole = {"runs-on": "ubuntu-24.04", **job}
    return yaml.safe_dump({"on": "push", "jobs": {"merge": whole}}, sort_keys=False)


def use(runner: Runner, variables: Mapping[str, str] | None = None, /, **inputs: str) -> JobRun:
    """Run our action in a job of its own; underscores in the names of inputs are hyphens."""
    step = {
        "id": "merge",
        "uses": f"{OURS}@COMMIT",
        "with": {name.replace("_", "-"): value for name, value in inputs.items()},
        "env": dict(variables or {}),
    }
    job = {"permissions": {"packages": "write"}, "steps": [step]}
    [run] = runner.run(workflow(job))["merge"]
    return run


def shown(page: str) -> list[str]:
    """Return the workflows that a page shows; a part of a job is made one."""
    found = []
    for text in blocks(page):
        document = yaml.safe_load(text)
        if "jobs" in document:
            found.append(text if "name" in document else f"on: push\n{text}")
        elif "steps" in document:
            found.append(workflow(document))
    return found


def new_machine(folder: Path, named: NamedRegistries) -> Job:
    """Return a machine whose folder is made."""
    folder.mkdir()
    return Job(folder, named)


def digest_of(named: NamedRegistries, reference: str) -> str:
    """Return the digest of what a tag points to, as the registry has it; empty without a tag."""
    return named.fetch(reference).digest


def index_of(named: NamedRegistries, reference: str) -> dict[str, Any]:
    """Return the index that a tag points to."""
    index: dict[str, Any] = json.loads(named.fetch(reference).body)
    return index


def two_with_provenance() -> list[str]:
    """Return what an index lists of the two images that buildx has built."""
    attestations = [build_attestation(image) for image in TWO.values()]
    return sorted(one.digest for one in [*TWO.values(), *attestations])


# What the pages and the action are made of


def test_the_action_has_the_form_that_github_takes(tmp_path: Path) -> None:
    action = ACTION.read_text(encoding="utf-8")
    assert refusal(action, "vendor.github-actions", tmp_path) == ""


def test_all_workflows_have_the_form_that_github_takes(tmp_path: Path) -> None:
    workflows = [text for page in PAGES + OTHER_PAGES for text in shown(page)]
    assert len(workflows) >= 10
    for text in workflows:
        assert refusal(text, "vendor.github-workflows", tmp_path) == ""


def test_zizmor_finds_nothing_in_the_action_and_the_workflows(tmp_path: Path) -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    if not zizmor.exists():
        pytest.skip("zizmor is not installed (the dependency group test has it)")
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    for page in PAGES:
        for number, text in enumerate(blocks(page)):
            if "jobs:" in text:
                (folder / f"{Path(page).stem}-{number}.yml").write_text(text, encoding="utf-8")
    # The pages say that actions stand there by their versions to be readable.
    policy = {"config": {"policies": {"*": "any"}}}
    (tmp_path / "zizmor.yml").write_text(json.dumps({"rules": {"unpinned-uses": policy}}))
    pedantic = ("--persona=pedantic", ACTION), ("--config=zizmor.yml", tmp_path)
    for option, what in pedantic:
        done = subprocess.run(
            [zizmor, "--offline", "--no-progress", option, what],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_no_script_has_an_expression_in_it() -> None:
    scripts = [step["run"] for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]]
    for page in PAGES:
        for text in shown(page):
            for job in yaml.safe_load(text)["jobs"].values():
                scripts += [step["run"] for step in job["steps"] if "run" in step]
    assert len(scripts) >= 6
    assert not [script for script in scripts if "${{" in script]


def test_the_page_lists_every_input_and_output_and_the_script_reads_them_all() -> None:
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    page = (ROOT / "docs/ci/github.md").read_text(encoding="utf-8")
    inputs, outputs = page.split("\n## Inputs\n")[1], page.split("\n## Outputs\n")[1]
    row = re.compile(r"^\| `([\w-]+)` \|", re.MULTILINE)
    assert set(row.findall(inputs.split("\n## ")[0])) == set(action["inputs"])
    assert set(row.findall(outputs.split("\n## ")[0])) == set(action["outputs"])
    for step in action["runs"]["steps"]:
        own = {name for name in step["env"] if name.startswith("INPUT_")}
        assert own == set(re.findall(r"INPUT_\w+", step["run"]))
    handed = " ".join(value for step in action["runs"]["steps"] for value in step["env"].values())
    assert set(re.findall(r"inputs\.([\w-]+)", handed)) == set(action["inputs"])


def test_the_options_that_the_page_names_are_those_of_the_script() -> None:
    page = (ROOT / "docs/ci/github.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `--([\w-]+)`(?:, `--[\w-]+`)? \|", page, re.MULTILINE)
    script = yaml.safe_load(ACTION.read_text())["runs"]["steps"][1]["run"]
    called = re.findall(r"^(?:one|each|flag) ([\w-]+) \"\$\{?INPUT_(\w+)", script, re.MULTILINE)
    by_input = {name.lower().replace("_", "-"): option for option, name in called}
    assert len(rows) == 24
    assert by_input | {"tags": "target"} == dict(rows)


# The workflows of the pages


def test_builds_on_two_runners_are_joined_by_digest_and_the_next_job_knows_the_image(
    runner: Runner, named: NamedRegistries
) -> None:
    jobs = runner.run(shown("docs/ci/github.md")[1])
    [merge], [deploy] = jobs["merge"], jobs["deploy"]
    assert sorted(listed(named, "ghcr.io/acme/app:1.2.3")) == two_with_provenance()
    digest = digest_of(named, "ghcr.io/acme/app:1.2.3")
    for tag in ("1.2", "latest"):
        assert digest_of(named, f"ghcr.io/acme/app:{tag}") == digest
    annotations = index_of(named, "ghcr.io/acme/app:1.2.3")["annotations"]
    description = annotations["org.opencontainers.image.description"]
    assert description == 'Makes "pages" of $HOME, it\'s acme/app'
    assert merge.outputs["reference"] == f"ghcr.io/acme/app@{digest}"
    assert deploy.steps[0].output == f"deploy ghcr.io/acme/app@{digest}\n"
    assert "linux/arm64" in merge.step("merge > merge").summary


def test_a_build_that_was_left_out_is_missed_and_no_tag_moves(
    runner: Runner, named: NamedRegistries
) -> None:
    text = shown("docs/ci/github.md")[1].replace("acme/app", "acme/half")
    lines = [line for line in text.splitlines() if "platform: linux/arm64" not in line]
    with pytest.raises(StepFailed, match="linux/arm64"):
        runner.run("\n".join(lines))
    assert digest_of(named, "ghcr.io/acme/half:1.2.3") == ""


def test_images_of_which_each_has_a_tag_are_joined_by_a_template(
    runner: Runner, named: NamedRegistries
) -> None:
    text = shown("docs/ci/github.md")[2].replace("acme/app", "acme/by-tag")
    runner.run(text)
    assert sorted(listed(named, "ghcr.io/acme/by-tag:1.2.3")) == two_with_provenance()
    assert listed(named, "ghcr.io/acme/by-tag:latest")


def test_targets_of_bake_are_joined_by_the_metadata_that_the_jobs_hand_on(
    runner: Runner, named: NamedRegistries
) -> None:
    runner.run(shown("docs/ci/buildx.md")[0].replace("acme/app", "acme/baked"))
    assert sorted(listed(named, "ghcr.io/acme/baked:v1.2.3")) == two_with_provenance()


def test_the_step_that_the_page_begins_with_publishes_both_tags(
    runner: Runner, named: NamedRegistries
) -> None:
    push_images(named, "ghcr.io/acme/short:1.0-ARCH")
    [run] = runner.run(shown("docs/ci/github.md")[0].replace("acme/app", "acme/short"))["merge"]
    expected = [image.digest for image in TWO.values()]
    assert listed(named, "ghcr.io/acme/short:1.0") == expected
    assert listed(named, "ghcr.io/acme/short:latest") == expected
    assert run.steps[0].output == f"uv installs {ROOT}\n"


def test_a_job_without_the_permission_cannot_publish(
    runner: Runner, named: NamedRegistries
) -> None:
    push_images(named, "ghcr.io/acme/closed:1.0-ARCH")
    text = shown("docs/ci/github.md")[0].replace("acme/app", "acme/closed")
    with pytest.raises(StepFailed, match="refused ci"):
        runner.run(text.replace("packages: write", "packages: read"))
    assert digest_of(named, "ghcr.io/acme/closed:1.0") == ""


def test_what_is_signed_by_a_key_verifies(
    runner: Runner, named: NamedRegistries, tmp_path: Path
) -> None:
    push_images(named, "ghcr.io/acme/signed:1.0-ARCH")
    machine = new_machine(tmp_path / "keys", named)
    secret = {"COSIGN_PASSWORD": "key-password"}
    assert machine.run("oci-merge generate-key-pair", secret).returncode == 0
    runner.secrets["COSIGN_PRIVATE_KEY"] = (machine.workspace / "cosign.key").read_text()
    [run] = runner.run(shown("docs/ci/github.md")[3].replace("acme/app", "acme/signed"))["merge"]
    login = {"OCI_MERGE_USERNAME": "ci", "OCI_MERGE_PASSWORD": TOKEN}
    verified = machine.run("oci-merge verify --key cosign.pub ghcr.io/acme/signed:1.0", login)
    assert verified.returncode == 0, verified.stderr
    assert "PRIVATE" not in "".join(step.output for step in run.steps)


def test_cosign_and_the_attestation_are_given_what_was_published(
    runner: Runner, named: NamedRegistries, tmp_path: Path
) -> None:
    push_images(named, "ghcr.io/acme/keyless:1.0-ARCH")
    text = shown("docs/ci/github.md")[4].replace("acme/app", "acme/keyless")
    runner.run(text)
    digest = digest_of(named, "ghcr.io/acme/keyless:1.0")
    assert noted(tmp_path, "cosign") == f"sign --yes --recursive ghcr.io/acme/keyless@{digest}"
    assert noted(tmp_path, "attest") == f"ghcr.io/acme/keyless@{digest}"
    runner.actions_used.clear()
    runner.run(text)
    assert "actions/attest-build-provenance" not in runner.actions_used


def test_a_step_without_the_action_sets_the_same_outputs(
    runner: Runner, named: NamedRegistries
) -> None:
    push_images(named, "ghcr.io/acme/plain:1.0-ARCH")
    [run] = runner.run(shown("docs/ci/github.md")[5].replace("acme/app", "acme/plain"))["merge"]
    outputs = run.step("merge").outputs
    assert outputs["digest"] == digest_of(named, "ghcr.io/acme/plain:1.0") != ""
    declared = yaml.safe_load(ACTION.read_text())["outputs"]
    assert set(outputs) == set(declared) - {"metadata"}


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_what_other_pages_show_of_github_publishes_what_it_says(
    page: str, runner: Runner, named: NamedRegistries
) -> None:
    name = f"ghcr.io/{Path(page).stem.lower()}/app"
    push_images(named, f"{name}:1.0-ARCH")
    (text,) = shown(page)
    runner.run(text.replace("ghcr.io/acme/app", name))
    assert listed(named, f"{name}:1.0") == [image.digest for image in TWO.values()]


def test_the_scripts_and_the_gitlab_jobs_of_the_page_about_buildx_join_what_docker_pushed(
    named: NamedRegistries, tmp_path: Path
) -> None:
    machine = new_machine(tmp_path / "docker", named)
    page = "docs/ci/buildx.md"
    [gitlab] = [text for text in blocks(page) if "jobs:" not in text]
    assert refusal(gitlab, "vendor.gitlab-ci", tmp_path) == ""
    build, merge = (yaml.safe_load(gitlab)[job] for job in ("build", "merge"))
    one, join, bake, join_bake = blocks(page, "sh")
    machine.add_program("docker", _docker(tmp_path, named))
    machine.add_program("pip", INSTALLER)
    gitlab_variables = {
        "CI_REGISTRY": "ghcr.io",
        "CI_REGISTRY_USER": "ci",
        "CI_REGISTRY_PASSWORD": TOKEN,
        "CI_REGISTRY_IMAGE": "ghcr.io/team/built",
        "CI_COMMIT_TAG": "v1",
    }
    for variables, builds, joins, target in (
        ({}, [one], join, "registry.example/team/app:1.0"),
        ({}, [bake], join_bake, "registry.example/team/app:1.0"),
        (gitlab_variables, build["script"], merge["script"], "ghcr.io/team/built:v1"),
    ):
        machine.run("rm -rf digests && mkdir digests", {})
        for architecture in ("amd64", "arm64"):
            built = machine.run(builds, {**variables, "ARCH": architecture})
            assert built.returncode == 0, built.stderr
        joined = machine.run(joins, variables)
        assert joined.returncode == 0, joined.stderr
        assert sorted(listed(named, target)) == two_with_provenance()
        with named.seeder(target.partition("/")[0]) as push:
            # The next one has to publish anew.
            other = build_index([build_image("linux", "s390x")])
            repository, _, tag = target.partition("/")[2].partition(":")
            push.push_index(repository, tag, other)


def _docker(folder: Path, named: NamedRegistries) -> str:
    """Return a stand-in of docker: buildx writes the metadata of images that are pushed here."""
    targets = {}
    for name in ("registry.example/team/app", "ghcr.io/team/built"):
        registry, _, repository = name.partition("/")
        for architecture, image in TWO.items():
            index = build_index([image, build_attestation(image)])
            with named.seeder(registry) as push:
                push.push_index(repository, index.digest, index)
            metadata = {"containerimage.digest": index.digest, "image.name": name}
            targets[f"app-{architecture}"] = metadata
            file = folder / f"{registry}-linux-{architecture}.json"
            file.write_text(json.dumps(metadata))
        (folder / f"{registry}-bake.json").write_text(json.dumps(targets))
    return f"""
case "$1 $2" in
  "login -u") read -r password && [ "$password" = {TOKEN} ] ;;
  "context create" | "buildx create") ;;
  "buildx build" | "buildx bake")
    kind=$2 registry=registry.example
    case "$*" in *name=ghcr.io/*) registry=ghcr.io ;; esac
    while [ $# -gt 0 ]; do
      case $1 in
        --platform) platform=$2 ;;
        --metadata-file) file=$2 ;;
      esac
      shift
    done
    [ "$kind" = bake ] && platform=bake
    cp "{folder}/$registry-$(echo "$platform" | tr / -).json" "$file"
    ;;
  *) exit 9 ;;
esac
"""


# The action's inputs


def test_the_outputs_are_what_the_registry_has(runner: Runner, named: NamedRegistries) -> None:
    push_images(named, "ghcr.io/acme/outputs:1.0-ARCH")
    inputs = {"template": "ghcr.io/acme/outputs:1.0-ARCH", "target": "ghcr.io/acme/outputs:1.0"}
    outputs = use(runner, **inputs, tags="latest").step("merge").outputs
    digest = digest_of(named, "ghcr.io/acme/outputs:1.0")
    tags = ["ghcr.io/acme/outputs:1.0", "ghcr.io/acme/outputs:latest"]
    assert outputs["digest"] == digest
    assert outputs["image"] == "ghcr.io/acme/outputs"
    assert outputs["reference"] == f"ghcr.io/acme/outputs@{digest}"
    assert outputs["tags"].splitlines() == tags
    assert outputs["changed"] == "true"
    metadata = json.loads(outputs["metadata"])
    assert metadata["containerimage.digest"] == digest
    assert metadata["image.name"] == ",".join(tags)
    assert json.loads(outputs["json"])["digest"] == digest
    assert use(runner, **inputs).step("merge").outputs["changed"] == "false"


def test_tags_may_be_references_of_two_registries_and_names(
    runner: Runner, named: NamedRegistries
) -> None:
    push_images(named, "ghcr.io/acme/twice:1.0-ARCH")
    run = use(
        runner,
        template="ghcr.io/acme/twice:1.0-ARCH",
        platforms="linux/amd64\nlinux/arm64\n",
        tags="ghcr.io/acme/twice:1.0\n\n  registry.example/mirror/twice:1.0,stable\n",
        copy_layers="true",
    )
    digest = run.step("merge").outputs["digest"]
    for reference in ("ghcr.io/acme/twice", "registry.example/mirror/twice"):
        assert digest_of(named, f"{reference}:1.0") == digest
        assert digest_of(named, f"{reference}:stable") == digest


SHAPES = {
    "docker manifest create, with --amend": ("app:1.0--ARCH", {"template": "{}:1.0--ARCH"}),
    "the architecture first": ("app:ARCH_1.0.6", {"template": "{}:ARCH_1.0.6"}),
    "suffixes": ("app:main-linux-ARCH", {"template": "{}:main-OS-ARCH"}),
    "sources by lines": ("app:1-ARCH", {"sources": "{0}:1-amd64\n  {0}:1-arm64\n"}),
    "by digest, parted by commas": (
        "app:2-ARCH",
        {"sources": "{0}@{amd64}, {arm64}", "source-repository": "{0}"},
    ),
    "one that may be missing": (
        "app:3-ARCH",
        {
            "template": "{0}:3-ARCH",
            "platforms": "linux/amd64,linux/arm64",
            "optional": "linux/riscv64",
        },
    ),
}
"""What public workflows do, by how they name images, and the inputs that say so."""


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shapes_of_other_steps_can_be_said(
    shape: str, runner: Runner, named: NamedRegistries
) -> None:
    template, inputs = SHAPES[shape]
    repository = f"ghcr.io/shapes/{list(SHAPES).index(shape)}/app"
    push_images(named, f"{repository}:{template.partition(':')[2]}")
    digests = {name: image.digest for name, image in TWO.items()}
    filled = {name: value.format(repository, **digests) for name, value in inputs.items()}
    use(runner, **filled, tags=f"{repository}:joined\n{repository}:latest")
    expected = [image.digest for image in TWO.values()]
    assert listed(named, f"{repository}:joined") == expected
    assert listed(named, f"{repository}:latest") == expected


def test_architectures_have_the_names_that_the_builds_give_them(
    runner: Runner, named: NamedRegistries
) -> None:
    images = {
        "x86_64": build_image("linux", "amd64"),
        "i386": build_image("linux", "386"),
        "aarch64": build_image("linux", "arm64"),
    }
    push_images(named, "ghcr.io/acme/alias:latest-ARCH", images)
    use(
        runner,
        template="ghcr.io/acme/alias:latest-ARCH",
        platforms="linux/amd64,linux/386,linux/arm64",
        arch_alias="amd64=x86_64\n386=i386\narm64=aarch64",
        target="ghcr.io/acme/alias:latest",
    )
    expected = [image.digest for image in images.values()]
    assert listed(named, "ghcr.io/acme/alias:latest") == expected


def test_a_dry_run_publishes_nothing_and_has_no_outputs(
    runner: Runner, named: NamedRegistries
) -> None:
    push_images(named, "ghcr.io/acme/dry:1.0-ARCH")
    inputs = {"template": "ghcr.io/acme/dry:1.0-ARCH", "target": "ghcr.io/acme/dry:1.0"}
    run = use(runner, **inputs, dry_run="true")
    assert set(run.step("merge").outputs.values()) <= {""}
    assert "ghcr.io/acme/dry:1.0-amd64" in run.steps[1].output
    assert digest_of(named, "ghcr.io/acme/dry:1.0") == ""


HOSTILE = "--help\"; touch pwned; $(touch pwned) `touch pwned` ' ${HOME} \\ * %s"

#: Stands for oci-merge on PATH: it writes its arguments, each with a NUL behind it.
RECORDER = 'printf "%s\\0" "$@" > ~/arguments'


def recorded(runner: Runner, folder: Path, **inputs: str) -> list[str]:
    """Return the arguments that the program is given for inputs."""
    runner.programs["oci-merge"] = RECORDER
    use(runner, **inputs, version="installed")
    (file,) = folder.glob("machine-*/home/arguments")
    arguments = file.read_text().split("\0")[:-1]
    assert not list(folder.glob("machine-*/workspace/*"))
    return [each for each in arguments if not each.startswith("--metadata-file=")]


def test_hostile_text_reaches_the_program_as_one_argument_of_its_option(
    runner: Runner, tmp_path: Path
) -> None:
    whole = ["template", "source-repository", "arch-alias", "platforms", "optional", "wait"]
    whole += ["annotations", "require", "only-newer", "sign-key"]
    by_lines = ["sources", "source-files", "target", "require-same", "verify-keys"]
    of_many = ("annotations", "sources", "source-files", "verify-keys")
    option = {name: name.removesuffix("s") for name in of_many}
    given = dict.fromkeys((*whole, *by_lines), f" {HOSTILE}\n\n\t-x {HOSTILE}\r\n")
    arguments = recorded(runner, tmp_path, **given, tags=f"{HOSTILE}\na/{HOSTILE}")
    expected = {f"--{option.get(name, name)}={HOSTILE}\n\n\t-x {HOSTILE}" for name in whole}
    for name in by_lines:
        expected |= {f"--{option.get(name, name)}={line}" for line in (HOSTILE, f"-x {HOSTILE}")}
    expected |= {f"--tags={HOSTILE}", f"--target=a/{HOSTILE}"}
    assert set(arguments) == expected
    assert len(arguments) == len(expected)


def test_hostile_text_publishes_nothing_and_is_named_without_control_characters(
    runner: Runner, named: NamedRegistries
) -> None:
    push_images(named, "ghcr.io/acme/hostile:1.0-ARCH")
    inputs = {"template": "ghcr.io/acme/hostile:1.0-ARCH"}
    for tag in (HOSTILE, f"ghcr.io/acme/hostile:{HOSTILE}", "\x1b[2Jlatest"):
        with pytest.raises(StepFailed) as failed:
            use(runner, **inputs, target="ghcr.io/acme/hostile:1.0", tags=tag)
        assert "error: " in failed.value.step.output
        assert "\x1b" not in failed.value.step.output
    assert digest_of(named, "ghcr.io/acme/hostile:1.0") == ""


def test_further_arguments_stand_one_on_a_line_and_come_last(
    runner: Runner, tmp_path: Path
) -> None:
    arguments = recorded(
        runner, tmp_path, template="x", args="--rate=10\n\n  --ca-file=a b\\c.pem  \n"
    )
    assert arguments == ["--template=x", "--rate=10", "--ca-file=a b\\c.pem"]


def test_an_input_is_true_or_false_and_nothing_else(runner: Runner, tmp_path: Path) -> None:
    flags = [name for name, about in declared_inputs().items() if about.get("default") == "false"]
    arguments = recorded(
        runner, tmp_path, **dict(zip(flags, cycle(["true", "True", "TRUE"]), strict=False))
    )
    assert len(flags) == 8
    assert arguments == [f"--{name}" for name in flags]
    for value in ("yes", "1", "true\n::set-env name=x::y"):
        with pytest.raises(StepFailed, match="neither true nor false") as failed:
            use(runner, version="installed", **{flags[0]: value})
        assert failed.value.step.output.count("::") == 2


def declared_inputs() -> dict[str, dict[str, str]]:
    """Return what the action says of its inputs."""
    inputs: dict[str, dict[str, str]] = yaml.safe_load(ACTION.read_text())["inputs"]
    return inputs


# Where the program comes from


def test_a_released_version_is_asked_for_by_name(runner: Runner, named: NamedRegistries) -> None:
    push_images(named, "ghcr.io/acme/released:1.0-ARCH")
    inputs = {"template": "ghcr.io/acme/released:1.0-ARCH", "target": "ghcr.io/acme/released:1.0"}
    run = use(runner, **inputs, version="0.1.0")
    assert run.steps[0].output == "uv installs oci-merge==0.1.0\n"


@pytest.mark.parametrize(
    "version", ["--index-url=x", "0.1.0 evil", "../x", "1; touch pwned", "latest"]
)
def test_a_version_is_nothing_else(version: str, runner: Runner) -> None:
    with pytest.raises(StepFailed, match="version is neither a version") as failed:
        use(runner, version=version)
    assert version not in failed.value.step.output


def test_a_second_use_in_a_job_installs_nothing(runner: Runner, named: NamedRegistries) -> None:
    push_images(named, "ghcr.io/acme/again:1.0-ARCH")
    inputs = {"template": "ghcr.io/acme/again:1.0-ARCH", "target": "ghcr.io/acme/again:1.0"}
    step = {"uses": f"{OURS}@COMMIT", "with": inputs}
    job = {"permissions": {"packages": "write"}, "steps": [step, step]}
    [run] = runner.run(workflow(job))["merge"]
    installs = [step.output for step in run.steps if step.name.endswith("program")]
    assert installs == [f"uv installs {ROOT}\n", ""]


#: Stands for Python and for its pip. Without -I, these would load modules of the workspace.
PYTHON = f"""
case "$*" in
  "-c "*) exec {shlex.quote(sys.executable)} "$@" ;;
  "-I -m venv "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-I -m pip install --quiet --disable-pip-version-check "*)
    echo "pip installs $7"
    ln -s ~/../bin/oci-merge "$(dirname "$0")"
    ;;
  *) exit 9 ;;
esac
"""


def test_without_uv_pip_installs_the_checkout_into_an_environment_of_its_own(
    runner: Runner, named: NamedRegistries, tmp_path: Path
) -> None:
    if shutil.which("uv"):
        pytest.skip("uv is on PATH")
    push_images(named, "ghcr.io/acme/pip:1.0-ARCH")
    inputs = {"template": "ghcr.io/acme/pip:1.0-ARCH", "target": "ghcr.io/acme/pip:1.0"}
    runner.programs = {"python3": PYTHON}
    run = use(runner, **inputs)
    assert run.steps[0].output == f"pip installs {ROOT}\n"
    assert Path(run.steps[0].outputs["path"]).is_relative_to(tmp_path / "machine-1/temp")
    assert len(listed(named, "ghcr.io/acme/pip:1.0")) == 2


def test_uv_really_installs_the_checkout(tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is not installed (the dependency group test has it)")
    done = subprocess.run(
        [*BASH, install_script()],
        env={
            **ENVIRONMENT,
            "PATH": f"{uv.parent}{os.pathsep}{ENVIRONMENT['PATH']}",
            "INPUT_VERSION": "",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "RUNNER_TEMP": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    program = parse_outputs((tmp_path / "output").read_text())["path"]
    assert Path(program).is_relative_to(tmp_path)
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"oci-merge version {oci_merge.__version__}\n"


def install_script() -> str:
    """Return the script of the action's first step."""
    script: str = yaml.safe_load(ACTION.read_text())["runs"]["steps"][0]["run"]
    return script


def test_without_python_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    done = subprocess.run(
        [shutil.which("bash") or "bash", *BASH[1:], install_script()],
        env={"PATH": str(tmp_path), "INPUT_VERSION": "0.1.0", "RUNNER_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("::error title=oci-merge::neither uv nor Python 3.11")


# The runner of the tests


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.some-name", "a"),
        ("inputs.empty || 'it''s'", "it's"),
        ("inputs.some-name == 'A' && !inputs.empty", True),
        ("steps.one.outputs.never-set", None),
        ("toJSON(steps.one.outputs)", '{\n  "digest": "sha256:1"\n}'),
        ("(1 == 2) || null", None),
    ],
)
def test_expressions_mean_what_github_says(expression: str, value: object) -> None:
    contexts = {
        "inputs": {"some-name": "a", "empty": ""},
        "steps": {"one": {"outputs": Outputs(digest="sha256:1")}},
    }
    assert evaluate(expression, contexts) == value


@pytest.mark.parametrize(
    "expression",
    [
        "inputs.missing",
        "format('{0}', 1)",
        "inputs['a']",
        "1 < 2",
        "'1' == 1",
        "steps.two.x",
        "",
        "a b",
    ],
)
def test_what_the_runner_does_not_know_is_an_error(expression: str) -> None:
    with pytest.raises(UnknownForm):
        evaluate(expression, {"inputs": {"a": "1"}, "steps": {}, "a": "1"})
