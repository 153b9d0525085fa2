"""What is imported when: a program that starts often has to start fast."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.running import run_process

_IMPORTED = """
import sys
sys.modules["click"] = None  # tools of developers bring it, and httpx brings rich if it is there
from oci_merge_cli.__main__ import main
sys.argv[1:] = {arguments!r}
main()
print(*(name for name in {names!r} if name in sys.modules), file=sys.stderr)
"""
_SLOW = ("asyncio", "cryptography", "httpx", "pydantic", "rich")


def imported(arguments: list[str], names: tuple[str, ...]) -> list[str]:
    """Return those of the modules that a run imports."""
    code = _IMPORTED.format(arguments=arguments, names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stderr.splitlines()[-1].split()


def test_version_is_one_line() -> None:
    outcome = run_process("--version")
    assert outcome == (0, "oci-merge version 0.1.0\n", "")


def test_version_is_answered_before_typer_is_imported() -> None:
    assert imported(["--version"], ("typer", *_SLOW)) == []


def test_help_imports_nothing_slow_but_typer() -> None:
    assert imported(["--help"], ("typer", *_SLOW)) == ["typer"]


@pytest.mark.parametrize("words", [[], ["--debug"]])
def test_a_run_without_a_terminal_imports_no_rich(words: list[str], host: str) -> None:
    arguments = [*words, "inspect", f"{host}/team/img-amd64:1.0"]
    assert imported(arguments, ("httpx", "rich")) == ["httpx"]


def test_a_merge_without_a_terminal_imports_no_rich(merge_arguments: list[str]) -> None:
    assert imported(merge_arguments, ("httpx", "rich")) == ["httpx"]
