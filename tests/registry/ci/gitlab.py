"""GitLab, as far as our pages use it: jobs are made of a `.gitlab-ci.yml`, and run one by one.

GitLab puts inputs into a component's text, unites what is included with what includes it, resolves
`extends` and `!reference`, and decides `rules`. A runner expands variables and runs `before_script`
and `script` in one shell, in a fresh folder with the artifacts of earlier jobs. What is not known
here raises `UnknownError`, so that nothing that a page says is ignored.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from fixtures.distribution import Htpasswd
from fixtures.images import BuiltImage
from fixtures.named_registries import NamedRegistries
from tests.registry.ci import kaniko
from tests.registry.ci.running import TWO, Job

REGISTRY = "registry.gitlab.example"
USER = Htpasswd()
STAGES = (".pre", "build", "test", "deploy", ".post")

_INPUT = re.compile(r"\$\[\[ *inputs\.([\w-]+) *\]\]")
_DOCUMENTS = re.compile(r"^---\n", re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*)|(\$))", re.ASCII)
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
}
_JOB_KEYS = {
    *(
        "stage",
        "image",
        "variables",
        "before_script",
        "script",
        "extends",
        "needs",
        "rules",
        "tags",
    ),
    *("artifacts", "parallel", "resource_group", "environment", "when"),
}
_GLOBAL_KEYS = {"stages", "variables", "include", "workflow", "default"}

Variables = dict[str, str]
Config = dict[str, Any]


class UnknownError(Exception):
    """A pipeline uses what this stand-in for GitLab does not know."""


class InputError(Exception):
    """GitLab refuses an input, and makes no pipeline."""


def predefined(project: str, branch: str = "main", tag: str = "") -> Variables:
    """Return what GitLab and its runner set for the jobs of a pipeline.

    Args:
        project: the project, such as `group/app`.
        branch: the branch that was pushed.
        tag: the tag that was pushed, instead of a branch.
    """
    sha = "4f2c1a9b5c3d2e1f00112233445566778899aabb"
    ref = {"CI_COMMIT_TAG": tag} if tag else {"CI_COMMIT_BRANCH": branch}
    return {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_API_V4_URL": "https://gitlab.example/api/v4",
        "CI_SERVER_FQDN": "gitlab.example",
        "CI_SERVER_HOST": "gitlab.example",
        "CI_SERVER_URL": "https://gitlab.example",
        "CI_PROJECT_PATH": project,
        "CI_PROJECT_URL": f"https://gitlab.example/{project}",
        "CI_DEFAULT_BRANCH": "main",
        "CI_COMMIT_SHA": sha,
        "CI_COMMIT_SHORT_SHA": sha[:8],
        "CI_COMMIT_TIMESTAMP": "2026-11-26T18:00:00+00:00",
        "CI_COMMIT_REF_NAME": tag or branch,
        "CI_COMMIT_REF_SLUG": re.sub(r"[^a-z0-9]+", "-", (tag or branch).lower()).strip("-"),
        "CI_PIPELINE_ID": "1042",
        "CI_PIPELINE_IID": "7",
        "CI_PIPELINE_SOURCE": "push",
        "CI_REGISTRY": REGISTRY,
        "CI_REGISTRY_IMAGE": f"{REGISTRY}/{project}",
        "CI_REGISTRY_USER": USER.username,
        "CI_REGISTRY_PASSWORD": USER.password,
        "CI_JOB_TOKEN": USER.password,
        **ref,
    }


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Expand `$NAME`, `${NAME}` and `$$` as a runner does; a name that is not set is empty."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[3] else variables.get(found[1] or found[2], "")

    return _VARIABLE.sub(value, text)


# Components.


def component(text: str) -> tuple[dict[str, Config], str]:
    """Return the inputs that a component declares, and its text behind the header."""
    header, body = _DOCUMENTS.split(text)
    return yaml.safe_load(header)["spec"]["inputs"], body


def interpolated(text: str, given: Mapping[str, Any]) -> str:
    """Put inputs into a component's text as GitLab does: text as it is, all else as JSON.

    Raises:
        InputError: an input is missing, unknown or not what the component takes.
    """
    declared, body = component(text)
    if unknown := given.keys() - declared.keys():
        raise InputError(f"unknown inputs: {unknown}")
    values = {name: _valid(name, spec, given) for name, spec in declared.items()}

    def put(found: re.Match[str]) -> str:
        value = values[found[1]]
        if isinstance(value, str):
            return value
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for character in "<>&\u2028\u2029":
            plain = plain.replace(character, f"\\u{ord(character):04x}")
        return plain

    return _INPUT.sub(put, body)


def _valid(name: str, spec: Config, given: Mapping[str, Any]) -> object:
    if name not in given and "default" not in spec:
        raise InputError(f"`{name}` input: required value has not been provided")
    value: Any = given.get(name, spec.get("default"))
    kind = spec.get("type", "string")
    if type(value) not in _TYPES[kind]:
        raise InputError(f"`{name}` input: provided value is not of the type {kind}")
    if "options" in spec and value not in spec["options"]:
        raise InputError(f"`{name}` input: provided value is not one of the options")
    # GitLab matches no blank text, whatever the expression says.
    pattern = spec.get("regex", "").replace(r"\z", r"\Z")
    if pattern and not (value.strip() and re.search(pattern, value, re.ASCII)):
        raise InputError(f"`{name}` input: provided value does not match required RegEx pattern")
    return value


# From YAML to jobs.


class _Loader(yaml.SafeLoader):
    """YAML with GitLab's `!reference`."""


