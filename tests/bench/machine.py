"""What a figure was measured on: the machine, and the versions of what ran."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fixtures.distribution import PROGRAM
from tests.bench.peers import Tool
from tests.bench.stand import clean_environment

_UNKNOWN = "unknown"
# Go writes what a program was built from into it: a module with its version, or a commit.
_GO_MODULE = re.compile(rb"mod\t[\w./-]+\t(v[\w.+-]+)[\t\n]")
_GO_COMMIT = re.compile(rb"build\tvcs\.revision=([0-9a-f]{12})")


def describe_machine(python: str) -> list[tuple[str, str]]:
    """Return what the machine is, as names and values, with nothing that identifies it.

    Args:
        python: the interpreter that oci-merge runs on.
    """
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True)
    return [
        ("CPU", f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores"),
        ("Memory", f"{_memory_bytes() / 2**30:.0f} GiB"),
        ("OS", f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}"),
        ("Python", version.stdout.split()[-1]),
        ("Load before", f"{os.getloadavg()[0]:.1f}"),
    ]


def describe_versions(tools: Sequence[Tool]) -> list[tuple[str, str]]:
    """Ask programs for their versions.

    Args:
        tools: the programs; the registry is added.

    Returns:
        Names and versions.
    """
    registry = Tool(PROGRAM, (PROGRAM,), ("--version",))
    return [(tool.name, _version(tool)) for tool in (*tools, registry)]


def version_in(text: str) -> str | None:
    """Find a version number in what a program says of itself.

    Args:
        text: what it printed.

    Returns:
        The version as it is written, such as `v0.21.2`; None if there is none, or it is 0.0.0.
    """
    found = re.search(r"\bv?\d+\.\d+[\w.+~-]*", text)
    return None if found is None or found[0].startswith("v0.0.0") else found[0]


def _version(tool: Tool) -> str:
    with TemporaryDirectory(prefix="oci-merge-bench-") as home:
        said = subprocess.run(
            [*tool.program, *tool.version],
            env=clean_environment(Path(home)),
            capture_output=True,
            text=True,
        )
    return version_in(said.stdout) or _built_from(tool.program[0])


def _built_from(program: str) -> str:
    """Return the version of the Go module that a program was built from, or else the commit."""
    path = Path(program)
    content = path.read_bytes() if path.is_file() else b""
    if (module := _GO_MODULE.search(content)) is not None:
        return module[1].decode()
    commit = _GO_COMMIT.search(content)
    return _UNKNOWN if commit is None else f"commit {commit[1].decode()}"


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return platform.machine() if found is None else found[1]


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
