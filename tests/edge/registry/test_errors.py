"""From an error reply to an error that says what happened, where, and what to do."""

from __future__ import annotations

import json

import httpx
import pytest
import respx

from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    NotFoundError,
    RateLimitedError,
    RegistryError,
    ServerError,
)
from oci_merge.registry.manifests import ManifestClient
from tests.edge.support import opened, reference

pytestmark = pytest.mark.anyio

_TAG = "http://reg.test/v2/team/app/manifests/1.0"


async def _fails(web: respx.MockRouter, reply: httpx.Response) -> RegistryError:
    web.get(_TAG).mock(return_value=reply)
    async with opened("reg.test", plain_http=True) as registry:
        with pytest.raises(RegistryError) as caught:
            await ManifestClient(registry).get(reference())
    return caught.value


def _coded(status: int, code: str, message: str = "") -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"code": code, "message": message}]})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RegistryError),
        (401, AuthenticationError),
        (403, AccessDeniedError),
        (404, NotFoundError),
        (405, RegistryError),
        (409, RegistryError),
        (412, RegistryError),
        (429, RateLimitedError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (599, ServerError),
        (204, RegistryError),
        (301, RegistryError),
    ],
)
async def test_a_status_has_its_class_and_the_message_names_image_and_registry(
    status: int, kind: type[RegistryError], web: respx.MockRouter
) -> None:
    error = await _fails(web, httpx.Response(status))
    assert type(error) is kind
    assert (error.status, error.method, error.url) == (status, "GET", _TAG)
    assert "reg.test/team/app:1.0" in error.message
    assert "reg.test" in error.message.replace("reg.test/team/app:1.0", "")


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("content", [b"", b"{}", b"<html></html>", b'{"errors":[]}'])
async def test_a_hint_says_what_to_do_even_where_the_registry_says_nothing(
    status: int, content: bytes, web: respx.MockRouter
) -> None:
    error = await _fails(web, httpx.Response(status, content=content))
    assert len(error.message) > 30
    assert len(error.hint) > 10
    assert not error.message.endswith((":", ": "))
    assert "html" not in error.message


async def test_the_registry_s_own_words_and_code_are_in_the_message(web: respx.MockRouter) -> None:
    error = await _fails(web, _coded(403, "DENIED", "project is archived"))
    assert error.message.endswith(": project is archived (DENIED)")
    assert error.codes == ("DENIED",)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, NotFoundError),
        (404, NotFoundError),
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
    ],
)
async def test_a_name_that_is_unknown_is_not_found_unless_the_registry_fails(
    status: int, kind: type[RegistryError], web: respx.MockRouter
) -> None:
    error = await _fails(web, _coded(status, "NAME_UNKNOWN", "no such project"))
    assert type(error) is kind


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"message": "plain words"}, "plain words"),
        ({"details": "in details"}, "in details"),
        ({"errors": [{"message": "no code"}]}, "no code"),
        ({"errors": [{"code": "ONLY_CODE"}]}, "ONLY_CODE"),
        ({"errors": [None, 7, "x", [], {"code": "LAST"}]}, "LAST"),
        ({"errors": {"code": "X"}, "message": "an object of errors"}, "an object of errors"),
        ({"errors": [{"code": 7, "message": ["a"]}]}, ""),
        ({"errors": [{"code": None, "message": None, "detail": None}]}, ""),
        ({"errors": "text"}, ""),
        ([], ""),
        (None, ""),
        ("text", ""),
        (12345, ""),
        ({"error": "invalid_grant"}, ""),
    ],
)
async def test_an_error_document_may_be_bent_in_any_way(
    document: object, reason: str, web: respx.MockRouter
) -> None:
    error = await _fails(web, httpx.Response(400, content=json.dumps(document).encode()))
    assert error.message.endswith(f": {reason}" if reason else "with status 400")


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><h1>502 Bad Gateway</h1>",
        b"\xff\xfe\x00binary\x1b[31m",
        b"[" * 100_000,
        b'{"errors":[{"code":"X","detail":' + b"[" * 30_000,
        b'{"errors":[{"code":"X","detail":' + b"[" * 900 + b"]" * 900 + b"}]}",
        b'{"errors":[{"code":' + b"9" * 5000 + b"}]}",
        b'{"errors":[{"message":"cut off in the mid',
        b'{"errors":[{"message":"\xff\xff"}]}',
        b'{"errors":[{"message":"\\ud800"}]}',
    ],
)
async def test_a_body_that_is_no_error_document_does_no_harm(
    content: bytes, web: respx.MockRouter
) -> None:
    error = await _fails(web, httpx.Response(502, content=content))
    assert type(error) is ServerError
    assert error.message.isprintable()
    assert len(error.message) < 1000


async def test_a_body_of_many_or_long_errors_makes_no_long_message(web: respx.MockRouter) -> None:
    entries = [{"code": "C" * 3000, "message": "m" * 3000}] * 100
    error = await _fails(web, httpx.Response(400, json={"errors": entries[:10]}))
    assert len(error.message) < 4000
    assert len(error.details) == 10


async def test_control_characters_of_a_registry_are_escaped(web: respx.MockRouter) -> None:
    evil = "a\x1b[2Jb\rc\nd\x07e\u202ef\u2028g\x9bh"
    error = await _fails(web, _coded(403, f"DE{evil}", evil))
    for text in (str(error), *error.codes, error.details[0].message):
        assert text.isprintable()
    assert "\\x1b[2J" in error.message


async def test_a_digest_that_an_error_is_about_is_named(web: respx.MockRouter) -> None:
    digest = "sha256:" + "0" * 64
    entry = {"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown", "detail": {"x": [digest]}}
    error = await _fails(web, httpx.Response(400, json={"errors": [entry]}))
    assert error.details[0].digest == digest
    assert f"blob unknown {digest} (MANIFEST_BLOB_UNKNOWN)" in error.message


async def test_a_pull_limit_is_told_apart(web: respx.MockRouter) -> None:
    words = "You have reached your pull rate limit"
    error = await _fails(web, _coded(429, "TOOMANYREQUESTS", words))
    assert words in error.message
    assert "wait" in error.hint


async def test_a_missing_login_says_how_to_log_in(web: respx.MockRouter) -> None:
    challenge = {"www-authenticate": 'Basic realm="r"'}
    error = await _fails(web, httpx.Response(401, headers=challenge))
    assert "refused an anonymous user" in error.message
    assert "docker login reg.test" in error.hint
    assert "OCI_MERGE_USERNAME" in error.hint
