"""Slips on the command line: options given twice, without a value, and lists with spaces."""

from __future__ import annotations

import json

import pytest
from typer.main import get_command

from fixtures.embedded import EmbeddedRegistry
from oci_merge_cli.app import app
from oci_merge_cli.compat.argv import level_of
from tests.cli.running import Program

LEVEL = level_of(get_command(app))
SINGLE = sorted(LEVEL.valued - LEVEL.repeatable)
KEEP_ONE = "keep one of the two"


def test_the_options_for_one_value_are_all_but_the_lists() -> None:
    assert {"--template", "--format", "--username", "--output"} <= set(SINGLE)
    assert LEVEL.repeatable == {
        *("--platforms", "--arch-alias", "--source", "--source-file", "--target", "-t", "--tags"),
        *("--annotation", "--optional", "--require", "--require-same", "--verify-key"),
    }


@pytest.mark.parametrize("option", SINGLE)
def test_an_option_for_one_value_that_is_given_twice_is_an_error(
    program: Program, option: str
) -> None:
    outcome = program(option, "a-secret", option, "another-secret")
    assert outcome.status == 2
    name = LEVEL.long.get(option, option)
    assert outcome.errors[0] == f"error: {name} takes one value and is given twice"
    assert outcome.errors[1].startswith("hint: keep one")
    assert "secret" not in outcome.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--template", "a:1", "--template", "b:1"],
        ["--template=a:1", "--template=b:1"],
        ["--template=a:1", "-template", "b:1"],
        ["-template=a:1", "--tags", "x", "--template", "b:1"],
        ["--template", "a:1", "--template", "a:1"],
        ["--template", "a:1", "--template", "b:1", "--template", "c:1"],
        ["--source", "c:1", "--template", "a:1", "--quiet", "--template="],
    ],
)
def test_every_way_of_writing_it_twice_is_found(program: Program, words: list[str]) -> None:
    outcome = program(*words)
    assert outcome.status == 2
    assert outcome.errors == [
        "error: --template takes one value and is given twice",
        "hint: keep one; a second group of images takes a run of its own, or --source",
    ]


def test_a_short_option_counts_as_its_long_form(program: Program) -> None:
    outcome = program("-o", "text", "--output", "text")
    assert outcome.errors[0] == "error: --output takes one value and is given twice"


@pytest.mark.parametrize("command", ["inspect", "credentials"])
def test_the_commands_that_read_refuse_it_too(program: Program, command: str) -> None:
    outcome = program(command, "--username", "a", "reg.example/app:1", "--username", "b")
    assert outcome.status == 1
    assert outcome.errors == [
        "error: --username takes one value and is given twice",
        f"hint: {KEEP_ONE}",
    ]


def test_the_error_is_on_stdout_where_json_is_asked_for(program: Program) -> None:
    outcome = program("--output", "json", "--format", "oci", "--format", "docker")
    shown = {
        "kind": "UsageError",
        "message": "--format takes one value and is given twice",
        "hint": KEEP_ONE,
    }
    assert json.loads(outcome.stdout) == shown | {"error": {"code": "usage", **shown}}


def test_lists_and_flags_may_be_given_twice(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    outcome = program(
        *("--plain-http", "--plain-http", "--quiet", "--quiet"),
        *("--source", f"{host}/team/img-amd64:1.0", "--source", f"{host}/team/img-arm64:1.0"),
        *("--target", f"{host}/team/img:1.0", "--tags", "1", "--tags", "latest"),
    )
    assert (outcome.status, outcome.stderr) == (0, "")
    assert {"1.0", "1", "latest"} <= set(registry.storage.repositories["team/img"].tags)


def test_a_variable_of_the_environment_does_not_count(
    program: Program, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", "other")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", "secret")
    outcome = program(
        *("inspect", "--username", "ci", "--password", "secret", f"{host}/team/img-amd64:1.0")
    )
    assert outcome.status == 0


@pytest.mark.parametrize(
    ("words", "option", "follows"),
    [
        (["--tags", "--target", "reg.example/app:1"], "--tags", "--target"),
        (["--tags", "--target=reg.example/app:1"], "--tags", "--target"),
        (["--platforms", "--template", "reg.example/a-ARCH:1"], "--platforms", "--template"),
        (["--target", "--dry-run"], "--target", "--dry-run"),
        (["--source", "a:1", "--digest-file", "--quiet"], "--digest-file", "--quiet"),
        (["push", "from-args", "--tags", "--target", "a:1"], "--tags", "--target"),
        (["inspect", "--output", "--raw", "a:1"], "--output", "--raw"),
    ],
)
def test_an_option_that_took_the_next_one_for_its_value_has_none(
    program: Program, words: list[str], option: str, follows: str
) -> None:
    outcome = program(*words)
    assert outcome.status in (1, 2)
    assert outcome.errors == [
        f"error: {option} has no value: {follows} follows it",
        f"hint: give {option} a value; perhaps a variable is empty: quote it",
    ]


@pytest.mark.parametrize("before", [[], ["push", "from-args"]])
@pytest.mark.parametrize(
    ("words", "rest", "whole"),
    [
        (
            ["--platforms", "linux/amd64,", "linux/arm64", "--target", "a:1"],
            "linux/arm64",
            "--platforms linux/amd64,linux/arm64",
        ),
        (["--tags", "latest", ",1"], ",1", "--tags latest,1"),
        (["--tags", "latest,", "1"], "1", "--tags latest,1"),
    ],
)
def test_a_list_with_a_space_is_shown_without_it(
    program: Program, before: list[str], words: list[str], rest: str, whole: str
) -> None:
    outcome = program(*before, *words)
    assert outcome.status == (1 if before else 2)
    assert outcome.errors == [
        f"error: the list of {words[0]} has a space in it, before '{rest}'",
        f"hint: leave out the space, or quote the list: {whole}",
    ]


def test_a_comma_at_the_end_of_a_list_is_not_taken_for_a_space(program: Program) -> None:
    outcome = program("--platforms", "linux/amd64,", "--target", "a:1", "--template", "a-ARCH:1")
    assert outcome.status == 2
    assert "has a space in it" not in outcome.stderr
