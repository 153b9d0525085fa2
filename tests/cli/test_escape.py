"""Text from outside, made safe to show on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge_cli.output.escape import printable

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
