"""Identity tokens, which a token server changes for others, and registry tokens as they are."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import respx

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Settings
from fixtures.images import build_image
from fixtures.server import RunningServer, serve
from fixtures.tokens import Account, TokenService
from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    MergeResult,
    MountRefusedError,
    RegistryError,
)
from oci_merge.registry.manifests import ManifestClient
from tests.edge.fake import FakeNetwork
from tests.edge.support import challenged, found, reference

_EVERYTHING = {"*": frozenset({"pull", "push"})}
_CI = Account("ci", "pass-5ecret-word", _EVERYTHING)
_IMAGES = {"team/app-amd64": ("linux", "amd64"), "team/app-arm64": ("linux", "arm64")}
_SCOPES = (
    "repository:team/app:pull,push",
    "repository:team/app-amd64:pull",
    "repository:team/app-arm64:pull",
)
_MANIFEST = "https://reg.test/v2/team/app/manifests/1.0"
_IMAGE = build_image("linux", "amd64")

LogIn = Callable[..., None]


@pytest.fixture
def tokens() -> TokenService:
    """A token service at which ci may do everything."""
    return TokenService(accounts=[_CI])


@pytest.fixture
def registry(tokens: TokenService) -> EmbeddedRegistry:
    """A registry with images for two platforms that takes the service's tokens."""
    registry = EmbeddedRegistry(Settings(auth=tokens))
    for repository, platform in _IMAGES.items():
        registry.add_image(repository, "1.0", build_image(*platform))
    return registry


@pytest.fixture
def server(registry: EmbeddedRegistry) -> Iterator[RunningServer]:
    """The registry's server."""
    with serve(registry.app) as running:
        yield running


@pytest.fixture
def log_in(home: Path, server: RunningServer) -> LogIn:
    """Writes an entry for the registry into the docker config."""

    def log_in(registry: str = server.host, **entry: str) -> None:
        _write(home / ".docker" / "config.json", {"auths": {registry: entry}})

    return log_in


def _answer(document: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=document)


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))


def _merge(server: RunningServer) -> MergeResult:
    sources = [f"{server.host}/{repository}:1.0" for repository in _IMAGES]
    return oci_merge.merge(f"{server.host}/team/app:1.0", sources=sources)


def _asked(tokens: TokenService) -> list[tuple[str, int]]:
    return [(request.method, request.status) for request in tokens.requests]


