"""Registries that do not answer, or not as HTTP has it: each is a TransportError that says so."""

from __future__ import annotations

import asyncio
import errno
import gzip
import socket
import struct
import time
from typing import Any

import httpx
import pytest
import trustme
from starlette.requests import Request as ServerRequest
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.server import RunningServer, ServerTLS, serve
from oci_merge import (
    DigestMismatchError,
    ManifestError,
    NotFoundError,
    TransportError,
)
from oci_merge.http.message import Request
from oci_merge.http.message import Response as Answer
from oci_merge.registry.manifests import ManifestClient
from tests.edge.support import (
    IMAGES,
    OLD,
    add_old,
    asks,
    merge,
    opened,
    reference,
    relays,
    says,
    session,
    speaking,
    tags,
)

_PING = Request("GET", "/v2/")
_IMPATIENT: dict[str, Any] = {"timeout": 0.2, "retries": 0}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def _ask(host: str, **options: Any) -> Answer:
    asked = session(host, plain_http=True, **options)
    try:
        return await asked.send(_PING)
    finally:
        await asked.transport.aclose()


def _unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def _is_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def _resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


def test_a_refused_connection_names_the_registry_and_says_what_to_check() -> None:
    host = f"127.0.0.1:{_unused_port()}"
    with pytest.raises(TransportError, match=f"could not connect to {host}: ") as caught:
        merge(host)
    assert "name and port" in caught.value.hint


def test_a_name_that_does_not_resolve_is_a_transport_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(TransportError, match=r"could not connect to reg\.test: ") as caught:
        merge("reg.test")
    assert "name and port" in caught.value.hint


def test_a_network_that_is_unreachable_is_a_transport_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(asyncio, "open_connection", fails)
    with pytest.raises(TransportError, match=r"reg\.test: network is unreachable"):
        merge("reg.test")


@pytest.mark.anyio
async def test_a_registry_that_stays_silent_is_given_up() -> None:
    async with speaking(_is_silent) as host:
        with pytest.raises(TransportError, match=f"{host} did not answer GET /v2/ in time") as got:
            await _ask(host, timeout=0.2, retries=0)
    assert "try again" in got.value.hint


def test_a_registry_that_stays_silent_is_tried_once_for_all_requests() -> None:
    starts: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        starts.append(await reader.read(65536))
        await _is_silent(reader, writer)

    async def scenario() -> None:
        async with speaking(handler) as host:
            template = f"{host}/team/app-ARCHVARIANT:1.0"
            options = {"template": template, "tags": ["a", "b"], **_IMPATIENT}
            await asyncio.to_thread(merge, host, **options)

    began = time.monotonic()
    with pytest.raises(TransportError, match="did not answer"):
        asyncio.run(scenario())
    assert len([start for start in starts if start.startswith(b"\x16")]) == 1
    assert time.monotonic() - began < 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\xff\x00\xff" * 100,
        b"HTTP/1.1 two-hundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_transport_error_on_one_line(content: bytes) -> None:
    async with speaking(says(content)) as host:
        with pytest.raises(TransportError, match=host) as caught:
            await _ask(host)
    assert str(caught.value).isprintable()
    assert caught.value.hint


@pytest.mark.anyio
async def test_a_connection_that_is_reset_within_a_body_is_a_transport_error() -> None:
    async with speaking(_resets) as host:
        with pytest.raises(TransportError, match=f"{host} broke off its answer to GET /v2/"):
            await _ask(host)