class _Reference(list[str]):
    pass


def _reference(loader: _Loader, node: yaml.SequenceNode) -> _Reference:
    return _Reference(loader.construct_sequence(node))


_Loader.add_constructor("!reference", _reference)


@dataclass(frozen=True)
class JobConfig:
    """A job of a pipeline.

    Args:
        name: its name; of a matrix, with the values behind it.
        group: the name in the YAML.
        keys: what the YAML says of it, extended and with the matrix's variables.
        added: variables of the rule that let the job in.
    """

    name: str
    group: str
    keys: Config
    added: Variables

    @property
    def stage(self) -> str:
        """Its stage."""
        return str(self.keys.get("stage", "test"))


@dataclass(frozen=True)
class Pipeline:
    """The jobs that a push makes of a `.gitlab-ci.yml`.

    Args:
        text: the YAML.
        variables: what GitLab sets, and what the project's settings add.
        components: the texts of components, by what stands before `@` in `include`.
    """

    text: str
    variables: Variables
    components: Mapping[str, str] = field(default_factory=dict)

    def config(self) -> Config:
        """Return the YAML with what it includes, with `extends` and references resolved."""
        own = yaml.load(self.text, Loader=_Loader)
        united: Config = {}
        for included in own.pop("include", []):
            name, _, _ = included["component"].rpartition("@")
            text = self.components[expanded(name, self.variables)]
            body = interpolated(text, included.get("inputs", {}))
            united = _merged(united, yaml.load(body, Loader=_Loader))
        united = _merged(united, own)
        for name in united.keys() - _GLOBAL_KEYS:
            united[name] = _extended(name, united)
        return {key: _resolved(value, united) for key, value in united.items()}

    def jobs(self) -> list[JobConfig]:
        """Return the jobs of the pipeline in the order of their stages."""
        config = self.config()
        added = self._rules(config.get("workflow", {}).get("rules"), self._global(config))
        if added is None:
            return []
        found = [
            job
            for name, keys in config.items()
            if name not in _GLOBAL_KEYS and not name.startswith(".")
            for job in self._matrix(name, keys, added, config)
        ]
        stages = [".pre", *config.get("stages", STAGES[1:-1]), ".post"]
        return sorted(found, key=lambda job: stages.index(job.stage))

    def job_variables(self, job: JobConfig, received: Variables) -> Variables:
        """Return the environment of a job.

        Args:
            job: the job.
            received: what earlier jobs reported by dotenv, and what the runner's machine has.
        """
        known = self._global(self.config()) | job.added
        fixed: set[str] = set()
        for name, value in job.keys.get("variables", {}).items():
            if isinstance(value, dict):
                fixed |= {name} if not value.get("expand", True) else set()
                value = value["value"]
            known[name] = _text(value)
        known |= self.variables | received
        made = {key: value if key in fixed else _deep(value, known) for key, value in known.items()}
        return made | self._machine(made, job)

    def _global(self, config: Config) -> Variables:
        return {name: _text(value) for name, value in config.get("variables", {}).items()}

    def _machine(self, variables: Variables, job: JobConfig) -> Variables:
        """Return what depends on the machine that a node selector or the runner's tags choose."""
        selector = variables.get("KUBERNETES_NODE_SELECTOR_ARCH", "")
        tags = [expanded(tag, variables) for tag in job.keys.get("tags", [])]
        architecture = selector.rpartition("=")[2] or next(iter(tags), "amd64")
        return {
            "CI_JOB_NAME": job.name,
            "CI_JOB_STAGE": job.stage,
            "CI_RUNNER_EXECUTABLE_ARCH": f"linux/{architecture}",
        }

    def _matrix(
        self, name: str, keys: Config, added: Variables, config: Config
    ) -> Iterator[JobConfig]:
        if unknown := keys.keys() - _JOB_KEYS:
            raise UnknownError(f"{name}: {unknown}")
        more = self._rules(keys.get("rules"), self._global(config) | added)
        if more is None:
            return
        rows = keys.get("parallel", {}).get("matrix", [{}])
        for row in rows:
            lists = [value if isinstance(value, list) else [value] for value in row.values()]
            for values in product(*lists):
                own = dict(zip(row, map(_text, values), strict=True))
                suffix = f": [{', '.join(own.values())}]" if own else ""
                variables = keys.get("variables", {}) | own
                yield JobConfig(
                    f"{name}{suffix}", name, keys | {"variables": variables}, added | more
                )

    def _rules(self, rules: list[Config] | None, known: Variables) -> Variables | None:
        """Return the variables of the rule that holds, or None if there shall be no job."""
        if rules is None:
            return {}
        for rule in rules:
            if unknown := rule.keys() - {"if", "when", "variables"}:
                raise UnknownError(f"rules: {unknown}")
            if _holds(rule.get("if"), known | self.variables):
                return None if rule.get("when") == "never" else rule.get("variables", {})
        return None


