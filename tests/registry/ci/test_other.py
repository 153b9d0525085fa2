"""The jobs of docs/ci/other.md: valid for their systems, and run on a real distribution."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.distribution import Htpasswd
from fixtures.images import BuiltImage, build_image
from fixtures.named_registries import NamedRegistries
from tests.registry.ci import jenkins, substitution
from tests.registry.ci.documents import block as page_block
from tests.registry.ci.documents import blocks, refusal
from tests.registry.ci.running import BASH, SHELL, Job, listed, push_images

_PAGE = "docs/ci/other.md"
_USER = Htpasswd()
_GOOGLE = Htpasswd(username="oauth2accesstoken")
_APP = "registry.example/team/app"
_COMMIT = "4f2c1a9d3b5e7f60718293a4b5c6d7e8f9012345"
_LOGIN = {"OCI_MERGE_USERNAME": _USER.username, "OCI_MERGE_PASSWORD": _USER.password}
_VENDORS = {
    "# azure-pipelines.yml": "vendor.azure-pipelines",
    "# .circleci/config.yml": "vendor.circle-ci",
    "# .buildkite/pipeline.yml": "vendor.buildkite",
    "# bitbucket-pipelines.yml": "vendor.bitbucket-pipelines",
    "# .woodpecker/merge.yaml": "vendor.woodpecker-ci",
    "# .drone.yml": "vendor.drone-ci",
    "# cloudbuild.yaml": "vendor.cloudbuild",
}


@pytest.fixture(scope="module")
def registries(docker_registry: Path) -> Iterator[NamedRegistries]:
    """Registries that want a login."""
    access = {"registry.example": _USER, "europe-docker.pkg.dev": _GOOGLE}
    with NamedRegistries(access) as named:
        yield named


@pytest.fixture
def images(tmp_path: Path) -> dict[str, BuiltImage]:
    """Images that no other test has, by their architectures."""
    label = {"test": tmp_path.name}
    return {name: build_image("linux", name, labels=label) for name in ("amd64", "arm64")}


@pytest.fixture
def digests(images: Mapping[str, BuiltImage]) -> list[str]:
    """The digests of the images."""
    return [image.digest for image in images.values()]


@pytest.fixture
def machine(registries: NamedRegistries, images: Mapping[str, BuiltImage], tmp_path: Path) -> Job:
    """A machine of a CI system, after the images of the commit were pushed."""
    push_images(registries, f"{_APP}:{_COMMIT}-ARCH", images)
    return Job(tmp_path, registries)


def _document(first_line: str) -> Any:
    return yaml.safe_load(page_block(_PAGE, first_line))


def _assert_joined(named: NamedRegistries, digests: list[str]) -> None:
    assert listed(named, f"{_APP}:{_COMMIT}") == listed(named, f"{_APP}:latest") == digests


def _run(
    machine: Job,
    script: str | Sequence[str],
    variables: Mapping[str, str],
    *,
    shell: Sequence[str] = SHELL,
) -> str:
    """Run a script that has to succeed, and return what it printed, in which is no secret."""
    done = machine.run(script, variables, shell=shell)
    assert done.returncode == 0, done.stderr
    assert _USER.password not in done.stdout + done.stderr + str(done.args)
    return done.stdout


@pytest.mark.parametrize(("first_line", "schema"), _VENDORS.items())
def test_the_vendor_takes_the_file(first_line: str, schema: str, tmp_path: Path) -> None:
    # Azure's schema has regular expressions that are none with Unicode.
    arguments = ["--regex-variant", "nonunicode"] if "azure" in schema else []
    assert refusal(page_block(_PAGE, first_line), schema, tmp_path, *arguments) == ""


def test_every_file_of_the_page_is_checked_by_its_vendor() -> None:
    assert [text.partition("\n")[0] for text in blocks(_PAGE)] == list(_VENDORS)


class TestShell:
    """A machine with curl, sha256sum and Python."""

    _PROGRAM = b"print('not for this')\n"

    @pytest.fixture
    def script(self, machine: Job, tmp_path: Path) -> str:
        """The page's script, with the checksum of a file that stands for the single file.

        The stand-in of curl copies that file, and the stand-in of Python runs the command.
        """
        file = tmp_path / "program.pyz"
        file.write_bytes(self._PROGRAM)
        machine.add_program(
            "curl",
            'while [ "$1" != --output ]; do shift; done\n'
            '[ "${3%/*}" = https://files.example ] && [ "${3##*/}" = "${2##*/}" ]\n'
            f'cp {shlex.quote(str(file))} "$2"',
        )
        machine.add_program("python3.12", 'test -f "$1"; shift; touch started; oci-merge "$@"')
        text = page_block(_PAGE, "#!/bin/sh", "sh")
        return text.replace("0" * 64, hashlib.sha256(self._PROGRAM).hexdigest())

    def test_it_runs_the_file_that_it_knows(
        self, registries: NamedRegistries, digests: list[str], machine: Job, script: str
    ) -> None:
        folder = machine.home / "tmp"
        folder.mkdir()
        variables = {"REPOSITORY": _APP, "COMMIT": _COMMIT, "TMPDIR": str(folder)}
        _run(machine, script, _LOGIN | variables)
        _assert_joined(registries, digests)
        assert list(folder.iterdir()) == []

    def test_it_runs_no_other_file(
        self,
        registries: NamedRegistries,
        digests: list[str],
        machine: Job,
        script: str,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "program.pyz").write_bytes(b"print('evil')\n")
        done = machine.run(script, _LOGIN | {"REPOSITORY": _APP, "COMMIT": _COMMIT})
        assert done.returncode != 0
        assert "FAILED" in done.stdout
        assert not (machine.workspace / "started").exists()
        assert listed(registries, f"{_APP}:{_COMMIT}") != digests


class TestJenkins:
    """The Jenkinsfile, and the agent on Kubernetes."""

    @pytest.fixture
    def ways(self) -> list[tuple[jenkins.Block, ...]]:
        """The way to each block of the Jenkinsfile."""
        return list(jenkins.parse(page_block(_PAGE, "// Jenkinsfile", "groovy")).every())

    def _variables(self, way: tuple[jenkins.Block, ...]) -> dict[str, str]:
        [names] = [
            jenkins.credentials(block) for block in way if block.head[:1] == ["withCredentials"]
        ]
        return {
            names["usernameVariable"]: _USER.username,
            names["passwordVariable"]: _USER.password,
            "REPOSITORY": _APP,
            "GIT_COMMIT": _COMMIT,
        }

    def test_its_scripts_build_on_two_agents_and_join(
        self,
        registries: NamedRegistries,
        tmp_path: Path,
        buildah: Path,
        ways: list[tuple[jenkins.Block, ...]],
    ) -> None:
        scripts = {
            [block.head[1] for block in way if block.head[:1] == ["stage"]][-1]: (way, script)
            for way in ways
            for script in way[-1].scripts
        }
        assert list(scripts) == ["push", "merge"]
        machine, shell = Job(tmp_path, registries), ("sh", "-xe", "-c")
        (machine.workspace / "Containerfile").write_text("FROM scratch\nCOPY hello /\n")
        (machine.workspace / "hello").write_text("hello\n")
        [values] = [way[-1].texts for way in ways if way[-1].head == ["axis"]]
        assert values == ["ARCH", "amd64", "arm64"]
        real = shlex.join(
            [str(buildah), "--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/r"]
        )
        way, script = scripts["push"]
        for architecture in values[1:]:
            # buildah builds for the agent that it is on; this one has to be told which it is.
            machine.add_program(
                "buildah",
                f'if [ "$1" = build ]; then shift; set -- build --arch {architecture} "$@"; fi\n'
                f'exec {real} "$@"',
            )
            variables = self._variables(way) | {"ARCH": architecture}
            auth = {"STORAGE_DRIVER": "vfs", "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
            _run(machine, script, variables | auth, shell=shell)
        before = listed(registries, f"{_APP}:latest")
        way, script = scripts["merge"]
        digest = _run(machine, script, self._variables(way), shell=shell).split()[1]
        assert (machine.workspace / "digest").read_text() == digest
        joined = listed(registries, f"{_APP}:{_COMMIT}")
        assert len(joined) == 2
        assert joined != before
        assert listed(registries, f"{_APP}:latest") == joined

    def test_groovy_puts_no_secret_into_a_text(self, ways: list[tuple[jenkins.Block, ...]]) -> None:
        put = {name for way in ways for text in way[-1].templates for name in _names(text)}
        assert put == {"ARCH"}
        scripts = [script for way in ways for script in way[-1].scripts]
        templates = [text for way in ways for text in way[-1].templates]
        assert scripts
        assert not set(scripts) & set(templates)

    def test_the_pod_keeps_a_container_of_the_name_that_scripts_run_in(self) -> None:
        agent = jenkins.parse(page_block(_PAGE, "// agent", "groovy"))
        *_, (*_, kubernetes) = agent.every()
        name, pod = kubernetes.texts
        [container] = yaml.safe_load(pod)["spec"]["containers"]
        assert container["name"] == name
        assert [*container["command"], *container["args"]] == ["sleep", "infinity"]

    @pytest.mark.parametrize(
        ("right", "wrong"), [("steps {", "steps ("), ("'ARCH'", "'ARCH"), ("agent none", "agent;")]
    )
    def test_a_file_that_groovy_refuses_is_found(self, right: str, wrong: str) -> None:
        text = page_block(_PAGE, "// Jenkinsfile", "groovy")
        assert right in text
        with pytest.raises(ValueError, match=r"partner|not known"):
            jenkins.parse(text.replace(right, wrong, 1))


def _names(template: str) -> list[str]:
    return re.findall(r"\$\{?(\w+)", template)


_AZURE_SYSTEM = {"Build.SourceVersion": _COMMIT}
_AZURE_SECRETS = {"registry-user": _USER.username, "registry-password": _USER.password}
_AZURE_SHELL = ("bash", "--noprofile", "--norc", "-c")


class TestAzure:
    """The jobs in their order, with what an agent makes of variables."""

    def _environment(self, variables: Mapping[str, str], step: Mapping[str, Any]) -> dict[str, str]:
        """Return the environment of a step: all variables but the secret ones, and its `env`."""
        own = {
            name: substitution.azure(text, {**variables, **_AZURE_SECRETS})
            for name, text in step.get("env", {}).items()
        }
        return {name.upper().replace(".", "_"): text for name, text in variables.items()} | own

    def _outputs(self, printed: str, name: str) -> dict[str, str]:
        found = re.findall(
            r"^##vso\[task\.setvariable variable=(\w+);isOutput=true\](.*)$", printed, re.MULTILINE
        )
        return {f"{name}.{variable}": value for variable, value in found}

    def _push(
        self,
        registries: NamedRegistries,
        images: Mapping[str, BuiltImage],
        inputs: Mapping[str, str],
    ) -> None:
        """Do what Docker@2 does with a service connection for `registry.example`."""
        assert (inputs["command"], inputs["containerRegistry"]) == (
            "buildAndPush",
            "registry-example",
        )
        tag = substitution.azure(inputs["tags"], _AZURE_SYSTEM)
        name = tag.rpartition("-")[2]
        push_images(
            registries, f"registry.example/{inputs['repository']}:{tag}", {name: images[name]}
        )

    def test_its_jobs_build_join_and_deploy_by_digest(
        self,
        registries: NamedRegistries,
        images: dict[str, BuiltImage],
        digests: list[str],
        tmp_path: Path,
    ) -> None:
        machine = Job(tmp_path, registries)
        machine.add_program("pip", 'test "$*" = "install --quiet oci-merge==0.1.0"')
        document = _document("# azure-pipelines.yml")
        outputs: dict[str, dict[str, str]] = {}
        printed = ""
        for job in document["jobs"]:
            needed = job.get("dependsOn", [])
            assert set([needed] if isinstance(needed, str) else needed) <= outputs.keys()
            outputs[job["job"]] = {}
            own = {
                name: substitution.azure_runtime(text, outputs)
                for name, text in job.get("variables", {}).items()
            }
            variables = _AZURE_SYSTEM | document["variables"] | own
            for step in job["steps"]:
                task = step.get("task")
                if task == "Docker@2":
                    self._push(registries, images, step["inputs"])
                elif "bash" in step:
                    script = substitution.azure(step["bash"], variables)
                    assert script == step["bash"]  # no value is pasted into a script
                    environment = self._environment(variables, step)
                    printed = _run(machine, script, environment, shell=_AZURE_SHELL)
                    outputs[job["job"]] |= self._outputs(printed, step.get("name", ""))
                else:
                    assert task == "UsePythonVersion@0" or step == {"checkout": "none"}
        _assert_joined(registries, digests)
        digest = outputs["merge"]["join.digest"]
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
        assert printed == f"deploy {_APP}@{digest}\n"

    def test_a_failed_merge_fails_the_step(self, machine: Job) -> None:
        machine.add_program("pip", "true")
        [merge] = [
            job for job in _document("# azure-pipelines.yml")["jobs"] if job["job"] == "merge"
        ]
        [step] = [step for step in merge["steps"] if "bash" in step]
        variables = {"repository": _APP, "Build.SourceVersion": "0000000"}
        done = machine.run(step["bash"], self._environment(variables, step), shell=_AZURE_SHELL)
        assert done.returncode == 1
        assert "were not found" in done.stderr
        assert "##vso" not in done.stdout


def test_circleci_joins(registries: NamedRegistries, digests: list[str], machine: Job) -> None:
    document = _document("# .circleci/config.yml")
    [entry] = document["workflows"]["image"]["jobs"]
    called = entry["merge"]
    merge = document["jobs"]["merge"]
    parameters = {name: called[name] for name in merge["parameters"]}
    environment = {
        name: substitution.circleci(text, parameters) for name, text in merge["environment"].items()
    }
    [step] = merge["steps"]
    script = step["run"]["command"]
    assert substitution.circleci(script, {}) == script
    _run(machine, script, environment | _LOGIN | {"CIRCLE_SHA1": _COMMIT}, shell=BASH)
    _assert_joined(registries, digests)


def test_buildkite_joins(registries: NamedRegistries, digests: list[str], machine: Job) -> None:
    # The machine that uploads the pipeline has other values, and no secrets.
    uploaded = yaml.safe_load(
        substitution.buildkite(page_block(_PAGE, "# .buildkite/pipeline.yml"), {})
    )
    [step] = uploaded["steps"]
    store = {"REGISTRY_USER": _USER.username, "REGISTRY_PASSWORD": _USER.password}
    secrets = {name: store[key] for name, key in step["secrets"].items()}
    variables = uploaded["env"] | {"BUILDKITE_COMMIT": _COMMIT} | secrets
    _run(machine, step["command"], variables, shell=("bash", "-e", "-c"))
    _assert_joined(registries, digests)


def test_bitbucket_joins(registries: NamedRegistries, digests: list[str], machine: Job) -> None:
    [entry] = _document("# bitbucket-pipelines.yml")["pipelines"]["branches"]["main"]
    variables = {"REPOSITORY": _APP, "BITBUCKET_COMMIT": _COMMIT}
    _run(machine, entry["step"]["script"], variables | _LOGIN)
    _assert_joined(registries, digests)


@pytest.mark.parametrize(
    ("first_line", "commit"),
    [("# .woodpecker/merge.yaml", "CI_COMMIT_SHA"), ("# .drone.yml", "DRONE_COMMIT_SHA")],
)
def test_woodpecker_and_drone_join(
    registries: NamedRegistries, digests: list[str], machine: Job, first_line: str, commit: str
) -> None:
    text = page_block(_PAGE, first_line)
    [step] = yaml.safe_load(substitution.braced(text, {}))["steps"]
    store = {"registry_user": _USER.username, "registry_password": _USER.password}
    variables = {
        name: value if isinstance(value, str) else store[value["from_secret"]]
        for name, value in step["environment"].items()
    }
    _run(machine, step["commands"], variables | {commit: _COMMIT})
    _assert_joined(registries, digests)


def test_cloud_build_joins_with_the_login_of_the_build(
    registries: NamedRegistries,
    images: Mapping[str, BuiltImage],
    digests: list[str],
    tmp_path: Path,
) -> None:
    repository = "europe-docker.pkg.dev/acme/team/app"
    push_images(registries, f"{repository}:4f2c1a9-ARCH", images)
    machine = Job(tmp_path, registries)
    (machine.home / ".docker").mkdir()
    entry = {"username": _GOOGLE.username, "password": _GOOGLE.password}
    config = {"auths": {"https://europe-docker.pkg.dev": entry}}
    (machine.home / ".docker/config.json").write_text(json.dumps(config))
    [step] = _document("# cloudbuild.yaml")["steps"]
    values = {"PROJECT_ID": "acme", "SHORT_SHA": "4f2c1a9"}
    args = [substitution.cloud_build(text, values) for text in step["args"]]
    _run(machine, shlex.join([step["entrypoint"], *args]), {})
    assert listed(registries, f"{repository}:4f2c1a9") == digests
    assert listed(registries, f"{repository}:latest") == digests


@pytest.mark.parametrize(
    ("replace", "text"),
    [
        (substitution.azure, "$(unknown)"),
        (substitution.circleci, "<< pipeline.id >>"),
        (substitution.buildkite, "$UNKNOWN"),
        (substitution.buildkite, "${UNKNOWN:-default}"),
        (substitution.cloud_build, "$_UNKNOWN"),
        (substitution.braced, "${UNKNOWN##v}"),
    ],
)
def test_a_form_that_is_not_known_is_an_error(replace: Any, text: str) -> None:
    with pytest.raises(LookupError):
        replace(f"a {text} b", {"known": "1"})


def test_values_are_put_in_as_the_systems_do() -> None:
    assert substitution.azure("$(A.b) $(cat f) $C", {"a.B": "1"}) == "1 $(cat f) $C"
    assert substitution.circleci("<<parameters.a>> << b", {"a": "1"}) == "1 << b"
    assert substitution.buildkite("$A ${A}x $$A", {"A": "1"}) == "1 1x $A"
    assert substitution.braced("${A} $A $${A}", {"A": "1"}) == "1 $A ${A}"
