"""What a runner of GitHub Actions does with a workflow, as far as ours go.

It evaluates expressions, sets variables, runs the scripts of steps and of composite actions, and
hands outputs and artifacts on. Whatever of a workflow it does not know is an error, so that nothing
that a page shows is passed over. Actions of other people are stand-ins, in `github_actions`.

GitHub's documentation: "Contexts", "Evaluate expressions", "Variables", "Workflow commands",
"Metadata syntax".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fixtures.named_registries import NamedRegistries
from tests.registry.ci.documents import ROOT
from tests.registry.ci.running import BASH, Job

OURS = "OWNER/oci-merge"
"""What our pages call the repository of our action."""

_PLAIN_BASH = ("bash", "-e", "-c")
_FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<sign>==|!=|\|\||&&|[!().,\[\]]))"
)
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)

Value = Any
"""What an expression is: None, a bool, a number, a text, or a list or mapping of these."""


class UnknownForm(Exception):
    """A workflow has something that is not known here."""


class StepFailed(Exception):
    """A step ended with an error.

    Args:
        step: what ran.
    """

    def __init__(self, step: StepRun) -> None:
        super().__init__(f"{step.name} ended with {step.status}:\n{step.output}")
        self.step = step


class Outputs(dict[str, Value]):
    """Outputs of a step or a job. One that was never set is empty; elsewhere that is an error."""


@dataclass
class StepRun:
    """A step that ran.

    Attributes:
        name: its id, else its name, or what it used or ran.
        status: the exit status.
        output: what it printed, stdout first.
        outputs: the outputs that it set.
        summary: its summary.
    """

    name: str
    status: int = 0
    output: str = ""
    outputs: Outputs = field(default_factory=Outputs)
    summary: str = ""


@dataclass
class JobRun:
    """A job that ran.

    Attributes:
        steps: its steps in the order in which they ended, those of composite actions among them: as
            `NAME > STEP`, before the step `NAME` that uses the action.
        outputs: the outputs of the job.
    """

    steps: list[StepRun] = field(default_factory=list)
    outputs: Outputs = field(default_factory=Outputs)

    def step(self, name: str) -> StepRun:
        """Return the one step of a name."""
        (found,) = [step for step in self.steps if step.name == name]
        return found


@dataclass(frozen=True)
class Use:
    """A step that uses an action of somebody else.

    Args:
        runner: what runs it.
        machine: the job's machine.
        inputs: what stands under `with`.
        variables: the variables of the step.
    """

    runner: Runner
    machine: Job
    inputs: Mapping[str, str]
    variables: Mapping[str, str]


Action = Callable[[Use], Mapping[str, str]]
"""A stand-in of an action: it returns outputs."""


class Runner:
    """Runs workflows.

    Args:
        folder: an empty folder.
        named: the registries that jobs reach.
        github: what is known of the event: `repository`, `actor`, `ref` and so on.
        token: the token of jobs that may write packages; others have one that no registry takes.
        secrets: the repository's secrets.
        actions: the stand-ins, by `OWNER/NAME`.
        programs: further programs on PATH, as lines of sh.

    Attributes:
        artifacts: the files of the artifacts, by the names of these.
        actions_used: the stand-ins that were used.
        secrets: the repository's secrets.
        programs: further programs on PATH.
    """

    def __init__(
        self,
        folder: Path,
        named: NamedRegistries,
        *,
        github: Mapping[str, str],
        token: str,
        secrets: Mapping[str, str] | None = None,
        actions: Mapping[str, Action] | None = None,
        programs: Mapping[str, str] | None = None,
    ) -> None:
        self.named = named
        self.artifacts: dict[str, dict[str, bytes]] = {}
        self.actions_used: list[str] = []
        self._folder = folder
        self._github = dict(github)
        self._token = token
        self.secrets = dict(secrets or {})
        self._actions = dict(actions or {})
        self.programs = dict(programs or {})
        self._count = 0

    def run(self, workflow: str) -> dict[str, list[JobRun]]:
        """Run all jobs of a workflow.

        Args:
            workflow: its text.

        Returns:
            What ran of each job: several, if it has a matrix.

        Raises:
            StepFailed: a step ended with an error.
            UnknownForm: something in it is not known here.
        """
        document = yaml.safe_load(workflow)
        # YAML 1.1 reads the key `on` as true, without quotes.
        _check_keys(document, "name", True, "on", "env", "jobs", "permissions")
        done: dict[str, list[JobRun]] = {}
        waiting = dict(document["jobs"])
        while waiting:
            ready = [name for name, job in waiting.items() if done.keys() >= set(_needs(job))]
            if not ready:
                raise UnknownForm(f"jobs need each other: {list(waiting)}")
            for name in ready:
                done[name] = self._run_job(name, waiting.pop(name), document, done)
        return done

    def _run_job(
        self,
        name: str,
        job: Mapping[str, Any],
        workflow: Mapping[Any, Any],
        done: Mapping[str, Sequence[JobRun]],
    ) -> list[JobRun]:
        known = ("runs-on", "needs", "permissions", "outputs", "strategy", "steps", "env")
        _check_keys(job, *known)
        runs = []
        for combination in _matrix(job.get("strategy", {})):
            permissions = job.get("permissions", workflow.get("permissions", {}))
            may_write = permissions.get("packages") == "write"
            github = self._github | {"token": self._token if may_write else "may-not-write"}
            needs = {need: {"outputs": done[need][-1].outputs} for need in _needs(job)}
            contexts: dict[str, Value] = {
                "github": github,
                "matrix": combination,
                "needs": needs,
                "secrets": self.secrets | {"GITHUB_TOKEN": github["token"]},
                "steps": {},
                "env": {},
            }
            for level in (workflow, job):
                contexts["env"] |= _texts(level.get("env", {}), contexts)
            _text(job["runs-on"], contexts)
            run = JobRun()
            self._count += 1
            folder = self._folder / f"machine-{self._count}"
            folder.mkdir()
            machine = Job(folder, self.named)
            for program, script in self.programs.items():
                machine.add_program(program, script)
            (folder / "temp").mkdir()
            _JobOn(self, machine, folder, name, run).run_steps(job["steps"], contexts)
            run.outputs.update(_texts(job.get("outputs", {}), contexts))
            runs.append(run)
        return runs

    def variables(self, job: str) -> dict[str, str]:
        """Return the variables that every step of a job has, without those of its folders."""
        of_event = {f"GITHUB_{name.upper()}": value for name, value in self._github.items()}
        return of_event | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_JOB": job,
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "RUNNER_ENVIRONMENT": "github-hosted",
        }

    def stand_in(self, uses: str) -> Action:
        """Return the stand-in of an action.

        Raises:
            UnknownForm: there is none.
        """
        name, _, version = uses.partition("@")
        if name not in self._actions or not version:
            raise UnknownForm(f"the action {uses}")
        self.actions_used.append(name)
        return self._actions[name]


@dataclass
class _JobOn:
    """One job on its machine."""

    runner: Runner
    machine: Job
    folder: Path
    name: str
    run: JobRun

    def run_steps(
        self, steps: Sequence[Mapping[str, Any]], contexts: dict[str, Value], within: str = ""
    ) -> None:
        """Run steps one after the other; their outputs go to the context `steps`.

        Args:
            steps: the steps.
            contexts: what expressions may name.
            within: what stands before their names.
        """
        for step in steps:
            _check_keys(step, "id", "name", "if", "uses", "with", "run", "env", "shell")
            if not _is_true(step.get("if", True), contexts):
                continue
            own = contexts["env"] | _texts(step.get("env", {}), contexts)
            done = self._run_step(step, within, contexts | {"env": own})
            self.run.steps.append(done)
            if done.status:
                raise StepFailed(done)
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": done.outputs}

    def _run_step(
        self, step: Mapping[str, Any], within: str, contexts: dict[str, Value]
    ) -> StepRun:
        name = within + (step.get("id") or step.get("name") or step.get("uses") or step["run"])
        if "run" in step:
            return self._script(name, step, contexts)
        inputs = _texts(step.get("with", {}), contexts)
        if step["uses"].partition("@")[0] == OURS:
            return StepRun(name, outputs=self._composite(ROOT, name, inputs, contexts))
        use = Use(self.runner, self.machine, inputs, self._variables(contexts))
        return StepRun(name, outputs=Outputs(self.runner.stand_in(step["uses"])(use)))

    def _composite(
        self, action: Path, name: str, inputs: Mapping[str, str], contexts: dict[str, Value]
    ) -> Outputs:
        document = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
        declared = document["inputs"]
        if unknown := inputs.keys() - declared.keys():
            raise UnknownForm(f"inputs {sorted(unknown)}")
        defaults = {key: about.get("default", "") for key, about in declared.items()}
        within = {
            "github": contexts["github"] | {"action_path": str(action)},
            "inputs": {**_texts(defaults, contexts), **inputs},
            "steps": {},
            "env": contexts["env"] | {"GITHUB_ACTION_PATH": str(action)},
        }
        if document["runs"]["using"] != "composite":
            raise UnknownForm(document["runs"]["using"])
        self.run_steps(document["runs"]["steps"], within, f"{name} > ")
        outputs = document["outputs"].items()
        return Outputs({key: _text(about["value"], within) for key, about in outputs})

    def _script(self, name: str, step: Mapping[str, Any], contexts: dict[str, Value]) -> StepRun:
        if step.get("shell", "bash") != "bash":
            raise UnknownForm(f"the shell {step['shell']}")
        files = {variable: self.folder / variable.lower() for variable in _FILES}
        for file in files.values():
            file.write_bytes(b"")
        ended = self.machine.run(
            _text(step["run"], contexts),
            self._variables(contexts) | {name: str(file) for name, file in files.items()},
            shell=BASH if "shell" in step else _PLAIN_BASH,
        )
        for variable in ("GITHUB_ENV", "GITHUB_PATH"):
            if files[variable].read_bytes():
                raise UnknownForm(f"something in {variable}")
        return StepRun(
            name,
            ended.returncode,
            ended.stdout + ended.stderr,
            Outputs(parse_outputs(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))),
            files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8"),
        )

    def _variables(self, contexts: Mapping[str, Value]) -> dict[str, str]:
        return {
            **self.runner.variables(self.name),
            "GITHUB_WORKSPACE": str(self.machine.workspace),
            "RUNNER_TEMP": str(self.folder / "temp"),
            **contexts["env"],
        }


def parse_outputs(text: str) -> dict[str, str]:
    """Read the file of a step's outputs, as the runner does.

    Raises:
        UnknownForm: it is not in the runner's format.
    """
    outputs: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        one = re.fullmatch(r"([\w-]+)(=|<<)(.*)", line)
        if one is None:
            raise UnknownForm(f"the output {line!r}")
        outputs[one[1]] = one[3] if one[2] == "=" else "\n".join(_until(lines, one[3]))
    return outputs


def _until(lines: Iterator[str], end: str) -> Iterator[str]:
    for line in lines:
        if line == end:
            return
        yield line
    raise UnknownForm(f"outputs without their end {end}")


def evaluate(expression: str, contexts: Mapping[str, Value]) -> Value:
    """Evaluate what stands between `${{` and `}}`.

    Raises:
        UnknownForm: it has a form, a function or a name that is not known here.
    """
    parser = _Parser(expression, contexts)
    value = parser.either()
    if parser.tokens:
        raise UnknownForm(f"{expression!r}, from {parser.tokens[0]} on")
    return value


def to_text(value: Value) -> str:
    """Return how a value stands in a text.

    Raises:
        UnknownForm: it is a list or a mapping, of which a text says nothing useful.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:g}"
        case str():
            return value
    raise UnknownForm(f"{value!r} in a text")


