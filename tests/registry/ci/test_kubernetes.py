"""The Jobs of docs/ci/kubernetes.md, run pod by pod on a real distribution."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from fixtures.distribution import Htpasswd
from fixtures.named_registries import NamedRegistries
from tests.registry.ci.documents import ROOT, block
from tests.registry.ci.kubernetes import ConfigMap, KubernetesJob, expanded, objects, run_pod
from tests.registry.ci.running import TWO, Job, listed, push_images

_FILE = ROOT / "docs/ci/kubernetes-job.yaml"
_PAGE = "docs/ci/kubernetes.md"
_USER = Htpasswd()
_LOGIN = {
    ".dockerconfigjson": json.dumps(
        {"auths": {"registry.example": {"username": _USER.username, "password": _USER.password}}}
    )
}
_DIGESTS = [image.digest for image in TWO.values()]


@pytest.fixture
def named(docker_registry: Path) -> Iterator[NamedRegistries]:
    """A registry that wants a login."""
    with NamedRegistries({"registry.example": _USER}) as registries:
        yield registries


def _indexed() -> tuple[ConfigMap, KubernetesJob]:
    config, job = objects(_FILE.read_text())
    assert isinstance(config, ConfigMap)
    assert isinstance(job, KubernetesJob)
    return config, job


def _names(config: ConfigMap) -> list[str]:
    return [image["name"] for image in yaml.safe_load(config.data["images.yml"])["images"]]


def _run_index(
    machine: Job, folder: Path, number: int, config: ConfigMap, job: KubernetesJob
) -> subprocess.CompletedProcess[str]:
    files = {config.metadata.name: config.data, "registry-login": _LOGIN}
    system = {"JOB_COMPLETION_INDEX": str(number)}
    return run_pod(machine, job.spec.template.spec, files, folder, system)


def test_the_pods_of_the_indexed_job_publish_every_image_once(
    named: NamedRegistries, tmp_path: Path
) -> None:
    config, job = _indexed()
    names = _names(config)
    missing = names[1]
    for name in names:
        if name != missing:
            push_images(named, f"registry.example/team/{name}-ARCH:1.0")
    machine = Job(tmp_path, named)
    pods = [
        _run_index(machine, tmp_path / f"pod-{number}", number, config, job)
        for number in range(job.spec.completions)
    ]
    said = [
        line.split()[0] for pod in pods for line in pod.stdout.splitlines() if " published " in line
    ]
    assert sorted(said) == sorted(set(names) - {missing}), [pod.stderr for pod in pods]
    assert [pod.returncode for pod in pods] == [0, 1, 0]
    assert listed(named, f"registry.example/team/{missing}:1.0") == []

    # The second attempt of the part that failed does the rest, and no other part is run again.
    push_images(named, f"registry.example/team/{missing}-ARCH:1.0")
    again = _run_index(machine, tmp_path / "again", 1, config, job)
    assert again.returncode == 0, again.stderr
    statuses = {line.split()[0]: line.split()[1] for line in again.stdout.splitlines()[1:-1]}
    assert statuses == {missing: "published", names[4]: "unchanged"}
    for name in names:
        assert listed(named, f"registry.example/team/{name}:1.0") == _DIGESTS
    assert listed(named, "registry.example/team/web:latest") == _DIGESTS


def test_the_job_says_twice_the_same_number_of_completions() -> None:
    _, job = _indexed()
    container = job.spec.template.spec.containers[0]
    variables = {variable.name: variable.value for variable in container.env}
    assert variables["JOB_COMPLETIONS"] == str(job.spec.completions)
    assert job.spec.parallelism <= job.spec.completions


@pytest.mark.parametrize(
    ("completions", "message"),
    [
        (None, "--shard auto finds JOB_COMPLETION_INDEX, but no JOB_COMPLETIONS"),
        ("2", "JOB_COMPLETION_INDEX=2 and JOB_COMPLETIONS=2 are not a shard"),
    ],
)
def test_wrong_completions_are_the_error_that_the_page_explains(
    named: NamedRegistries, tmp_path: Path, completions: str | None, message: str
) -> None:
    config, job = _indexed()
    env = job.spec.template.spec.containers[0].env
    [said] = [variable for variable in env if variable.name == "JOB_COMPLETIONS"]
    if completions is None:
        env.remove(said)
    else:
        said.value = completions
    done = _run_index(Job(tmp_path, named), tmp_path / "pod", 2, config, job)
    assert done.returncode != 0
    assert message in done.stderr
    assert message in (ROOT / _PAGE).read_text()


def test_the_job_for_one_image_publishes_it(named: NamedRegistries, tmp_path: Path) -> None:
    [job] = objects(block(_PAGE, "# One image"))
    assert isinstance(job, KubernetesJob)
    push_images(named, "registry.example/team/app-ARCH:1.0")
    machine = Job(tmp_path, named)
    done = run_pod(
        machine, job.spec.template.spec, {"registry-login": _LOGIN}, tmp_path / "pod", {}
    )
    assert done.returncode == 0, done.stderr
    assert listed(named, "registry.example/team/app:1.0") == _DIGESTS
    assert _USER.password not in f"{done.args}{done.stdout}{done.stderr}"


def test_a_secret_without_the_registry_is_the_error_that_the_page_explains(
    named: NamedRegistries, tmp_path: Path
) -> None:
    [job] = objects(block(_PAGE, "# One image"))
    assert isinstance(job, KubernetesJob)
    pod = job.spec.template.spec
    pod.containers[0].args.remove("--wait=20m")
    files = {"registry-login": {".dockerconfigjson": json.dumps({"auths": {}})}}
    done = run_pod(Job(tmp_path, named), pod, files, tmp_path / "pod", {})
    assert done.returncode == 1
    for part in ("registry.example wants a login to read ", "refused an anonymous user"):
        assert part in done.stderr
        assert part.strip() in (ROOT / _PAGE).read_text()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('value: "3"', "value: 3"),
        ("backoffLimitPerIndex", "backOffLimitPerIndex"),
        ("completionMode: Indexed", "completionMode: NonIndexed"),
        ("name: login, mountPath", "name: logins, mountPath"),
        ("memory: 256Mi", "memory: 256 MB"),
    ],
)
def test_a_mistake_in_the_job_is_found_without_a_cluster(right: str, wrong: str) -> None:
    text = _FILE.read_text()
    assert right in text
    with pytest.raises(ValidationError):
        objects(text.replace(right, wrong))


def test_every_container_is_without_privileges() -> None:
    for text in (_FILE.read_text(), block(_PAGE, "# One image")):
        for job in objects(text):
            if isinstance(job, KubernetesJob):
                security = job.spec.template.spec.containers[0].security_context
                assert security.run_as_non_root
                assert security.allow_privilege_escalation is False
                assert security.read_only_root_filesystem
                assert security.capabilities is not None
                assert security.capabilities.drop == ["ALL"]


def test_variables_in_arguments_are_expanded_as_the_kubelet_does() -> None:
    assert expanded("$(A)-$(B) $$(A) $A", {"A": "1"}) == "1-$(B) $(A) $A"
