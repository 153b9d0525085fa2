"""Completion: real shells are given a line and press Tab; no run of the program is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oci_merge_cli.app import SHARED_OPTIONS
from tests.cli.running import Program, run_process
from tests.cli.shells import bash_words, fish_words, is_installed, zsh_words

#: What a user may have set in bash.
BASH_SETTINGS = {
    "as it comes": "",
    "without compopt, as 3.2 is": "enable -n compopt mapfile readarray",
    "= does not divide words": "COMP_WORDBREAKS=${COMP_WORDBREAKS//=}",
    ": does not divide words": "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}",
    "no word breaks": "unset COMP_WORDBREAKS",
    "unset variables are errors": "set -u",
    "failglob": "shopt -s failglob",
    "nullglob": "shopt -s nullglob",
    "another IFS": "IFS=,",
    "with bash-completion": "source /usr/share/bash-completion/bash_completion 2>/dev/null",
}
needs_bash = pytest.mark.skipif(not is_installed("bash"), reason="bash is not installed")
needs_zsh = pytest.mark.skipif(not is_installed("zsh"), reason="zsh is not installed")
needs_fish = pytest.mark.skipif(not is_installed("fish"), reason="fish is not installed")

Press = Callable[[str], set[str]]
"""Returns what Tab offers for the last word of a line, which begins with ``oci-merge``."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two specs, one of them with a space in its name."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "spec.yml").touch()
    (folder / "my spec.yml").touch()
    return folder


@pytest.fixture
def script(program: Program, tmp_path: Path) -> Callable[[str], Path]:
    """Writes the script of a shell, and returns its file."""

    def write(shell: str) -> Path:
        file = tmp_path / f"script.{shell}"
        file.write_text(program("completion", shell).stdout)
        return file

    return write


@pytest.fixture(
    params=[
        pytest.param("bash", marks=needs_bash),
        pytest.param("zsh", marks=needs_zsh),
        pytest.param("fish", marks=needs_fish),
    ]
)
def press(request: pytest.FixtureRequest, script: Callable[[str], Path], folder: Path) -> Press:
    """Presses Tab in each shell that is installed."""
    file = script(request.param)

    def offered(line: str) -> set[str]:
        if request.param == "fish":
            return {word.partition("\t")[0] for word in fish_words(file, line, folder=folder)}
        words = {"bash": bash_words, "zsh": zsh_words}[request.param](file, line, folder=folder)
        *before, last = line.split(" ")[1:]
        completed = set(words[len(before) :])
        # bash writes --option= before the first of several values alone.
        option = last.partition("=")[0] + "=" if "=" in last else ""
        completed = {option + word.removeprefix(option) for word in completed}
        # Where nothing fits, the line stays as it is.
        return completed - {last}

    return offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("in", {"inspect"}),
        ("push ", {"from-args", "from-spec"}),
        ("--debug pu", {"push"}),
        ("--username push pu", {"push"}),
        ("--dry-r", {"--dry-run"}),
        ("inspect --ra", {"--rate", "--raw"}),
        ("inspect reg.example:5000/app:1.0 --expand", {"--expand-config"}),
        ("--target reg.example:5000/app:1.0 --dry-r", {"--dry-run"}),
        ("--target=reg.example:5000/app:1.0 --dry-r", {"--dry-run"}),
        ("-t reg.example/app:1.0 --dry-r", {"--dry-run"}),
        ("--format ", {"auto", "oci", "docker"}),
        ("--format=", {"--format=auto", "--format=oci", "--format=docker"}),
        ("--format=o", {"--format=oci"}),
        ("-o j", {"json"}),
        ("inspect --output=t", {"--output=text", "--output=table"}),
        ("--only-newer v", {"version"}),
        ("push from-args --ty", {"--type"}),
        ("push from-args --type ", {"docker", "oci"}),
        ("push --type o", {"oci"}),
        ("push --userna", {"--username"}),
        ("push from-spec sp", {"spec.yml"}),
        ("push from-spec --ignore-missing sp", {"spec.yml"}),
        ("--ca-file sp", {"spec.yml"}),
        ("--ca-file=sp", {"--ca-file=spec.yml"}),
        ("--ca-file my", {"my spec.yml"}),
        ("completion ", {"bash", "zsh", "fish"}),
        ("--target sp", set()),
        ("--target reg.example:5000/app:1", set()),
        ("--format x", set()),
        ("inspect sp", set()),
        ("--target reg.example/app:1.0 in", set()),
        ("--no-such-opt", set()),
    ],
)
def test_tab_offers_what_may_stand_there(press: Press, line: str, offered: set[str]) -> None:
    assert press(f"oci-merge {line}") == offered


def test_a_name_with_a_space_is_one_word_after_completion(press: Press) -> None:
    assert press("oci-merge push from-spec ") >= {"my spec.yml", "spec.yml"}


