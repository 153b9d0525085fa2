"""Arguments before typer reads them: manifest-tool's ways, and values that nobody touches."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from oci_merge_cli.app import SHARED_OPTIONS, app
from oci_merge_cli.compat.argv import Level, command_of, level_of, normalize

PROGRAM: Any = get_command(app)
LEVEL = level_of(PROGRAM)
PATHS = [(), ("inspect",), ("push",), ("push", "from-args"), ("push", "from-spec")]
SWITCHED_ON = ["1", "t", "T", "true", "TRUE", "True"]
SWITCHED_OFF = ["0", "f", "F", "false", "FALSE", "False"]


def normalised(arguments: Sequence[str]) -> list[str]:
    """Return the arguments as typer gets them."""
    return normalize(arguments, LEVEL, SHARED_OPTIONS)


def level_at(path: Sequence[str]) -> Level:
    """Return the level that words lead to."""
    level = LEVEL
    for word in path:
        level = level.commands[word]
    return level


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("-plain-http inspect a:1", "--plain-http inspect a:1"),
        ("-username u -password=p inspect a:1", "--username u --password=p inspect a:1"),
        ("inspect -raw a:1", "inspect --raw a:1"),
        ("inspect a:1 -raw -expand-config", "inspect a:1 --raw --expand-config"),
        ("inspect --raw=true a:1", "inspect --raw a:1"),
        ("inspect --raw=false a:1", "inspect a:1"),
        ("inspect --raw --raw=0 a:1", "inspect a:1"),
        ("inspect --raw=f --raw=T a:1", "inspect --raw a:1"),
        ("--debug inspect a:1 -debug=false", "inspect a:1"),
        ("--password --debug inspect a:1 -debug=0", "--password --debug inspect a:1"),
        ("inspect --raw=maybe a:1", "inspect --raw=maybe a:1"),
        ("inspect -raw=maybe a:1", "inspect --raw=maybe a:1"),
        ("push -type oci from-spec x", "push --type oci from-spec x"),
        ("push from-spec x -type=oci", "push --type=oci from-spec x"),
        ("push --type docker from-spec --type oci x", "push --type docker --type oci from-spec x"),
        ("push -debug from-spec x", "--debug push from-spec x"),
        ("push -username u from-spec x", "--username u push from-spec x"),
        ("push from-args -target a:1", "push from-args --target a:1"),
        ("-target a:1 -tags b,c", "--target a:1 --tags b,c"),
        ("-help", "--help"),
        ("push -help", "push --help"),
        ("push from-args -help", "push from-args --help"),
        ("-version", "--version"),
    ],
)
def test_what_go_reads_is_written_for_typer(written: str, read: str) -> None:
    assert normalised(shlex.split(written)) == shlex.split(read)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-h",
        "-",
        "- -debug",
        "--",
        "---raw",
        "-bogus",
        "-qx",
        "--qo json",
        "inspect -qojson a:1",
        "--bogus=x",
        "bogus -raw",
        "help push -type",
        "-- inspect -raw a:1",
        "inspect -- -raw",
        "inspect a:1 --target x",
        "inspect a:1 --type x",
        "push -target x from-args",
        "push -version",
        "--type oci push",
        "--password -raw inspect a:1",
        "inspect --password",
        "push from-args --template --type",
    ],
)
def test_all_else_is_left_alone(line: str) -> None:
    assert normalised(shlex.split(line)) == shlex.split(line)


@pytest.mark.parametrize(
    ("words", "is_named"),
    [
        ([], False),
        (["--debug"], False),
        (["inspect", "x"], True),
        (["--debug", "inspect"], True),
        (["--username", "inspect"], False),
        (["--username", "inspect", "push"], True),
        (["--username=inspect", "push"], True),
        (["--type", "oci", "push"], True),
        (["--unknown", "value"], False),
    ],
)
def test_a_command_is_named_by_a_word_that_is_no_value(words: list[str], is_named: bool) -> None:
    level = Level({"--username": True, "--debug": False}, {"inspect": Level({}), "push": Level({})})
    assert bool(command_of(words, level)) is is_named


LOOKS_LIKE_A_FLAG = st.sampled_from(
    ["-abc", "--type", "-type=oci", "--", "-", "--debug", "--raw=false", "-h", "push", "help", "="]
)
VALUES = st.one_of(LOOKS_LIKE_A_FLAG, st.text(max_size=8))
#: Words that are no option, so that a positional argument may be one.
PLAIN = st.text(max_size=8).filter(lambda word: not word.startswith("-"))


@st.composite
def options_of(draw: st.DrawFn, level: Level) -> list[str]:
    """Draw options of a command, in their long form, with any values."""
    words: list[str] = []
    for option in draw(
        st.lists(st.sampled_from(sorted(level.options.keys() - level.long.keys())), max_size=4)
    ):
        if not level.options[option]:
            words.append(option)
        elif option.startswith("--") and draw(st.booleans()):
            words.append(f"{option}={draw(VALUES)}")
        else:
            words += [option, draw(VALUES)]
    return words


@st.composite
def native_lines(draw: st.DrawFn) -> list[str]:
    """Draw a command line that typer takes as it is."""
    path = draw(st.sampled_from(PATHS))
    words = draw(options_of(LEVEL))
    for depth in range(len(path)):
        words += [path[depth], *draw(options_of(level_at(path[: depth + 1])))]
    if not level_at(path).commands:
        words += draw(st.lists(PLAIN, max_size=2))
        words += draw(options_of(level_at(path)))
    return words + draw(st.sampled_from([[], ["--"], ["--", "-raw", "-x=y"]]))


@pytest.mark.parametrize(
    ("line", "long"),
    [
        ("-v", "--version"),
        ("-o json -q", "--output json --quiet"),
        ("-o=json", "--output=json"),
        ("-t a:1 -t=b:1", "--target a:1 --target=b:1"),
        ("inspect -o json a:1", "inspect --output json a:1"),
        ("-ojson", "--output=json"),
        ("-qo json -ta:1", "--quiet --output json --target=a:1"),
        ("-qojson", "--quiet --output=json"),
        ("-qo=json", "--quiet --output=json"),
        ("inspect -ojson a:1", "inspect --output=json a:1"),
    ],
)
def test_a_short_option_is_read_as_its_long_form(line: str, long: str) -> None:
    assert normalised(line.split()) == long.split()


@given(native_lines())
def test_a_command_line_that_typer_takes_is_never_altered(words: list[str]) -> None:
    assert normalised(words) == words


@given(st.lists(st.one_of(VALUES, st.sampled_from(sorted(SHARED_OPTIONS)), st.just("from-args"))))
def test_what_was_normalised_stays_as_it_is(words: list[str]) -> None:
    once = normalised(words)
    assert normalised(once) == once


def parsed(words: Sequence[str]) -> dict[str, Any]:
    """Return what typer's own parser reads: by path and option, the value."""
    found: dict[str, Any] = {}
    command, rest, path = PROGRAM, list(words), ""
    while True:
        context = command.context_class(command)
        context.help_option_names = ["--help", "-h"]
        context.allow_interspersed_args = not hasattr(command, "commands")
        values, rest, _ = command.make_parser(context).parse_args(rest)
        found |= {f"{path} {name}".strip(): value for name, value in values.items()}
        if not hasattr(command, "commands") or not rest:
            return found
        path, command = f"{path} {rest[0]}".strip(), command.commands[rest[0]]
        rest = rest[1:]


