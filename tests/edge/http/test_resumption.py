"""TLS sessions are resumed: with the same host and the same settings, and nowhere else."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trustme

from oci_merge.http.message import Request
from oci_merge.http.tls import Trust, public_context
from tests.edge.support import session, speaking

pytestmark = pytest.mark.anyio

_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
_PING = Request("GET", "/v2/")


def _server(
    authority: trustme.CA, *names: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    authority.issue_cert(*names).configure_cert(context)
    return context


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()


@asynccontextmanager
async def _serving(context: ssl.SSLContext) -> AsyncIterator[int]:
    async with speaking(_answer, context) as host:
        yield int(host.rpartition(":")[2])


async def _is_resumed(client: ssl.SSLContext, port: int, name: str = "reg.test") -> bool:
    """Open a connection, read an answer on it, and say whether it went on with a session."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=client, server_hostname=name
    )
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.read()
    found: bool = writer.get_extra_info("ssl_object").session_reused
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return found


@pytest.mark.parametrize("version", _VERSIONS)
async def test_the_second_connection_to_a_host_resumes_the_session_of_the_first(
    authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    client = public_context()
    async with _serving(_server(authority, "reg.test", version=version)) as port:
        assert [await _is_resumed(client, port) for _ in range(3)] == [False, True, True]


async def test_connections_that_are_opened_together_resume_none_and_those_after_them_one(
    authority: trustme.CA,
) -> None:
    client = public_context()
    async with _serving(_server(authority, "reg.test")) as port:
        assert await asyncio.gather(*(_is_resumed(client, port) for _ in range(3))) == [False] * 3
        assert await asyncio.gather(*(_is_resumed(client, port) for _ in range(3))) == [True] * 3


@pytest.mark.parametrize("version", _VERSIONS)
async def test_another_name_at_the_same_address_has_no_part_in_it(
    authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    client = public_context()
    server = _server(authority, "reg.test", "store.test", version=version)
    async with _serving(server) as port:
        assert not await _is_resumed(client, port)
        assert not await _is_resumed(client, port, "store.test")
        assert await _is_resumed(client, port)


async def test_a_name_that_the_certificate_is_not_for_is_refused_before_and_after(
    authority: trustme.CA,
) -> None:
    client = public_context()
    async with _serving(_server(authority, "reg.test")) as port:
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError):
                await _is_resumed(client, port, "other.test")
            await _is_resumed(client, port)


async def test_what_was_not_verified_is_resumed_by_nobody_who_verifies() -> None:
    stranger = trustme.CA()
    careless, careful = Trust().context(insecure=True), public_context()
    async with _serving(_server(stranger, "reg.test")) as port:
        assert [await _is_resumed(careless, port) for _ in range(2)] == [False, True]
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError):
                await _is_resumed(careful, port)


async def test_other_settings_of_the_same_kind_resume_nothing(authority: trustme.CA) -> None:
    async with _serving(_server(authority, "reg.test")) as port:
        assert not await _is_resumed(public_context(), port)
        assert not await _is_resumed(public_context(), port)


async def test_a_server_that_has_forgotten_makes_a_full_handshake(authority: trustme.CA) -> None:
    client = public_context()
    async with _serving(_server(authority, "reg.test")) as port:
        assert [await _is_resumed(client, port) for _ in range(2)] == [False, True]
    # Another context has other keys for its tickets, as a server has that was started again.
    async with _serving(_server(authority, "reg.test")) as port:
        assert [await _is_resumed(client, port) for _ in range(3)] == [False, True, True]


async def test_a_server_that_gives_no_tickets_is_spoken_to_all_the_same(
    authority: trustme.CA,
) -> None:
    client, server = public_context(), _server(authority, "reg.test")
    server.num_tickets = 0
    async with _serving(server) as port:
        assert [await _is_resumed(client, port) for _ in range(3)] == [False] * 3


async def test_a_connection_that_ends_before_its_ticket_comes_hinders_no_other(
    authority: trustme.CA,
) -> None:
    client = public_context()
    async with _serving(_server(authority, "reg.test")) as port:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname="reg.test"
        )
        writer.transport.abort()
        assert [await _is_resumed(client, port) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("connections", [1, 2])
async def test_a_context_is_freed_once_nobody_holds_it(
    authority: trustme.CA, connections: int
) -> None:
    client = public_context()
    freed = weakref.ref(client)
    async with _serving(_server(authority, "reg.test")) as port:
        for _ in range(connections):
            await _is_resumed(client, port)
    del client
    await asyncio.sleep(0)
    gc.collect()
    assert freed() is None


async def test_the_sessions_of_the_last_sixteen_hosts_are_kept(authority: trustme.CA) -> None:
    client = public_context()
    names = [f"store{number}.test" for number in range(17)]
    async with _serving(_server(authority, *names)) as port:
        assert not any([await _is_resumed(client, port, name) for name in names])
        assert await _is_resumed(client, port, names[1])
        assert not await _is_resumed(client, port, names[0])


async def test_a_client_s_connections_to_its_registry_resume_and_another_client_s_do_not(
    authority: trustme.CA,
) -> None:
    server = _server(authority, "127.0.0.1")
    async with speaking(_answer, server) as host:
        for hits in (2, 4):
            made = session(host)
            for _ in range(3):
                await made.send(_PING)
            await made.transport.aclose()
            assert server.session_stats()["hits"] == hits
