"""Names that lead to this machine: a registry elsewhere cannot send us there by one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from fixtures.embedded import EmbeddedRegistry
from fixtures.network.forward_proxy import ForwardProxy
from fixtures.server import RunningServer, ServerTLS, serve
from oci_merge import TransportError
from oci_merge.http.message import Request
from oci_merge.registry.manifests import ManifestClient
from tests.edge.support import (
    AMD64,
    PASSWORD,
    Answers,
    Handler,
    asks,
    opened,
    reference,
    reply,
    session,
    speaking,
    stocked,
    with_tokens,
)

_CI: dict[str, Any] = {"username": "ci", "password": PASSWORD}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let names below ``.test`` lead to this machine; return those that were looked up."""
    look_up: Callable[..., Any] = socket.getaddrinfo
    seen: list[str] = []

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.endswith(".test"):
            seen.append(name)
            host = "127.0.0.1"
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return seen


def _notes(heard: list[bytes]) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))

    return handler


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ["auth.test", "127.0.0.1"])
async def test_a_host_that_is_this_machine_hears_nothing(
    scheme: str, name: str, names: list[str]
) -> None:
    heard: list[bytes] = []
    async with speaking(_notes(heard)) as at:
        port = at.rpartition(":")[2]
        made = session("reg.test:1", plain_http=scheme == "http")
        asked = Request("GET", f"{scheme}://{name}:{port}/token", authorization="Basic c2VjcmV0")
        with pytest.raises(TransportError, match=rf"{name}, where reg\.test:1 points to") as caught:
            await made.send(asked)
        await made.transport.aclose()
    assert b"".join(heard) == b""
    assert len(heard) <= 1  # it is not tried again
    assert caught.value.hint


@pytest.mark.anyio
async def test_a_blob_is_not_read_from_there_either(
    server: RunningServer, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry's own address is this machine's here, so it is told to be another one."""
    monkeypatch.setattr("oci_merge.http.vicinity.is_loopback", lambda name: False)
    monkeypatch.setattr("oci_merge.http.vicinity.Vicinity.note", lambda self, address: None)
    path = f"/v2/team/app-amd64/blobs/{AMD64.config.digest}"
    other = stocked()
    with serve(other.app) as elsewhere:
        there = f"http://store.test:{elsewhere.port}{path}"
        registry.hooks.append(Answers(asks("GET", "/blobs/"), reply(307, location=there)))
        made = session(server.host)
        with pytest.raises(TransportError, match=r"store\.test, where .* points to, is at 127"):
            await made.send(Request("GET", path))
        await made.transport.aclose()
    assert other.requests == []


@pytest.mark.anyio
async def test_a_registry_of_this_machine_has_its_token_server_under_a_name_of_it(
    registry: EmbeddedRegistry, authority: trustme.CA
) -> None:
    leaf = authority.issue_cert("reg.test", "auth.test")
    shown = ServerTLS(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())
    tokens = with_tokens()
    registry.settings.auth = tokens
    with serve(registry.app, tls=shown) as server:
        realm = f'Bearer realm="https://auth.test:{server.port}/token",service="registry.test"'
        challenge = reply(401, "{}", www_authenticate=realm)
        registry.hooks.append(Answers(asks("GET", "/v2/"), challenge, times=1))
        host = f"reg.test:{server.port}"
        async with opened(host, reads=["team/app-amd64"], **_CI) as asked:
            read = await ManifestClient(asked).get(reference("team/app-amd64:1.0", host))
    assert read.digest == AMD64.digest
    assert tokens.requests


@pytest.mark.anyio
async def test_a_name_that_a_proxy_looks_up_is_the_proxy_s(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    with ForwardProxy() as proxy, serve(EmbeddedRegistry().app) as elsewhere:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        made = session("reg.test:1", plain_http=True)
        answer = await made.send(Request("GET", f"http://auth.test:{elsewhere.port}/v2/"))
        await made.transport.aclose()
    assert answer.status == 200
    assert names == []