@given(
    password=VALUES,
    template=VALUES,
    kind=VALUES,
    dashes=st.sampled_from(["-", "--"]),
    joined=st.booleans(),
    order=st.permutations(["password", "template", "type"]),
)
def test_values_survive_untouched_however_they_are_written(
    password: str, template: str, kind: str, dashes: str, joined: bool, order: list[str]
) -> None:
    values = {"password": password, "template": template, "type": kind}
    words = ["push", "from-args"]
    for name in order:
        option = f"{dashes}{name}"
        words += [f"{option}={values[name]}"] if joined else [option, values[name]]

    found = parsed(normalised(words))

    assert found == {
        "push type": kind,
        "push from-args password": password,
        "push from-args template": template,
    }


@given(
    states=st.lists(
        st.sampled_from(["", *(f"={word}" for word in (*SWITCHED_ON, *SWITCHED_OFF))]), min_size=1
    ),
    dashes=st.sampled_from(["-", "--"]),
    places=st.lists(st.integers(0, 2), min_size=20, max_size=20),
)
def test_the_last_word_about_a_flag_counts_wherever_it_stands(
    states: list[str], dashes: str, places: list[int]
) -> None:
    levels: list[list[str]] = [[], ["push"], ["from-spec", "x.yml"]]
    for place, state in zip(sorted(places[: len(states)]), states, strict=False):
        levels[place].append(f"{dashes}insecure{state}")

    found = parsed(normalised([word for words in levels for word in words]))

    last = states[min(len(states), len(places)) - 1]
    on = last.removeprefix("=") not in SWITCHED_OFF
    assert any(name.endswith("insecure") for name in found) == on
