"""Registries that deny anonymous users without a challenge, and challenge only at /v2/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from fixtures.server import RunningServer
from oci_merge import AccessDeniedError, AuthenticationError, MissingComponentError, NotFoundError
from tests.edge.support import (
    AMD64,
    CI,
    PASSWORD,
    REPOSITORY,
    Answers,
    merge,
    paths,
    reply,
    tags,
    with_tokens,
)

_CI: dict[str, Any] = {"username": "ci", "password": PASSWORD}


class _Hides(Hook):
    """Answers what needs a login as if it were not there, but for ``/v2/``."""

    def __init__(self, status: int) -> None:
        self._status = status

    async def after(self, request: Request, response: Response) -> Response:
        is_anonymous = "authorization" not in request.headers
        if response.status_code == 401 and is_anonymous and request.url.path != "/v2/":
            return Response(status_code=self._status)
        return response


def _asked(registry: EmbeddedRegistry) -> int:
    return paths(registry.requests, "GET").count("/v2/")


@pytest.fixture(params=["basic", "bearer"])
def hiding(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry that hides everything from anonymous users, by 404."""
    registry.settings.auth = BasicAuth([CI]) if request.param == "basic" else with_tokens()
    registry.hooks.append(_Hides(404))
    return registry


@pytest.mark.parametrize("plain_http", [True, False])
@pytest.mark.parametrize("template", ["app-ARCHVARIANT:1.0", None])
def test_a_merge_with_a_login_finds_everything_and_asks_once(
    template: str | None, plain_http: bool, server: RunningServer, hiding: EmbeddedRegistry
) -> None:
    options: dict[str, Any] = {"plain_http": plain_http}
    if template:
        options["template"] = f"{server.host}/team/{template}"
    result = merge(server.host, **_CI, **options)
    assert tags(hiding) == {"latest": result.digest}
    assert len(result.platforms) == 3
    assert _asked(hiding) == 1
    again = merge(server.host, **_CI, **options)
    assert not again.tags[0].changed  # the tag was seen, although it was hidden


def test_a_403_without_a_challenge_is_answered_too(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = with_tokens()
    registry.hooks.append(_Hides(403))
    found = oci_merge.inspect(f"{server.host}/team/app-amd64:1.0", **_CI)
    assert found.digest == AMD64.digest
    with pytest.raises(AccessDeniedError):
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")


def test_where_no_login_is_at_hand_nothing_more_is_asked(
    server: RunningServer, hiding: EmbeddedRegistry
) -> None:
    with pytest.raises(NotFoundError):
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")
    with pytest.raises(MissingComponentError):
        merge(server.host, template=f"{server.host}/team/app-ARCHVARIANT:1.0")
    assert _asked(hiding) == 0


def test_a_login_for_another_registry_is_not_at_hand(
    server: RunningServer, hiding: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"auths": {"other.example": {"username": "ci", "password": PASSWORD}}}
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(other))
    with pytest.raises(NotFoundError):
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")
    assert _asked(hiding) == 0


def test_a_wrong_password_is_told_as_such_and_sent_twice_at_most(
    server: RunningServer, hiding: EmbeddedRegistry
) -> None:
    with pytest.raises(AuthenticationError, match="refused ci"):
        merge(server.host, username="ci", password="wrong")
    sent = [request for request in hiding.requests if "authorization" in request.headers]
    assert len(sent) <= 2


def test_an_open_registry_is_asked_once_and_its_404_believed(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    with pytest.raises(NotFoundError):
        oci_merge.inspect(f"{server.host}/team/missing:1.0", **_CI)
    assert len(registry.requests) == 2
    assert _asked(registry) == 1
    registry.requests.clear()
    result = merge(server.host, **_CI, tags=["a", "b"])
    assert tags(registry)["latest"] == result.digest
    assert _asked(registry) == 1
    assert all("authorization" not in request.headers for request in registry.requests)


def test_a_registry_that_says_no_at_v2_is_asked_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for status in (404, 503):
        hook = Answers(lambda request: request.url.path == "/v2/", reply(status, ""))
        registry.hooks[:] = [hook]
        with pytest.raises(NotFoundError):
            oci_merge.inspect(f"{server.host}/team/missing:1.0", **_CI)
        assert paths(registry.requests, "GET").count("/v2/") == 1
        registry.requests.clear()


def test_credentials_that_cannot_be_read_stop_no_run_that_needs_none(
    server: RunningServer, registry: EmbeddedRegistry, home: Path
) -> None:
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text('{"credsStore": "not-there"}')
    result = merge(server.host, template=f"{server.host}/team/app-ARCHVARIANT:1.0")
    assert tags(registry, REPOSITORY) == {"latest": result.digest}
