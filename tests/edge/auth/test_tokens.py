"""Tokens that end, tokens that allow less than was asked, and when the asking has to end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.server import RunningServer, ServerTLS, serve
from fixtures.tokens import Account, TokenService
from oci_merge import AccessDeniedError, CredentialError, MountRefusedError
from oci_merge.auth.authorization import Authorization
from oci_merge.http.message import Request as SentRequest
from oci_merge.registry.manifests import ManifestClient
from tests.edge.fake import FakeNetwork
from tests.edge.support import (
    AMD64,
    ARM64,
    CI,
    IMAGES,
    PASSWORD,
    Answers,
    Matches,
    asks,
    challenged,
    found,
    merge,
    opened,
    paths,
    reference,
    reply,
    stocked,
    tags,
    with_tokens,
)

_CI = {"username": "ci", "password": PASSWORD}


class _Clock:
    """The token service's time."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class _EndsTokens(Hook):
    """Lets all tokens end, once, when a certain request comes."""

    def __init__(self, clock: _Clock, matches: Matches) -> None:
        self._clock = clock
        self._matches = matches

    async def before(self, request: Request) -> Response | None:
        if not self._clock.ahead and self._matches(request):
            self._clock.ahead = 3600
        return None


@pytest.fixture(params=["http", "https"])
def running(
    request: pytest.FixtureRequest, registry: EmbeddedRegistry, tls: ServerTLS
) -> Iterator[RunningServer]:
    """The registry's server, in the clear and over TLS."""
    with serve(registry.app, tls=tls if request.param == "https" else None) as server:
        yield server


def _denies(server: RunningServer, part: str) -> Answers:
    """Return a hook that challenges every request for a part of the registry, whatever it has."""
    challenge = f'Bearer realm="{server.url}/token",service="registry.test"'
    return Answers(asks("GET", part), reply(401, "{}", www_authenticate=challenge))


@pytest.mark.parametrize("at", [("POST", "mount="), ("PUT", "sha256:"), ("PUT", "latest")])
def test_a_token_that_ends_is_renewed_once_for_all_that_are_under_way(
    at: tuple[str, str], running: RunningServer, registry: EmbeddedRegistry
) -> None:
    clock = _Clock()
    tokens = with_tokens(clock=clock)
    registry.settings.auth = tokens
    registry.hooks.append(_EndsTokens(clock, asks(*at)))
    result = merge(running.host, **_CI)
    assert tags(registry) == {"latest": result.digest}
    first, second = tokens.requests
    assert first.scopes == second.scopes


def test_a_refusal_of_a_fresh_token_is_a_denial_after_one_narrower_try(
    running: RunningServer, registry: EmbeddedRegistry
) -> None:
    tokens = with_tokens()
    registry.settings.auth = tokens
    denies = _denies(running, "/v2/team/app-arm64/manifests/")
    registry.hooks.append(denies)
    with pytest.raises(AccessDeniedError, match=r"does not allow ci .* read .*app-arm64:1\.0"):
        merge(running.host, **_CI)
    assert denies.count <= 3  # without a token, with the run's, and with one of its own
    assert len(tokens.requests) <= 2


