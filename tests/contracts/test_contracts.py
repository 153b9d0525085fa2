"""The import contracts hold: a planted violation of each is reported, by the contract's name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

_ROOT = Path(__file__).parents[2]

_LAYERS = "Each package imports only from those below it"
_COMMAND_LAYERS = "The command's packages stand in layers too"
_PURE = "model, planning and the modules at the bottom do no I/O"
_HTTP = "Only http knows the HTTP library"
_PROGRAMS = "Only _programs runs programs"
_CRYPTOGRAPHY = "Only trust knows cryptography"
_FILES = "The environment and files are read in the modules named here alone"
_LIBRARY = "The library does not know the command's packages"
_PUBLIC = "The command uses the library's public names alone"

_REPORTED = re.compile(r"^(.+) (KEPT|BROKEN)(?: \(.*\))?$", re.MULTILINE)


class _Violation(NamedTuple):
    """A line that is appended to a module, and the contract that it breaks."""

    module: str
    line: str
    contract: str


_VIOLATIONS = [
    # a bottom module that imports a higher one, a package that imports its sibling
    _Violation("oci_merge/errors.py", "import oci_merge.registry.types", _LAYERS),
    _Violation("oci_merge/http/retry.py", "import oci_merge.registry.types", _LAYERS),
    _Violation("oci_merge/http/retry.py", "import oci_merge.planning.job", _LAYERS),
    _Violation("oci_merge/model/digest.py", "import oci_merge._concurrency", _PURE),
    # stray new modules
    _Violation("oci_merge/stray.py", "", _LAYERS),
    _Violation("cli/oci_merge_cli/stray.py", "", _COMMAND_LAYERS),
    _Violation(
        "cli/oci_merge_cli/options/__init__.py", "import oci_merge_cli.app", _COMMAND_LAYERS
    ),
    # pure modules that do I/O, one of them by way of another module
    *(
        _Violation(module, f"import {library}", _PURE)
        for module in ("oci_merge/model/digest.py", "oci_merge/planning/template.py")
        for library in ("asyncio", "h2", "httpcore", "os", "pathlib", "socket", "ssl", "subprocess")
    ),
    _Violation("oci_merge/options/__init__.py", "import os", _PURE),
    _Violation("oci_merge/_text.py", "import subprocess", _PURE),
    # the HTTP library elsewhere
    *(
        _Violation(f"oci_merge/{package}/__init__.py", f"import {library}", _HTTP)
        for package in ("registry", "auth", "operations", "credentials")
        for library in ("httpx", "httpcore", "h2")
    ),
    _Violation("oci_merge/client.py", "import httpx", _HTTP),
    _Violation("cli/oci_merge_cli/app.py", "import httpx", _HTTP),
    # cryptography elsewhere
    *(
        _Violation(module, "import cryptography", _CRYPTOGRAPHY)
        for module in (
            "oci_merge/operations/merge.py",
            "oci_merge/registry/hosts.py",
            "oci_merge/_programs.py",
            "cli/oci_merge_cli/app.py",
        )
    ),
    # files and programs elsewhere
    *(
        _Violation(module, "import subprocess", _PROGRAMS)
        for module in (
            "oci_merge/registry/hints.py",
            "oci_merge/http/session.py",
            "oci_merge/client.py",
            "oci_merge/credentials/helpers.py",
            "oci_merge/credentials/search.py",
            "oci_merge/credentials/stray.py",
        )
    ),
    _Violation("oci_merge/http/session.py", "import os", _FILES),
    _Violation("oci_merge/credentials/helpers.py", "import pathlib", _FILES),
    _Violation("oci_merge/operations/merge.py", "import os", _FILES),
    _Violation("oci_merge/credentials/keys.py", "import os", _FILES),
    _Violation("oci_merge/trust/keys.py", "import pathlib", _FILES),
    # the library and the command
    _Violation("oci_merge/operations/merge.py", "import typer", _LIBRARY),
    _Violation("oci_merge/_text.py", "import oci_merge_cli", _LIBRARY),
    _Violation("cli/oci_merge_cli/app.py", "import oci_merge._concurrency", _PUBLIC),
    _Violation("cli/oci_merge_cli/commands/merge.py", "import oci_merge.http.retry", _PUBLIC),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code and of its contracts, to plant violations in."""
    for package in ("oci_merge", "cli"):
        shutil.copytree(
            _ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(_ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _outcomes(tree: Path) -> dict[str, str]:
    """Return what became of each contract: ``KEPT`` or ``BROKEN``."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "cli")])},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {name.strip(): outcome for name, outcome in _REPORTED.findall(done.stdout)}


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    named = {violation.contract for violation in _VIOLATIONS}
    assert _outcomes(tree) == dict.fromkeys(named, "KEPT")


def _named(violation: _Violation) -> str:
    return f"{violation.module}: {violation.line or 'a stray module'}"


@pytest.mark.parametrize("violation", _VIOLATIONS, ids=_named)
def test_a_planted_violation_is_reported(violation: _Violation, tree: Path) -> None:
    path = tree / violation.module
    content = path.read_text() if path.exists() else '"""A module of its own."""\n'
    path.write_text(f"{content}\n{violation.line}\n")
    assert _outcomes(tree)[violation.contract] == "BROKEN"
