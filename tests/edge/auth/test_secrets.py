"""Passwords, tokens and signatures appear in no message, repr, log or chain of exceptions."""

from __future__ import annotations

import base64
import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import respx
from httpx import Response as Found

from fixtures.embedded import BasicAuth, EmbeddedRegistry, Settings
from fixtures.server import RunningServer, ServerTLS, serve
from fixtures.tokens import Account
from oci_merge import OciMergeError
from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Challenge, Token
from oci_merge.auth.logins import Login
from oci_merge.credentials import Credential
from oci_merge.http.message import Request, Response
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.types import RefusedMount, Upload
from tests.edge.support import (
    CI,
    PASSWORD,
    Answers,
    Truncated,
    asks,
    challenged,
    merge,
    opened,
    reference,
    reply,
    stocked,
    with_tokens,
)

_CI = {"username": "ci", "password": PASSWORD}
_BASIC = base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}")


def _said(error: BaseException) -> str:
    """Return all that an error and those behind it say."""
    words = ["".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        words += [str(seen), repr(seen), repr(vars(seen)) if hasattr(seen, "__dict__") else ""]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(words)


def _assert_clean(text: str, *more: str) -> None:
    for secret in (PASSWORD, _BASIC, *more):
        assert secret not in text
    assert _TOKEN.search(text) is None


def _logged(caplog: pytest.LogCaptureFixture, name: str = "") -> str:
    records = [record for record in caplog.records if record.name.startswith(name)]
    return "\n".join(f"{record.name} {record.getMessage()} {record.args}" for record in records)


@pytest.fixture(params=["basic", "bearer"])
def closed(request: pytest.FixtureRequest) -> EmbeddedRegistry:
    """A registry that wants a password, itself or for a token."""
    auth = BasicAuth([CI]) if request.param == "basic" else with_tokens()
    return stocked(Settings(auth=auth))


@pytest.fixture(params=["http", "https"])
def running(
    request: pytest.FixtureRequest, closed: EmbeddedRegistry, tls: ServerTLS
) -> Iterator[RunningServer]:
    """Its server, in the clear and over TLS."""
    with serve(closed.app, tls=tls if request.param == "https" else None) as server:
        yield server


def test_a_run_logs_one_line_for_each_request_and_no_secret(
    running: RunningServer, closed: EmbeddedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    result = merge(running.host, **_CI)
    _assert_clean(_logged(caplog))  # of the libraries below, too
    lines = _logged(caplog, "oci_merge").splitlines()
    assert len([line for line in lines if re.search(r" (GET|HEAD|POST|PUT) /", line)]) >= len(
        closed.requests
    )
    _assert_clean(f"{result!r} {result.to_dict()} {result.plan.to_dict()}")


@pytest.mark.parametrize(
    "options",
    [
        {"username": "ci", "password": PASSWORD + "!"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "u:" + "x" * 40, "password": PASSWORD},
    ],
)
def test_a_wrong_password_is_not_repeated(
    options: dict[str, str], running: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(OciMergeError) as caught:
        merge(running.host, **options)
    _assert_clean(_said(caught.value) + caught.value.hint + _logged(caplog))


@pytest.mark.parametrize(
    ("method", "part"),
    [("GET", "/manifests/1.0"), ("GET", "/blobs/"), ("POST", ""), ("PUT", "sha256"), ("PUT", "l")],
)
@pytest.mark.parametrize("odd", [reply(500), reply(403), Truncated])
def test_a_run_that_fails_anywhere_repeats_no_secret(
    method: str,
    part: str,
    odd: Any,
    closed: EmbeddedRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    closed.hooks.append(Answers(asks(method, part), odd))
    with serve(closed.app) as server, pytest.raises(OciMergeError) as caught:
        merge(server.host, **_CI)
    _assert_clean(_said(caught.value) + caught.value.hint + _logged(caplog))


def test_a_denial_repeats_no_token(
    server: RunningServer, registry: EmbeddedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader = Account("ci", PASSWORD)
    registry.settings.auth = with_tokens(accounts=[reader])
    with pytest.raises(OciMergeError) as caught:
        merge(server.host, **_CI)
    _assert_clean(_said(caught.value) + _logged(caplog))


@pytest.mark.anyio
@pytest.mark.parametrize("status", [302, 403, 500])
async def test_the_signature_of_a_redirect_is_not_repeated(
    status: int, web: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="oci_merge")
    signed = "https://s3.test/b?X-Amz-Signature=s1gnature"
    web.get(host="reg.test").mock(return_value=Found(307, headers={"location": signed}))
    headers = {"location": "http://s3.test/?X-Amz-Signature=s1gnature"} if status == 302 else {}
    web.get(host="s3.test").mock(return_value=Found(status, headers=headers))
    async with opened("reg.test") as asked:
        with pytest.raises(OciMergeError) as caught:
            await ManifestClient(asked).get(reference())
    _assert_clean(_said(caught.value) + _logged(caplog, "oci_merge"), "s1gnature")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "token",
    [
        {"token": "t0ken-secret and more"},
        {"token": "t0ken-secret\n"},
        {"token": ["t0ken-secret"]},
        {"errors": [], "token": {"t0ken-secret": 1}},
    ],
)
async def test_a_token_that_cannot_be_used_is_not_repeated(
    token: dict[str, object], web: respx.MockRouter
) -> None:
    web.get(host="reg.test").mock(return_value=challenged('Bearer realm="https://auth.test/t"'))
    web.get(host="auth.test").mock(return_value=Found(200, json=token))
    async with opened("reg.test", username="ci", password=PASSWORD) as asked:
        with pytest.raises(OciMergeError) as caught:
            await ManifestClient(asked).get(reference())
    _assert_clean(_said(caught.value), "t0ken-secret")


def test_a_password_of_a_few_letters_leaves_the_registry_s_words_as_they_are(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI])
    with pytest.raises(OciMergeError, match=r"authentication required \(UNAUTHORIZED\)"):
        merge(server.host, username="ci", password="in")


def test_the_values_that_hold_a_secret_do_not_show_it() -> None:
    headers = Found(200, headers={"set-cookie": f"a={PASSWORD}", "x": PASSWORD}).headers
    values = [
        Credential("ci", PASSWORD),
        Authorization(f"Bearer {PASSWORD}"),
        Request("GET", "/v2/", authorization=f"Basic {_BASIC}"),
        Response(
            200, headers, PASSWORD.encode(), f"https://s3.test/?sig={PASSWORD}", True, "HTTP/2"
        ),
    ]
    _assert_clean("\n".join(map(repr, values)))


def test_the_values_of_tokens_and_uploads_do_not_show_what_is_secret_in_them() -> None:
    location = f"https://reg.test/v2/a/blobs/uploads/1?_state={PASSWORD}"
    values = [
        Token(PASSWORD, 60.0),
        Challenge("bearer", {"realm": f"https://auth.test/token?key={PASSWORD}"}),
        Upload(location, 5, 6),
        RefusedMount("it offered an upload instead", location),
        Login(Credential("ci", PASSWORD), Authorization(f"Basic {_BASIC}")),
    ]
    _assert_clean("\n".join(map(repr, values)))


def test_a_credential_of_the_environment_and_of_a_docker_config_is_not_repeated_either(
    running: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", PASSWORD)
    merge(running.host)
    _assert_clean(_logged(caplog))
