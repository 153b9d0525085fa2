"""The reference page and the man page say what the options are, and are up to date."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import Program

ROOT = Path(__file__).parents[2]


def documents() -> dict[Path, str]:
    """Return the pages as ``make reference`` would write them."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[Path, str] = module.documents()
    return made


@pytest.mark.parametrize("name", ["reference.md", "oci-merge.1"])
def test_the_pages_in_docs_are_up_to_date(name: str) -> None:
    file = ROOT / "docs" / name
    assert file.read_text(encoding="utf-8") == documents()[file], "run make reference"


def test_the_man_page_is_the_one_that_the_program_prints(program: Program) -> None:
    assert program("man").stdout == (ROOT / "docs/oci-merge.1").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["", "inspect", "credentials", "push from-args", "push"])
def test_each_option_of_the_help_is_on_both_pages(program: Program, command: str) -> None:
    shown = set(
        re.findall(r"^  (?:-\w, )?(--[\w-]+)", program(*command.split(), "--help").stdout, re.M)
    )
    assert shown
    reference, man = (documents()[ROOT / "docs" / name] for name in ("reference.md", "oci-merge.1"))
    section = reference.partition(f"## {f'oci-merge {command}'.strip()}\n")[2].partition("\n## ")[0]
    assert shown <= set(re.findall(r"--[\w-]+", section))
    assert shown <= set(re.findall(r"--[\w-]+", man.replace("\\-", "-")))


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_no_complaint_about_the_man_page(tmp_path: Path) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(ROOT / "docs/oci-merge.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_has_no_complaint_but_the_missing_date() -> None:
    command = ["mandoc", "-Tlint", "-W", "style", str(ROOT / "docs/oci-merge.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_a_reader_sees_options_values_and_examples_in_the_man_page() -> None:
    command = ["groff", "-man", "-Tascii", "-P-c", "-rLL=200n", str(ROOT / "docs/oci-merge.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    text = re.sub(".\b", "", done.stdout)
    for shown in (
        "-o, --output <text|json>",
        "oci-merge push from-spec [OPTIONS] FILE",
        "--template reg.example/app-ARCHVARIANT:1.0 \\",
        'tags: [latest, "1"]',
        "130 or 143 interrupted",
    ):
        assert shown in text
