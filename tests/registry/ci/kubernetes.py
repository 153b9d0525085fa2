"""What a Kubernetes Job may say, as far as ours do, and how a node runs its container.

The models refuse what they do not know, so a misspelt field is found without a cluster.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic.alias_generators import to_camel

from tests.registry.ci.running import Job

_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi)?$"


class Model(BaseModel):
    """Fields as Kubernetes spells them, of the type that it wants, and no others."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, serialize_by_alias=True
    )


class Metadata(Model):
    """The name of an object."""

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")


class Variable(Model):
    """A variable of the environment. Its value has to be a string: `"3"`, not `3`."""

    name: str
    value: str


class Mount(Model):
    """Where a volume is in the container."""

    name: str
    mount_path: str
    read_only: bool = False


class Quantities(Model):
    """Amounts of processor and memory."""

    cpu: str | None = Field(default=None, pattern=_QUANTITY)
    memory: str | None = Field(default=None, pattern=_QUANTITY)


class Resources(Model):
    """What a container asks for, and what it gets at most."""

    requests: Quantities
    limits: Quantities


class Capabilities(Model):
    """What root may do in the container."""

    drop: list[str] = []
    add: list[str] = []


class SeccompProfile(Model):
    """The system calls that are allowed."""

    type: Literal["RuntimeDefault", "Unconfined"]


class SecurityContext(Model):
    """What a container may do."""

    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    capabilities: Capabilities | None = None
    seccomp_profile: SeccompProfile | None = None


class Item(Model):
    """A key of a secret, and the file that it becomes."""

    key: str
    path: str


class SecretSource(Model):
    """A secret, as files."""

    secret_name: str
    items: list[Item] = []


class Volume(Model):
    """Files for a container: exactly one source."""

    name: str
    config_map: Metadata | None = None
    secret: SecretSource | None = None
    empty_dir: dict[str, str] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Volume:
        given = [self.config_map, self.secret, self.empty_dir]
        if len([source for source in given if source is not None]) != 1:
            raise ValueError("a volume has one source")
        return self


class Container(Model):
    """A container: without `command`, the image's entry point is run, and ours has none."""

    name: str
    image: str
    command: list[str]
    args: list[str] = []
    env: list[Variable] = []
    resources: Resources
    security_context: SecurityContext
    volume_mounts: list[Mount] = []


class PodSpec(Model):
    """A pod of one container."""

    restart_policy: Literal["Never"]
    automount_service_account_token: bool = True
    containers: Annotated[list[Container], Field(min_length=1, max_length=1)]
    volumes: list[Volume] = []

    @model_validator(mode="after")
    def _mounts_its_volumes(self) -> PodSpec:
        mounted = {mount.name for mount in self.containers[0].volume_mounts}
        if mounted != {volume.name for volume in self.volumes}:
            raise ValueError("volumes and mounts differ")
        return self


class PodTemplate(Model):
    """The pods of a Job."""

    spec: PodSpec


class JobSpec(Model):
    """A Job: indexed, or of one pod."""

    completion_mode: Literal["Indexed", "NonIndexed"] = "NonIndexed"
    completions: int = Field(default=1, ge=1)
    parallelism: int = Field(default=1, ge=1)
    backoff_limit: int | None = Field(default=None, ge=0)
    backoff_limit_per_index: int | None = Field(default=None, ge=0)
    active_deadline_seconds: int | None = Field(default=None, ge=1)
    ttl_seconds_after_finished: int | None = Field(default=None, ge=0)
    template: PodTemplate

    @model_validator(mode="after")
    def _counts_by_index(self) -> JobSpec:
        if self.backoff_limit_per_index is not None and self.completion_mode != "Indexed":
            raise ValueError("only an indexed Job counts failures by index")
        return self


class KubernetesJob(Model):
    """A Job."""

    api_version: Literal["batch/v1"]
    kind: Literal["Job"]
    metadata: Metadata
    spec: JobSpec


class ConfigMap(Model):
    """Texts that become files."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Metadata
    data: dict[str, str]


_Object = Annotated[KubernetesJob | ConfigMap, Field(discriminator="kind")]
_OBJECT: TypeAdapter[KubernetesJob | ConfigMap] = TypeAdapter(_Object)


def objects(text: str) -> list[KubernetesJob | ConfigMap]:
    """Read the objects of a file.

    Raises:
        pydantic.ValidationError: a field is unknown, missing, or of another type.
    """
    return [_OBJECT.validate_python(document) for document in yaml.safe_load_all(text)]


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Expand `$(NAME)` as the kubelet does: what is not set stays as it is, `$$` is `$`."""
    return _REFERENCE.sub(
        lambda found: variables.get(found[1], found[0]) if found[1] else "$", text
    )


def in_mounts(text: str, mounts: Mapping[str, Path]) -> str:
    """Return where a path in the container is on this machine; other texts stay as they are."""
    for path, folder in mounts.items():
        if text == path or text.startswith(f"{path}/"):
            return f"{folder}{text.removeprefix(path)}"
    return text


def environment(
    given: Sequence[Variable], mounts: Mapping[str, Path], system: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a container; a variable may use those before it."""
    variables = dict(system)
    for variable in given:
        variables[variable.name] = in_mounts(expanded(variable.value, variables), mounts)
    return variables


def run_pod(
    machine: Job,
    pod: PodSpec,
    files: Mapping[str, Mapping[str, str]],
    folder: Path,
    system: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    """Run the container of a pod.

    Args:
        machine: where it runs.
        pod: the pod.
        files: what ConfigMaps and secrets hold, by their names.
        folder: where the volumes may be put.
        system: what Kubernetes sets, such as `JOB_COMPLETION_INDEX`.
    """
    volumes = {volume.name: volume for volume in pod.volumes}
    container = pod.containers[0]
    mounts: dict[str, Path] = {}
    for mount in container.volume_mounts:
        there = mounts[mount.mount_path] = folder / mount.name
        there.mkdir(parents=True)
        for name, text in _content(volumes[mount.name], files).items():
            (there / name).write_text(text, encoding="utf-8")
    variables = environment(container.env, mounts, system)
    command = [
        in_mounts(expanded(word, variables), mounts)
        for word in (*container.command, *container.args)
    ]
    return machine.run(shlex.join(command), variables)


def _content(volume: Volume, files: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    if volume.config_map is not None:
        return files[volume.config_map.name]
    if volume.secret is not None:
        held = files[volume.secret.secret_name]
        if volume.secret.items:
            return {item.path: held[item.key] for item in volume.secret.items}
        return held
    return {}
