"""Registries whose way to ask for a login is known are sent one before they ask."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import trustme
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

import oci_merge
from fixtures.embedded.personalities import acr
from fixtures.embedded.settings import BasicAuth
from fixtures.tokens import Account, TokenService
from oci_merge import AuthenticationError
from tests.edge.auth.known import (
    ECR,
    ELSEWHERE,
    GHCR,
    HUB,
    WITH_TOKENS,
    Known,
    Stand,
    log_in,
    standing,
    token_app,
)

_EVERYTHING = {"*": frozenset({"pull", "push"})}
Serves = Callable[..., AbstractContextManager[Stand]]


@pytest.fixture
def serves(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Serves:
    """Serves a known registry under its name."""
    return partial(standing, authority=authority, monkeypatch=monkeypatch)


def _replies(status: int, content: str = "") -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(content, status)(scope, receive, send)

    return app


def _named(known: Known) -> str:
    return known.name


@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("known", WITH_TOKENS, ids=_named)
def test_a_token_for_all_of_the_run_is_asked_for_first(
    known: Known, http2: bool, serves: Serves, home: Path
) -> None:
    with serves(known, http2=http2) as stand:
        log_in(stand, home)
        stand.merge()
        first = stand.asked[0]
        assert f"https://{first.host}{first.path}" == known.realm
        assert first.scheme == "Basic"
        assert parse_qsl(first.query) == [
            ("service", known.service),
            ("scope", f"repository:{stand.kind.namespace}/app:pull,push"),
            ("client_id", "oci-merge"),
            ("account", stand.kind.login[0] if stand.kind.login else ""),
        ]
        assert len(stand.kind.tokens.requests) == 1
        assert {each.scheme for each in stand.at_registry} == {"Bearer"}
        assert "/v2/" not in {each.path for each in stand.at_registry}


@pytest.mark.parametrize("known", WITH_TOKENS, ids=_named)
def test_each_host_is_reached_by_one_connection_over_http2(
    known: Known, serves: Serves, home: Path
) -> None:
    with serves(known) as stand:
        log_in(stand, home)
        stand.merge()
        reached = sorted({known.host, known.token_host})
        assert sorted(stand.proxy.asked) == [f"CONNECT {host}:443 HTTP/1.1" for host in reached]


@pytest.mark.parametrize("http2", [True, False])
def test_the_registry_s_own_token_server_is_asked_on_its_connection(
    http2: bool, serves: Serves, home: Path
) -> None:
    with serves(GHCR, http2=http2) as stand:
        log_in(stand, home)
        oci_merge.inspect(stand.sources[0], shallow=True)
        assert [each.path for each in stand.asked] == [
            "/token",
            "/v2/team/app/manifests/1.0-amd64",
        ]
        assert stand.proxy.asked == ["CONNECT ghcr.io:443 HTTP/1.1"]


@pytest.mark.parametrize("http2", [True, False])
def test_a_token_server_that_a_challenge_names_on_the_registry_is_asked_on_its_connection(
    http2: bool, serves: Serves, home: Path
) -> None:
    unknown = replace(GHCR, name="reg.example", realm="https://reg.example/token")
    with serves(unknown, http2=http2) as stand:
        log_in(stand, home)
        oci_merge.inspect(stand.sources[0], shallow=True)
        assert [(each.scheme, each.path) for each in stand.asked] == [
            ("", "/v2/team/app/manifests/1.0-amd64"),
            ("Basic", "/token"),
            ("Bearer", "/v2/team/app/manifests/1.0-amd64"),
        ]
        assert stand.proxy.asked == ["CONNECT reg.example:443 HTTP/1.1"]


def test_azure_is_sent_an_identity_token_at_once(serves: Serves, home: Path) -> None:
    (azure,) = (known for known in WITH_TOKENS if known.build is acr)
    with serves(azure) as stand:
        folder = home / ".docker"
        folder.mkdir()
        token = stand.kind.identity_token
        config = f'{{"auths": {{"{azure.name}": {{"identitytoken": "{token}"}}}}}}'
        (folder / "config.json").write_text(config)
        stand.merge()
        assert (stand.asked[0].method, stand.asked[0].path) == ("POST", "/oauth2/token")
        assert {each.scheme for each in stand.at_registry} == {"Bearer"}


@pytest.mark.parametrize("known", [HUB, GHCR], ids=_named)
def test_what_everybody_may_read_is_read_with_an_anonymous_token(
    known: Known, serves: Serves
) -> None:
    with serves(known) as stand:
        stand.kind.tokens.anonymous = {"*": frozenset({"pull"})}
        oci_merge.inspect(stand.sources[0])
        assert f"https://{stand.asked[0].host}{stand.asked[0].path}" == known.realm
        assert stand.asked[0].scheme == ""
        assert {each.scheme for each in stand.at_registry} == {"Bearer"}


def test_amazon_gets_its_password_with_the_first_request(serves: Serves, home: Path) -> None:
    with serves(ECR) as stand:
        log_in(stand, home)
        stand.merge()
        assert {each.scheme for each in stand.asked} == {"Basic"}
        assert {each.host for each in stand.asked} == {ECR.name}


def test_amazon_without_a_login_is_asked_as_ever(serves: Serves) -> None:
    with serves(ECR) as stand:
        with pytest.raises(AuthenticationError):
            oci_merge.inspect(stand.sources[0])
        assert {each.scheme for each in stand.asked} == {""}


@pytest.mark.parametrize("known", [*WITH_TOKENS, ECR], ids=_named)
def test_a_wrong_password_is_sent_twice_at_most(known: Known, serves: Serves, home: Path) -> None:
    with serves(known) as stand:
        log_in(stand, home, "wr0ng-pass")
        with pytest.raises(AuthenticationError):
            stand.merge(tags=["a", "b", "c"])
        sent = [each for each in stand.asked if each.scheme == "Basic"]
        assert 1 <= len(sent) <= 2
        assert {each.host for each in sent} == {known.token_host or known.host}


@pytest.mark.parametrize(
    ("status", "content"), [(400, ""), (401, ""), (403, ""), (404, "<html>"), (200, "<html>")]
)
def test_a_token_server_that_has_no_token_leaves_an_open_registry_open(
    status: int, content: str, serves: Serves
) -> None:
    with serves(HUB) as stand:
        stand.kind.registry.settings.auth = None
        stand.apps["auth.docker.io"] = _replies(status, content)
        stand.merge()
        assert [each.host for each in stand.asked].count("auth.docker.io") == 1
        assert {each.scheme for each in stand.at_registry} == {""}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_server_that_is_down_is_asked_once_before_the_registry_is(
    status: int, serves: Serves
) -> None:
    with serves(HUB) as stand:
        stand.kind.registry.settings.auth = None
        stand.apps["auth.docker.io"] = _replies(status)
        events: list[object] = []
        stand.merge(on_event=events.append)
        assert [each.host for each in stand.asked].count("auth.docker.io") == 1
        assert not [event for event in events if isinstance(event, oci_merge.Retrying)]


def test_a_token_server_that_is_not_there_leaves_the_run_to_the_registry(
    serves: Serves, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serves(HUB) as stand:
        log_in(stand, home)
        stand.kind.registry.settings.realm = f"https://{ELSEWHERE}/token"
        stand.apps[ELSEWHERE] = token_app(stand.kind.tokens, f"https://{ELSEWHERE}/token")
        # There is no such server: the proxy finds nobody at this port.
        stand.proxy.names["auth.docker.io"] = 1
        stand.merge()
        assert {each.host for each in stand.asked} == {HUB.host, ELSEWHERE}


def test_a_challenge_that_names_another_token_server_is_followed(
    serves: Serves, home: Path
) -> None:
    with serves(HUB) as stand:
        log_in(stand, home)
        assert stand.kind.login is not None
        realm = f"https://{ELSEWHERE}/token"
        other = TokenService(service="other", accounts=[Account(*stand.kind.login, _EVERYTHING)])
        stand.kind.registry.settings.auth = other
        stand.kind.registry.settings.realm = realm
        stand.apps["auth.docker.io"] = token_app(
            TokenService(accounts=list(other.accounts.values())), HUB.realm
        )
        stand.apps[ELSEWHERE] = token_app(other, realm)
        stand.merge()
        hosts = [each.host for each in stand.asked]
        assert hosts[:2] == ["auth.docker.io", HUB.host]
        assert (hosts.count("auth.docker.io"), hosts.count(ELSEWHERE)) == (1, 1)
        # What was under way with the token that was not wanted is refused, each request once.
        statuses = [record.status for record in stand.kind.registry.requests]
        assert 401 not in statuses[statuses.index(200) :]
        assert 1 <= statuses.count(401) <= 3


@pytest.mark.parametrize("refuses", [True, False])
def test_another_token_server_takes_a_password_that_the_known_one_refused(
    refuses: bool, serves: Serves, home: Path
) -> None:
    with serves(HUB) as stand:
        log_in(stand, home, "" if refuses else "wr0ng-pass")
        realm = f"https://{ELSEWHERE}/token"
        stand.kind.registry.settings.realm = realm
        stand.apps["auth.docker.io"] = _replies(401)
        stand.apps[ELSEWHERE] = token_app(stand.kind.tokens, realm)
        if refuses:
            stand.merge()
        else:
            with pytest.raises(AuthenticationError):
                stand.merge()
            assert len([each for each in stand.asked if each.scheme == "Basic"]) == 2


@pytest.mark.parametrize("is_right", [True, False])
def test_a_registry_that_wants_the_password_itself_gets_it(
    is_right: bool, serves: Serves, home: Path
) -> None:
    with serves(GHCR) as stand:
        log_in(stand, home, "" if is_right else "wr0ng-pass")
        assert stand.kind.login is not None
        tokens = stand.kind.tokens
        stand.apps[GHCR.host] = _both(stand, tokens)
        stand.kind.registry.settings.auth = BasicAuth([Account(*stand.kind.login, _EVERYTHING)])
        if is_right:
            stand.merge()
            schemes = [each.scheme for each in stand.at_registry]
            assert set(schemes[schemes.index("Basic") :]) == {"Basic"}
            assert 1 <= schemes.count("Bearer") <= 3
        else:
            with pytest.raises(AuthenticationError):
                stand.merge()
            assert len([each for each in stand.asked if each.scheme == "Basic"]) == 2


def test_amazon_may_turn_to_tokens(serves: Serves, home: Path) -> None:
    with serves(ECR) as stand:
        log_in(stand, home)
        assert stand.kind.login is not None
        tokens = TokenService(accounts=[Account(*stand.kind.login, _EVERYTHING)])
        stand.kind.registry.settings.auth = tokens
        stand.merge()
        assert [each.scheme for each in stand.asked][:3] == ["Basic", "Basic", "Bearer"]
        assert {each.scheme for each in stand.at_registry[2:]} == {"Bearer"}


def test_a_token_server_that_refuses_so_many_scopes_is_asked_for_less_as_ever(
    serves: Serves, home: Path
) -> None:
    with serves(HUB) as stand:
        stand.kind.tokens.all_or_nothing = True
        stand.kind.tokens.anonymous = {"*": frozenset({"pull"})}
        with pytest.raises(oci_merge.OciMergeError):
            stand.merge()
        assert [request.scopes for request in stand.kind.tokens.requests][:2] == [
            ("repository:team/app:pull,push",),
            ("repository:team/app:pull",),
        ]
        assert [each.host for each in stand.asked][:3] == [
            "auth.docker.io",
            HUB.host,
            "auth.docker.io",
        ]


def test_a_registry_that_is_not_verified_is_asked_first(serves: Serves, home: Path) -> None:
    with serves(GHCR) as stand:
        log_in(stand, home)
        stand.merge(insecure=True)
        assert stand.at_registry[0] == stand.asked[0]
        assert stand.asked[0].scheme == ""


def _both(stand: Stand, tokens: TokenService) -> ASGIApp:
    """Return the registry, with tokens at the path where they are known to be."""
    app, given = stand.apps[GHCR.host], token_app(tokens, GHCR.realm)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (given if scope["path"] == "/token" else app)(scope, receive, send)

    return either