@pytest.mark.anyio
async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async with speaking(says(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as host:
        assert (await _ask(host)).content == b"all of it"


@pytest.mark.anyio
async def test_the_cause_of_a_transport_error_is_kept() -> None:
    with pytest.raises(TransportError) as caught:
        await asyncio.to_thread(merge, f"127.0.0.1:{_unused_port()}")
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


class _Flood:
    """A server that sends 64 MiB, and counts what is taken of it."""

    def __init__(self, status: str) -> None:
        self.taken = 0
        self._status = status

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {self._status}\r\nContent-Length: {64 * 2**20}\r\n\r\n"
        writer.write(head.encode())
        for _ in range(1024):
            writer.write(b" " * 65536)
            await writer.drain()
            self.taken += 65536


@pytest.mark.anyio
async def test_a_manifest_of_64_mib_is_not_read_to_its_end() -> None:
    flood = _Flood("200 OK")
    async with speaking(flood) as host, opened(host) as asked:
        with pytest.raises(ManifestError, match="sends more than 4194304 bytes") as caught:
            await ManifestClient(asked).get(reference(host=host))
    assert caught.value.hint
    assert flood.taken < 32 * 2**20  # what lay in buffers on the way is on top of the 4 MiB


@pytest.mark.anyio
async def test_an_error_of_64_mib_is_an_error_with_its_status_and_not_read_either() -> None:
    flood = _Flood("404 Not Found")
    async with speaking(flood) as host, opened(host) as asked:
        with pytest.raises(NotFoundError, match="was not found"):
            await ManifestClient(asked).get(reference(host=host))
    assert flood.taken < 32 * 2**20


def test_a_compressed_manifest_is_not_what_its_digest_names(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    class _Compresses(Hook):
        async def after(self, request: ServerRequest, response: Response) -> Response:
            if not asks("GET", "/app-amd64/manifests/")(request):
                return response
            headers = dict(response.headers) | {"content-encoding": "gzip"}
            del headers["content-length"]
            return Response(gzip.compress(bytes(response.body)), 200, headers)

    registry.hooks.append(_Compresses())
    add_old(registry, "latest")
    with pytest.raises(DigestMismatchError, match=r"the manifest of .*app-amd64:1\.0 should be"):
        merge(server.host)
    assert tags(registry) == {"latest": OLD.digest}
    assert {seen.headers["accept-encoding"] for seen in registry.requests} == {"identity"}


def test_a_proxy_is_not_asked_for_a_registry_of_this_machine(
    registry: EmbeddedRegistry, tls: ServerTLS, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = f"http://127.0.0.1:{_unused_port()}"
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, nobody)
    for wanted in (None, tls):
        with serve(registry.app, tls=wanted) as server:
            merge(server.host)
            merge(f"localhost:{server.port}")


@pytest.mark.anyio
async def test_a_proxy_is_asked_for_a_registry_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with speaking(says(ok, heads=heads)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}")
        assert (await _ask("reg.test")).status == 200
    assert heads[0].startswith(b"GET http://reg.test/v2/ HTTP/1.1\r\n")


@pytest.mark.anyio
async def test_a_registry_is_spoken_to_over_tls_within_the_tls_of_a_proxy(
    registry: EmbeddedRegistry,
    authority: trustme.CA,
    tls: ServerTLS,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The registry and the proxy are trusted by the same settings."""
    starts: list[bytes] = []
    leaf = authority.issue_cert("reg.test")
    shown = ServerTLS(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())
    with serve(registry.app, tls=shown) as server:
        onward = relays(server.port, starts)

        async def tunnels(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"CONNECT reg.test:443 ")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await onward(reader, writer)

        async with speaking(tunnels, tls.context()) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"https://{proxy}")
            asked = session("reg.test")
            replies = [await asked.send(_PING) for _ in range(2)]
            await asked.transport.aclose()
    assert [reply.status for reply in replies] == [200, 200]
    assert starts
    assert all(start.startswith(b"\x16\x03") for start in starts)


@pytest.mark.parametrize(
    "proxy", ["socks4://p4ss:w0rd@proxy.test", "http://me:p4ss/w0rd@proxy.test", "nonsense://p4ss"]
)
def test_a_proxy_that_cannot_be_used_is_a_transport_error_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    for options in ({}, {"plain_http": True}):
        with pytest.raises(TransportError, match="a proxy that the environment names") as caught:
            merge("reg.test", **options)
        assert "ALL_PROXY" in caught.value.hint
        assert "p4ss" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_requests_say_which_program_sends_them_and_carry_no_cookie(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    class _SetsCookies(Hook):
        async def after(self, request: ServerRequest, response: Response) -> Response:
            response.headers["set-cookie"] = "session=1; Path=/"
            return response

    registry.hooks.append(_SetsCookies())
    merge(server.host)
    assert len(registry.requests) > 2 * len(IMAGES)
    for seen in registry.requests:
        assert seen.headers["user-agent"].startswith("oci-merge/")
        assert "cookie" not in seen.headers


@pytest.mark.anyio
async def test_a_connection_that_the_registry_closes_when_idle_is_opened_again() -> None:
    heads: list[bytes] = []
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with speaking(says(ok, heads=heads)) as host:
        asked = session(host, plain_http=True)
        for _ in range(3):
            assert (await asked.send(_PING)).status == 200
        await asked.transport.aclose()
    assert len(heads) == 3


@pytest.mark.anyio
async def test_a_tls_server_that_hangs_up_in_the_handshake_is_a_transport_error(
    authority: trustme.CA,
) -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with speaking(hangs_up) as host:
        asked = session(host)
        with pytest.raises(TransportError, match=f"could not connect to {host}"):
            await asked.send(_PING)
        await asked.transport.aclose()


@pytest.mark.anyio
async def test_only_the_request_that_goes_ahead_is_alone(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    starts: list[bytes] = []
    with serve(registry.app, tls=tls) as server:
        async with speaking(relays(server.port, starts)) as host:
            asked = session(host)
            await asyncio.gather(*(asked.send(_PING) for _ in range(8)))
            await asked.transport.aclose()
    assert len(starts) <= 1 + 8
    assert len(registry.requests) == 8
