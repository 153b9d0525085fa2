"""The last step before stdout and stderr: each line is made safe to print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oci_merge
from oci_merge_cli.output import escape
from oci_merge_cli.output.stdout import say, write, write_json
from tests.ci_systems import COMMANDS, obeyed


def test_the_command_escapes_as_the_library_does() -> None:
    assert escape.printable is oci_merge.printable
    assert escape.printable_json is oci_merge.printable_json


@given(st.lists(st.sampled_from(["#", "#vso[a.b]", ":", ":error::x", "\n", " ", "-", "-- x"])))
def test_a_command_that_joining_made_of_halves_is_broken(halves: list[str]) -> None:
    text = "".join(halves)
    shown = escape.printable_lines(text)
    assert not obeyed(shown)
    assert shown.count("\n") == text.count("\n")


def test_text_is_made_safe_and_bytes_are_written_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("a\n##vso[a.b]\x1b[0m\n")
    assert capsys.readouterr().out == "a\n\\x23#vso[a.b]\\x1b[0m\n"
    write(b"##vso[a.b]\n")
    assert capsys.readouterr().out == "##vso[a.b]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_neither_lines_nor_json_are_obeyed(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say(command)
    write_json({command: [command]})
    output = capsys.readouterr()
    assert not obeyed(output.out)
    assert not obeyed(output.err)
    assert output.err.count("\n") == 1


@given(st.text(st.characters(codec=None)).filter(lambda text: "\n" not in text))
def test_a_line_that_is_safe_already_stays_as_it_is(text: str) -> None:
    once = escape.printable(text, limit=1000)
    assert escape.printable_lines(once) == once
