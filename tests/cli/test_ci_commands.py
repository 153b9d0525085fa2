"""No text of a registry, an image or a helper commands the CI system that runs the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import serve
from tests.ci_systems import COMMANDS, Says, evil_index, obeyed
from tests.cli.running import Outcome, Program, run_on_terminal

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_ONE_LINE = [command for command in COMMANDS if command.isprintable()]


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    """A text that some CI system obeys."""
    text: str = request.param
    return text


@pytest.fixture
def evil(command: str) -> Iterator[tuple[EmbeddedRegistry, str]]:
    """A registry that says the text wherever it can, and its authority."""
    registry = EmbeddedRegistry(hooks=[Says(command)])
    registry.add_image("team/index", "1", evil_index(command))
    registry.add_image("team/evil-amd64", "1", build_image("linux", command))
    registry.add_image("team/evil-arm64", "1", build_image(command, "arm64", command))
    with serve(registry.app) as server:
        yield registry, server.host


def _clean(outcome: Outcome) -> Outcome:
    assert obeyed(outcome.stdout) == []
    assert obeyed(outcome.stderr) == []
    return outcome


def _merge_of(host: str) -> list[str]:
    return [
        *("--platforms", "linux/amd64,linux/arm64", "--template", f"{host}/team/evil-ARCH:1"),
        *("--target", f"{host}/team/app:1"),
    ]


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--output", "json"], ["--debug"]])
def test_a_merge_commands_nothing(
    more: list[str], evil: tuple[EmbeddedRegistry, str], command: str, program: Program
) -> None:
    outcome = _clean(program(*_merge_of(evil[1]), *more))
    assert outcome.status == 0
    assert "warning" in outcome.stderr


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--output", "json"]])
def test_a_merge_of_an_index_and_its_json_command_nothing(
    more: list[str], evil: tuple[EmbeddedRegistry, str], program: Program
) -> None:
    source = ["--source", f"{evil[1]}/team/index:1", "--target", f"{evil[1]}/team/app:1"]
    outcome = _clean(program(*source, *more))
    if "json" in more:
        json.loads(outcome.stdout)


def test_the_compatible_form_commands_nothing(
    evil: tuple[EmbeddedRegistry, str], command: str, program: Program, tmp_path: Path
) -> None:
    host = evil[1]
    _clean(program("push", "from-args", *_merge_of(host)))
    for text in ("image", "image:", "image: x\nmanifests: [{image: a, platform: {os: "):
        spec = tmp_path / "spec.yml"
        spec.write_text(f"{text}{json.dumps(command)}")
        _clean(program("push", "from-spec", str(spec)))


@pytest.mark.parametrize("output", ["text", "table", "json"])
def test_inspecting_commands_nothing(
    output: str, evil: tuple[EmbeddedRegistry, str], command: str, program: Program
) -> None:
    outcome = _clean(program("inspect", f"{evil[1]}/team/index:1", "--output", output))
    assert outcome.status == 0
    if output == "json":
        found = json.loads(outcome.stdout)
        assert command in str(found) or repr(command)[1:-1] in str(found)


@pytest.mark.parametrize("command", _ONE_LINE, indirect=True)
def test_exact_bytes_stay_exact(
    evil: tuple[EmbeddedRegistry, str], command: str, program: Program
) -> None:
    name = f"{evil[1]}/team/index:1"
    assert program("inspect", name, "--output", "manifest").stdout == (
        evil_index(command).manifest.decode()
    )
    raw = program("inspect", name, "--raw").stdout
    assert json.loads(raw)["annotations"]["note"] == command
    assert json.dumps(command, ensure_ascii=False).replace("<", "\\u003c") in raw


@pytest.mark.parametrize("output", ["text", "json"])
def test_an_error_commands_nothing(output: str, command: str, program: Program) -> None:
    registry = EmbeddedRegistry(hooks=[Says(command, fails=True)])
    with serve(registry.app) as server:
        merged = _clean(program(*_merge_of(server.host), "--output", output))
        inspected = _clean(program("inspect", f"{server.host}/team/x:1", "--output", output))
    assert (merged.status, inspected.status) == (1, 1)


def test_what_a_user_typed_commands_nothing_either(command: str, program: Program) -> None:
    text = command.replace("\x00", "")
    for arguments in (
        [text],
        ["--platforms", text, "--template", f"reg.test/{text}", "--target", text],
        ["--source", text, "--target", "reg.test/app:1", "--annotation", text],
        ["inspect", text],
        ["push", text],
        ["push", "from-spec", text],
        ["credentials", text],
    ):
        _clean(program(*arguments))


@pytest.mark.parametrize("command", _ONE_LINE[:6], indirect=True)
def test_a_terminal_that_a_ci_system_gives_is_commanded_nothing(
    evil: tuple[EmbeddedRegistry, str], command: str
) -> None:
    outcome = run_on_terminal(*_merge_of(evil[1]))
    assert outcome.status == 0
    assert obeyed(_COLOUR.sub("", outcome.stderr)) == []
