"""A pool whose connections expire, or cannot be closed properly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpcore
import pytest

from oci_merge.http.pool import Pool

pytestmark = pytest.mark.anyio


class _Connection(httpcore.AsyncConnectionInterface):
    """A connection of HTTP/1.1 to nowhere."""

    def __init__(self, closing: Exception | None = None) -> None:
        self.has_come = False
        self.is_busy = False
        self.is_old = False
        self.is_ended = False
        self._closing = closing

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        self.has_come = self.is_busy = True
        return httpcore.Response(200, content=_Body(self))

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.is_ended = True
        if self._closing is not None:
            raise self._closing

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return True

    def is_available(self) -> bool:
        return self.has_come and not self.is_busy and not self.is_ended

    def has_expired(self) -> bool:
        return self.is_old

    def is_idle(self) -> bool:
        return self.has_come and not self.is_busy

    def is_closed(self) -> bool:
        return self.is_ended

    def info(self) -> str:
        return "HTTP/1.1"


class _Body:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""

    async def aclose(self) -> None:
        self._connection.is_busy = False


def _pool(*connections: _Connection) -> Pool:
    following = iter(connections)
    return Pool(lambda _: next(following))


async def _ask(pool: Pool) -> httpcore.Response:
    return await pool.handle_async_request(httpcore.Request("GET", "http://reg.test/v2/"))


async def test_a_request_may_take_the_last_free_connection_while_an_expired_one_is_closed() -> None:
    expired, good = _Connection(), _Connection()
    pool = _pool(expired, good)
    responses = [await _ask(pool) for _ in range(2)]
    await responses[0].aclose()
    expired.is_old = True
    _, third = await asyncio.gather(responses[1].aclose(), _ask(pool))
    assert expired.is_ended
    assert good.is_busy
    await third.aclose()
    await pool.aclose()


@pytest.mark.parametrize(
    "harmless", [ConnectionResetError(), httpcore.WriteError(), httpcore.LocalProtocolError()]
)
async def test_a_connection_that_cannot_be_closed_holds_up_no_other(harmless: Exception) -> None:
    connections = [_Connection(harmless) for _ in range(3)]
    pool = _pool(*connections)
    for _ in connections:
        await _ask(pool)
    await pool.aclose()
    assert all(connection.is_ended for connection in connections)


async def test_what_is_no_error_of_the_network_is_raised_when_all_are_closed() -> None:
    connections = [_Connection(LookupError("a bug")) for _ in range(3)]
    pool = _pool(*connections)
    for _ in connections:
        await _ask(pool)
    with pytest.raises(LookupError, match="a bug"):
        await pool.aclose()
    assert all(connection.is_ended for connection in connections)