class _Parser:
    """Evaluates an expression while it reads it: both sides of `&&` and `||` are evaluated."""

    def __init__(self, expression: str, contexts: Mapping[str, Value]) -> None:
        self._contexts = contexts
        self.tokens: list[tuple[str, str]] = []
        rest = expression.rstrip()
        while rest:
            token = _TOKEN.match(rest)
            if token is None or token.lastgroup is None:
                raise UnknownForm(f"{expression!r}, from {rest!r} on")
            self.tokens.append((token.lastgroup, token[token.lastgroup]))
            rest = rest[token.end() :]

    def either(self) -> Value:
        value = self._both()
        while self._takes("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Value:
        value = self._compared()
        while self._takes("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Value:
        value = self._negated()
        for sign in ("==", "!="):
            if self._takes(sign):
                return _are_equal(value, self._negated()) == (sign == "==")
        return value

    def _negated(self) -> Value:
        return not self._negated() if self._takes("!") else self._single()

    def _single(self) -> Value:
        if self._takes("("):
            value = self.either()
            self._expect(")")
            return value
        kind, text = self.tokens.pop(0) if self.tokens else ("", "the end")
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text)
        if kind != "name":
            raise UnknownForm(text)
        if text in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text]
        if self._takes("("):
            argument = self.either()
            self._expect(")")
            if text.lower() != "tojson":
                raise UnknownForm(f"the function {text}")
            return json.dumps(argument, indent=2)
        return self._property(text)

    def _property(self, name: str) -> Value:
        value, path = _lookup(self._contexts, name, name), name
        while self._takes("."):
            kind, text = self.tokens.pop(0)
            if kind != "name":
                raise UnknownForm(f"{path}.{text}")
            path = f"{path}.{text}"
            value = _lookup(value, text, path)
        return value

    def _takes(self, sign: str) -> bool:
        if not self.tokens or self.tokens[0] != ("sign", sign):
            return False
        del self.tokens[0]
        return True

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise UnknownForm(f"no {sign} before {self.tokens[:1]}")


