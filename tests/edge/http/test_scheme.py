"""How a registry is connected to: in the clear or over TLS, and with which certificates."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import respx
import trustme

from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.server import RunningServer, ServerTLS, serve
from oci_merge import TransportError
from oci_merge.http.message import Request
from tests.edge.support import CI, PASSWORD, merge, relays, server_tls, session, speaking, tags

_CI = {"username": "ci", "password": PASSWORD}
_PING = Request("GET", "/v2/")


def test_a_registry_of_this_machine_is_spoken_to_in_the_clear(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    assert tags(registry) == {}
    result = merge(server.host)
    assert tags(registry) == {"latest": result.digest}


def test_a_registry_of_this_machine_that_wants_tls_gets_it(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    with serve(registry.app, tls=tls) as server:
        result = merge(server.host)
    assert tags(registry) == {"latest": result.digest}


def test_localhost_is_this_machine_too(registry: EmbeddedRegistry, tls: ServerTLS) -> None:
    for wanted in (None, tls):
        with serve(registry.app, tls=wanted) as server:
            merge(f"localhost:{server.port}")
    assert len({seen.headers["host"] for seen in registry.requests}) == 2


def test_nothing_of_a_credential_is_said_in_the_clear_to_a_registry_that_wants_tls(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    registry.settings.auth = BasicAuth([CI])
    starts: list[bytes] = []

    async def scenario(server: RunningServer) -> None:
        async with speaking(relays(server.port, starts)) as host:
            await asyncio.to_thread(merge, host, **_CI)

    with serve(registry.app, tls=tls) as server:
        asyncio.run(scenario(server))
    assert list(tags(registry)) == ["latest"]
    # Connections that are opened ahead, and then not needed, start with nothing.
    clear = [start for start in starts if start and not start.startswith(b"\x16\x03")]
    assert clear
    assert not [start for start in clear if b"authorization" in start.lower()]
    assert not [start for start in clear if not start.startswith((b"GET ", b"HEAD "))]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "complaint",
    [
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        b"<h1>400</h1><p>The plain HTTP request was sent to HTTPS port</p>",
        b"HTTP/1.0 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"",
    ],
    ids=["go", "nginx", "go-cut-off", "alert", "closed"],
)
async def test_every_way_in_which_a_tls_server_complains_leads_to_tls(
    complaint: bytes, registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    with serve(registry.app, tls=tls) as server:
        async with speaking(relays(server.port, [], complaint=complaint)) as host:
            transport = session(host)
            reply = await transport.send(_PING)
            assert (reply.status, transport.origin.url) == (200, f"https://{host}")
            await transport.transport.aclose()


@pytest.mark.anyio
async def test_a_400_of_a_plain_registry_does_not_lead_to_tls(web: respx.MockRouter) -> None:
    web.get("http://127.0.0.1:5000/v2/").mock(return_value=httpx.Response(400, json={}))
    transport = session("127.0.0.1:5000")
    reply = await transport.send(_PING)
    assert (reply.status, transport.origin.url) == (400, "http://127.0.0.1:5000")
    await transport.transport.aclose()


@pytest.mark.anyio
async def test_a_registry_elsewhere_is_never_tried_in_the_clear(web: respx.MockRouter) -> None:
    web.get("https://reg.test/v2/").mock(return_value=httpx.Response(200))
    transport = session("reg.test")
    assert (await transport.send(_PING)).status == 200
    assert [str(call.request.url) for call in web.calls] == ["https://reg.test/v2/"]
    await transport.transport.aclose()


@pytest.mark.anyio
async def test_plain_http_speaks_nothing_else(web: respx.MockRouter) -> None:
    web.get("http://reg.test/v2/").mock(return_value=httpx.Response(200))
    transport = session("reg.test", plain_http=True)
    assert transport.origin.url == "http://reg.test"
    assert (await transport.send(_PING)).status == 200
    await transport.transport.aclose()


def test_plain_http_is_not_given_up_for_tls(registry: EmbeddedRegistry, tls: ServerTLS) -> None:
    with serve(registry.app, tls=tls) as server, pytest.raises(TransportError):
        merge(server.host, plain_http=True)
    assert registry.requests == []


def test_a_certificate_of_a_stranger_is_refused_with_what_to_do(
    registry: EmbeddedRegistry,
) -> None:
    strange = server_tls(trustme.CA())
    with (
        serve(registry.app, tls=strange) as server,
        pytest.raises(
            TransportError, match=r"the certificate of 127\.0\.0\.1.* is not trusted"
        ) as got,
    ):
        merge(server.host, **_CI)
    assert "SSL_CERT_FILE" in got.value.hint
    assert "--insecure" in got.value.hint
    assert registry.requests == []


def test_a_certificate_of_another_name_is_refused(
    registry: EmbeddedRegistry, authority: trustme.CA
) -> None:
    leaf = authority.issue_cert("reg.example")
    other = ServerTLS(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())
    with (
        serve(registry.app, tls=other) as server,
        pytest.raises(TransportError, match=r"certificate of .* is not trusted"),
    ):
        merge(server.host)


def test_insecure_takes_any_certificate(registry: EmbeddedRegistry) -> None:
    with serve(registry.app, tls=server_tls(trustme.CA())) as server:
        result = merge(server.host, insecure=True)
    assert tags(registry) == {"latest": result.digest}


@pytest.mark.anyio
async def test_insecure_is_about_the_registry_and_no_other_host(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    strange = server_tls(trustme.CA())
    with serve(registry.app, tls=tls) as server, serve(registry.app, tls=strange) as other:
        transport = session(server.host, insecure=True)
        assert (await transport.send(_PING)).status == 200
        with pytest.raises(TransportError, match=f"certificate of .* {other.host} is not trusted"):
            await transport.send(Request("GET", f"{other.url}/v2/"))
        await transport.transport.aclose()
