"""Words of the command line: which are commands, what help there is, and how each one exits."""

from __future__ import annotations

import pytest

from fixtures.embedded import EmbeddedRegistry
from tests.cli.running import Program, run_process

HINT = "hint: run oci-merge --help to see its options"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 0),
        (["--plain-http"], 0),
        (["--help"], 0),
        (["-h"], 0),
        (["help"], 0),
        (["h"], 0),
        (["help", "inspect"], 0),
        (["help", "push"], 0),
        (["--debug", "help"], 0),
        (["push"], 0),
        (["push", "--help"], 0),
        (["push", "help"], 0),
        (["inspect", "--help"], 0),
        (["inspect", "-h"], 0),
        (["--version"], 0),
        (["-v"], 0),
        (["--debug", "--version"], 0),
        (["bogus"], 3),
        (["help", "bogus"], 3),
        (["push", "bogus"], 3),
        (["--debug", "bogus"], 3),
        (["--target", "reg.example/a:1", "bogus"], 3),
        (["--bogus"], 2),
        (["--bogus", "x"], 2),
        (["--source", "a:1", "--target", "a:2", "--tag", "latest"], 2),
        (["--target"], 2),
        (["--format", "bogus"], 2),
        (["--platform-check", "bogus"], 2),
        (["--output", "table"], 2),
        (["--dry-run"], 2),
        (["--target", "reg.example/a:1"], 2),
        (["--template", "reg.example/a-ARCH:1"], 2),
        (["--template", "reg.example/a:1", "--target", "reg.example/a:1"], 2),
        (["--source", "A:1", "--template", "x", "--target", "reg.example/a:1"], 2),
        (["--source", "a:1", "--target", "reg.example/a:1"], 2),
        (["--source", "a:1", "--target", "a"], 2),
        (["--source", "a:1", "--target", "a:2", "--annotation", "x"], 2),
        (["--source", "a:1", "--target", "a:2", "--arch-alias", "amd64"], 2),
        (["--source", "a:1", "--target", "a:2", "--tags", "a b"], 2),
        (["--source", "a:1", "--target", "a:2", "--username", "u"], 2),
        (["--source", "a:1", "--target", "a:2", "--retries", "-1"], 2),
        (["--source", "a:1", "--target", "a:2", "--retries", "many"], 2),
        (["--source", "a:1", "--target", "a:2", "--timeout", "0"], 2),
        (["--source", "a:1", "--target", "a:2", "--deadline", "-3"], 2),
        (["--source", "a:1", "--target", "a:2", "--client-key", "key.pem"], 2),
        (["--source", "a:1", "--target", "a:2", "--ca-file", "/nowhere"], 2),
        (["push", "--bogus"], 1),
        (["inspect"], 1),
        (["inspect", "--bogus", "a:1"], 1),
        (["inspect", "a:1", "b:1"], 1),
        (["inspect", "a"], 1),
        (["inspect", "A:1"], 1),
        (["inspect", "--output", "yaml", "a:1"], 1),
        (["--bogus", "inspect", "a:1"], 1),
        (["--username", "u", "inspect", "a:1"], 1),
        (["--timeout", "nan", "inspect", "a:1"], 1),
        (["--target", "reg.example/a:1", "inspect", "a:1"], 1),
        (["--quiet", "push"], 1),
    ],
)
def test_the_exit_status_says_what_became_of_a_command_line(
    program: Program, arguments: list[str], status: int
) -> None:
    outcome = program(*arguments)
    assert outcome.status == status
    assert bool(outcome.stdout) == (status == 0)
    assert bool(outcome.stderr) == (status != 0)
    if status in (1, 2):
        assert outcome.errors[0].startswith("error: ")
        assert all(line.startswith("hint: ") for line in outcome.errors[1:])


@pytest.mark.parametrize("arguments", [["bogus"], ["help", "bogus"], ["push", "bogus"]])
def test_an_unknown_word_is_no_help_topic(program: Program, arguments: list[str]) -> None:
    assert program(*arguments).stderr == "No help topic for 'bogus'\n"


