"""Runs that are several users at one registry: each repository's own, and the target's to mount."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook, Settings
from fixtures.embedded.calls import Call, Endpoint
from fixtures.images import build_image
from fixtures.server import RunningServer, serve
from fixtures.tokens import Account, Grants, TokenService, basic_credentials
from oci_merge import (
    AuthenticationError,
    CredentialError,
    MergeResult,
    MountRefusedError,
)

_PULL, _BOTH = frozenset({"pull"}), frozenset({"pull", "push"})
_PUSH_SCOPE = "repository:team/app:pull,push"
_PULL_SCOPES = ("repository:base/amd64:pull", "repository:base/arm64:pull")

LogIn = Callable[[Mapping[str, str]], None]


def _account(name: str, grants: Grants) -> Account:
    return Account(name, f"{name}-5ecret", grants)


_READER = _account("reader", {"base/*": _PULL})
_WRITER = _account("writer", {"team/*": _BOTH, "base/*": _PULL})
_BLIND_WRITER = _account("writer", {"team/*": _BOTH})


@pytest.fixture
def tokens() -> TokenService:
    """A token service at which one account reads the sources and another writes the target."""
    return TokenService(accounts=[_READER, _WRITER])


@pytest.fixture
def registry(tokens: TokenService) -> EmbeddedRegistry:
    """A registry with images for two platforms that takes the service's tokens."""
    registry = EmbeddedRegistry(Settings(auth=tokens))
    for architecture in ("amd64", "arm64"):
        image = build_image("linux", architecture)
        registry.add_image(f"base/{architecture}", "1.0", image)
    return registry


@pytest.fixture
def server(registry: EmbeddedRegistry) -> Iterator[RunningServer]:
    """The registry's server."""
    with serve(registry.app) as running:
        yield running


