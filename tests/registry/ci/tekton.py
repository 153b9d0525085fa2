"""What Tekton's Tasks and Pipelines may say, as far as ours do, and how Tekton runs them.

There is no schema of Tekton's to check by. The models refuse what they do not know. Substitution is
Tekton's: in one pass, without quoting, an array only as an argument of its own.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, TypeAdapter, model_validator

from tests.registry.ci.kubernetes import (
    Metadata,
    Model,
    Mount,
    Resources,
    SecurityContext,
    Variable,
    Volume,
    environment,
    expanded,
    in_mounts,
)
from tests.registry.ci.running import Job

Value = str | list[str]

_ARRAY = re.compile(r"\$\((params\.[\w-]+)\[\*\]\)")
_FORM = re.compile(r"\$\(((?:params|results|workspaces|context|tasks|steps)\b[^)]*)\)")


class Param(Model):
    """A parameter that is declared; without a default it has to be given."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    type: Literal["string", "array"] = "string"
    default: str | list[str] | None = None
    description: str = ""

    @model_validator(mode="after")
    def _default_is_of_its_type(self) -> Param:
        if self.default is not None and isinstance(self.default, str) != (self.type == "string"):
            raise ValueError(f"the default of {self.name} is no {self.type}")
        return self


class Result(Model):
    """A text that a step writes to a file."""

    name: str
    type: Literal["string"] = "string"
    description: str = ""


class Workspace(Model):
    """A folder that a run brings along."""

    name: str
    optional: bool = False
    read_only: bool = False
    description: str = ""


class Step(Model):
    """A container of a Task."""

    name: str
    image: str
    env: Sequence[Variable] = ()
    args: Sequence[str] = ()
    script: str
    volume_mounts: Sequence[Mount] = ()
    compute_resources: Resources | None = None
    security_context: SecurityContext


class TaskSpec(Model):
    """Steps with what they take and give."""

    description: str = ""
    params: Sequence[Param] = ()
    workspaces: Sequence[Workspace] = ()
    results: Sequence[Result] = ()
    volumes: Sequence[Volume] = ()
    steps: Annotated[list[Step], Field(min_length=1)]


class Task(Model):
    """A Task."""

    api_version: Literal["tekton.dev/v1"]
    kind: Literal["Task"]
    metadata: Metadata
    spec: TaskSpec


class Given(Model):
    """A value for a parameter."""

    name: str
    value: str | list[str]


class Bound(Model):
    """A workspace of a Pipeline for one of a Task's."""

    name: str
    workspace: str


class PipelineTask(Model):
    """A Task in a Pipeline."""

    name: str
    task_ref: Metadata
    run_after: Sequence[str] = ()
    params: Sequence[Given] = ()
    workspaces: Sequence[Bound] = ()


class PipelineResult(Model):
    """A result of a Pipeline."""

    name: str
    value: str


class PipelineSpec(Model):
    """Tasks that follow each other."""

    params: Sequence[Param] = ()
    workspaces: Sequence[Workspace] = ()
    tasks: list[PipelineTask]
    results: Sequence[PipelineResult] = ()


class Pipeline(Model):
    """A Pipeline."""

    api_version: Literal["tekton.dev/v1"]
    kind: Literal["Pipeline"]
    metadata: Metadata
    spec: PipelineSpec


class GenerateName(Model):
    """The beginning of a name."""

    generate_name: str


class PodTemplate(Model):
    """Where the pod of a Task runs."""

    node_selector: dict[str, str]


class TaskRunSpec(Model):
    """How one Task of a Pipeline runs."""

    pipeline_task_name: str
    pod_template: PodTemplate


class Secret(Model):
    """A secret as a workspace."""

    secret_name: str


class RunWorkspace(Model):
    """What a workspace of a Pipeline is in a run."""

    name: str
    secret: Secret


class PipelineRunSpec(Model):
    """Which Pipeline, and with what."""

    pipeline_ref: Metadata
    params: Sequence[Given] = ()
    workspaces: Sequence[RunWorkspace] = ()
    task_run_specs: Sequence[TaskRunSpec] = ()


class PipelineRun(Model):
    """A run of a Pipeline."""

    api_version: Literal["tekton.dev/v1"]
    kind: Literal["PipelineRun"]
    metadata: GenerateName
    spec: PipelineRunSpec


_Object = Annotated[Task | Pipeline | PipelineRun, Field(discriminator="kind")]
_OBJECT: TypeAdapter[Task | Pipeline | PipelineRun] = TypeAdapter(_Object)


def objects(text: str) -> list[Task | Pipeline | PipelineRun]:
    """Read the objects of a file.

    Raises:
        pydantic.ValidationError: a field is unknown, missing, or of another type.
    """
    return [_OBJECT.validate_python(document) for document in yaml.safe_load_all(text)]


