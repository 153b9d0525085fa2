"""What registries say of themselves when they fail, however it is bent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge._text import printable
from oci_merge.errors import ErrorDetail
from oci_merge.http.response_errors import parse_details

_DIGEST = "sha256:" + "ab" * 32


def _details(document: Any) -> list[ErrorDetail]:
    return list(parse_details(json.dumps(document).encode()))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]},
            [ErrorDetail("MANIFEST_UNKNOWN", "manifest unknown")],
        ),
        (
            {"errors": [{"code": "A", "message": "a"}, {"code": "B", "message": "b"}]},
            [ErrorDetail("A", "a"), ErrorDetail("B", "b")],
        ),
        (
            {"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": {"Digest": _DIGEST}}]},
            [ErrorDetail("MANIFEST_BLOB_UNKNOWN", "", _DIGEST)],
        ),
        (
            {"errors": [{"code": "BLOB_UNKNOWN", "detail": f"unknown blob {_DIGEST}"}]},
            [ErrorDetail("BLOB_UNKNOWN", "", _DIGEST)],
        ),
        (
            {"errors": [{"code": "MANIFEST_INVALID", "message": "m", "detail": None}]},
            [ErrorDetail("MANIFEST_INVALID", "m")],
        ),
        ({"message": "too many requests"}, [ErrorDetail("", "too many requests")]),
        (
            {"details": "incorrect username or password"},
            [ErrorDetail("", "incorrect username or password")],
        ),
        ({"code": "X"}, [ErrorDetail("X", "")]),
        ({"errors": None, "message": "m"}, [ErrorDetail("", "m")]),
        ({"errors": "m", "message": "n"}, [ErrorDetail("", "n")]),
        ({"errors": [None, 5, "x", [], {}, {"code": 5, "message": {}}]}, []),
        ({"errors": [{"code": 5, "message": "m"}]}, [ErrorDetail("", "m")]),
        ({"errors": []}, []),
        ({}, []),
        ([{"code": "X"}], []),
        ("text", []),
        (None, []),
    ],
)
def test_an_error_document_is_read_however_it_is_bent(
    document: Any, expected: list[ErrorDetail]
) -> None:
    assert _details(document) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b'{"errors":[{"code":"X"',
        b"\xff\xfe",
        b"\x00",
        b'{"message":' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_document_says_nothing(content: bytes) -> None:
    assert parse_details(content) == ()


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_deeply_nested_document_says_nothing_or_what_it_says(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    for depth in [*range(900, 1020), 5_000, 60_000]:
        nested = opening * depth + b"1" + closing * depth
        details = parse_details(b'{"errors":[{"code":"X","detail":' + nested + b"}]}")
        assert details in ((), (ErrorDetail("X", ""),))


def test_control_characters_are_escaped_and_long_texts_cut() -> None:
    [detail] = _details({"errors": [{"code": "\x1b[31m", "message": "\u202e\n" + "x" * 9_000}]})
    assert detail.code == r"\x1b[31m"
    assert detail.message.startswith(r"\u202e\nxxx")
    assert len(detail.message) < 600


def test_secrets_that_a_server_repeats_are_masked() -> None:
    content = b'{"errors":[{"code":"s3cret","message":"s3cret-long, s3cret and \\u0073ecret"}]}'
    secrets = ("s3cret-long", "s3cret", "secret")
    assert parse_details(content, secrets) == (ErrorDetail("***", "***, *** and ***"),)


def test_no_more_than_twenty_entries_are_read() -> None:
    assert len(_details({"errors": [{"code": str(n)} for n in range(100)]})) == 20


@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["errors", "code", "message", "detail", "details"]), inner
                ),
            ),
            max_leaves=10,
        ).map(lambda document: json.dumps(document).encode()),
    )
)
@example(b'{"code":"\\u0a0b"}')
@example(b'{"errors":[{"message":"\\ud800","detail":"\\ud800"}]}')
def test_arbitrary_bytes_are_read_without_an_error(content: bytes) -> None:
    for detail in parse_details(content):
        assert detail.code or detail.message
        for text in (detail.code, detail.message):
            assert printable(text, limit=len(text)) == text