def _merged(below: Config, above: Config) -> Config:
    """Unite two documents: mappings are united, everything else is replaced."""
    united = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(united.get(key), dict)
        united[key] = _merged(united[key], value) if both else value
    return united


def _extended(name: str, config: Config) -> Config:
    keys = dict(config[name])
    parents = keys.pop("extends", [])
    united: Config = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        united = _merged(united, _extended(parent, config))
    return _merged(united, keys)


def _resolved(value: Any, config: Config) -> Any:
    if isinstance(value, _Reference):
        found: Any = config
        for key in value:
            found = found[key]
        return _resolved(found, config)
    if isinstance(value, dict):
        return {key: _resolved(item, config) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, config) for item in value]
    return value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _deep(text: str, variables: Variables, depth: int = 0) -> str:
    """Expand a variable's value, and the values of those that it names."""
    if depth > len(variables):
        raise UnknownError(f"variables that name each other: {text}")
    named = {found[1] or found[2] for found in _VARIABLE.finditer(text) if not found[3]}
    known = {name: variables[name] for name in named & variables.keys()}
    return expanded(
        text, {name: _deep(value, variables, depth + 1) for name, value in known.items()}
    )


def _holds(condition: str | None, known: Variables) -> bool:
    """Decide a condition: `$A`, or `$A == $B`, or `$A == "text"`, or `!=` instead."""
    if condition is None:
        return True
    side = r'(\$\w+|"[^"]*")'
    found = re.fullmatch(rf"{side}(?: (==|!=) {side})?", condition)
    if found is None:
        raise UnknownError(condition)

    def value(text: str) -> str | None:
        return known.get(text[1:]) if text.startswith("$") else text.strip('"')

    if found[2] is None:
        return bool(value(found[1]))
    return (value(found[1]) == value(found[3])) == (found[2] == "==")


