"""Servers that say something all the time, and nothing of use: every request ends by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import repeat

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from h2.settings import SettingCodes
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, SettingsFrame

from fixtures.server import ServerTLS
from oci_merge import OciMergeError, TransportError
from oci_merge.http.message import Request
from oci_merge.http.timings import Timings
from tests.edge.support import Handler, session, speaking

pytestmark = pytest.mark.anyio

_GET = Request("GET", "/v2/", limit=4 * 1024 * 1024)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
#: The wait for one byte is longer than the pauses of the servers here: it ends nothing.
_WAIT = 0.2
_PAUSE = 0.02
#: The wait for a head or a slow body is a second or less.
_FAST = Timings(connect=0.1, answer=_WAIT, stream=_WAIT, brief=_WAIT, first_retry=0.001)
#: Whatever a server does, a request is over by then; the machine may be busy.
_MOST = 15.0


def _drips(parts: Iterator[bytes], *, pause: float = _PAUSE, start: bytes = b"") -> Handler:
    """Return a handler that reads a head, and then sends a part after each pause, or at once."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)

    return handler


def _head(text: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{text}\r\n".encode()


async def _fails(host: str, request: Request = _GET, *, timings: Timings = _FAST) -> str:
    """Send a request once that comes to nothing; return why."""
    made = session(host, plain_http=True, retries=0, timings=timings)
    began = time.monotonic()
    with pytest.raises(OciMergeError) as caught:
        await made.send(request)
    await made.transport.aclose()
    assert time.monotonic() - began < _MOST
    assert isinstance(caught.value, TransportError)
    return caught.value.message


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 2", b"0"),
        (_head("Content-Length: 1000000\r\n"), b"x"),
        (_head("Connection: close\r\n"), b"x"),
        (_head("Transfer-Encoding: chunked\r\n"), b"1\r\nx\r\n"),
        (_head("Transfer-Encoding: chunked\r\n") + b"5;x=", b"y"),
        (_head("Transfer-Encoding: chunked\r\n") + b"0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 60000\r\n\r\n", b"x"),
    ],
    ids=[
        "100",
        "102",
        "103",
        "headers",
        "a header",
        "status line",
        "body",
        "body to the end",
        "chunks",
        "chunk extension",
        "trailers",
        "error",
    ],
)
async def test_what_drips_ends_though_no_wait_for_a_byte_does(start: bytes, part: bytes) -> None:
    async with speaking(_drips(repeat(part), start=start)) as host:
        assert "did not answer" in await _fails(host) or part == b"0"


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000),
        (_head("Transfer-Encoding: chunked\r\n") + b"5;x=", b"y" * 1000),
        (_head("Transfer-Encoding: chunked\r\n") + b"0\r\n", b"X: y\r\n" * 100),
        (_head("Transfer-Encoding: chunked\r\n"), b"\r\n" * 1000),
    ],
    ids=["100", "103", "headers", "a header", "chunk extension", "trailers", "empty lines"],
)
async def test_what_floods_ends_by_its_length(start: bytes, part: bytes) -> None:
    async with speaking(_drips(repeat(part), pause=0, start=start)) as host:
        assert "did not answer" not in await _fails(host, timings=Timings())


