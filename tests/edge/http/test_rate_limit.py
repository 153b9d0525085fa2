"""How fast requests go to a registry: as fast as the caller lets them, and as it asks."""

from __future__ import annotations

import asyncio
import time

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.server import RunningServer
from oci_merge import RegistryOptions
from oci_merge.http.message import Request
from tests.edge.support import Answers, asks, merge, reply, session, with_tokens

pytestmark = pytest.mark.anyio

_PING = Request("GET", "/v2/")


async def test_no_more_requests_go_in_a_second_than_the_rate(server: RunningServer) -> None:
    made = session(server.host, plain_http=True, rate=20)
    began = time.monotonic()
    await asyncio.gather(*(made.send(_PING) for _ in range(41)))
    assert 2 <= time.monotonic() - began < 4
    await made.transport.aclose()


async def test_the_rate_is_one_for_all_merges_of_a_client(
    server: RunningServer, registry: EmbeddedRegistry, waits: list[float]
) -> None:
    async with oci_merge.AsyncClient(rate=10) as client:
        await asyncio.gather(
            *(client.inspect(f"{server.host}/team/app-amd64:1.0") for _ in range(10))
        )
    # 20 requests: 10 at once, and 10 a second later, but for what the run itself took.
    assert len(registry.requests) == 20
    assert len(waits) == 10
    assert 0.5 < max(waits) <= 1


async def test_where_one_request_is_told_to_wait_those_behind_it_wait_as_well(
    server: RunningServer, registry: EmbeddedRegistry, waits: list[float]
) -> None:
    busy = Answers(asks("GET", "/busy/"), reply(429, b"{}", retry_after="7"), times=1)
    registry.hooks.append(busy)
    made = session(server.host, plain_http=True)
    await made.send(Request("GET", "/v2/busy/manifests/1"))
    assert waits == [7.0]
    await made.send(_PING)
    assert len(waits) == 2
    assert 6 < waits[1] <= 7 * 1.25
    await made.transport.aclose()


async def test_another_host_s_429_holds_nobody_up(
    server: RunningServer, registry: EmbeddedRegistry, waits: list[float]
) -> None:
    tokens = with_tokens()
    registry.settings.auth = tokens
    busy = Answers(asks("GET", "/token"), reply(429, b"{}", retry_after="5"), times=1)
    registry.hooks.append(busy)
    made = session("localhost:1", plain_http=True)
    await made.send(Request("GET", f"{server.url}/token"))
    assert waits == [5.0]
    assert made.transport.rate_limiter.held(time.monotonic()) == 0
    await made.transport.aclose()


def test_a_turn_that_comes_after_the_deadline_is_not_waited_for(server: RunningServer) -> None:
    began = time.monotonic()
    with pytest.raises(oci_merge.TransportError, match="its turn to ask") as caught:
        merge(server.host, rate=0.1, deadline=0.3)
    assert time.monotonic() - began < 5
    assert caught.value.hint


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_rate_that_cannot_be_is_wrong_usage(rate: float) -> None:
    with pytest.raises(oci_merge.UsageError, match="rate must be more than 0"):
        RegistryOptions(rate=rate)
