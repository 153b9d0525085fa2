"""A bug of ours shows as itself; a server's nonsense never looks like one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import hpack
import httpcore
import pytest
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

import oci_merge
from fixtures.server import RunningServer, ServerTLS
from oci_merge.errors import OciMergeError
from oci_merge.http.dialer import Dialer
from oci_merge.http.message import Request, Response
from oci_merge.http.pool import Pool
from tests.edge.support import merge, session, speaking

_ERRORS = [TypeError, ValueError, KeyError, AttributeError, RuntimeError]


@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize(
    "where", [(Pool, "_take"), (Dialer, "connect_tcp")], ids=["pool", "dialer"]
)
def test_a_bug_of_ours_is_neither_an_outage_nor_retried(
    where: tuple[type, str],
    error: type[Exception],
    server: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[oci_merge.Event] = []

    async def has_a_bug(*_: object, **__: object) -> None:
        raise error("a bug")

    monkeypatch.setattr(*where, has_a_bug)
    with pytest.raises(error, match="a bug"):
        merge(server.host, on_event=events.append)
    assert not [event for event in events if isinstance(event, oci_merge.Retrying)]


class _Scripted(httpcore.AsyncNetworkStream):
    """A connection on which a server says what was written down for it, and hangs up."""

    def __init__(self, pieces: list[bytes], *, is_http2: bool) -> None:
        self._pieces = list(pieces)
        self._is_http2 = is_http2

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        await asyncio.sleep(0)
        return self._pieces.pop(0) if self._pieces else b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        pass

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> _Scripted:
        return self

    def get_extra_info(self, info: str) -> object:
        return self if info == "ssl_object" and self._is_http2 else None

    def selected_alpn_protocol(self) -> str:
        return "h2"


def _ask(pieces: list[bytes], method: str, *, is_http2: bool) -> Response | OciMergeError:
    async def connect(*_: object, **__: object) -> _Scripted:
        return _Scripted(pieces, is_http2=is_http2)

    async def scenario() -> Response | OciMergeError:
        made = session("reg.test", retries=0)
        content = b"{}" if method == "PUT" else b""
        try:
            return await made.send(Request(method, "/v2/", content=content))
        except OciMergeError as error:
            return error
        finally:
            await made.transport.aclose()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dialer, "connect_tcp", connect)
        return asyncio.run(scenario())


_METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT"])
_WORDS = [b"HTTP/1.1 ", b"HTTP/1.0 ", b"200", b"100", b"101", b"99", b" OK", b"\r\n", b"\n", b"\r"]
_WORDS += [b"Content-Length: ", b"Transfer-Encoding: chunked", b"5", b"-1", b"\x00", b"\xff", b":"]
_WORDS += [b"Location: ", b"https://[", b"//\xc3\xbc..\x7f", b"Connection: close", b"9" * 30]


@given(st.lists(st.sampled_from(_WORDS) | st.binary(max_size=4), max_size=20), _METHODS)
def test_no_bytes_of_an_http1_server_look_like_a_bug(words: list[bytes], method: str) -> None:
    _ask([b"".join(words)], method, is_http2=False)
    _ask([b"HTTP/1.1 302 Found\r\n", *words, b"\r\n\r\n"], method, is_http2=False)


_NAMES = st.sampled_from([":status", "content-length", "location", "", "X-Up", ":path", "x"])
_VALUES = st.sampled_from(["200", "abc", "", "99999", "-1", "100", "302", "\x00", "2 00", "//ü"])
_STREAMS = st.sampled_from([1, 1, 1, 3, 0, 2])
_HEADERS = st.builds(
    lambda pairs, stream, flags: HeadersFrame(
        stream, hpack.Encoder().encode(pairs), flags=["END_HEADERS", *flags]
    ),
    st.lists(st.tuples(_NAMES, _VALUES), max_size=4),
    st.sampled_from([1, 1, 3]),
    st.sampled_from([[], ["END_STREAM"]]),
)
_FRAMES: st.SearchStrategy[Frame] = st.one_of(
    _HEADERS,
    st.just(HeadersFrame(1, hpack.Encoder().encode([(":status", "200")]), flags=["END_HEADERS"])),
    st.builds(
        lambda data, flags: DataFrame(1, data, flags=flags),
        st.binary(max_size=9),
        st.sampled_from([[], ["END_STREAM"]]),
    ),
    st.builds(lambda code: RstStreamFrame(1, error_code=code), st.sampled_from([0, 1, 7, 99])),
    st.builds(lambda last: GoAwayFrame(0, last_stream_id=last), st.sampled_from([0, 1, 9])),
    st.builds(
        lambda by: WindowUpdateFrame(0, window_increment=by), st.sampled_from([1, 2**31 - 1])
    ),
    st.builds(
        lambda key, value: SettingsFrame(0, settings={key: value}),
        st.integers(1, 6),
        st.sampled_from([0, 1, 100, 2**31 - 1]),
    ),
)


@given(st.lists(_FRAMES.map(Frame.serialize) | st.binary(max_size=20), max_size=8), _METHODS)
def test_no_frames_of_an_http2_server_look_like_a_bug(frames: list[bytes], method: str) -> None:
    _ask([SettingsFrame(0).serialize(), *frames], method, is_http2=True)
    _ask([b"".join([SettingsFrame(0).serialize(), *frames])], method, is_http2=True)


def test_a_status_that_is_no_number_is_an_outage() -> None:
    headers = hpack.Encoder().encode([(":status", "abc")])
    frame = HeadersFrame(1, headers, flags=["END_HEADERS", "END_STREAM"])
    outcome = _ask([SettingsFrame(0).serialize(), frame.serialize()], "GET", is_http2=True)
    assert isinstance(outcome, oci_merge.TransportError)
    assert outcome.hint


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["a..b.test", ".reg.test", "x" * 64 + ".test"])
async def test_a_host_that_is_no_name_is_an_outage(host: str, tls: ServerTLS) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: https://{host}/\r\nContent-Length: 0\r\n\r\n"

    async def redirects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())
        await writer.drain()

    async with speaking(redirects) as at:
        made = session(at, plain_http=True)
        with pytest.raises(oci_merge.TransportError):
            await made.send(Request("GET", "/v2/"))
        await made.transport.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("error", [FileNotFoundError(2, "a bug"), BrokenPipeError(32, "a bug")])
async def test_an_os_error_of_the_code_that_makes_a_body_is_no_outage(error: OSError) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        raise error

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with speaking(waits) as host:
        made = session(host, plain_http=True)
        request = Request("PUT", "/v2/x", headers={"Content-Length": "2"}, body_stream=body)
        with pytest.raises(OSError, match="a bug"):
            await made.send(request)
        await made.transport.aclose()
