"""The Task and the Pipeline of docs/ci/tekton.md, run as Tekton runs them."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from fixtures.distribution import Htpasswd
from fixtures.images import build_image
from fixtures.named_registries import NamedRegistries
from tests.registry.ci.documents import ROOT, block
from tests.registry.ci.running import TWO, Job, listed, push_images
from tests.registry.ci.tekton import (
    Pipeline,
    PipelineRun,
    Task,
    Value,
    in_order,
    objects,
    run_task,
    substitute,
    values_of,
)

_FILE = ROOT / "docs/ci/tekton-task.yaml"
_PAGE = "docs/ci/tekton.md"
_USER = Htpasswd()
_DIGESTS = [image.digest for image in TWO.values()]
_APP = "registry.example/team/app"


@pytest.fixture(scope="module")
def named(docker_registry: Path) -> Iterator[NamedRegistries]:
    """A registry that wants a login."""
    with NamedRegistries({"registry.example": _USER}) as registries:
        yield registries


@pytest.fixture
def app(tmp_path: Path) -> str:
    """A repository that no other test uses."""
    return f"registry.example/{tmp_path.name.rstrip('_')}/app".replace("__", "_")


@pytest.fixture
def login(tmp_path: Path) -> Path:
    """A docker config for the registry, in a folder of its own."""
    user = f"{_USER.username}:{_USER.password}"
    auth = {"auth": base64.b64encode(user.encode()).decode()}
    folder = tmp_path / "login"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {"registry.example": auth}}))
    return folder


def _task() -> Task:
    [task] = objects(_FILE.read_text())
    assert isinstance(task, Task)
    return task


def test_the_task_joins_the_images_of_a_template_and_says_what_it_published(
    named: NamedRegistries, app: str, login: Path, tmp_path: Path
) -> None:
    push_images(named, f"{app}-ARCH:1.0")
    params: dict[str, Value] = {
        "target": f"{app}:1.0",
        "template": f"{app}-ARCH:1.0",
        "platforms": "linux/amd64,linux/arm64",
        "tags": ["latest", "1"],
    }
    machine = Job(tmp_path, named)
    done = run_task(machine, _task(), params, tmp_path / "run", {"dockerconfig": login})
    assert done.process.returncode == 0, done.process.stderr
    for tag in ("1.0", "latest", "1"):
        assert listed(named, f"{app}:{tag}") == _DIGESTS
    published = json.loads(done.process.stdout)
    assert done.results == {
        "IMAGE_URL": f"{app}:1.0",
        "IMAGE_DIGEST": published["digest"],
        "IMAGES": ",".join(f"{app}@{digest}" for digest in _DIGESTS),
    }
    assert done.image == "registry.example/tools/oci-merge:0.1.0"
    assert list(machine.workspace.iterdir()) == list(machine.home.iterdir()) == []


def test_the_task_takes_digests_from_a_workspace(
    named: NamedRegistries, app: str, login: Path, tmp_path: Path
) -> None:
    push_images(named, f"{app}:ARCH")
    digests = tmp_path / "digests"
    digests.mkdir()
    for name, image in TWO.items():
        (digests / name).write_text(image.digest)
    params: dict[str, Value] = {"target": f"{app}:1.0", "source-repository": app}
    bound = {"dockerconfig": login, "digests": digests}
    done = run_task(Job(tmp_path, named), _task(), params, tmp_path / "run", bound)
    assert done.process.returncode == 0, done.process.stderr
    assert listed(named, f"{app}:1.0") == _DIGESTS


def test_a_failure_of_the_merge_is_one_of_the_task_and_leaves_no_result(
    named: NamedRegistries, app: str, login: Path, tmp_path: Path
) -> None:
    params: dict[str, Value] = {"target": f"{app}:1.0", "sources": [f"{app}:none"]}
    done = run_task(
        Job(tmp_path, named), _task(), params, tmp_path / "run", {"dockerconfig": login}
    )
    assert done.process.returncode == 1
    assert f"error: {app}:none was not found" in done.process.stderr
    assert done.results == {}


@pytest.mark.parametrize("args", [["--dry-run"], ["--only-newer", "version"]])
def test_results_are_empty_where_nothing_is_published(
    named: NamedRegistries, app: str, login: Path, tmp_path: Path, args: list[str]
) -> None:
    label = "org.opencontainers.image.version"
    for version in ("2.0", "1.0"):
        images = {
            name: build_image("linux", name, labels={label: version}) for name in ("amd64", "arm64")
        }
        push_images(named, f"{app}-ARCH:{version}", images)
    machine, bound = Job(tmp_path, named), {"dockerconfig": login}
    for version, options in (("2.0", list[str]()), ("1.0", args)):
        params: dict[str, Value] = {
            "target": f"{app}:edge",
            "template": f"{app}-ARCH:{version}",
            "platforms": "linux/amd64,linux/arm64",
            "args": options,
        }
        done = run_task(machine, _task(), params, tmp_path / f"run-{version}", bound)
        assert done.process.returncode == 0, done.process.stderr
        assert (done.results["IMAGE_DIGEST"] != "") == (version == "2.0")
    assert done.results == {"IMAGE_URL": "", "IMAGE_DIGEST": "", "IMAGES": ""}


_HOSTILE = "$(touch broken)`touch broken`\";touch broken;' * \n--delete-sources"


def test_every_value_reaches_the_command_as_it_is(named: NamedRegistries, tmp_path: Path) -> None:
    machine, run = Job(tmp_path, named), tmp_path / "run"
    given = tmp_path / "given"
    # It stands for the command, and says what it was given.
    machine.add_program("oci-merge", f"printf '%s\\0' \"$@\" > {shlex.quote(str(given))}; exit 3")
    texts = ("target", "template", "platforms", "source-repository")
    params: dict[str, Value] = {name: f"{name} {_HOSTILE}" for name in texts}
    params |= {name: [_HOSTILE, "", "--force"] for name in ("sources", "tags", "args")}
    digests = tmp_path / f"digests {_HOSTILE}"
    done = run_task(machine, _task(), params, run, {"digests": digests})
    assert done.process.returncode == 3
    assert given.read_text().split("\0")[:-1] == [
        f"--target=target {_HOSTILE}",
        *(f"--source={value}" for value in (_HOSTILE, "", "--force")),
        *(f"--tags={value}" for value in (_HOSTILE, "", "--force")),
        *(_HOSTILE, "", "--force"),
        f"--template=template {_HOSTILE}",
        f"--platforms=platforms {_HOSTILE}",
        f"--source-repository=source-repository {_HOSTILE}",
        f"--source-file={digests}",
        "--output=json",
    ]
    assert not [*run.rglob("broken"), *machine.workspace.rglob("broken")]
    assert done.results == {}


@pytest.mark.parametrize("name", ["sources", "tags", "args"])
def test_a_value_cannot_end_its_list(named: NamedRegistries, tmp_path: Path, name: str) -> None:
    params: dict[str, Value] = {"target": f"{_APP}:1.0", name: ["a", "::", "--force"]}
    machine = Job(tmp_path, named)
    machine.add_program("oci-merge", "touch started")
    done = run_task(machine, _task(), params, tmp_path / "run")
    assert done.process.returncode == 1
    assert done.process.stderr == "error: '::' cannot be a source, a tag or an option\n"
    assert not list(tmp_path.rglob("started"))


@pytest.mark.parametrize(
    "params",
    [
        {"target": _HOSTILE, "sources": ["APP:amd64"]},
        {"sources": ["--delete-sources"]},
        {"sources": ["APP:amd64"], "tags": ["--delete-sources"]},
        {"sources": [""]},
    ],
)
def test_the_command_takes_no_value_for_an_option(
    named: NamedRegistries, app: str, login: Path, tmp_path: Path, params: dict[str, Value]
) -> None:
    push_images(named, f"{app}:ARCH")
    filled: dict[str, Value] = {"target": f"{app}:1.0"}
    for name, value in params.items():
        filled[name] = (
            value.replace("APP", app)
            if isinstance(value, str)
            else [text.replace("APP", app) for text in value]
        )
    done = run_task(
        Job(tmp_path, named), _task(), filled, tmp_path / "run", {"dockerconfig": login}
    )
    assert done.process.returncode != 0
    assert "error: " in done.process.stderr
    assert done.results == {}
    assert listed(named, f"{app}:1.0") == []


def test_two_builders_hand_their_digests_to_the_task(
    named: NamedRegistries, buildah: Path, login: Path, tmp_path: Path
) -> None:
    [pipeline] = objects(block(_PAGE, "# Pipeline"))
    [run] = objects(block(_PAGE, "# PipelineRun"))
    [builder] = objects(block(_PAGE, "# Task"))
    assert isinstance(pipeline, Pipeline)
    assert isinstance(run, PipelineRun)
    assert isinstance(builder, Task)
    tasks = {task.metadata.name: task for task in (builder, _task())}
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "Containerfile").write_text("FROM scratch\nCOPY hello /\n")
    (sources / "hello").write_text("hello\n")

    assert run.spec.pipeline_ref == pipeline.metadata
    assert [one.name for one in run.spec.params] == [one.name for one in pipeline.spec.params]
    assert {one.name for one in run.spec.workspaces} == {"dockerconfig"}
    nodes = {
        one.pipeline_task_name: one.pod_template.node_selector["kubernetes.io/arch"]
        for one in run.spec.task_run_specs
    }
    known = {f"params.{one.name}": str(one.value) for one in run.spec.params}
    known["params.context"] = str(sources)  # The Git URL stands for it: there is no such server.
    machine = Job(tmp_path, named)
    built: list[str] = []
    for step in in_order(pipeline.spec.tasks):
        # buildah builds for the node it is on; this machine has to be told which one it is.
        architecture = nodes.get(step.name, "")
        machine.add_program("buildah", _buildah(buildah, tmp_path / "storage", architecture))
        assert {bound.name for bound in step.workspaces} == {"dockerconfig"}
        done = run_task(
            machine,
            tasks[step.task_ref.name],
            values_of(step.params, known),
            tmp_path / step.name,
            {"dockerconfig": login},
        )
        assert done.process.returncode == 0, done.process.stderr
        for name, value in done.results.items():
            known[f"tasks.{step.name}.results.{name}"] = value
        if architecture:
            built.append(done.results["IMAGE_DIGEST"])
            # Another run may push the same tag at any time.
            push_images(named, f"{_APP}:1.0-ARCH", {architecture: TWO[architecture]})
    assert listed(named, f"{_APP}:1.0") == listed(named, f"{_APP}:latest") == built
    results = {one.name: substitute(one.value, known) for one in pipeline.spec.results}
    assert results["IMAGE_URL"] == f"{_APP}:1.0"
    assert results["IMAGE_DIGEST"] == json.loads(done.process.stdout)["digest"]


def _buildah(program: Path, storage: Path, architecture: str) -> str:
    real = shlex.join([str(program), "--root", f"{storage}/root", "--runroot", f"{storage}/run"])
    return (
        f'if [ "$1" = build ]; then shift; exec {real} build --arch {architecture} "$@"; fi\n'
        f'exec {real} "$@"'
    )


def test_no_parameter_is_pasted_into_a_script() -> None:
    tasks = [*objects(_FILE.read_text()), *objects(block(_PAGE, "# Task"))]
    for task in tasks:
        assert isinstance(task, Task)
        for step in task.spec.steps:
            assert "$(params" not in step.script
            assert "$(tasks" not in step.script


def test_the_task_runs_without_privileges() -> None:
    [step] = _task().spec.steps
    security = step.security_context
    assert security.run_as_non_root
    assert security.allow_privilege_escalation is False
    assert security.read_only_root_filesystem
    assert security.capabilities is not None
    assert security.capabilities.drop == ["ALL"]
    mounted = {mount.mount_path for mount in step.volume_mounts}
    env = {variable.name: variable.value for variable in step.env}
    assert {env["HOME"], env["TMPDIR"]} == mounted


def test_the_page_names_what_the_task_takes_and_gives() -> None:
    spec, page = _task().spec, (ROOT / _PAGE).read_text()
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    declared = [
        *(one.name for one in spec.params),
        *(one.name for one in spec.workspaces),
        *(one.name for one in spec.results),
    ]
    assert sorted(named) == sorted(declared)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("tekton.dev/v1\n", "tekton.dev/v1beta1\n"),
        ("computeResources", "resources"),
        ("type: array\n      default: []", 'type: array\n      default: ""'),
        ("runAsNonRoot: true", 'runAsNonRoot: "true"'),
        ("value: $(params.target) }", "value: 1 }"),
    ],
)
def test_a_mistake_in_the_task_is_found_without_a_cluster(right: str, wrong: str) -> None:
    text = _FILE.read_text()
    assert right in text
    with pytest.raises(ValidationError):
        objects(text.replace(right, wrong))


@pytest.mark.parametrize("text", ["$(params.sources[*])", "$(results.x.path)", "$(params['a'])"])
def test_a_form_that_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises(LookupError):
        substitute(f"a {text}", {"params.a": "1"})
    assert substitute("$(params.a) $(cat file)", {"params.a": "1"}) == "1 $(cat file)"
