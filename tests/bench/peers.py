"""How each tool is called: from an order to command lines, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cases import Order

Command = tuple[str, ...]
"""A program's path and its arguments."""

OCI_MERGE = "oci-merge"
"""The name of our own tool among the others."""

PEERS = ("manifest-tool", "crane", "buildx", "regctl", "buildah")
"""The names of the others, in the order in which they take their turns."""


@dataclass(frozen=True)
class Tool:
    """A program that joins images.

    Args:
        name: what the report calls it.
        program: its path, with the words that come before all arguments.
        version: the arguments that make it print its version.
    """

    name: str
    program: Command
    version: Command

    def commands(self, order: Order) -> list[Command]:
        """Return the command lines that carry out an order, one after the other."""
        return [(*self.program, *words) for words in _ARGUMENTS[self.name](order)]


def own_tool(python: str) -> Tool:
    """Return oci-merge.

    Args:
        python: an interpreter; its script is taken, or else the module.
    """
    script = Path(python).with_name(OCI_MERGE)
    program = (str(script),) if script.exists() else (python, "-m", "oci_merge_cli")
    return Tool(OCI_MERGE, program, ("--version",))


def find_peers(path: str, environment: Mapping[str, str]) -> tuple[list[Tool], list[str]]:
    """Look for the other tools.

    Args:
        path: the folders to look into, as PATH has them.
        environment: the variables with which the tools will be run.

    Returns:
        Those found, and the names of those that are missing.
    """
    found = {
        name: Tool(name, (program,), _VERSION.get(name, ("--version",)))
        for name in PEERS
        if (program := shutil.which(name, path=path)) is not None
    }
    if "buildx" not in found and (plugin := _plugin(path, environment)) is not None:
        found["buildx"] = Tool("buildx", plugin, _VERSION["buildx"])
    return [found[name] for name in PEERS if name in found], [
        name for name in PEERS if name not in found
    ]


def _plugin(path: str, environment: Mapping[str, str]) -> Command | None:
    """Return buildx under the names that Docker gives it."""
    if (program := shutil.which("docker-buildx", path=path)) is not None:
        return (program,)
    if (docker := shutil.which("docker", path=path)) is None:
        return None
    command = (docker, "buildx")
    asked = subprocess.run([*command, "version"], env=environment, capture_output=True)
    return command if asked.returncode == 0 else None


def _oci_merge(order: Order) -> list[Command]:
    return [
        (
            *("--template", order.template),
            *("--platforms", ",".join(order.platforms)),
            *("--target", order.target),
            *(("--tags", ",".join(order.tags)) if order.tags else ()),
        )
    ]


def _manifest_tool(order: Order) -> list[Command]:
    wire = () if order.tls else ("--plain-http",)
    return [(*wire, "push", "from-args", *_oci_merge(order)[0])]


def _crane(order: Order) -> list[Command]:
    images = _each("-m", order.sources)
    append = ("index", "append", *images, "-t", order.target)
    return [append, *(("tag", order.target, tag) for tag in order.tags)]


def _buildx(order: Order) -> list[Command]:
    return [("imagetools", "create", *_each("-t", _all_targets(order)), *order.sources)]


def _regctl(order: Order) -> list[Command]:
    wire = () if order.tls else ("--host", f"reg={order.host},tls=disabled")
    create = ("index", "create", order.target, *_each("--ref", order.sources))
    copies = [("image", "copy", order.target, more) for more in _all_targets(order)[1:]]
    return [(*wire, *words) for words in (create, *copies)]


def _buildah(order: Order) -> list[Command]:
    kept = (
        *("--root", str(order.work / "buildah")),
        *("--runroot", str(order.work / "buildah-run")),
        *("--storage-driver", "vfs"),
    )
    wire = () if order.tls else ("--tls-verify=false",)
    # `create` adds the images as well, so that no run of the program is spent on each.
    images = tuple(f"docker://{source}" for source in order.sources)
    create = ("manifest", "create", *wire, order.label, *images)
    pushes = [
        ("manifest", "push", *wire, "--all", order.label, f"docker://{target}")
        for target in _all_targets(order)
    ]
    return [(*kept, *words) for words in (create, *pushes)]


def _all_targets(order: Order) -> list[str]:
    repository = order.target.rpartition(":")[0]
    return [order.target, *(f"{repository}:{tag}" for tag in order.tags)]


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


_ARGUMENTS: Mapping[str, Callable[[Order], list[Command]]] = {
    OCI_MERGE: _oci_merge,
    "manifest-tool": _manifest_tool,
    "crane": _crane,
    "buildx": _buildx,
    "regctl": _regctl,
    "buildah": _buildah,
}

# Those that know no `--version`.
_VERSION: Mapping[str, Command] = {
    "crane": ("version",),
    "buildx": ("version",),
    "regctl": ("version", "--format", "{{.VCSTag}}"),
}
