"""Option values that hold several things: lists with commas, and key=value pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge import UsageError
from oci_merge_cli.options.values import (
    parse_duration,
    parse_pairs,
    split_lines,
    split_list,
    split_pairs,
)


def test_a_list_is_split_at_commas_and_may_be_given_in_several_values() -> None:
    assert split_list(["a, b", "c"]) == ["a", "b", "c"]
    assert split_list(None) == []


def test_an_empty_entry_of_a_list_stays_to_be_refused() -> None:
    assert split_list(["a,", ""]) == ["a", "", ""]


def test_a_list_is_split_by_lines_whose_empty_ones_are_left_out() -> None:
    assert split_list(["a\nb\r\n\n  c,d\n"]) == ["a", "b", "c", "d"]
    assert split_list(["\n"]) == [""]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("index:a=1\nindex:b=2\n", ["index:a=1", "index:b=2"]),
        ("a=1\r\nb=x, y", ["a=1", "b=x, y"]),
        ("a=1\n\nb=2", ["a=1", "b=2"]),
        ("a=first line\nthe second = one", ["a=first line\nthe second = one"]),
        ("a=first\nsecond\nb=2", ["a=first\nsecond", "b=2"]),
        ("", [""]),
    ],
)
def test_pairs_are_split_by_lines_where_a_key_follows(value: str, words: list[str]) -> None:
    assert split_lines([value]) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=1,b=2", ["a=1", "b=2"]),
        ("a=hello, world,b=2", ["a=hello, world", "b=2"]),
        ("a=b=c", ["a=b=c"]),
        ("a=,b=", ["a=", "b="]),
        ("a=1,,b=2", ["a=1,", "b=2"]),
        ("", [""]),
        ("x,a=1", ["x", "a=1"]),
        ("index,manifest:a=1,b=2", ["index,manifest:a=1", "b=2"]),
        ("index,manifest-descriptor[linux/arm]:a=1", ["index,manifest-descriptor[linux/arm]:a=1"]),
    ],
)
def test_a_comma_divides_only_where_a_pair_follows(text: str, words: list[str]) -> None:
    assert split_pairs(text) == words


@given(st.text("ab=, "))
def test_splitting_loses_nothing(text: str) -> None:
    assert ",".join(split_pairs(text)) == text


def test_pairs_are_split_at_their_first_equals_sign() -> None:
    pairs = parse_pairs(["a=b=c", " k = v ", "empty="], what="annotation")
    assert pairs == {"a": "b=c", "k": " v ", "empty": ""}


def test_a_pair_may_be_said_twice_but_not_in_two_ways() -> None:
    assert parse_pairs(["a=1", "a=1"], what="annotation") == {"a": "1"}
    with pytest.raises(UsageError, match="the annotation 'a' is given twice"):
        parse_pairs(["a=1", "a=2"], what="annotation")


@pytest.mark.parametrize("word", ["", "a", "=b", " =b"])
def test_a_word_that_is_no_pair_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="not of the form key=value"):
        parse_pairs([word], what="annotation")


@given(st.dictionaries(st.from_regex(r"[a-z.]{1,8}", fullmatch=True), st.text(max_size=8)))
def test_pairs_read_back_the_same(pairs: dict[str, str]) -> None:
    words = [f"{key}={value}" for key, value in pairs.items()]
    assert parse_pairs(words, what="annotation") == pairs


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0.5", 0.5),
        ("90s", 90.0),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("1h0m1.5s", 3601.5),
        (" 2h ", 7200.0),
        ("0", 0.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text, "--wait") == seconds


@pytest.mark.parametrize("text", ["", "m", "10 m", "-5", "1d", "10ms", "1m1h", "nan", "inf", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--wait takes a duration"):
        parse_duration(text, "--wait")
