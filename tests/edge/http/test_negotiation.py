"""Finding out how a registry speaks: by one request, sent as often as the user allows."""

from __future__ import annotations

import asyncio
import socket

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.server import ServerTLS, serve
from oci_merge import Event, RegistryOptions, Retrying, TransportError
from oci_merge.http.message import Request
from oci_merge.http.session import Session
from oci_merge.http.timings import Timings
from oci_merge.http.transport import Transport
from tests.edge.support import Handler, relays, says, session, speaking

pytestmark = pytest.mark.anyio

_PING = Request("GET", "/v2/")
_ANSWER = 0.3


def _counted(starts: list[bytes], then: Handler) -> Handler:
    """Return a handler that notes how each connection starts before it goes on."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        starts.append(await reader.read(65536))
        await then(reader, writer)

    return handler


async def _hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def _is_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def _babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await writer.drain()


async def _failures(made: Session, count: int) -> set[str]:
    sending = (made.send(Request("GET", f"/v2/{number}")) for number in range(count))
    outcomes = await asyncio.gather(*sending, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TransportError}
    return {str(outcome) for outcome in outcomes}


@pytest.mark.parametrize("count", [1, 6])
async def test_a_registry_that_refuses_connections_is_tried_five_times(count: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
    events: list[Event] = []
    made = session(host, on_event=events.append)
    (message,) = await _failures(made, count)
    assert message.startswith(f"could not connect to {host}: ")
    assert [type(event) for event in events] == [Retrying] * 4
    await made.transport.aclose()


@pytest.mark.parametrize("count", [1, 6])
async def test_a_registry_that_speaks_no_http_gets_five_requests(count: int) -> None:
    starts: list[bytes] = []
    async with speaking(_counted(starts, _babbles)) as host:
        made = session(host)
        (message,) = await _failures(made, count)
        await made.transport.aclose()
    assert "broke off its answer" in message  # what plain HTTP met: it speaks no TLS
    assert [start[:1] for start in starts] == [b"G", b"\x16", b"G", b"G", b"G", b"G"]


async def test_a_registry_that_hangs_up_is_tried_over_one_scheme_in_each_retry() -> None:
    starts: list[bytes] = []
    async with speaking(_counted(starts, _hangs_up)) as host:
        made = session(host)
        await _failures(made, 6)
        await made.transport.aclose()
    assert [start[:1] for start in starts[:2]] == [b"G", b"\x16"]
    assert len(starts) == 2 + 4
    assert {start[:1] for start in starts[2:]} == {b"G", b"\x16"}


async def test_another_request_tries_both_schemes_anew() -> None:
    starts: list[bytes] = []
    async with speaking(_counted(starts, _hangs_up)) as host:
        transport = Transport(host, RegistryOptions(), Timings.for_tests())
        for _ in range(2):
            with pytest.raises(TransportError):
                await Session(transport, retries=0).send(Request("GET", "/v2/"))
        await transport.aclose()
    assert [start[:1] for start in starts] == [b"G", b"\x16"] * 2


async def test_a_silent_registry_is_given_up_after_twice_the_time_of_an_answer() -> None:
    starts: list[bytes] = []
    timings = Timings(answer=_ANSWER, brief=0.05, first_retry=0.001)
    async with speaking(_counted(starts, _is_silent)) as host:
        made = session(host, timings=timings)
        began = asyncio.get_running_loop().time()
        (message,) = await _failures(made, 6)
        took = asyncio.get_running_loop().time() - began
        await made.transport.aclose()
    assert "did not answer" in message
    assert [start[:1] for start in starts] == [b"G", b"\x16", b"G"]
    assert 2 * _ANSWER <= took < 3 * _ANSWER


async def test_first_requests_at_once_wait_for_one_and_are_all_sent(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    for wanted in (None, tls):
        registry.requests.clear()
        with serve(registry.app, tls=wanted) as server:
            made = session(server.host)
            replies = await asyncio.gather(*(made.send(_PING) for _ in range(8)))
            await made.transport.aclose()
        assert {reply.status for reply in replies} == {200}
        assert len(registry.requests) == 8


async def test_the_rest_waits_though_the_request_that_goes_ahead_is_given_up(
    registry: EmbeddedRegistry,
) -> None:
    starts: list[bytes] = []
    go = asyncio.Event()
    with serve(registry.app) as server:
        onward = relays(server.port, starts)

        async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await go.wait()
            await onward(reader, writer)

        async with speaking(held) as host:
            made = session(host)
            first = asyncio.create_task(made.send(_PING))
            await asyncio.sleep(0.01)
            other = asyncio.create_task(made.send(_PING))
            await asyncio.sleep(0.01)
            first.cancel()
            go.set()
            assert (await other).status == 200
            assert first.cancelled()
            await made.transport.aclose()


async def test_no_authorization_goes_over_plain_http_before_the_scheme_is_known() -> None:
    heads: list[bytes] = []
    async with speaking(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", heads=heads)) as host:
        made = session(host)
        secret = Request("GET", "/v2/", authorization="Bearer s3cret")
        await made.send(secret)
        await made.send(secret)
        await made.transport.aclose()
    assert [b"s3cret" in head for head in heads] == [False, True]
