"""What a terminal shows of what a program writes to it."""

from __future__ import annotations

import pytest

from tools.pictures.screen import Look, Screen, text_of


def _shown(written: str, columns: int = 20) -> list[list[str]]:
    return [[text_of(row) for row in frame] for frame in Screen(columns).frames(written)]


def test_what_is_written_stands_in_lines() -> None:
    assert _shown("one\r\ntwo\r\n") == [["one", "two"]]


def test_a_long_line_goes_on_in_the_next_one() -> None:
    assert _shown("abcdef\r\ng", columns=3) == [["abc", "def", "g"]]


def test_bars_that_are_drawn_anew_are_frames() -> None:
    written = "\x1b[?25la 0\r\nb 0\r\x1b[2K\x1b[1A\x1b[2Ka 1\r\nb 0\r\n\x1b[?25h"
    assert _shown(written) == [["a 0", "b 0"], ["a 1", "b 0"]]


def test_bars_that_are_taken_away_are_not_shown() -> None:
    assert _shown("bar\r\n\r\x1b[1A\x1b[2Kdone\r\n")[-1] == ["done"]


def test_characters_have_the_look_that_was_set_before_them() -> None:
    written = "a\x1b[32mb\x1b[0m\x1b[38;5;237mc\x1b[38;5;70md\x1b[0m\x1b[1me\x1b[0mf"
    (frame,) = Screen(20).frames(written)
    assert [look for row in frame for _, look in row] == [
        Look(),
        Look("#3fb950"),
        Look("#3a3a3a"),
        Look("#5faf00"),
        Look(bold=True),
        Look(),
    ]


@pytest.mark.parametrize("written", ["\x1b[2J", "\x1b[7m", "\x1b[38;5;9m", "\x1b]0;title\x07"])
def test_what_is_not_known_is_an_error(written: str) -> None:
    with pytest.raises(ValueError, match="not known"):
        list(Screen(20).frames(written))
