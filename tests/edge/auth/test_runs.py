"""Whole merges at registries that want to know who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from fixtures.server import RunningServer, ServerTLS, serve
from fixtures.tokens import Account, TokenService
from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    MountRefusedError,
    RegistryOptions,
)
from oci_merge.http.deadline import Deadline
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.host import RegistryHost
from oci_merge.registry.manifests import ManifestClient
from tests.edge.support import (
    CI,
    IMAGES,
    OLD,
    PASSWORD,
    Answers,
    add_old,
    asks,
    merge,
    reference,
    reply,
    sources,
    speaking,
    tags,
    until,
    with_tokens,
)

_CI: dict[str, Any] = {"username": "ci", "password": PASSWORD}
_WRONG = {"username": "ci", "password": "wr0ng-" + PASSWORD}
_PUSH = "repository:team/app:pull,push"
_PULLS = tuple(f"repository:team/app-{name}:pull" for name in ("amd64", "arm64", "armv7"))


class _Counts(Hook):
    """Counts requests that carry a credential of a scheme."""

    def __init__(self, scheme: str) -> None:
        self.count = 0
        self._scheme = scheme

    async def before(self, request: Request) -> Response | None:
        self.count += request.headers.get("authorization", "").startswith(self._scheme)
        return None


@pytest.fixture
def tokens(registry: EmbeddedRegistry) -> TokenService:
    """The token service of the registry, at which ci may pull and push everywhere."""
    service = with_tokens()
    registry.settings.auth = service
    return service


@pytest.fixture
def tls_server(registry: EmbeddedRegistry, tls: ServerTLS) -> Iterator[RunningServer]:
    """The registry's server over TLS."""
    with serve(registry.app, tls=tls) as running:
        yield running