def _lookup(value: Value, name: str, path: str) -> Value:
    if isinstance(value, Outputs):
        return value.get(name)
    if not isinstance(value, Mapping) or name not in value:
        raise UnknownForm(path)
    return value[name]


def _are_equal(one: Value, other: Value) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if type(one) is not type(other):
        raise UnknownForm(f"{one!r} compared with {other!r}")
    return bool(one == other)


def _text(text: Value, contexts: Mapping[str, Value]) -> str:
    return _EXPRESSION.sub(lambda found: to_text(evaluate(found[1], contexts)), to_text(text))


def _texts(values: Mapping[str, Value], contexts: Mapping[str, Value]) -> dict[str, str]:
    return {name: _text(value, contexts) for name, value in values.items()}


def _is_true(condition: Value, contexts: Mapping[str, Value]) -> bool:
    if isinstance(condition, bool):
        return condition
    inner = _EXPRESSION.fullmatch(condition.strip())
    return bool(evaluate(inner[1] if inner else condition, contexts))


def _check_keys(mapping: Mapping[Any, Any], *known: object) -> None:
    if unknown := mapping.keys() - set(known):
        raise UnknownForm(f"the keys {sorted(map(str, unknown))}")


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _matrix(strategy: Mapping[str, Any]) -> list[dict[str, Value]]:
    _check_keys(strategy, "matrix")
    matrix = strategy.get("matrix", {"include": [{}]})
    _check_keys(matrix, "include")
    return [dict(one) for one in matrix["include"]]