def substitute(text: str, strings: Mapping[str, str]) -> str:
    """Replace every `$(…)` of Tekton's in a text; those of the shell stay.

    Raises:
        LookupError: one names what is not there, or an array within a text.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in strings:
            raise LookupError(f"{found[0]} is not known here")
        return strings[found[1]]

    return _FORM.sub(value, text)


def substitute_all(
    texts: Sequence[str], strings: Mapping[str, str], arrays: Mapping[str, list[str]]
) -> list[str]:
    """Replace every `$(…)` in arguments: an array becomes as many of them as it has values."""
    replaced = list[str]()
    for text in texts:
        found = _ARRAY.fullmatch(text)
        replaced += arrays[found[1]] if found else [substitute(text, strings)]
    return replaced


def with_defaults(declared: Sequence[Param], given: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values of parameters.

    Raises:
        LookupError: one is missing, not declared, or of the other type.
    """
    if unknown := given.keys() - {param.name for param in declared}:
        raise LookupError(f"no such parameters: {unknown}")
    values: dict[str, Value] = {}
    for param in declared:
        value = given.get(param.name, param.default)
        if value is None or isinstance(value, str) != (param.type == "string"):
            raise LookupError(f"{param.name} is missing, or no {param.type}")
        values[param.name] = value
    return values


@dataclass(frozen=True)
class Done:
    """A Task that ran.

    Attributes:
        process: its last step.
        results: what it wrote as results.
        image: the image of its last step.
    """

    process: subprocess.CompletedProcess[str]
    results: dict[str, str]
    image: str


def run_task(
    machine: Job,
    task: Task,
    params: Mapping[str, Value],
    folder: Path,
    workspaces: Mapping[str, Path] | None = None,
) -> Done:
    """Run the steps of a Task, one after the other, until one fails.

    Args:
        machine: where they run.
        task: the Task.
        params: its parameters.
        folder: where Tekton and the volumes may have their files; it is made.
        workspaces: the folders that are bound to its workspaces.
    """
    bound = workspaces or {}
    spec = task.spec
    values = with_defaults(spec.params, params)
    strings = {f"params.{name}": text for name, text in values.items() if isinstance(text, str)}
    arrays = {f"params.{name}": texts for name, texts in values.items() if isinstance(texts, list)}
    for workspace in spec.workspaces:
        if workspace.name not in bound and not workspace.optional:
            raise LookupError(f"the workspace {workspace.name} is not bound")
        strings[f"workspaces.{workspace.name}.path"] = str(bound.get(workspace.name, ""))
        strings[f"workspaces.{workspace.name}.bound"] = str(workspace.name in bound).lower()
    (folder / "results").mkdir(parents=True)
    for result in spec.results:
        strings[f"results.{result.name}.path"] = str(folder / "results" / result.name)
    for volume in spec.volumes:
        (folder / volume.name).mkdir()
    for step in spec.steps:
        process = _run_step(machine, step, strings, arrays, folder)
        image = substitute(step.image, strings)
        if process.returncode != 0:
            break
    written = {file.name: file.read_text() for file in (folder / "results").iterdir()}
    return Done(process, written, image)


def _run_step(
    machine: Job,
    step: Step,
    strings: Mapping[str, str],
    arrays: Mapping[str, list[str]],
    folder: Path,
) -> subprocess.CompletedProcess[str]:
    mounts = {mount.mount_path: folder / mount.name for mount in step.volume_mounts}
    env = [
        Variable(name=variable.name, value=substitute(variable.value, strings))
        for variable in step.env
    ]
    variables = environment(env, mounts, {})
    args = [
        in_mounts(expanded(text, variables), mounts)
        for text in substitute_all(step.args, strings, arrays)
    ]
    script = substitute(step.script, strings)
    if not script.startswith("#!"):
        script = f"#!/bin/sh\nset -e\n{script}"
    file = folder / f"script-{step.name}"
    file.write_text(script)
    file.chmod(0o755)
    return machine.run(f"exec {shlex.join([str(file), *args])}", variables)


def values_of(given: Sequence[Given], strings: Mapping[str, str]) -> dict[str, Value]:
    """Return the values that a Pipeline gives to one of its Tasks."""
    return {
        one.name: substitute(one.value, strings)
        if isinstance(one.value, str)
        else [substitute(text, strings) for text in one.value]
        for one in given
    }


def in_order(tasks: Sequence[PipelineTask]) -> list[PipelineTask]:
    """Return the Tasks of a Pipeline so that each follows those whose results it takes.

    Raises:
        ValueError: they wait for each other, or for one that is not there.
    """
    left, ordered = list(tasks), list[PipelineTask]()
    while left:
        done = {task.name for task in ordered}
        ready = [task for task in left if _waits_for(task) <= done]
        if not ready:
            raise ValueError(f"never ready: {[task.name for task in left]}")
        ordered += ready
        left = [task for task in left if task not in ready]
    return ordered


def _waits_for(task: PipelineTask) -> set[str]:
    texts = [
        text
        for one in task.params
        for text in ([one.value] if isinstance(one.value, str) else one.value)
    ]
    named = {
        form.split(".")[1]
        for text in texts
        for form in _FORM.findall(text)
        if form.startswith("tasks.")
    }
    return named | set(task.run_after)
