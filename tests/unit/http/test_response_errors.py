"""What registries say of themselves when they fail, however it is bent."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge._text import printable
from oci_merge.errors import AuthenticationError, ErrorDetail, RateLimitedError, RegistryError
from oci_merge.http.message import Response
from oci_merge.http.response_errors import Attempt, error_from, parse_details

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


def _error(status: int, message: str, **changes: Any) -> RegistryError:
    """Return the error for an answer to a pull from ECR."""
    content = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
    response = Response(status, httpx.Headers(), content, f"https://{_ECR}/v2/", False, "HTTP/1.1")
    asked = {"action": "read", "subject": "app:1", "registry": _ECR, "method": "GET", "user": "AWS"}
    return error_from(response, Attempt(**(asked | changes)))


_ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    "message",
    [
        # Amazon's, new and old; the others are of Azure, GitLab, Artifactory and Quay.
        "Your authorization token has expired. Reauthenticate and try again.",
        "Your Authorization Token has expired. Please run 'aws ecr get-login' to fetch a new one.",
        "authentication required, the token is expired",
        "Token is expired. You can either do re-authorization or token refresh.",
        "Token failed verification: expired token",
        "Expired access token",
        "The password has expired",
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_has_ended_is_called_that(status: int, message: str) -> None:
    error = _error(status, message)
    assert isinstance(error, AuthenticationError)
    assert error.message == f"the login of AWS at {_ECR} has ended: {message} (DENIED)"
    assert error.hint == (
        "an ECR login lasts 12 hours: aws ecr get-login-password --region eu-central-1 | "
        f"docker login -u AWS --password-stdin {_ECR}"
    )
    other = _error(status, message, registry="reg.example")
    assert other.hint == "log in again with docker login reg.example, or set the new token"


@pytest.mark.parametrize(
    "message",
    ["authentication required", "the tag expired", "requested access to the resource is denied"],
)
def test_another_refusal_is_not_taken_for_a_login_that_has_ended(message: str) -> None:
    assert "has ended:" not in _error(403, message).message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        # Harbor's, GitLab's, Quay's and those of file systems
        (
            412,
            "adding 3.1 MiB of storage resource, which when updated to current usage of 9.9 GiB "
            "will exceed the configured upper limit of 10.0 GiB.",
        ),
        (403, "Namespace storage quota exceeded"),
        (400, "Quota has been exceeded on namespace"),
        (413, "write /data: no space left on device"),
    ],
)
def test_a_registry_without_room_is_called_that(status: int, message: str) -> None:
    error = _error(status, message, action="push")
    assert error.message == f"{_ECR} has no room to push app:1: {message} (DENIED)"
    assert error.hint == "delete what is no longer needed there, or have the quota raised"


def test_whose_storage_is_full_is_not_told_to_run_it_again_at_once() -> None:
    error = _error(507, "Insufficient Storage", action="push")
    assert error.message == (
        f"{_ECR} failed to push app:1, with status 507: Insufficient Storage (DENIED)"
    )
    assert error.hint == (
        "the registry's storage is full, and its operator has to free some: then run it again"
    )


def test_a_pull_limit_is_not_a_full_registry() -> None:
    error = _error(429, "pull quota exceeded")
    assert isinstance(error, RateLimitedError)