@needs_bash
@pytest.mark.parametrize("setting", BASH_SETTINGS)
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--format=o", ["--format=oci"]),
        ("--ca-file=my", ["--ca-file=my spec.yml"]),
        ("--target reg:5000/app:1.0 --dry", ["--target", "reg:5000/app:1.0", "--dry-run"]),
        ("--annotation 'a push b' --dry", ["--annotation", "a push b", "--dry-run"]),
        ("--target='a b' --dry", ["--target=a b", "--dry-run"]),
        ("-format d", ["-format", "docker"]),
        ("inspect a:1 2> sp", ["inspect", "a:1"]),
    ],
)
def test_bash_completes_whatever_is_set(
    script: Callable[[str], Path], folder: Path, setting: str, line: str, words: list[str]
) -> None:
    setup = BASH_SETTINGS[setting]
    assert bash_words(script("bash"), f"oci-merge {line}", folder=folder, setup=setup) == words


@needs_bash
def test_bash_completes_up_to_the_cursor_in_the_midst_of_a_line(
    script: Callable[[str], Path], folder: Path
) -> None:
    left = "\x1b[D" * len(" --target a:1")
    line = f"oci-merge --form --target a:1{left}"
    words = bash_words(script("bash"), line, folder=folder)
    assert words == ["--format", "--target", "a:1"]


@needs_bash
def test_an_option_for_one_value_is_offered_once_in_bash(
    script: Callable[[str], Path], folder: Path
) -> None:
    line = "oci-merge --template a:1 --source b:1 --"
    words = bash_words(script("bash"), line, folder=folder)[4:]
    assert "--template" not in words
    assert "--source" in words


def test_the_script_for_bash_keeps_to_what_3_2_has(program: Program) -> None:
    text = program("completion", "bash").stdout
    for newer in (
        "declare -A",
        "mapfile",
        "readarray",
        "nosort",
        ",,}",
        "^^}",
        ";;&",
        "|&",
        "[-1]",
    ):
        assert newer not in text
    assert all("2>/dev/null" in line for line in text.splitlines() if "compopt" in line)


@needs_zsh
def test_zsh_completes_at_the_first_tab_from_its_functions_folder(
    program: Program, tmp_path: Path, folder: Path
) -> None:
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_oci-merge").write_text(program("completion", "zsh").stdout)
    setup = f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D"
    nothing = tmp_path / "nothing"
    nothing.touch()
    words = zsh_words(nothing, "oci-merge --form", folder=folder, setup=setup)
    assert words == ["--format"]


@needs_zsh
def test_zsh_reads_the_script_before_its_completion_is_set_up(
    script: Callable[[str], Path], folder: Path
) -> None:
    command = ["zsh", "-f", "-c", f"source {script('zsh')}"]
    environment = {**os.environ, "ZDOTDIR": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@needs_zsh
def test_zsh_shows_a_sentence_for_each_option(script: Callable[[str], Path]) -> None:
    text = script("zsh").read_text()
    assert r"--target=[The tag to publish, such as reg.example/app\:1.0]:REFERENCE: '" in text
    assert r"the images'\'' references" in text


@needs_fish
def test_fish_shows_a_sentence_for_each_option(script: Callable[[str], Path], folder: Path) -> None:
    words = fish_words(script("fish"), "oci-merge inspect --expand", folder=folder)
    assert words == ["--expand-config\tWith --raw, print the whole config of an image"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_run_no_program_and_know_every_option(program: Program, shell: str) -> None:
    text = program("completion", shell).stdout
    called = re.findall(r"(?<![\w./-])oci-merge(?![\w-])", text.partition("\n")[2])
    assert "$(oci-merge" not in text
    assert "(oci-merge" not in text
    assert called  # the lines that say which program is completed
    for option in SHARED_OPTIONS:
        assert option.removeprefix("--") in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_for_the_name_that_the_program_is_called_by(tmp_path: Path, shell: str) -> None:
    code = (
        "import sys; sys.argv[:] = ['manifest-tool', 'completion', sys.argv[1]];"
        "from oci_merge_cli.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, shell], capture_output=True, text=True, check=True
    )
    assert "manifest-tool" in done.stdout
    assert "oci-merge" not in done.stdout


def test_a_shell_that_is_not_known_is_refused_with_those_that_are(program: Program) -> None:
    outcome = program("completion", "tcsh")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "'bash', 'zsh', 'fish'" in outcome.stderr
    missing = program("completion")
    assert missing.errors[0] == ("error: missing argument 'SHELL'. Choose from: bash, zsh, fish")


@pytest.mark.parametrize("asked", ["complete_bash", "bash_complete", "source_zsh", "zsh_source"])
@pytest.mark.parametrize("words", [[], ["--version"], ["--help"]])
def test_the_scripts_of_other_click_programs_are_answered_with_nothing(
    asked: str, words: list[str]
) -> None:
    outcome = run_process(*words, environment={"_OCI_MERGE_COMPLETE": asked})
    assert outcome == (1, "", "")