async def test_a_streamed_body_that_drips_ends_too() -> None:
    taken: list[bytes] = []

    async def take(pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            taken.append(piece)

    start = _head("Content-Length: 1000000\r\n")
    async with speaking(_drips(repeat(b"x"), start=start)) as host:
        assert "did not answer" in await _fails(host, Request("GET", "/v2/", write_to=take))
    assert taken


async def test_what_a_consumer_takes_its_time_for_does_not_count() -> None:
    async def take(pieces: AsyncIterator[bytes]) -> None:
        async for _ in pieces:
            await asyncio.sleep(1.5 * _WAIT * _FAST.window)

    parts = iter([b"x"] * 3)
    async with speaking(_drips(parts, start=_head("Content-Length: 3\r\n"))) as host:
        made = session(host, plain_http=True, timings=_FAST)
        assert (await made.send(Request("GET", "/v2/", write_to=take))).status == 200
        await made.transport.aclose()


async def _reads_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readexactly(1)
        await asyncio.sleep(_PAUSE)


async def test_a_server_that_takes_an_upload_byte_by_byte_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    headers = {"Content-Length": str(1 << 40)}
    request = Request("PUT", "/v2/x", headers=headers, body_stream=endless)
    async with speaking(_reads_slowly) as host:
        assert "did not answer" in await _fails(host, request)


async def test_the_making_of_an_upload_does_not_count() -> None:
    async def takes_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\nxxx")
        writer.write(_OK)

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(1.5 * _WAIT * _FAST.window)
            yield b"x"

    headers = {"Content-Length": "3"}
    request = Request("PUT", "/v2/x", headers=headers, body_stream=slow)
    async with speaking(takes_all) as host:
        made = session(host, plain_http=True, timings=_FAST)
        assert (await made.send(request)).status == 200
        await made.transport.aclose()


async def test_a_long_manifest_on_a_slow_line_comes_through() -> None:
    """It takes several times what a body without progress may take."""
    piece = b"x" * 8192
    parts = iter([piece] * 128)
    start = _head(f"Content-Length: {len(piece) * 128}\r\n")
    timings = Timings(answer=2.0, window=0.5)
    async with speaking(_drips(parts, start=start)) as host:
        made = session(host, plain_http=True, timings=timings)
        began = time.monotonic()
        assert len((await made.send(_GET)).content) == len(piece) * 128
        assert time.monotonic() - began > timings.answer * timings.window
        await made.transport.aclose()


async def test_a_proxy_that_drips_its_answer_to_connect_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interim = repeat(b"HTTP/1.1 100 Continue\r\n\r\n")
    async with speaking(_drips(interim)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        made = session("reg.test", retries=0, timings=_FAST)
        async with asyncio.timeout(_MOST):
            with pytest.raises(TransportError, match="did not answer"):
                await made.send(_GET)
        await made.transport.aclose()


class _Http2:
    """A server that speaks HTTP/2 and sends frames for ever once a request has come.

    Args:
        frames: makes what is sent each time, from the connection and the request's stream.
        pause: seconds between them; 0 for a flood.
    """

    def __init__(self, frames: Callable[[H2Connection, int], bytes], pause: float) -> None:
        self._frames = frames
        self._pause = pause

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = H2Connection(config=H2Configuration(client_side=False, header_encoding="utf-8"))
        wire.initiate_connection()
        writer.write(wire.data_to_send())
        stream = 0
        while not stream:
            for event in wire.receive_data(await reader.read(65536)):
                if isinstance(event, RequestReceived):
                    stream = event.stream_id
            writer.write(wire.data_to_send())
        listening = asyncio.create_task(self._listen(reader))
        try:
            while True:
                writer.write(self._frames(wire, stream))
                await writer.drain()
                await asyncio.sleep(self._pause)
        finally:
            listening.cancel()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while await reader.read(65536):
            pass


def _ping(wire: H2Connection, stream: int) -> bytes:
    wire.ping(b"12345678")
    return wire.data_to_send()


def _settings(wire: H2Connection, stream: int) -> bytes:
    return SettingsFrame(0, settings={SettingCodes.INITIAL_WINDOW_SIZE: 65535}).serialize()


def _no_streams(wire: H2Connection, stream: int) -> bytes:
    return SettingsFrame(0, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 0}).serialize()


def _interim(wire: H2Connection, stream: int) -> bytes:
    wire.send_headers(stream, [(":status", "103"), ("link", "</x>")])
    return wire.data_to_send()


def _empty_data(wire: H2Connection, stream: int) -> bytes:
    if not wire.streams[stream].state_machine.headers_sent:
        wire.send_headers(stream, [(":status", "200")])
    return wire.data_to_send() + DataFrame(stream, b"").serialize()


def _unknown(wire: H2Connection, stream: int) -> bytes:
    return b"\x00\x00\x00\xfa\x00\x00\x00\x00\x00"  # of a type that nobody knows


class _Continues:
    """Sends a block of headers that never ends (CONTINUATION flood)."""

    def __init__(self) -> None:
        self._has_begun = False

    def __call__(self, wire: H2Connection, stream: int) -> bytes:
        if self._has_begun:
            return ContinuationFrame(stream, b"").serialize()
        self._has_begun = True
        return HeadersFrame(stream, b"\x88").serialize()  # :status 200, and more to come


_FRAMES = [_ping, _settings, _no_streams, _interim, _empty_data, _unknown]


async def _fails_over_http2(handler: Handler, tls: ServerTLS, timings: Timings) -> str:
    context = tls.context()
    context.set_alpn_protocols(["h2"])
    async with speaking(handler, context) as at:
        made = session(at, retries=0, timings=timings)
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            await made.send(_GET)
        await made.transport.aclose()
    assert time.monotonic() - began < _MOST
    return caught.value.message


@pytest.mark.parametrize("frames", _FRAMES, ids=lambda made: made.__name__.strip("_"))
async def test_frames_that_drip_end_though_no_wait_for_a_byte_does(
    frames: Callable[[H2Connection, int], bytes], tls: ServerTLS
) -> None:
    said = await _fails_over_http2(_Http2(frames, _PAUSE), tls, _FAST)
    assert "did not answer" in said


@pytest.mark.parametrize("frames", _FRAMES, ids=lambda made: made.__name__.strip("_"))
async def test_frames_that_flood_end_by_their_length(
    frames: Callable[[H2Connection, int], bytes], tls: ServerTLS
) -> None:
    def many(wire: H2Connection, stream: int) -> bytes:
        return b"".join(frames(wire, stream) for _ in range(500))

    await _fails_over_http2(_Http2(many, 0), tls, Timings())


@pytest.mark.parametrize("pause", [0, _PAUSE], ids=["flood", "drip"])
async def test_headers_that_are_continued_for_ever_end(pause: float, tls: ServerTLS) -> None:
    await _fails_over_http2(_Http2(_Continues(), pause), tls, _FAST)


async def test_a_server_that_takes_streams_away_from_requests_under_way_ends_none_for_ever(
    tls: ServerTLS,
) -> None:
    """The client waits for streams to end that only it can read the end of."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = H2Connection(config=H2Configuration(client_side=False, header_encoding="utf-8"))
        wire.initiate_connection()
        writer.write(wire.data_to_send())
        count = 0
        while data := await reader.read(65536):
            for event in wire.receive_data(data):
                if isinstance(event, RequestReceived):
                    count += 1
                    if count == 1:
                        wire.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
                    if count == 9:
                        wire.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
            writer.write(wire.data_to_send())
            await writer.drain()

    context = tls.context()
    context.set_alpn_protocols(["h2"])
    async with speaking(handler, context) as at:
        made = session(at, retries=0, timings=_FAST)
        await made.send(_GET)
        async with asyncio.timeout(_MOST):
            many = (made.send(_GET) for _ in range(8))
            outcomes = await asyncio.gather(*many, return_exceptions=True)
        await made.transport.aclose()
    assert {type(outcome) for outcome in outcomes} == {TransportError}
