"""A token server that is down: one run makes the promised number of attempts, once."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook, Settings
from fixtures.images import build_image
from fixtures.server import serve
from fixtures.tokens import Account, TokenService
from oci_merge import MergeResult, OciMergeError, ServerError, TransportError
from oci_merge.events import Event, Retrying
from tests.edge.support import speaking

pytestmark = pytest.mark.anyio

_ATTEMPTS = 5  # one, and four retries
_BOTH = frozenset({"pull", "push"})
_READER = Account("reader", "reader-5ecret", {"base/*": _BOTH})
_WRITER = Account("writer", "writer-5ecret", {"team/*": _BOTH, "base/*": _BOTH})
_IMAGES = {
    f"base/{architecture}": build_image("linux", architecture)
    for architecture in ("amd64", "arm64", "386", "ppc64le", "s390x", "riscv64")
}


class _Runs:
    """Merges of six images of different repositories, at a registry that wants tokens.

    Args:
        users: who is logged in, by the keys of an auth file.
    """

    def __init__(self, users: Mapping[str, Account]) -> None:
        self.tokens = TokenService(accounts=[_READER, _WRITER])
        self.registry = EmbeddedRegistry(Settings(auth=self.tokens))
        for repository, image in _IMAGES.items():
            self.registry.add_image(repository, "1.0", image)
        self.retries: list[Retrying] = []
        self._users = users

    async def merge(self, client: oci_merge.AsyncClient, host: str) -> MergeResult:
        sources = [f"{host}/{repository}:1.0" for repository in _IMAGES]
        return await client.merge(f"{host}/team/app:1.0", sources=sources, on_event=self._note)

    async def failure(self, *, realm: str = "/token", **options: Any) -> OciMergeError:
        """Run where tokens are to be had at ``realm``, and return the error of the run."""
        self.registry.settings.realm = realm
        with serve(self.registry.app) as server:
            self.log_in(server.host)
            async with oci_merge.AsyncClient(**options) as client:
                with pytest.raises(OciMergeError) as caught:
                    await self.merge(client, server.host)
        return caught.value

    def log_in(self, host: str) -> None:
        path = Path(os.environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
        path.parent.mkdir(exist_ok=True)
        entries = {
            f"{host}/{key}".rstrip("/"): {"username": user.username, "password": user.password}
            for key, user in self._users.items()
        }
        path.write_text(json.dumps({"auths": entries}))

    def _note(self, event: Event) -> None:
        if isinstance(event, Retrying):
            self.retries.append(event)


@pytest.fixture(params=["one user", "two users"])
def runs(request: pytest.FixtureRequest) -> _Runs:
    """Runs of one user, or of one who reads the images and another who writes the target."""
    one, two = {"": _WRITER}, {"base": _READER, "team": _WRITER}
    return _Runs(one if request.param == "one user" else two)


@asynccontextmanager
async def _token_server(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Give the URL of a server that always answers the same, and the requests that it gets.

    Args:
        answer: the answer; nothing for hanging up, None for silence.
    """
    asked: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await asyncio.sleep(60)
        writer.write(answer or b"")
        await writer.drain()

    async with speaking(handler) as host:
        yield f"http://{host}/token", asked


class _Down(Hook):
    """Answers token requests with 503, but for the first ones."""

    def __init__(self, *, but: int = 0) -> None:
        self.count = 0
        self._but = but

    async def before(self, request: Request) -> Response | None:
        if request.url.path != "/token":
            return None
        self.count += 1
        return Response(status_code=503) if self.count > self._but else None


async def test_a_token_server_that_answers_503_gets_five_requests_for_six_images(
    runs: _Runs,
) -> None:
    busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    async with _token_server(busy) as (realm, asked):
        error = await runs.failure(realm=realm)
    assert isinstance(error, ServerError)
    assert "token server" in error.message
    assert len(asked) == _ATTEMPTS
    assert len(runs.retries) == _ATTEMPTS - 1


async def test_a_token_server_that_hangs_up_gets_five_requests_for_six_images(
    runs: _Runs,
) -> None:
    async with _token_server(b"") as (realm, asked):
        error = await runs.failure(realm=realm)
    assert isinstance(error, TransportError)
    assert len(asked) == _ATTEMPTS
    assert len(runs.retries) == _ATTEMPTS - 1


async def test_a_token_server_at_a_dead_port_is_tried_five_times_for_six_images(
    runs: _Runs,
) -> None:
    with socket.socket() as held:  # bound, but it does not listen
        held.bind(("127.0.0.1", 0))
        error = await runs.failure(realm=f"http://127.0.0.1:{held.getsockname()[1]}/token")
    assert isinstance(error, TransportError)
    assert "could not connect" in error.message
    assert len(runs.retries) == _ATTEMPTS - 1


async def test_a_silent_token_server_gets_two_requests_for_six_images(runs: _Runs) -> None:
    async with _token_server(None) as (realm, asked):
        error = await runs.failure(realm=realm, timeout=0.2)
    assert isinstance(error, TransportError)
    assert "in time" in error.message
    assert len(asked) == 2


async def test_a_token_server_that_refuses_many_scopes_and_then_fails_is_retried_once_for_all(
    runs: _Runs,
) -> None:
    runs.tokens.max_scopes, runs.tokens.refuse_status = 1, 403
    down = _Down(but=1)
    runs.registry.hooks.append(down)
    error = await runs.failure()
    assert isinstance(error, ServerError)
    assert down.count == 1 + _ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_of_many_scopes_is_no_outage(status: int, runs: _Runs) -> None:
    runs.tokens.max_scopes, runs.tokens.refuse_status = 2, status
    with serve(runs.registry.app) as server:
        runs.log_in(server.host)
        async with oci_merge.AsyncClient() as client:
            result = await runs.merge(client, server.host)
    assert result.tags[0].changed
    assert runs.retries == []


async def test_the_next_run_asks_a_token_server_that_was_down(runs: _Runs) -> None:
    down = _Down()
    runs.registry.hooks.append(down)
    with serve(runs.registry.app) as server:
        runs.log_in(server.host)
        async with oci_merge.AsyncClient(retries=1) as client:
            with pytest.raises(ServerError):
                await runs.merge(client, server.host)
            assert down.count == 2
            runs.registry.hooks.clear()
            result = await runs.merge(client, server.host)
    assert result.tags[0].changed
