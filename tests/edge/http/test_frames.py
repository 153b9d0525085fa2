"""How many of our functions a request passes: one method a layer, so that each has one question."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import httpx
import pytest

import oci_merge
from fixtures.server import RunningServer
from oci_merge.http.connections import Connections
from oci_merge.http.message import Request
from tests.edge.support import session

pytestmark = pytest.mark.anyio

_Stacks = list[list[str]]


def _our_frames() -> list[str]:
    """Return our functions that are running, from the first to the last."""
    found = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("oci_merge."):
            found.append(f"{module.removeprefix('oci_merge.')}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return found[::-1]


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> _Stacks:
    """Our frames of each request that reaches the httpx transport, that one included."""
    seen: _Stacks = []
    handle: Callable[..., object] = Connections.handle_async_request

    async def noted(self: Connections, request: httpx.Request) -> object:
        seen.append([*_our_frames(), "http.connections:Connections.handle_async_request"])
        return await handle(self, request)  # type: ignore[misc]

    monkeypatch.setattr(Connections, "handle_async_request", noted)
    return seen


async def test_a_request_passes_one_method_of_session_transport_and_connections(
    server: RunningServer, stacks: _Stacks
) -> None:
    made = session(server.host, plain_http=True)
    await made.send(Request("GET", "/v2/"))
    await made.transport.aclose()
    assert stacks == [
        [
            "http.session:Session.send",
            "http.transport:Transport.send",
            "http.connections:Connections.handle_async_request",
        ]
    ]


@pytest.mark.parametrize("plain_http", [False, True])
async def test_a_request_passes_at_most_eight_of_our_frames(
    server: RunningServer, stacks: _Stacks, plain_http: bool
) -> None:
    async with oci_merge.AsyncClient(plain_http=plain_http) as client:
        await client.inspect(f"{server.host}/team/app-amd64:1.0", shallow=True)
        await client.inspect(f"{server.host}/team/app-arm64:1.0", shallow=True)
    assert stacks
    assert max(len(stack) for stack in stacks) <= 8, stacks