def test_an_identity_token_is_posted_once_for_all_scopes_of_a_merge(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    log_in(identitytoken=tokens.refresh_token("ci"))
    assert _merge(server).tags[0].changed
    (asked,) = tokens.requests
    assert (asked.method, asked.grant_type) == ("POST", "refresh_token")
    assert (asked.account, asked.scheme, asked.service) == ("ci", None, "registry.test")
    assert asked.scopes == _SCOPES


def test_an_identity_token_is_preferred_to_the_password_beside_it(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    log_in(identitytoken=tokens.refresh_token("ci"), username="ci", password=_CI.password)
    assert _merge(server).tags[0].changed
    assert _asked(tokens) == [("POST", 200)]


def test_a_credential_helper_gives_an_identity_token(
    server: RunningServer,
    tokens: TokenService,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reply = json.dumps({"Username": "<token>", "Secret": tokens.refresh_token("ci")})
    helper = tmp_path / "docker-credential-cloud"
    helper.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{reply}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    _write(home / ".docker" / "config.json", {"credHelpers": {server.host: "cloud"}})
    assert _merge(server).tags[0].changed
    assert _asked(tokens) == [("POST", 200)]


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_where_an_identity_token_is_not_taken_the_password_beside_it_is_sent(
    status: int, server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.post_status = status
    log_in(identitytoken="any", username="ci", password=_CI.password)
    assert _merge(server).tags[0].changed
    assert _asked(tokens) == [("POST", status), ("GET", 200)]
    assert tokens.requests[1].scheme == "Basic"


def test_once_the_password_was_taken_the_identity_token_is_not_tried_again(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.post_status = 404
    tokens.max_scopes = 2
    log_in(identitytoken="any", username="ci", password=_CI.password)
    assert _merge(server).tags[0].changed
    methods = [method for method, _ in _asked(tokens)]
    first_taken = _asked(tokens).index(("GET", 200))
    assert "POST" not in methods[first_taken:]


@pytest.mark.parametrize("status", [403, 500])
def test_another_refusal_of_an_identity_token_is_not_answered_with_a_password(
    status: int, server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.post_status = status
    log_in(identitytoken="any", username="ci", password=_CI.password)
    with pytest.raises(RegistryError) as caught:
        _merge(server)
    assert (caught.value.status, caught.value.method) == (status, "POST")
    assert {request.method for request in tokens.requests} == {"POST"}


def test_an_identity_token_that_has_ended_is_named_but_not_shown_and_tried_twice_at_most(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    log_in(identitytoken="ended-5ecret")
    with pytest.raises(
        AuthenticationError, match=r"refused an identity token \(from the docker config"
    ) as caught:
        _merge(server)
    assert "ended-5ecret" not in f"{caught.value}{caught.value.hint}{caught.value!r}"
    assert _asked(tokens) == [("POST", 401)] * 2


def test_an_identity_token_gets_narrower_tokens_where_a_wide_one_is_refused(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.max_scopes = 2
    log_in(identitytoken=tokens.refresh_token("ci"))
    assert _merge(server).tags[0].changed
    assert {request.method for request in tokens.requests} == {"POST"}
    assert [request.scopes for request in tokens.requests if request.status != 200] == [_SCOPES]


def test_at_a_registry_that_takes_passwords_the_one_beside_an_identity_token_is_sent(
    server: RunningServer, registry: EmbeddedRegistry, log_in: LogIn
) -> None:
    registry.settings.auth = BasicAuth([_CI])
    log_in(identitytoken="any", username="ci", password=_CI.password)
    assert _merge(server).tags[0].changed
    log_in(identitytoken="any")
    with pytest.raises(AuthenticationError, match="refused an identity token"):
        _merge(server)


def test_a_registry_token_is_sent_as_it_is(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService, log_in: LogIn
) -> None:
    token = tokens.issue(_SCOPES, account=_CI)
    log_in(registrytoken=token)
    assert _merge(server).tags[0].changed
    assert tokens.requests == []
    sent = {request.headers.get("authorization") for request in registry.requests}
    assert sent == {None, f"Bearer {token}"}


def test_a_registry_token_that_is_refused_is_named_but_not_shown(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    log_in(registrytoken="ended-5ecret")
    with pytest.raises(AuthenticationError, match=r"refused a registry token \(from") as caught:
        _merge(server)
    assert "ended-5ecret" not in f"{caught.value}{caught.value.hint}{caught.value!r}"
    assert tokens.requests == []


def test_a_registry_token_that_allows_too_little_is_refused(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    log_in(registrytoken=tokens.issue(_SCOPES[1:], account=_CI))
    with pytest.raises(MountRefusedError, match="a registry token"):
        _merge(server)


def _network(*challenges: str) -> FakeNetwork:
    """Return a registry that sends challenges, in turn, and then the image."""
    network = FakeNetwork()
    network.add(_MANIFEST, *map(challenged, challenges), found(_IMAGE))
    return network


def _read(network: FakeNetwork) -> None:
    async def read() -> None:
        async with network.opened() as registry:
            await ManifestClient(registry).get(reference())

    asyncio.run(read())


def test_the_form_of_a_post_is_that_of_oauth(home: Path) -> None:
    entry = {"identitytoken": "re&fresh=1"}
    _write(home / ".docker" / "config.json", {"auths": {"reg.test": entry}})
    network = _network('Bearer realm="https://auth.test/token?tenant=a%20b",service="reg.test"')
    network.add("https://auth.test/", _answer({"access_token": "t0ken"}))
    _read(network)
    (posted,) = network.requests("https://auth.test/")
    assert (posted.method, posted.url) == ("POST", "https://auth.test/token?tenant=a%20b")
    assert posted.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert posted.authorization is None
    assert sorted(parse_qsl(posted.content.decode())) == [
        ("client_id", "oci-merge"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "re&fresh=1"),
        ("scope", "repository:team/app:pull"),
        ("service", "reg.test"),
    ]


def test_a_post_leaves_out_a_service_that_the_challenge_does_not_say(home: Path) -> None:
    _write(home / ".docker" / "config.json", {"auths": {"reg.test": {"identitytoken": "x"}}})
    network = _network('Bearer realm="https://auth.test/token"')
    network.add("https://auth.test/token", _answer({"token": "t0ken"}))
    _read(network)
    (posted,) = network.requests("https://auth.test/")
    assert posted.method == "POST"
    assert "service" not in dict(parse_qsl(posted.content.decode()))


@pytest.mark.parametrize(
    "document",
    [
        {"token": "t0ken", "access_token": 7},
        {"token": ["x"], "access_token": "t0ken"},
        {"token": "t0ken", "access_token": "", "expires_in": "soon"},
        {"token": "t0ken", "expires_in": -1, "issued_at": "yesterday", "scope": None},
        {"access_token": "t0ken", "token_type": "bearer", "refresh_token": "another"},
    ],
)
def test_a_token_server_is_forgiven_what_it_says_beside_a_token(
    document: dict[str, Any],
) -> None:
    network = _network('Bearer realm="https://auth.test/token"')
    network.add("https://auth.test/token?", _answer(document))
    _read(network)
    assert network.requests()[-1].authorization == "Bearer t0ken"
    assert len(network.requests("https://auth.test/")) == 1


def test_a_token_is_fetched_again_once_for_what_the_registry_asks_more() -> None:
    start = 'Bearer realm="https://auth.test/token"'
    more = f'{start},scope="repository:team/app:pull,push",error="x"'
    network = _network(start, more)
    network.add("https://auth.test/token?", _answer({"token": "t0ken"}))
    _read(network)
    scopes = [
        [value for name, value in parse_qsl(urlsplit(asked.url).query) if name == "scope"]
        for asked in network.requests("https://auth.test/")
    ]
    assert scopes == [
        ["repository:team/app:pull"],
        ["repository:team/app:pull,push"],
    ]


def test_a_token_server_that_repeats_an_identity_token_is_not_quoted(home: Path) -> None:
    entry = {"identitytoken": "re-5ecret", "username": "ci", "password": "pass-5ecret"}
    _write(home / ".docker" / "config.json", {"auths": {"reg.test": entry}})
    message = "neither re-5ecret nor pass-5ecret"
    network = _network('Bearer realm="https://auth.test/token"')
    refusal = {"errors": [{"code": "DENIED", "message": message}]}
    network.add("https://auth.test/token", _answer(refusal, 403))
    with pytest.raises(AccessDeniedError, match=r"neither \*\*\* nor \*\*\*") as caught:
        _read(network)
    assert "5ecret" not in f"{caught.value!r}{caught.value.hint}{caught.value.details}"


def test_a_registry_that_repeats_a_registry_token_is_not_quoted(home: Path) -> None:
    _write(home / ".docker" / "config.json", {"auths": {"reg.test": {"registrytoken": "a-5ecret"}}})
    network = FakeNetwork()
    refused = _answer({"message": "you sent Bearer a-5ecret"}, 403)
    network.add(_MANIFEST, challenged("Bearer"), refused)
    with pytest.raises(AccessDeniedError, match=r"you sent Bearer \*\*\*") as caught:
        _read(network)
    assert "5ecret" not in f"{caught.value!r}{caught.value.hint}{caught.value.details}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_post_is_not_redirected(status: int, web: respx.MockRouter, home: Path) -> None:
    _write(home / ".docker" / "config.json", {"auths": {"reg.test": {"identitytoken": "x"}}})
    web.get(_MANIFEST).mock(return_value=challenged('Bearer realm="https://auth.test/token"'))
    moved = httpx.Response(status, headers={"location": "https://other.test/token"})
    web.post("https://auth.test/token").mock(return_value=moved)
    with pytest.raises(RegistryError, match=r"auth\.test") as caught:
        oci_merge.inspect("reg.test/team/app:1.0")
    assert caught.value.status == status
    assert {call.request.url.host for call in web.calls} == {"reg.test", "auth.test"}


@pytest.mark.parametrize(
    "realm", ["http://auth.test/token", "https://10.0.0.1/token", "https://u:p@auth.test/token"]
)
def test_an_identity_token_goes_to_no_token_server_that_a_password_may_not_go_to(
    realm: str, home: Path
) -> None:
    _write(home / ".docker" / "config.json", {"auths": {"reg.test": {"identitytoken": "x"}}})
    network = _network(f'Bearer realm="{realm}"')
    with pytest.raises(oci_merge.TransportError, match="token server"):
        _read(network)
    assert network.requests() == network.requests("https://reg.test/")


@pytest.mark.parametrize(
    "challenge",
    ['Bearer realm="https://auth.test/token"', "Bearer", 'Basic realm="r", Bearer error="x"'],
)
def test_a_registry_token_needs_nothing_of_the_challenge(challenge: str, home: Path) -> None:
    _write(home / ".docker" / "config.json", {"auths": {"reg.test": {"registrytoken": "t0ken"}}})
    network = _network(challenge)
    _read(network)
    assert [asked.authorization for asked in network.requests()] == [None, "Bearer t0ken"]
