"""A connection that is begun before there is a client, and who takes it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import httpcore
import pytest

import oci_merge
from fixtures.server import serve
from oci_merge.http import early
from oci_merge.http.dialer import Dialer
from oci_merge.http.timings import Timings
from tests.edge.support import relays, speaking, stocked, until

pytestmark = pytest.mark.anyio

_BRIEF = Timings(next_address=0.05)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a connection to another one."""
    yield
    for address in list(early._begun):
        begun = early.take_early(*address)
        assert begun is not None
        begun.give_up()


class _Server:
    """A server that counts the connections that came and those that are open."""

    def __init__(self, greeting: bytes = b"", *, hangs_up: bool = False) -> None:
        self.came = 0
        self.open = 0
        self._greeting = greeting
        self._hangs_up = hangs_up

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        self.open += 1
        writer.write(self._greeting)
        if not self._hangs_up:
            await reader.read()
        self.open -= 1


async def _connected(dialer: Dialer, at: str) -> httpcore.AsyncNetworkStream:
    host, _, port = at.rpartition(":")
    return await dialer.connect_tcp(host, int(port), 5)


def test_the_longest_age_is_that_of_the_timings() -> None:
    assert Timings().ahead == early._LONGEST


def _dialer(at: str, timings: Timings | None = None) -> Dialer:
    host, _, port = at.rpartition(":")
    return Dialer(host, int(port), timings or Timings())


async def test_the_first_connection_is_the_one_that_was_begun_early() -> None:
    server = _Server()
    async with speaking(server) as at:
        oci_merge.connect_early(f"{at}/team/img-ARCH:1.0")
        assert await until(lambda: server.came == 1)
        dialer = _dialer(at)
        first = await _connected(dialer, at)
        assert server.came == 1
        second = await _connected(dialer, at)
        assert await until(lambda: server.came == 2)
        await first.aclose()
        await second.aclose()


async def test_a_registry_that_is_named_twice_gets_one_connection() -> None:
    server = _Server()
    async with speaking(server) as at:
        oci_merge.connect_early(f"{at}/team/a:1")
        oci_merge.connect_early(f"{at}/team/b:1")
        stream = await _connected(_dialer(at), at)
        assert await until(lambda: server.came == 1)
        await stream.aclose()


async def test_one_that_is_still_being_opened_is_waited_for() -> None:
    server = _Server()
    async with speaking(server) as at:
        oci_merge.connect_early(f"{at}/team/a:1")
        stream = await _connected(_dialer(at), at)
        assert await until(lambda: server.came == 1)
        await stream.aclose()


@pytest.mark.parametrize("server", [_Server(b"220 mail"), _Server(hangs_up=True)])
async def test_one_over_which_the_server_has_spoken_or_hung_up_is_not_used(
    server: _Server,
) -> None:
    async with speaking(server) as at:
        oci_merge.connect_early(f"{at}/team/a:1")
        opened = next(iter(early._begun.values())).opened
        await asyncio.wrap_future(opened)
        assert await until(lambda: not early.is_usable(opened.result()))
        stream = await _connected(_dialer(at), at)
        assert await until(lambda: server.came == 2)
        await stream.aclose()


async def test_one_that_is_too_old_is_closed() -> None:
    server = _Server()
    async with speaking(server) as at:
        oci_merge.connect_early(f"{at}/team/a:1")
        assert await until(lambda: server.open == 1)
        stream = await _connected(_dialer(at, Timings(ahead=0)), at)
        assert await until(lambda: (server.came, server.open) == (2, 1))
        await stream.aclose()


@pytest.mark.parametrize("is_old", [False, True])
async def test_one_that_is_over_gives_way_to_a_new_one(
    monkeypatch: pytest.MonkeyPatch, is_old: bool
) -> None:
    server = _Server(hangs_up=not is_old)
    async with speaking(server) as at:
        oci_merge.connect_early(f"{at}/team/a:1")
        begun = next(iter(early._begun.values()))
        first = await asyncio.wrap_future(begun.opened)
        if is_old:
            monkeypatch.setattr(early, "_LONGEST", 0)
        assert await until(lambda: begun.is_over(early._LONGEST))
        oci_merge.connect_early(f"{at}/team/a:1")
        assert first.fileno() == -1
        assert await until(lambda: server.came == 2)


async def test_one_that_failed_gives_way_to_a_new_one() -> None:
    async with speaking(_Server()) as at:
        pass
    oci_merge.connect_early(f"{at}/team/a:1")
    begun = next(iter(early._begun.values()))
    assert await until(lambda: begun.is_over(early._LONGEST))
    oci_merge.connect_early(f"{at}/team/a:1")
    assert next(iter(early._begun.values())) is not begun


async def test_one_that_takes_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may have an address that leads nowhere."""
    server = _Server()
    connect = socket.create_connection
    let_go = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(address: tuple[str, int], timeout: float) -> socket.socket:
        asyncio.run_coroutine_threadsafe(let_go.wait(), loop).result()
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", slow)
    async with speaking(server) as at:
        oci_merge.connect_early(f"{at}/team/a:1")
        stream = await _connected(_dialer(at, _BRIEF), at)
        assert server.came == 1
        let_go.set()  # what opens late is closed
        assert await until(lambda: (server.came, server.open) == (2, 1))
        await stream.aclose()


async def test_one_that_fails_leaves_the_failure_to_the_request() -> None:
    async with speaking(_Server()) as at:
        pass
    oci_merge.connect_early(f"{at}/team/a:1")
    with pytest.raises(httpcore.ConnectError):
        await _connected(_dialer(at), at)


@pytest.mark.parametrize("text", ["", "/", "reg example/x", "https://reg.example/x", "a.b:0/x"])
def test_what_names_no_registry_is_left_alone(text: str) -> None:
    oci_merge.connect_early(text)
    assert early._begun == {}


def test_where_a_proxy_leads_there_nothing_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    oci_merge.connect_early("reg.example/x")
    assert early._begun == {}


@pytest.mark.parametrize(
    ("reference", "plain_http", "address"),
    [
        ("reg.example/x-ARCH", False, ("reg.example", 443)),
        ("reg.example/x", True, ("reg.example", 80)),
        ("reg.example:5000/x", False, ("reg.example", 5000)),
        ("[::1]:5000/x", False, ("::1", 5000)),
        ("localhost/x", False, ("localhost", 80)),
        ("team/app", False, ("registry-1.docker.io", 443)),
        ("alpine:3", False, ("registry-1.docker.io", 443)),
    ],
)
def test_the_registry_s_address_is_that_of_its_client(
    monkeypatch: pytest.MonkeyPatch, reference: str, plain_http: bool, address: tuple[str, int]
) -> None:
    def refuse(address: tuple[str, int], timeout: float) -> socket.socket:
        raise OSError("no network here")

    monkeypatch.setattr(socket, "create_connection", refuse)
    oci_merge.connect_early(reference, plain_http=plain_http)
    assert list(early._begun) == [address]


async def test_the_first_request_of_a_client_goes_over_the_connection() -> None:
    starts: list[bytes] = []
    with serve(stocked().app) as server:
        async with speaking(relays(server.port, starts)) as at:
            image = f"{at}/team/app-amd64:1.0"
            oci_merge.connect_early(image)
            await oci_merge.inspect_async(image, timeout=5)
    assert early._begun == {}
    assert [start[:4] for start in starts] == [b"GET "]
