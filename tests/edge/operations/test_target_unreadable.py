"""Targets that cannot be read: the run goes on, and a failed write gives the reason."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from fixtures.embedded.faults import On, Refuse
from fixtures.embedded.quirks.tags import ImmutableTags
from fixtures.server import RunningServer, serve
from fixtures.tokens import Account
from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    ImmutableTagError,
    MountRefusedError,
)
from tests.edge.support import (
    CI,
    IMAGES,
    OLD,
    PASSWORD,
    REPOSITORY,
    Answers,
    add_old,
    asks,
    merge,
    reply,
    sources,
    stocked,
    tags,
    with_tokens,
    writes,
)

_CI = {"username": "ci", "password": PASSWORD}
_WRONG = {"username": "ci", "password": "wr0ng-" + PASSWORD}
_READS = f"*/{REPOSITORY}/manifests/*"
_PULL = frozenset({"pull"})


class _NoTokenForTheTarget(Hook):
    """A token server that says 401, rather than granting less, where the target is concerned."""

    async def before(self, request: Request) -> Response | None:
        scopes = request.query_params.getlist("scope")
        is_about_it = any(scope.startswith(f"repository:{REPOSITORY}:") for scope in scopes)
        return Response("{}", 401) if request.url.path == "/token" and is_about_it else None


class _Passwords(Hook):
    """Counts the requests that carry a password, and how many of them are under way together.

    Args:
        seconds: for how long each is held back.
    """

    def __init__(self, seconds: float) -> None:
        self.count = self.at_once = self._under_way = 0
        self._seconds = seconds

    async def before(self, request: Request) -> Response | None:
        if "authorization" in request.headers:
            self.count += 1
            self._under_way += 1
            self.at_once = max(self.at_once, self._under_way)
            await asyncio.sleep(self._seconds)
        return None

    async def after(self, request: Request, response: Response) -> Response:
        self._under_way -= "authorization" in request.headers
        return response


def _unseen(pattern: str = _READS) -> list[Hook]:
    """Deny reading manifests, as virtual repositories do of what is not there."""
    return [On(method, pattern, Refuse("DENIED", status=403)) for method in ("GET", "HEAD")]


def test_a_target_that_may_not_be_read_is_written_and_counts_as_changed(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_old(registry, "latest")
    registry.hooks += _unseen()
    result = merge(server.host, tags=["1.0"])
    assert tags(registry) == dict.fromkeys(["latest", "1.0"], result.digest)
    assert all(tag.changed for tag in result.tags)
    assert result.warnings == ()


def test_tags_that_may_be_read_are_not_pushed_if_they_are_unchanged(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    first = merge(server.host)
    registry.requests.clear()
    registry.hooks += _unseen(f"*/{REPOSITORY}/manifests/1.0")
    again = merge(server.host, tags=["1.0"])
    assert [(tag.name, tag.changed) for tag in again.tags] == [("latest", False), ("1.0", True)]
    assert [record.path for record in writes(registry.requests)] == [
        f"/v2/{REPOSITORY}/manifests/1.0"
    ]
    assert tags(registry) == dict.fromkeys(["latest", "1.0"], first.digest)


def test_a_dry_run_warns_that_it_could_not_read_the_target(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_old(registry, "latest")
    registry.hooks += _unseen()
    planned = merge(server.host, tags=["1.0"], dry_run=True)
    assert [tag.changed for tag in planned.tags] == [True, True]
    assert len(planned.warnings) == 1
    assert f"latest and 1.0 of {server.host}/{REPOSITORY}" in planned.warnings[0]
    assert "does not allow" in planned.warnings[0]
    assert writes(registry.requests) == []
    assert tags(registry) == {"latest": OLD.digest}


def test_an_immutable_tag_that_may_not_be_read_is_called_so_and_stays(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    add_old(registry, "latest")
    words = "the tag latest is immutable"
    registry.hooks += [*_unseen(), ImmutableTags("latest", 400, "TAG_INVALID", words)]
    with pytest.raises(
        ImmutableTagError, match=r"the tag latest of \S+/team/app is immutable"
    ) as e:
        merge(server.host)
    assert "stands on" not in str(e.value)
    assert "publish under another tag" in e.value.hint
    assert tags(registry) == {"latest": OLD.digest}


def test_a_user_who_may_not_write_is_told_to_use_another_login_and_no_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    grants = dict.fromkeys(IMAGES, _PULL)
    registry.settings.auth = with_tokens(accounts=[Account("ci", PASSWORD, grants)])
    add_old(registry, "latest")
    with pytest.raises(MountRefusedError, match="does not allow ci") as caught:
        merge(server.host, **_CI)
    assert caught.value.hint.startswith(f"use credentials that may push to {REPOSITORY}")
    assert tags(registry) == {"latest": OLD.digest}
    assert registry.open_uploads == []


def test_a_user_who_may_not_write_is_denied_where_there_is_nothing_to_mount(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks += [*_unseen("*/manifests/latest"), On("PUT", "*", Refuse("DENIED", status=403))]
    for name, image in IMAGES.items():
        registry.add_image(REPOSITORY, name.rpartition("-")[2], image)
    own = [f"{server.host}/{REPOSITORY}:{name.rpartition('-')[2]}" for name in IMAGES]
    with pytest.raises(AccessDeniedError, match=r"to push \S+/team/app:latest"):
        merge(server.host, sources=own)
    assert "latest" not in tags(registry)


def test_a_401_for_the_target_is_a_denial_where_the_password_was_taken_for_the_images(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI])
    denied = reply(401, "{}", www_authenticate='Basic realm="r"')
    registry.hooks += [
        Answers(asks(method, "/team/app/manifests/"), denied) for method in ("GET", "HEAD")
    ]
    result = merge(server.host, tags=["1.0"], **_CI)
    assert tags(registry) == dict.fromkeys(["latest", "1.0"], result.digest)


def test_a_401_of_the_token_server_for_the_target_is_a_denial_where_the_images_may_be_read(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = with_tokens()
    registry.hooks.append(_NoTokenForTheTarget())
    with pytest.raises(MountRefusedError, match="refused ci"):
        merge(server.host, **_CI)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["one registry", "images elsewhere"])
@pytest.mark.parametrize("kind", ["basic", "token"])
@pytest.mark.parametrize("seconds", [0, 0.002, 0.03])
def test_a_wrong_password_for_the_target_ends_the_run_before_it_writes(
    seconds: float, kind: str, elsewhere: bool, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI]) if kind == "basic" else with_tokens()
    passwords = _Passwords(seconds)
    registry.hooks.append(passwords)
    other = stocked()
    with serve(other.app) as images:
        options = {"sources": sources(images.host), "copy_layers": True} if elsewhere else {}
        with pytest.raises(AuthenticationError, match="refused ci"):
            merge(server.host, tags=["1.0"], **_WRONG, **options)
    assert all(record.method in ("GET", "HEAD") for record in registry.requests)
    # Two refusals are enough, and at a token server one more: that of a wide scope list says
    # little about the password. No attempt is made while another is under way.
    assert 1 <= passwords.count <= (2 if kind == "basic" else 3)
    assert passwords.at_once == 1


def test_an_anonymous_user_is_told_to_log_in_before_anything_is_written(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = with_tokens(anonymous={"team/app-*": _PULL})
    registry.hooks.append(_NoTokenForTheTarget())
    with pytest.raises(AuthenticationError) as caught:
        merge(server.host)
    assert "docker login" in caught.value.hint
    assert writes(registry.requests) == []