def test_an_unknown_word_after_options_is_perhaps_a_value_gone_astray(program: Program) -> None:
    outcome = program("--platforms", "linux/amd64", "linux/arm64", "--target", "a:1")
    assert outcome.status == 3
    assert outcome.errors == [
        "No help topic for 'linux/arm64'",
        "hint: linux/arm64 is not a command: "
        "give every option its value, and quote a list with spaces",
    ]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["inspct", "a:1"], "did you mean inspect?"),
        (["Inspect", "a:1"], "did you mean inspect?"),
        (["credential", "a:1"], "did you mean credentials?"),
        (["pusch"], "did you mean push?"),
        (["push", "from-arg"], "did you mean from-args?"),
        (["push", "from_spec", "x"], "did you mean from-spec?"),
        (
            ["create", "a:1"],
            "joining images has no command: give --template or --source, and --target",
        ),
        (
            ["reg.example/team/app:1.0", "reg.example/team/app-amd64:1.0"],
            "name each image with --source, and the tag with --target",
        ),
        (["version"], "print the version with --version"),
        (
            ["login", "a:1"],
            "log in with docker login; oci-merge credentials IMAGE shows what is found",
        ),
    ],
)
def test_a_word_that_is_no_command_is_answered_with_what_was_meant(
    program: Program, arguments: list[str], hint: str
) -> None:
    outcome = program(*arguments)
    assert outcome.status == 3
    assert outcome.errors[1:] == [f"hint: {hint}"]


def test_a_bare_call_and_every_spelling_of_help_print_the_same(program: Program) -> None:
    pages = [program(*words).stdout for words in ([], ["--help"], ["-h"], ["help"], ["h"])]
    assert len(set(pages)) == 1
    assert pages[0].startswith("Usage: oci-merge [OPTIONS] [COMMAND]\n")


def test_help_with_a_word_is_the_help_of_that_command(program: Program) -> None:
    page = program("help", "inspect").stdout
    assert page == program("inspect", "--help").stdout
    assert page.startswith("Usage: oci-merge inspect ")


def test_push_prints_its_own_help(program: Program) -> None:
    page = program("push").stdout
    assert page == program("push", "--help").stdout == program("help", "push").stdout
    assert page.startswith("Usage: oci-merge push ")


def test_help_has_its_options_in_groups_each_with_an_explanation(program: Program) -> None:
    page = program("--help").stdout
    headings = [line for line in page.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [
        "Commands:",
        "The images to join:",
        "What to publish:",
        "Output:",
        "Before a tag moves:",
        "Signatures:",
        "Registry:",
        "Network:",
        "Help:",
    ]
    lines = page.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  --"):
            explained = len(line.split("  ")) > 2 or lines[number + 1].startswith(" " * 10)
            assert explained, line
    assert "Examples:" in page


def test_help_is_plain_ascii_so_that_every_terminal_can_show_it(program: Program) -> None:
    assert all(program("help", *word).stdout.isascii() for word in ([], ["inspect"], ["push"]))


def test_options_of_a_merge_before_another_command_are_refused_by_name(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    outcome = program(
        "--template", "x", "--format", "auto", "inspect", f"{host}/team/img-amd64:1.0"
    )
    assert outcome.status == 1
    assert outcome.errors == [
        "error: options of a merge are given before inspect: --template, --format",
        "hint: leave them out, or write those that inspect takes after it",
    ]
    assert not registry.requests


def test_usage_errors_say_where_the_help_is(program: Program) -> None:
    assert program("--format", "x").errors == [
        "error: invalid value for '--format': 'x' is not one of 'auto', 'oci', 'docker'",
        HINT,
    ]
    assert program("inspect").errors == [
        "error: missing argument 'REFERENCE'",
        "hint: run oci-merge inspect --help to see its options",
    ]


def test_a_merge_without_a_target_is_told_to_have_one(program: Program) -> None:
    outcome = program("--template", "reg.example/app-ARCH:1.0")
    assert outcome.errors == [
        "error: the merge has no target",
        "hint: give --target reg.example/app:1.0, the tag to publish",
    ]


def test_arguments_that_are_not_text_are_shown_escaped() -> None:
    outcome = run_process("\udcff\x1b[31m")
    assert outcome.status == 3
    assert outcome.stderr == "No help topic for '\\udcff\\x1b[31m'\n"
