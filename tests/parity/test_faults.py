"""What goes wrong at the registry is said, and never taken for a missing image."""

from __future__ import annotations

import json
import shlex

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from fixtures.tokens import Account, TokenService
from tests.cli.running import Outcome
from tests.parity.cases import TARGET, Entry, Index, check_published, check_stderr, from_args
from tests.parity.running import run_here

AMD64 = Entry("team/app-amd64:1.0", "linux/amd64")
TWO = "linux/amd64,linux/arm64", "team/app-ARCH:1.0"
PULL_PUSH = frozenset({"pull", "push"})
SECRET = "s3cret-pa:ss"


class Answers(Hook):
    """Answers certain requests in the registry's place.

    Args:
        method: the method of the requests.
        part: what is in their path.
        status: the answer's status, 0 to break the connection.
        code: the code of the error in the answer.
        message: the message of the error.
    """

    def __init__(
        self, method: str, part: str, status: int, code: str = "", message: str = ""
    ) -> None:
        self._method, self._part, self._status = method, part, status
        self._body = json.dumps({"errors": [{"code": code, "message": message}]} if code else {})

    async def before(self, request: Request) -> Response | None:
        if request.method != self._method or self._part not in request.url.path:
            return None
        if self._status == 0:
            return StreamingResponse(iter([b"{"]), headers={"Content-Length": "9"})
        return Response(self._body, self._status, media_type="application/json")


def pushed(host: str, *more: str) -> Outcome:
    """Push two platforms to the target."""
    return run_here(*shlex.split(from_args(*TWO).replace("$REG", host)), *more)


def assert_nothing_is_published(registry: EmbeddedRegistry) -> None:
    held = registry.storage.repositories.get(TARGET)
    assert held is None or not held.tags


@pytest.mark.parametrize(
    ("status", "code"), [(404, ""), (404, "NAME_UNKNOWN"), (400, "NAME_UNKNOWN")]
)
def test_ignore_missing_leaves_out_what_is_missing(
    registry: EmbeddedRegistry, host: str, status: int, code: str
) -> None:
    registry.hooks.append(Answers("GET", "app-arm64/manifests", status, code))
    outcome = pushed(host, "--ignore-missing")
    assert outcome.status == 0
    check_stderr(outcome, ["team/app-arm64:1.0 is left out, as it is not there"])
    check_published(Index([AMD64]), registry, outcome)


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, ""), (502, "UNKNOWN"), (503, ""), (429, "TOOMANYREQUESTS"), (400, "MANIFEST_INVALID")],
)
def test_ignore_missing_leaves_out_nothing_that_failed(
    registry: EmbeddedRegistry, host: str, status: int, code: str
) -> None:
    """Observed: there, whatever goes wrong counts as missing, and half an index is published."""
    registry.hooks.append(Answers("GET", "app-arm64/manifests", status, code))
    outcome = pushed(host, "--ignore-missing")
    assert outcome.status == 1
    check_stderr(outcome, ["team/app-arm64:1.0"])
    assert_nothing_is_published(registry)


def test_ignore_missing_leaves_out_nothing_behind_a_broken_connection(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Observed: there, a network error counts as missing."""
    registry.hooks.append(Answers("GET", "app-arm64/manifests", 0))
    outcome = pushed(host, "--ignore-missing")
    assert outcome.status == 1
    check_stderr(outcome)
    assert_nothing_is_published(registry)


def test_ignore_missing_leaves_out_nothing_of_a_registry_that_is_not_there(
    registry: EmbeddedRegistry,
) -> None:
    """Observed: there, every component of a dead host is missing."""
    outcome = run_here(
        "--plain-http",
        *shlex.split(from_args(*TWO).replace("$REG", "127.0.0.1:9")),
        "--ignore-missing",
    )
    assert outcome.status == 1
    check_stderr(outcome, ["127.0.0.1:9"])
    assert "left out" not in outcome.stderr


def account(*repositories: str) -> Account:
    """Return an account that may read and write some repositories."""
    return Account("ci", SECRET, dict.fromkeys(repositories, PULL_PUSH))


def login(monkeypatch: pytest.MonkeyPatch, password: str = SECRET) -> None:
    """Give the program the account's name and a password."""
    monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", password)


@pytest.mark.parametrize("by", ["basic", "token"])
def test_ignore_missing_leaves_out_with_a_warning_what_only_others_may_read(
    registry: EmbeddedRegistry, host: str, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Issue: some registries say 401 or 403 of what does not exist."""
    allowed = account("team/app-amd64", TARGET)
    registry.settings.auth = (
        BasicAuth([allowed]) if by == "basic" else TokenService(accounts=[allowed])
    )
    login(monkeypatch)
    outcome = pushed(host, "--ignore-missing")
    assert outcome.status == 0, outcome.stderr
    check_stderr(
        outcome,
        [
            "team/app-arm64:1.0 is left out, as it may not be read with the credentials that read "
            "others"
        ],
    )
    check_published(Index([AMD64]), registry, outcome)


@pytest.mark.parametrize("by", ["basic", "token"])
@pytest.mark.parametrize("password", [SECRET, "wrong"])
def test_ignore_missing_is_no_excuse_where_nothing_may_be_read(
    registry: EmbeddedRegistry,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
    password: str,
) -> None:
    """Observed: there, wrong credentials make every image a missing one."""
    allowed = account(TARGET)
    registry.settings.auth = (
        BasicAuth([allowed]) if by == "basic" else TokenService(accounts=[allowed])
    )
    login(monkeypatch, password)
    outcome = pushed(host, "--ignore-missing")
    assert outcome.status == 1
    check_stderr(outcome)
    assert "left out" not in outcome.stderr
    assert_nothing_is_published(registry)


def test_a_denial_is_an_error_without_ignore_missing(
    registry: EmbeddedRegistry, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.settings.auth = BasicAuth([account("team/app-amd64", TARGET)])
    login(monkeypatch)
    outcome = pushed(host)
    assert outcome.status == 1
    check_stderr(outcome, ["does not allow ci", "team/app-arm64:1.0"])
    assert_nothing_is_published(registry)


@pytest.mark.parametrize(
    ("method", "part"),
    [("GET", "app-arm64/manifests"), ("PUT", "manifests/1.0"), ("POST", "blobs/uploads")],
)
def test_the_registrys_own_message_reaches_the_user(
    registry: EmbeddedRegistry, host: str, method: str, part: str
) -> None:
    """Observed: there, the body of the registry's error is lost with its HEAD."""
    registry.hooks.append(Answers(method, part, 403, "DENIED", "quota of team is used up"))
    outcome = pushed(host)
    assert outcome.status == 1
    check_stderr(outcome, ["quota of team is used up (DENIED)"])
    assert_nothing_is_published(registry)


def test_mounts_that_a_registry_refuses_are_named_as_the_reason(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Observed: there, it says only that a component was not found, and leaves an upload open."""
    registry.settings.refuse_mounts = True
    outcome = pushed(host)
    assert outcome.status == 1
    check_stderr(outcome, ["mount"])
    assert registry.open_uploads == []
    assert_nothing_is_published(registry)


def test_a_tag_that_is_refused_is_named_with_those_that_moved(
    registry: EmbeddedRegistry, host: str
) -> None:
    """Observed: there, the target is published before the other tags are even looked at."""
    registry.hooks.append(Answers("PUT", "manifests/latest", 403, "DENIED", "latest is frozen"))
    outcome = pushed(host, "--tags", "latest")
    assert outcome.status == 1
    assert "latest is frozen" in outcome.stderr
    assert "1.0" in outcome.errors[0]
