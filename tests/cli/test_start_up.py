"""What is imported when, and how a run ends: a program that starts often has to be quick."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from oci_merge import __version__
from tests.cli.running import PROGRAM, run_process

# As pip's script starts it. Tools of developers bring click, and where that is httpx loads rich.
_PROGRAM = """
import sys
sys.modules["click"] = None
from oci_merge_cli.__main__ import main
sys.argv[:] = ["oci-merge", *sys.argv[1:]]
main()
"""
#: As Python says it where it is asked for each import, in any of its ways.
_IMPORT = re.compile(r"^import '([\w.]+)' # ", re.MULTILINE)

#: What reaches the network, reads documents or draws on a terminal.
_SLOW = {"asyncio", "cryptography", "httpx", "pydantic", "rich"}
#: What only some runs need, and others would wait for in vain.
_UNUSED = {
    "cryptography",
    "oci_merge_cli.reference",
    "oci_merge.trust",
    "oci_merge.sync",
    "oci_merge.credentials.explanation",
    "oci_merge.operations.source_files",
    "oci_merge.planning.builder_output",
    "oci_merge.operations.batch",
    "oci_merge.planning.batch",
    "oci_merge.model.labels",
    "oci_merge.operations.guards",
    "oci_merge.planning.age",
    "oci_merge.planning.guards",
    "oci_merge.planning.label_annotations",
    "oci_merge.operations.append",
    "oci_merge.operations.edit",
    "oci_merge.planning.edit",
    "oci_merge.operations.after",
    "oci_merge.operations.apply",
    "oci_merge.operations.delete_sources",
    "oci_merge.operations.verify",
    "oci_merge.planning.cleaning",
    "oci_merge.planning.optional",
    "oci_merge.planning.plan_file",
    "oci_merge.planning.spec_file",
    "oci_merge.planning.subject",
    "oci_merge_cli.output.dotenv",
    "oci_merge_cli.output.files",
    "oci_merge_cli.output.github",
    "oci_merge_cli.output.metadata_file",
    "oci_merge_cli.output.published",
    "oci_merge_cli.output.step_summary",
    "pkg_resources",
    "pygments",
    "rich",
    "trio",
    "typer.rich_utils",
    "yaml",
}


def imported(*arguments: str, path: Sequence[Path] = ()) -> set[str]:
    """Return the modules that a run imports; it has to succeed.

    Args:
        arguments: the run's arguments.
        path: folders to look for modules in, before all others.
    """
    folders = [*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-v", "-c", _PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    assert done.returncode == 0, done.stderr
    return set(_IMPORT.findall(done.stderr))


def test_version_is_one_line() -> None:
    outcome = run_process("--version")
    assert outcome == (0, f"oci-merge version {__version__}\n", "")


def test_version_is_answered_before_typer_or_typing_is_imported() -> None:
    assert imported("--version") & {"typer", "typing", "dataclasses", *_SLOW} == set()


def test_help_imports_nothing_slow_but_typer() -> None:
    assert imported("--help") & {"typer", *_SLOW} == {"typer"}


def test_help_imports_nothing_that_the_library_does_its_work_with() -> None:
    ours = {name for name in imported("--help") if name.startswith("oci_merge.")}
    assert ours == {"oci_merge._frozen", "oci_merge._version", "oci_merge.errors"}


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "--help"],
        ["batch", "--help"],
        ["credentials", "--help"],
        ["completion", "--help"],
        ["man", "--help"],
        ["apply", "--help"],
        ["remove", "--help"],
        ["annotate", "--help"],
        ["push", "--help"],
        ["push", "from-args", "--help"],
        ["push", "from-spec", "--help"],
    ],
    ids=" ".join,
)
def test_the_help_of_a_command_imports_neither_httpx_nor_rich(words: list[str]) -> None:
    # typer reads the words before the command with pydantic.
    assert imported(*words) & {*_SLOW, *_UNUSED} <= {"pydantic"}


@pytest.mark.parametrize(
    "words",
    [["completion", "bash"], ["completion", "zsh"], ["completion", "fish"], ["man"]],
    ids=" ".join,
)
def test_what_describes_the_commands_imports_one_writer_and_no_network(words: list[str]) -> None:
    found = imported(*words)
    assert found & {*_SLOW, *_UNUSED} <= {"pydantic", "oci_merge_cli.reference"}
    # Besides the writer: the package, the pages, and what the scripts share.
    ours = {name for name in found if name.startswith("oci_merge_cli.reference.")}
    writer = {"man": "roff"}.get(words[0], words[-1])
    assert ours - {"oci_merge_cli.reference.pages", "oci_merge_cli.reference.words"} == {
        f"oci_merge_cli.reference.{writer}"
    }


@pytest.mark.parametrize("words", [[], ["--debug"]])
def test_a_run_without_a_terminal_imports_no_rich(words: list[str], host: str) -> None:
    arguments = [*words, "inspect", f"{host}/team/img-amd64:1.0"]
    assert imported(*arguments) & {"httpx", *_UNUSED} == {"httpx"}


def test_a_merge_imports_only_what_it_uses(merge_arguments: list[str]) -> None:
    assert imported(*merge_arguments) & {"httpx", *_UNUSED} == {"httpx"}


def test_a_push_of_arguments_imports_nothing_that_reads_a_file(merge_arguments: list[str]) -> None:
    found = imported("push", "from-args", *merge_arguments)
    assert found & {"httpx", "oci_merge_cli.options.yaml_file", *_UNUSED} == {"httpx"}


def test_a_batch_without_a_terminal_imports_no_rich(host: str, tmp_path: Path) -> None:
    file = tmp_path / "images.yml"
    file.write_text(
        f"images:\n  - template: {host}/team/img-ARCHVARIANT:1.0\n    target: {host}/team/img:1.0\n"
    )
    found = imported("batch", str(file)) & {"httpx", *_UNUSED}
    assert found & {"rich", "httpx"} == {"httpx"}


def test_plugins_of_pydantic_that_are_installed_beside_are_left_alone(
    tmp_path: Path, host: str
) -> None:
    (tmp_path / "spy.py").write_text("plugin = None\n")
    metadata = tmp_path / "spy-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[pydantic]\nspy = spy:plugin\n")

    assert "spy" not in imported("inspect", f"{host}/team/img-amd64:1.0", path=[tmp_path])


def test_the_end_of_a_run_waits_for_no_thread_and_no_exit_handler() -> None:
    code = f"""
import atexit, threading, time
atexit.register(print, "late")
threading.Thread(target=time.sleep, args=(600,)).start()
{_PROGRAM}"""
    command = [sys.executable, "-c", code, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"oci-merge version {__version__}\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is full")
def test_a_stderr_that_takes_nothing_ends_a_run_as_the_interpreter_would() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, "--no-such-option"], stderr=full, env=environ)
    assert done.returncode == 120
