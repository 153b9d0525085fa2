"""Signed documents are read strictly: what two readers could read differently is refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.trust.strict_json import UnreadableError, decode_base64, encode, field, parse

#: What JSON holds, without numbers that readers take apart differently.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "content",
    [b'{"a":{"b":[1,2.5,null,true,"x"]}}', b' \t\r\n{"a":{"b":[1,2.5,null,true,"x"]}}\n'],
    ids=["compact", "white space around"],
)
def test_an_object_is_read(content: bytes) -> None:
    assert parse(content) == {"a": {"b": [1, 2.5, None, True, "x"]}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1}{"a":1}', "not JSON"),
        (b'{"a":1}\n{"a":1}', "not JSON"),
        (b'{"a":1} x', "not JSON"),
        (b'{"a":1}\x00', "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1 /* */}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        ('{"a":1}'.encode("utf-16"), "not JSON"),
        (b'{"a":"\xff"}', "not JSON"),
        (b'{"a":"\xed\xa0\x80"}', "not JSON"),
        (b'{"a":"\xc0\x80"}', "not JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'"a"', "no JSON object"),
        (b'{"a":1,"a":1}', "a key twice"),
        (b'{"a":1,"\\u0061":2}', "a key twice"),
        (b'{"a":[{"b":{"c":1,"c":1}}]}', "a key twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":[-Infinity]}', "-Infinity"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":-1e999}', "too large"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"\\udc00":1}', "surrogate"),
        (b'{"a":["\\ude00\\ud83d"]}', "surrogate"),
    ],
)
def test_what_is_no_json_object_without_doubt_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        parse(content)


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse(rb'{"a":"\ud83d\ude00"}') == {"a": "\U0001f600"}


@given(st.binary() | st.text(alphabet='{}[]":,\\ud8019eE-NaIn \ufeff').map(str.encode))
def test_bytes_are_an_object_or_unreadable(content: bytes) -> None:
    try:
        document = parse(content)
    except UnreadableError:
        return
    assert parse(encode(document)) == document


@given(st.dictionaries(st.text(), JSON))
def test_what_is_encoded_is_read_again(document: dict[str, object]) -> None:
    assert parse(encode(document)) == document
    assert parse(json.dumps(document).encode()) == document


@given(st.binary(), st.integers(min_value=1))
def test_a_document_that_is_cut_is_unreadable(text: bytes, cut: int) -> None:
    whole = encode({"a": text.hex(), "b": {"c": [1, 2]}})
    with pytest.raises(UnreadableError):
        parse(whole[: -(cut % len(whole)) or -1])


def test_json_is_written_without_spaces_and_in_utf_8() -> None:
    assert encode({"b": [1, None], "a": "ä&<"}) == '{"b":[1,null],"a":"ä&<"}'.encode()


@pytest.mark.parametrize("content", [b"", b"\x00", b"ab", b"abc", bytes(range(256))])
def test_base64_is_decoded(content: bytes) -> None:
    assert decode_base64(base64.b64encode(content).decode(), "payload") == content


@pytest.mark.parametrize(
    "value",
    [
        *("YWI", "YWI==", "YWJj=", "YQ=", "YR==", "YWJ=", "Y", "=", "===="),
        *("YWJj\n", "\nYWJj", " YWJj", "YW Jj", "YW\nJj", "YWJj\r\n", "YWJj\x00"),
        *("-_-_", "YW-j", "YWJ,", "YWJj*", "ÄWJj", "YWJj\ud800", "YQ==YQ==", "YQ==YWJj"),
        *(None, 1, True, ["YWJj"], {"YWJj": 1}, b"YWJj"),
    ],
)
def test_what_is_not_base64_is_unreadable(value: object) -> None:
    with pytest.raises(UnreadableError, match=r"^its payload is not base64$"):
        decode_base64(value, "payload")


@given(st.text() | st.text("AQZaz09+/=", max_size=12))
def test_text_is_base64_or_unreadable(text: str) -> None:
    try:
        content = decode_base64(text, "payload")
    except UnreadableError:
        return
    assert base64.b64encode(content).decode() == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", "b"), 1),
        (("a", "x"), None),
        (("a", "b", "c"), None),
        (("x", "b"), None),
        (("l",), []),
    ],
)
def test_a_field_that_is_not_there_is_none(path: tuple[str, ...], value: object) -> None:
    assert field({"a": {"b": 1}, "l": []}, *path) == value