# Runners.


@dataclass(frozen=True)
class Ran:
    """A job that ran.

    Args:
        job: the job.
        done: what it printed, and its status.
        workspace: its folder.
        reported: the variables that it reported by dotenv.
    """

    job: JobConfig
    done: subprocess.CompletedProcess[str]
    workspace: Path
    reported: Variables


class Runners:
    """Runners that run the jobs of a pipeline one by one, and stop where one fails.

    Args:
        folder: an empty folder.
        named: the registries.
        images: what kaniko builds on machines of each architecture.
        prepare: puts programs onto the machine of each job.
        system: variables of the machines, which those of jobs replace.
    """

    def __init__(
        self,
        folder: Path,
        named: NamedRegistries,
        images: Mapping[str, BuiltImage] = TWO,
        prepare: Callable[[Job], None] = lambda _: None,
        system: Mapping[str, str] | None = None,
    ) -> None:
        self._folder, self._named, self._prepare = folder, named, prepare
        self._system = dict(system or {})
        self._kaniko = folder / "kaniko"
        self._pipelines = 0
        kaniko.install(self._kaniko, dict(images))

    def run(self, pipeline: Pipeline) -> list[Ran]:
        """Run the jobs of a pipeline, up to the first that fails."""
        self._pipelines += 1
        ran: list[Ran] = []
        for number, job in enumerate(pipeline.jobs()):
            folder = self._folder / f"{self._pipelines}-{number}"
            folder.mkdir()
            ran.append(self._run(pipeline, job, Job(folder, self._named), ran))
            if ran[-1].done.returncode:
                break
        return ran

    def _run(self, pipeline: Pipeline, job: JobConfig, machine: Job, before: list[Ran]) -> Ran:
        self._prepare(machine)
        received: Variables = {}
        for earlier in _needed(job, before):
            received |= earlier.reported
            for path in earlier.job.keys.get("artifacts", {}).get("paths", []):
                _copy(earlier.workspace / path, machine.workspace / path)
        received["CI_PROJECT_DIR"] = str(machine.workspace)
        received["CI_SERVER_TLS_CA_FILE"] = str(self._named.ca_pem)
        variables = pipeline.job_variables(job, received)
        lines = [*job.keys.get("before_script", []), *job.keys["script"]]
        script = "\n".join(lines).replace("/kaniko/", f"{self._kaniko}/")
        done = machine.run(script, self._system | variables)
        report = job.keys.get("artifacts", {}).get("reports", {}).get("dotenv")
        file = machine.workspace / report if report else None
        reported = _dotenv(file.read_text()) if file and file.is_file() else {}
        return Ran(job, done, machine.workspace, reported)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def _needed(job: JobConfig, before: list[Ran]) -> list[Ran]:
    """Return the jobs whose artifacts a job gets: what it needs, or all of earlier stages."""
    if "needs" not in job.keys:
        return [earlier for earlier in before if earlier.job.stage != job.stage]
    needs = [need if isinstance(need, str) else need["job"] for need in job.keys["needs"]]
    groups = {earlier.job.group for earlier in before}
    if missing := set(needs) - groups:
        raise UnknownError(f"{job.name} needs {missing}, which have not run")
    return [earlier for earlier in before if earlier.job.group in needs]


def _dotenv(text: str) -> Variables:
    return dict(line.split("=", 1) for line in text.splitlines() if line)