def test_an_anonymous_merge_sends_no_credential(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = merge(server.host, **_CI)
    assert tags(registry) == {"latest": result.digest}
    assert not [seen for seen in registry.requests if "authorization" in seen.headers]


def test_a_registry_that_wants_a_password_gets_it_with_every_request_after_its_challenge(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI])
    result = merge(server.host, **_CI)
    assert tags(registry) == {"latest": result.digest}
    for seen in registry.requests:
        assert (seen.status == 401) == ("authorization" not in seen.headers)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_token_covers_all_scopes_of_a_merge_with_the_push_scope_first(
    scheme: str, request: pytest.FixtureRequest, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    name = "server" if scheme == "http" else "tls_server"
    running: RunningServer = request.getfixturevalue(name)
    result = merge(running.host, **_CI)
    assert tags(registry) == {"latest": result.digest}
    (asked,) = tokens.requests
    assert asked.scopes == (_PUSH, *_PULLS)
    assert (asked.method, asked.account, asked.service) == ("GET", "ci", "registry.test")


def test_over_tls_one_request_alone_is_challenged(
    tls_server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    merge(tls_server.host, **_CI)
    assert [seen.status for seen in registry.requests].count(401) == 1
    assert [seen.status for seen in registry.requests[:2]] == [401, 200]
    assert registry.requests[1].path.startswith("/token?")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_merges_side_by_side_are_challenged_once(
    scheme: str, request: pytest.FixtureRequest, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    name = "server" if scheme == "http" else "tls_server"
    host = request.getfixturevalue(name).host

    async def scenario() -> None:
        async with oci_merge.AsyncClient(**_CI) as client:
            await asyncio.gather(
                *(
                    client.merge(f"{host}/bulk/app{number}:1", sources=sources(host))
                    for number in range(6)
                )
            )

    asyncio.run(scenario())
    assert [seen.status for seen in registry.requests].count(401) == 1
    assert len(tokens.requests) == 6


def test_where_plain_http_is_asked_for_the_first_requests_go_together(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    reads = {f"/v2/{name}/manifests/1.0" for name in IMAGES} | {"/v2/team/app/manifests/latest"}
    arrived: set[str] = set()

    class Gathers(Hook):
        """Answers none of the first requests before all of them have come."""

        async def before(self, request: Request) -> Response | None:
            arrived.add(request.url.path)
            assert await until(lambda: reads <= arrived)
            return None

    registry.hooks.append(Gathers())
    merge(server.host, plain_http=True, **_CI)
    assert len(tokens.requests) == 1


def test_an_anonymous_user_gets_a_token_where_everybody_may_have_one(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    tokens = TokenService(anonymous={"team/*": frozenset({"pull", "push"})})
    registry.settings.auth = tokens
    result = merge(server.host)
    assert tags(registry) == {"latest": result.digest}
    assert [(asked.scheme, asked.account) for asked in tokens.requests] == [(None, None)]


@pytest.mark.parametrize("field", ["token", "access_token", "both"])
def test_a_token_is_read_from_either_field(
    field: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = with_tokens(field=field)
    result = merge(server.host, **_CI)
    assert tags(registry) == {"latest": result.digest}


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_token_server_that_refuses_many_scopes_is_asked_for_fewer(
    status: int, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    tokens = with_tokens(max_scopes=2, refuse_status=status)
    registry.settings.auth = tokens
    result = merge(server.host, **_CI)
    assert tags(registry) == {"latest": result.digest}
    refused = [asked for asked in tokens.requests if asked.status != 200]
    assert [asked.scopes for asked in refused] == [(_PUSH, *_PULLS)]
    # one to read each source, one to push, one to mount from each source, and after a 401 one
    # without a scope: the 401 might have been about the password
    assert len(tokens.requests) - 1 <= 3 + 1 + 3 + (status == 401)


def test_a_token_server_that_allows_one_scope_makes_no_mount_possible_and_the_error_says_why(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = with_tokens(max_scopes=1)
    add_old(registry, "latest")
    with pytest.raises(MountRefusedError, match="too many scopes were asked for"):
        merge(server.host, **_CI)
    assert tags(registry) == {"latest": OLD.digest}


def test_a_registry_that_refuses_the_wide_token_gets_narrower_ones(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    class _RefusesWide(Hook):
        """Takes no token that was asked for with more than two scopes."""

        async def before(self, request: Request) -> Response | None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != "Bearer" or len(tokens.verify(token)["access"]) <= 2:
                return None
            asked = request.url.path.split("/manifests/")[0].split("/blobs/")[0]
            scope = f"repository:{asked.removeprefix('/v2/')}:pull"
            realm = f"{server.url}/token"
            challenge = f'Bearer realm="{realm}",service="registry.test",scope="{scope}"'
            return Response(status_code=401, headers={"WWW-Authenticate": challenge})

    registry.hooks.append(_RefusesWide())
    result = merge(server.host, **_CI)
    assert tags(registry) == {"latest": result.digest}
    # What begins later takes the refusal for one of an old token, and has it renewed first; so
    # there is at most one wide token for each narrow one: to read, to push, to mount.
    assert len([asked for asked in tokens.requests if len(asked.scopes) > 2]) <= 1 + 3 + 1 + 3


def test_a_wrong_password_is_tried_twice_at_a_token_server_however_many_images_there_are(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    with pytest.raises(AuthenticationError, match="incorrect username or password"):
        merge(server.host, tags=["a", "b", "c"], **_WRONG)
    # for the whole run, and without a scope: the refusal might have been about the scopes
    assert [(asked.status, len(asked.scopes)) for asked in tokens.requests] == [(401, 4), (401, 0)]


def test_a_wrong_password_is_tried_twice_at_a_token_server_while_looking_for_platforms(
    server: RunningServer, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    with pytest.raises(AuthenticationError):
        merge(server.host, template=f"{server.host}/team/app-ARCHVARIANT:1.0", **_WRONG)
    assert [asked.status for asked in tokens.requests] == [401, 401]


@pytest.mark.parametrize("order", [("amd64", "missing"), ("missing", "amd64")])
def test_a_token_server_that_says_401_of_one_repository_has_not_refused_the_password(
    order: tuple[str, str], server: RunningServer, registry: EmbeddedRegistry
) -> None:
    class Unseen(Hook):
        async def before(self, request: Request) -> Response | None:
            is_about_it = request.url.path == "/token" and "missing" in request.url.query
            return Response("{}", 401) if is_about_it else None

    registry.hooks.append(Unseen())
    result = oci_merge.push(
        oci_merge.spec_from_template(
            platforms=[f"linux/{name}" for name in order],
            template=f"{server.host}/team/app-ARCH:1.0",
            target=f"{server.host}/team/app:1.0",
        ),
        ignore_missing=True,
        username=CI.username,
        password=CI.password,
    )
    assert [image.platform.architecture for image in result.platforms] == ["amd64"]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("looking", [False, True])
def test_a_wrong_password_is_tried_twice_at_a_registry_that_takes_passwords(
    scheme: str, looking: bool, request: pytest.FixtureRequest, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI])
    counts = _Counts("Basic")
    registry.hooks.append(counts)
    name = "server" if scheme == "http" else "tls_server"
    running: RunningServer = request.getfixturevalue(name)
    options = {"template": f"{running.host}/team/app-ARCHVARIANT:1.0"} if looking else {}
    with pytest.raises(AuthenticationError, match="refused ci"):
        merge(running.host, tags=["a", "b"], **_WRONG, **options)
    assert counts.count == 2


def test_a_registry_that_says_401_of_what_a_user_may_not_see_has_not_refused_the_password(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI])
    unseen = reply(401, "{}", www_authenticate='Basic realm="r"')
    registry.hooks += [Answers(asks(method, "app-amd64/"), unseen) for method in ("HEAD", "GET")]
    result = merge(server.host, template=f"{server.host}/team/app-ARCHVARIANT:1.0", **_CI)
    assert [image.platform.architecture for image in result.platforms] == ["arm64", "arm"]
    assert "app-amd64:1.0 is left out" in result.warnings[0]


def test_a_user_who_may_see_few_of_the_images_gets_a_token_or_two_for_each_other(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    grants = {name: frozenset({"pull", "push"}) for name in ("team/app", *IMAGES)}
    tokens = with_tokens(accounts=[Account("ci", PASSWORD, grants)])
    registry.settings.auth = tokens
    result = merge(server.host, template=f"{server.host}/team/app-ARCHVARIANT:1.0", **_CI)
    assert len(result.warnings) == 8
    assert len(tokens.requests) <= 1 + 2 * 8


def test_a_user_who_may_do_nothing_is_denied_without_end_of_tries(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    tokens = with_tokens(accounts=[Account("ci", PASSWORD)])
    registry.settings.auth = tokens
    add_old(registry, "latest")
    with pytest.raises(AccessDeniedError, match="does not allow ci"):
        merge(server.host, **_CI)
    assert tags(registry) == {"latest": OLD.digest}
    assert len(tokens.requests) <= 1 + 4  # for all, and for each repository that was read


@pytest.mark.parametrize("is_first", [True, False])
def test_a_run_keeps_to_its_own_deadline_while_another_one_s_first_request_goes_ahead(
    is_first: bool,
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> list[object]:
        reached = RegistryOptions(timeout=1, retries=0)
        async with speaking(silent) as host, RegistryHost(host, reached) as registry:
            hasty = RegistryClient(registry, deadline=Deadline(0.1))
            patient = RegistryClient(registry)
            order = (hasty, patient) if is_first else (patient, hasty)
            asked = [ManifestClient(run).get(reference(host=host)) for run in order]
            ended = await asyncio.gather(*asked, return_exceptions=True)
            return list(ended if is_first else ended[::-1])

    hasty, patient = asyncio.run(scenario())
    assert "did not end within its 0.1 seconds" in str(hasty)
    assert "did not answer GET" in str(patient)
