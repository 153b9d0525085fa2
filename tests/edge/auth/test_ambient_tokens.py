"""A CI system's token that is refused: images are read without it, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.server import RunningServer
from fixtures.tokens import Account, TokenService
from oci_merge import AccessDeniedError, AuthenticationError, Event, Warned
from tests.edge.support import (
    AMD64,
    CI,
    PASSWORD,
    Answers,
    asks,
    merge,
    reply,
    tags,
    with_tokens,
    writes,
)

_PULL = frozenset({"pull"})
_PUBLIC = {"team/*": _PULL}

InJob = Callable[..., None]


@pytest.fixture
def in_job(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> InJob:
    """Sets the variables of a GitLab job."""

    def in_job(password: str = "ended", **more: str) -> None:
        variables = {
            "CI_REGISTRY": server.host,
            "CI_REGISTRY_USER": "ci",
            "CI_REGISTRY_PASSWORD": password,
        }
        for name, value in (variables | more).items():
            monkeypatch.setenv(name, value)

    return in_job


def _warnings(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def _refused(tokens: TokenService) -> int:
    return sum(request.status == 401 for request in tokens.requests)


def test_a_public_image_is_read_without_a_token_that_is_refused_and_a_warning_says_so(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    tokens = with_tokens(anonymous=_PUBLIC)
    registry.settings.auth = tokens
    in_job()
    events: list[Event] = []
    found = oci_merge.inspect(f"{server.host}/team/app-amd64:1.0", on_event=events.append)
    assert found.digest == AMD64.digest
    assert _warnings(events) == [
        f"{server.host} refused ci (from GitLab's CI_REGISTRY_USER and CI_REGISTRY_PASSWORD): "
        "images are read without a login"
    ]
    assert _refused(tokens) <= 2


def test_a_merge_reads_without_it_and_writes_nothing(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    tokens = with_tokens(anonymous=_PUBLIC)
    registry.settings.auth = tokens
    in_job()
    dry = merge(server.host, dry_run=True)
    assert len(dry.platforms) == 3
    assert any("images are read without a login" in warning for warning in dry.warnings)
    assert _refused(tokens) <= 2
    with pytest.raises(oci_merge.OciMergeError, match="does not allow ci "):
        merge(server.host)
    assert tags(registry) == {}
    assert not [write for write in writes(registry.requests) if write.status < 400]
    assert _refused(tokens) <= 4  # two runs


def test_what_everybody_may_write_is_not_written_without_the_token(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    registry.settings.auth = with_tokens(anonymous={"team/*": frozenset({"pull", "push"})})
    in_job()
    with pytest.raises(oci_merge.OciMergeError, match="does not allow ci "):
        merge(server.host)
    assert tags(registry) == {}


def test_an_image_that_is_not_public_is_refused_as_before_and_the_hint_says_what_was_tried(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    tokens = with_tokens()
    registry.settings.auth = tokens
    in_job()
    with pytest.raises(AuthenticationError, match="refused ci") as caught:
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")
    assert caught.value.hint.startswith("without a login it is refused, too; ")
    assert _refused(tokens) <= 2
    tokens.accounts["ci"] = Account("ci", PASSWORD, {})
    in_job(PASSWORD)
    with pytest.raises(AccessDeniedError, match="does not allow ci") as denied:
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")
    assert denied.value.hint.startswith("without a login it is refused, too; ")


def test_the_hint_says_it_once_though_many_requests_share_the_refusal(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    registry.settings.auth = with_tokens()
    in_job()
    with pytest.raises(AuthenticationError) as caught:
        merge(server.host, tags=["a", "b", "c"])
    assert caught.value.hint.count("without a login it is refused, too") == 1


def test_a_token_that_may_not_read_what_everybody_may_is_left_out_too(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    tokens = with_tokens(anonymous=_PUBLIC, accounts=[Account("ci", PASSWORD, {"other/*": _PULL})])
    registry.settings.auth = tokens
    in_job(PASSWORD)
    assert oci_merge.inspect(f"{server.host}/team/app-amd64:1.0").digest == AMD64.digest


def test_a_token_that_is_accepted_is_used_and_nothing_is_tried_without_it(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    tokens = with_tokens(anonymous=_PUBLIC)
    registry.settings.auth = tokens
    in_job(PASSWORD)
    assert merge(server.host).warnings == ()
    assert [request.account for request in tokens.requests] == ["ci"]


@pytest.mark.parametrize("auth", ["tokens", "passwords"])
def test_a_login_that_the_user_named_is_never_left_out(
    auth: str, server: RunningServer, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = with_tokens(anonymous=_PUBLIC)
    registry.settings.auth = tokens if auth == "tokens" else BasicAuth([CI])
    monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", "wrong")
    with pytest.raises(AuthenticationError, match="refused ci") as caught:
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")
    assert "without a login" not in caught.value.hint
    assert "anonymous" not in {request.account for request in tokens.requests}


def test_a_password_that_a_basic_registry_refuses_is_sent_twice_at_most(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    registry.settings.auth = BasicAuth([CI])
    in_job()
    with pytest.raises(AuthenticationError, match="refused ci"):
        merge(server.host)
    sent = [request for request in registry.requests if "authorization" in request.headers]
    assert len(sent) <= 2


def test_an_outage_of_the_token_server_is_no_refusal(
    server: RunningServer, registry: EmbeddedRegistry, in_job: InJob
) -> None:
    registry.settings.auth = with_tokens(anonymous=_PUBLIC)
    registry.hooks.append(Answers(asks("GET", "/token"), reply(503, "")))
    in_job()
    with pytest.raises(oci_merge.ServerError):
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0", retries=0)