@pytest.fixture
def log_in(server: RunningServer) -> LogIn:
    """Writes the auth file of the containers tools: a user for each path in the registry."""

    def log_in(users: Mapping[str, str]) -> None:
        path = Path(os.environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
        path.parent.mkdir(exist_ok=True)
        entries = {
            f"{server.host}/{key}".rstrip("/"): {"username": user, "password": f"{user}-5ecret"}
            for key, user in users.items()
        }
        path.write_text(json.dumps({"auths": entries}))

    return log_in


def _merge(server: RunningServer) -> MergeResult:
    sources = [f"{server.host}/base/{architecture}:1.0" for architecture in ("amd64", "arm64")]
    return oci_merge.merge(f"{server.host}/team/app:1.0", sources=sources)


def _users(registry: EmbeddedRegistry, part: str) -> set[str]:
    """Return who asked for paths with a part in them, of the requests that carried anything."""
    service = registry.settings.auth
    users = set()
    for request in registry.requests:
        header = request.headers.get("authorization")
        if header is None or part not in request.path:
            continue
        if isinstance(service, TokenService):
            users.add(service.verify(header.partition(" ")[2])["sub"])
        else:
            users.update((basic_credentials(header) or ("",))[:1])
    return users


@pytest.fixture(params=["tokens", "passwords"])
def scheme(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> str:
    """How the registry wants to know who asks: by tokens, or by passwords."""
    if request.param == "passwords":
        registry.settings.auth = BasicAuth([_READER, _WRITER])
    return str(request.param)


def test_each_request_is_sent_as_the_user_of_its_repository_and_mounts_as_the_targets(
    scheme: str, server: RunningServer, registry: EmbeddedRegistry, log_in: LogIn
) -> None:
    log_in({"base": "reader", "team": "writer"})
    assert _merge(server).tags[0].changed
    assert _users(registry, "/v2/base/") == {"reader"}
    assert _users(registry, "/v2/team/app/manifests/") == {"writer"}
    assert _users(registry, "mount=") == {"writer"}


def test_each_user_gets_one_token_for_all_that_is_done_as_this_user(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    log_in({"base": "reader", "team": "writer"})
    _merge(server)
    asked = {request.account: request.scopes for request in tokens.requests}
    assert asked == {"reader": _PULL_SCOPES, "writer": (_PUSH_SCOPE, *_PULL_SCOPES)}
    assert len(tokens.requests) == 2


def test_one_user_under_several_keys_gets_one_token(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    log_in({"": "writer", "base/amd64": "writer", "team/app": "writer"})
    _merge(server)
    (asked,) = tokens.requests
    assert asked.scopes == (_PUSH_SCOPE, *_PULL_SCOPES)


def test_each_source_may_have_a_user_of_its_own(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService, log_in: LogIn
) -> None:
    for architecture in ("amd64", "arm64"):
        account = _account(architecture, {f"base/{architecture}": _PULL})
        tokens.accounts[architecture] = account
    log_in({"base/amd64": "amd64", "base/arm64": "arm64", "team": "writer"})
    assert _merge(server).tags[0].changed
    assert _users(registry, "/v2/base/amd64/") == {"amd64"}
    assert _users(registry, "/v2/base/arm64/") == {"arm64"}
    assert len(tokens.requests) == 3


def test_sources_that_no_credential_is_for_are_read_by_nobody_in_particular(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.anonymous = {"base/*": _PULL}
    log_in({"team": "writer"})
    assert _merge(server).tags[0].changed
    assert _users(registry, "/v2/base/") == {""}
    assert _users(registry, "/v2/team/") == {"writer"}


def test_an_error_names_the_user_of_its_repository(
    scheme: str, server: RunningServer, registry: EmbeddedRegistry, log_in: LogIn
) -> None:
    log_in({"base": "writer", "team": "reader"})
    with pytest.raises(MountRefusedError, match=r"does not allow reader \(from") as caught:
        _merge(server)
    assert "team/app" in caught.value.hint
    assert "5ecret" not in f"{caught.value}{caught.value.hint}"


def test_a_wrong_password_for_one_path_does_not_stand_in_for_another(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.accounts["reader"] = Account("reader", "changed", {"base/*": _PULL})
    log_in({"base": "reader", "team": "writer"})
    with pytest.raises(AuthenticationError, match=r"refused reader \(from"):
        _merge(server)


def test_a_target_whose_user_may_not_read_the_sources_cannot_mount_from_them(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.accounts["writer"] = _BLIND_WRITER
    log_in({"base": "reader", "team": "writer"})
    with pytest.raises(MountRefusedError, match=r"does not allow writer \(from"):
        _merge(server)
    assert _users(registry, "mount=") == {"writer"}
    assert registry.open_uploads == []


class _MountsForAll(Hook):
    """Mounts for everybody who may push, as a registry does whose sources are public."""

    def __init__(self, registry: EmbeddedRegistry, tokens: TokenService) -> None:
        self.sent: list[list[str]] = []
        self._registry = registry
        self._tokens = tokens

    async def before(self, request: Request) -> Response | None:
        mount, source = request.query_params.get("mount"), request.query_params.get("from")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if mount is None or source is None or scheme != "Bearer":
            return None
        self.sent.append([entry["name"] for entry in self._tokens.verify(token)["access"]])
        if not self._tokens.allows(token, "team/app", "push"):
            return None
        assert self._registry.storage.mount(source, "team/app", mount)
        return Response(status_code=201)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_mount_is_tried_with_a_token_for_the_target_alone_where_one_for_both_is_refused(
    status: int,
    server: RunningServer,
    registry: EmbeddedRegistry,
    tokens: TokenService,
    log_in: LogIn,
) -> None:
    tokens.accounts["writer"] = _BLIND_WRITER
    tokens.all_or_nothing, tokens.refuse_status = True, status
    mounts = _MountsForAll(registry, tokens)
    registry.hooks.append(mounts)
    log_in({"base": "reader", "team": "writer"})
    assert _merge(server).tags[0].changed
    assert {tuple(sent) for sent in mounts.sent} == {("team/app",)}
    # the reader's; the writer's for all, to read the target, for a mount from each source, and for
    # a mount that asks for the target alone; after a 401 one without a scope
    assert len(tokens.requests) <= 1 + 1 + 1 + 2 + 1 + (status == 401)


def test_where_the_target_alone_will_not_do_the_token_servers_reason_is_given(
    server: RunningServer, tokens: TokenService, log_in: LogIn
) -> None:
    tokens.accounts["writer"] = _BLIND_WRITER
    tokens.all_or_nothing = True
    log_in({"base": "reader", "team": "writer"})
    with pytest.raises(MountRefusedError, match="more was asked for than is allowed"):
        _merge(server)


def _install(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a helper that notes its calls on the PATH, and return the notes."""
    helper, calls = folder / "docker-credential-test", folder / "calls"
    helper.write_text(f"#!/bin/sh\ncat >> {calls}\necho >> {calls}\n{script}\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return calls


def test_a_helper_is_run_once_however_many_requests_wait_for_it(
    server: RunningServer,
    registry: EmbeddedRegistry,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reply = json.dumps({"Username": "writer", "Secret": _WRITER.password})
    calls = _install(tmp_path, f"sleep 0.2; echo '{reply}'", monkeypatch)
    (home / ".docker").mkdir()
    config = home / ".docker" / "config.json"
    config.write_text(json.dumps({"credsStore": "test"}))
    assert _merge(server).tags[0].changed
    assert calls.read_text().splitlines() == [server.host]
    calls.unlink()
    _install(tmp_path, "echo broken; exit 1", monkeypatch)
    with pytest.raises(CredentialError, match=r"docker-credential-test, .* failed .*: broken"):
        oci_merge.merge(f"{server.host}/team/app:1.0", template=f"{server.host}/base/ARCH:1.0")
    assert calls.read_text().splitlines() == [server.host]


class _AsksForPassword(Hook):
    """Lets everybody read, and wants a password for everything else."""

    async def around(self, call: Call, endpoint: Endpoint) -> Response:
        if call.request.method not in ("GET", "HEAD") and not call.request.headers.get(
            "authorization", ""
        ).startswith("Basic "):
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        return await endpoint(call)


def test_a_challenge_that_comes_first_for_a_write_is_answered_as_the_targets_user(
    server: RunningServer, registry: EmbeddedRegistry, log_in: LogIn
) -> None:
    registry.settings.auth = None
    registry.hooks.append(_AsksForPassword())
    log_in({"base": "reader", "team": "writer"})
    assert _merge(server).tags[0].changed
    registry.settings.auth = BasicAuth([])
    assert _users(registry, "mount=") == {"writer"}
