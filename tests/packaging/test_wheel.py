"""The wheel holds what it shall, nothing else, and gives a command that runs."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ENVIRONMENT


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs folder of an environment with nothing but the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip(sys.executable, "--python", str(programs / "python"), "install", str(wheel))
    return programs


def pip(python: str, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", "--quiet", *arguments], check=True, env=ENVIRONMENT)


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_has_two_packages_and_their_metadata(wheel: Path) -> None:
    _, version, *_ = wheel.name.split("-")

    top_level = {name.partition("/")[0] for name in names(wheel)}

    assert top_level == {
        "oci_merge",
        "oci_merge_cli",
        f"oci_merge-{version}.data",
        f"oci_merge-{version}.dist-info",
    }


def test_the_wheel_puts_the_man_page_where_man_finds_it(wheel: Path, installed: Path) -> None:
    (data,) = [name for name in names(wheel) if ".data/" in name]
    assert data.endswith(".data/data/share/man/man1/oci-merge.1")
    assert (installed.parent / "share/man/man1/oci-merge.1").is_file()


def test_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    assert "oci_merge/py.typed" in names(wheel)


def test_the_wheel_has_the_schema_of_the_output(wheel: Path) -> None:
    assert "oci_merge_cli/schemas/output.json" in names(wheel)


def test_the_wheel_has_the_schema_of_batch_files(wheel: Path) -> None:
    assert "oci_merge_cli/schemas/batch.schema.json" in names(wheel)


def test_the_wheel_has_its_license(wheel: Path) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names(wheel))


@pytest.mark.parametrize("command", [["oci-merge"], ["python", "-m", "oci_merge_cli"]])
def test_the_command_runs_from_a_fresh_environment(
    wheel: Path, installed: Path, tmp_path: Path, command: list[str]
) -> None:
    _, version, *_ = wheel.name.split("-")
    program = installed / command[0]

    run = subprocess.run(
        [program, *command[1:], "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert version in run.stdout


def test_the_library_needs_nothing_that_only_the_tests_have(
    installed: Path, tmp_path: Path
) -> None:
    """Every module of the wheel can be imported with its declared dependencies alone."""
    program = """
import importlib, pkgutil
import oci_merge, oci_merge_cli
for package in (oci_merge, oci_merge_cli):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
"""

    run = subprocess.run(
        [installed / "python", "-I", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
