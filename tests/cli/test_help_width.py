"""Help is as wide as the terminal, within bounds, and loses nothing where it is narrow."""

from __future__ import annotations

import pytest

from tests.cli.running import Outcome, run_on_terminal, run_process

COMMANDS = [(), ("inspect",), ("credentials",), ("push",), ("push", "from-args")]


def help_at(columns: int, *command: str) -> Outcome:
    """Return the help of a command on a terminal of that width."""
    environment = {"COLUMNS": str(columns)}
    return run_on_terminal(*command, "--help", stdout_too=True, environment=environment)


def prose(text: str) -> list[str]:
    """Return the lines of a help text but for the examples, which are kept as they are."""
    before, _, behind = text.partition("  Example")
    return [*before.splitlines(), *behind.partition("Exit status")[2].splitlines()]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("columns", "most"), [(40, 40), (80, 80), (100, 100), (200, 100)])
def test_no_sentence_is_wider_than_the_terminal_or_100_columns(
    command: tuple[str, ...], columns: int, most: int
) -> None:
    lines = prose(help_at(columns, *command).stdout)
    # The list of the values of an option is one word.
    wide = [line for line in lines if len(line) > most and len(line.split()) > 3]
    assert wide == []


def test_help_uses_the_width_that_there_is() -> None:
    lines = {columns: prose(help_at(columns).stdout) for columns in (40, 80, 100)}
    assert max(map(len, lines[100])) > 90
    assert len(lines[100]) < len(lines[80]) < len(lines[40])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_narrow_terminal_shows_the_same_words(command: tuple[str, ...]) -> None:
    # typer breaks lines behind hyphens, too.
    wide, narrow = ("".join(help_at(width, *command).stdout.split()) for width in (100, 40))
    assert narrow == wide


def test_the_size_of_the_terminal_counts_where_no_variable_says_another() -> None:
    outcome = run_on_terminal("inspect", "--help", stdout_too=True)
    assert 90 < max(map(len, outcome.stdout.splitlines())) <= 100


@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_pipe_gets_80_columns_whatever_the_terminal_is(columns: str) -> None:
    usual = run_process("inspect", "--help").stdout
    assert run_process("inspect", "--help", environment={"COLUMNS": columns}).stdout == usual
    assert 70 < max(map(len, usual.splitlines())) <= 80


@pytest.mark.parametrize("columns", ["0", "1", "-5", "wide", "²"])
def test_a_width_that_makes_no_sense_still_gives_help(columns: str) -> None:
    environment = {"COLUMNS": columns}
    outcome = run_on_terminal("--help", stdout_too=True, environment=environment)
    assert outcome.status == 0
    assert "--template REFERENCE" in outcome.stdout