def test_a_registry_that_challenges_everything_is_asked_a_few_times_for_each_image(
    running: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = with_tokens()
    denies = _denies(running, "/v2/")
    registry.hooks.append(denies)
    with pytest.raises(AccessDeniedError):
        merge(running.host, **_CI)
    assert denies.count <= 3 * (len(IMAGES) + 1)


@pytest.mark.anyio
async def test_a_server_that_grants_the_first_scope_alone_is_asked_again_for_each_other(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    tokens = with_tokens(only_first_scope=True)
    registry.settings.auth = tokens
    reads = ["team/app-amd64", "team/app-arm64"]
    async with opened(server.host, reads=reads, username="ci", password=PASSWORD) as asked:
        first = await ManifestClient(asked).get(reference("team/app-amd64:1.0", server.host))
        second = await ManifestClient(asked).get(reference("team/app-arm64:1.0", server.host))
        again = await ManifestClient(asked).get(reference("team/app-arm64:1.0", server.host))
    assert (first.digest, second.digest, again.digest) == (
        AMD64.digest,
        ARM64.digest,
        ARM64.digest,
    )
    wide, narrow = tokens.requests[0], tokens.requests[-1]
    assert wide.scopes == tuple(f"repository:{name}:pull" for name in reads)
    assert narrow.scopes == ("repository:team/app-arm64:pull",)
    assert len(tokens.requests) <= 3


@pytest.mark.anyio
@pytest.mark.parametrize("life", [0.01, 300])
async def test_a_refused_token_whose_life_is_over_is_renewed_and_another_is_a_denial(
    life: float,
) -> None:
    class Slow(FakeNetwork):
        """Takes longer than the short life to answer."""

        def _answer(self, request: SentRequest) -> httpx.Response:
            time.sleep(0.02)
            return super()._answer(request)

    challenge = challenged('Bearer realm="https://auth.test/token"')
    network = Slow()
    network.add("https://reg.test/v2/", challenge, challenge, found(AMD64))
    token = httpx.Response(200, json={"token": "t0ken", "expires_in": life})
    network.add("https://auth.test/", token)
    async with network.opened(username="ci", password=PASSWORD) as registry:
        read = ManifestClient(registry).get(reference())
        if life < 1:
            assert (await read).digest == AMD64.digest
        else:
            with pytest.raises(AccessDeniedError):
                await read
    assert len(network.requests("https://auth.test/")) == (2 if life < 1 else 1)


def test_a_user_who_may_read_but_not_push_is_told_so_and_no_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    reader = Account("ci", PASSWORD, {"*": frozenset({"pull"})})
    registry.settings.auth = with_tokens(accounts=[reader])
    with pytest.raises(MountRefusedError, match="does not allow ci") as caught:
        merge(server.host, **_CI)
    assert "use credentials that may" in caught.value.hint
    assert tags(registry) == {}


def test_a_user_who_may_not_read_one_source_gets_its_name(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    grants = {name: frozenset({"pull", "push"}) for name in ("team/app", "team/app-a*64")}
    registry.settings.auth = with_tokens(accounts=[Account("ci", PASSWORD, grants)])
    with pytest.raises(AccessDeniedError, match=r"team/app-armv7:1\.0"):
        merge(server.host, **_CI)
    assert tags(registry) == {}


def test_a_token_that_a_challenge_asks_more_scopes_for_is_the_one_that_is_sent_then(
    server: RunningServer,
) -> None:
    # As at distribution, cancelling an upload takes a token that allows to delete.
    everything = Account("ci", PASSWORD, {"*": frozenset({"pull", "push", "delete"})})
    registry = stocked()
    registry.settings.auth = with_tokens(accounts=[everything])
    registry.settings.refuse_mounts = True
    with serve(registry.app) as running, pytest.raises(MountRefusedError):
        merge(running.host, **_CI)
    assert registry.open_uploads == []


def test_credentials_are_looked_for_once_a_challenge_comes_and_not_before(
    server: RunningServer, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")  # and no password
    result = merge(server.host)
    assert tags(registry) == {"latest": result.digest}
    registry.settings.auth = with_tokens()
    with pytest.raises(CredentialError, match="OCI_MERGE_PASSWORD is not set"):
        merge(server.host)


@pytest.mark.parametrize(
    ("life", "age", "is_spent"),
    [(300, 0, False), (300, 285, False), (300, 295, True), (60, 55, True), (1, 45, False)],
)
def test_a_token_is_not_sent_in_its_last_seconds(life: int, age: int, is_spent: bool) -> None:
    token = Authorization("Bearer t", obtained=time.monotonic() - age, life=life)
    assert token.is_spent is is_spent


def test_a_short_life_is_not_believed_so_that_a_run_does_not_ask_for_ever(
    running: RunningServer, registry: EmbeddedRegistry
) -> None:
    class _SaysOne(TokenService):
        """Says that its tokens live one second, which is less than the margin of a client."""

        async def respond(self, request: Request) -> Response:
            response = await super().respond(request)
            content = bytes(response.body).replace(b'"expires_in":300', b'"expires_in":1')
            return Response(content, media_type="application/json")

    tokens = _SaysOne(accounts=[CI])
    registry.settings.auth = tokens
    merge(running.host, **_CI)
    assert len(tokens.requests) == 1
    assert paths(registry.requests, "PUT", "latest")
