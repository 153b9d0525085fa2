"""Text from outside, made safe to show."""

from __future__ import annotations

import json
import textwrap
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge._text import listed, printable, printable_json, shown_host
from tests.ci_systems import COMMANDS, obeyed

_ANY_TEXT = st.text(st.characters(codec=None))
_OBEYED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/arm64", "linux/arm64"),
        ("café 漢字", "café 漢字"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\r\ntwo\x00", r"one\r\ntwo\x00"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800 \ue000 \u2028", r"\ud800 \ue000 \u2028"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_is_cut_and_the_cut_is_marked() -> None:
    assert printable("a" * 11, limit=10) == "a" * 10 + "…"
    assert printable("a" * 10, limit=10) == "a" * 10


@given(_ANY_TEXT)
def test_whatever_comes_in_one_safe_line_comes_out(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(char) for char in shown} & _OBEYED
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(_ANY_TEXT)
def test_what_is_safe_already_stays_as_it_is(text: str) -> None:
    once = printable(text, limit=1000)
    assert printable(once, limit=100_000) == once


@pytest.mark.parametrize(
    ("words", "sentence"),
    [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_words_are_joined_as_in_a_sentence(
    words: tuple[str, ...] | list[str], sentence: str
) -> None:
    assert listed(words) == sentence


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_to_a_ci_system_is_shown_and_not_obeyed(command: str) -> None:
    assert obeyed(command)
    for text in (command, f"x {command}", f"x{command}", f"{command} {command}", f"#{command}"):
        shown = printable(text)
        assert not obeyed(shown)
        for width in range(5, 30):  # a terminal, or a table, may wrap it
            assert not obeyed("\n".join(textwrap.wrap(shown, width)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("##vso[task.x]y", r"\x23#vso[task.x]y"),
        ("x ::error::y", r"x \x3a:error::y"),
        ("std::string::npos", r"std\x3a:string::npos"),
        ("section_start:1:x", r"section_start\x3a1:x"),
        ("--- x", r"\x2d-- x"),
    ],
)
def test_one_character_of_a_command_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        *(
            "[::1]:5000/team/app:1",
            "[fd00::abcd]:5000/app",
            "[fe80::a:b]",
            "[::ffff:10.0.0.1]:5000",
        ),
        *("[2001:db8::a]/app and [2001:db8::b]/app", "a: b", "reg.example/app:1 # one", "issue #1"),
        *("sha256:0", "a--b", "a---b", "1 + 1", "~", "---x", "std::", "C++"),
    ],
)
def test_what_is_no_command_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


_PIECES = st.lists(
    st.sampled_from([*"#:[]-+~^ \t\n", "##", "::", "vso[", "error", "section_start", "1", "---"]),
    max_size=12,
).map("".join)


@given(_PIECES, _PIECES)
@example("^^^", "")
@example("^^^", " +++")
def test_no_mixture_of_markers_is_obeyed_nor_is_what_is_joined_of_two(one: str, two: str) -> None:
    assert not obeyed(printable(one + two))
    assert not obeyed(printable(printable(one) + printable(two)))
    assert not obeyed(printable(printable(one)))


_JSON = st.recursive(
    st.one_of(st.text(), _PIECES, st.sampled_from(COMMANDS), st.integers(), st.none()),
    lambda inner: st.lists(inner) | st.dictionaries(st.one_of(_PIECES, st.text()), inner),
    max_leaves=8,
)


@given(_JSON)
def test_json_says_the_same_and_is_obeyed_by_none(document: object) -> None:
    shown = printable_json(document)
    assert json.loads(shown) == document
    assert not obeyed(shown)
    assert shown.isascii()


def test_json_without_commands_is_what_json_is_elsewhere() -> None:
    document = {"a": ["[::1]:5000/x:1", -1, None], "b:": {}}
    assert printable_json(document) == json.dumps(document, indent=2)


@pytest.mark.parametrize("url", ["https://me:pw@reg.example:5000/a", "https://reg.example:5000/a"])
def test_the_host_of_a_url_is_shown_without_a_login(url: str) -> None:
    assert shown_host(url) == "reg.example:5000"
