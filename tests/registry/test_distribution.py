"""The harness is what it says: the real registry, its log, its tokens, and the delay proxy."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from fixtures.distribution import AccessRecord, Distribution, TokenRegistry
from fixtures.images import BuiltImage, build_image
from fixtures.network.delay_proxy import DelayProxy, trip_seconds
from fixtures.seed import Seeder, SeedError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

RTT = 0.2
ROOT = Path(__file__).parents[2]


def client(registry: Distribution) -> httpx.Client:
    return httpx.Client(
        base_url=registry.url,
        http2=registry.tls,
        verify=registry.ssl_context(),
        auth=registry.credentials,
        headers={"User-Agent": "harness"},
    )


def push(registry: Distribution, image: BuiltImage) -> None:
    with Seeder(registry.url, auth=registry.credentials, verify=registry.ssl_context()) as seeder:
        seeder.push_image("harness/image", "1", image)


def test_an_image_that_was_pushed_can_be_pulled(plain_registry: Distribution) -> None:
    image = build_image(architecture="arm", variant="v7")

    push(plain_registry, image)

    with client(plain_registry) as http:
        manifest = http.get("/v2/harness/image/manifests/1", headers={"Accept": image.media_type})
        config = http.get(f"/v2/harness/image/blobs/{image.config.digest}")
    assert manifest.content == image.manifest
    assert manifest.headers["docker-content-digest"] == image.digest
    assert config.content == image.config.content


def test_a_manifest_can_be_deleted(plain_registry: Distribution) -> None:
    image = build_image(text="to be deleted")
    push(plain_registry, image)

    with client(plain_registry) as http:
        deleted = http.delete(f"/v2/harness/image/manifests/{image.digest}")
        accept = {"Accept": image.media_type}
        gone = http.get(f"/v2/harness/image/manifests/{image.digest}", headers=accept)

    assert deleted.status_code == 202
    assert gone.status_code == 404


def test_the_access_log_shows_finished_requests_in_order(plain_registry: Distribution) -> None:
    with plain_registry.watch() as records, client(plain_registry) as http:
        http.get("/v2/")
        http.post("/v2/harness/image/blobs/uploads/?mount=sha256%3Aabc&from=other")
        http.head("/v2/harness/none/manifests/1", headers={"User-Agent": 'a "b" \\ c'})

    uploads = "/v2/harness/image/blobs/uploads/"
    assert records == [
        AccessRecord("GET", "/v2/", "", 200, "HTTP/1.1", "harness"),
        AccessRecord("POST", uploads, "mount=sha256%3Aabc&from=other", 202, "HTTP/1.1", "harness"),
        AccessRecord("HEAD", "/v2/harness/none/manifests/1", "", 404, "HTTP/1.1", 'a "b" \\ c'),
    ]


def test_the_access_log_holds_no_request_of_its_own(plain_registry: Distribution) -> None:
    before = plain_registry.access_log()

    assert plain_registry.access_log() == before


@pytest.mark.parametrize(
    ("fixture", "protocol"), [("tls_registry", "HTTP/2"), ("tls_http1_registry", "HTTP/1.1")]
)
def test_a_tls_registry_speaks_the_protocol_it_was_given(
    request: pytest.FixtureRequest, fixture: str, protocol: str
) -> None:
    registry: Distribution = request.getfixturevalue(fixture)

    with registry.watch() as records, client(registry) as http:
        response = http.get("/v2/")

    assert response.status_code == 200
    assert response.http_version == protocol
    assert {record.protocol.removesuffix(".0") for record in records} == {protocol}


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_certificate_is_for_both_names_of_this_machine(
    tls_registry: Distribution, name: str
) -> None:
    address = f"https://{name}:{tls_registry.port}/v2/"

    assert httpx.get(address, verify=tls_registry.ssl_context()).status_code == 401


def test_a_client_without_the_authority_refuses_the_certificate(tls_registry: Distribution) -> None:
    context = ssl.create_default_context()

    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{tls_registry.url}/v2/", verify=context)


@pytest.mark.parametrize("auth", [None, ("ci", "wrong"), ("nobody", "registry-password")])
def test_a_password_registry_refuses_all_but_the_right_password(
    tls_registry: Distribution, auth: tuple[str, str] | None
) -> None:
    address = f"{tls_registry.url}/v2/"

    response = httpx.get(address, auth=auth, verify=tls_registry.ssl_context())

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")


def test_a_token_opens_what_its_account_may_do(token_registry: TokenRegistry) -> None:
    distribution, tokens = token_registry.distribution, token_registry.tokens
    image = build_image()

    with Seeder(distribution.url, auth=("ci", "registry-password")) as seeder:
        seeder.push_image("public/image", "1", image)
    with Seeder(distribution.url) as anonymous:
        pulled = anonymous.get_manifest("public/image", "1")
        with pytest.raises(SeedError, match="401"):
            anonymous.push_blob("public/image", b"not allowed")

    assert pulled.body == image.manifest
    assert "ci" in {request.account for request in tokens.requests}


def test_a_token_dies_when_its_life_is_over(token_registry: TokenRegistry) -> None:
    distribution, tokens = token_registry.distribution, token_registry.tokens
    tokens.life = 1
    account = tokens.accounts["ci"]
    issued = time.time()
    token = tokens.issue(["repository:harness/none:pull"], account=account)
    headers = {"Authorization": f"Bearer {token}"}

    def status() -> int:
        return httpx.get(
            f"{distribution.url}/v2/harness/none/tags/list", headers=headers
        ).status_code

    assert status() == 404  # let in, and nothing there
    while (answer := status()) == 404 and time.time() < issued + 5:
        time.sleep(0.02)

    assert answer == 401
    assert 1 <= time.time() - issued < 3  # times in tokens are whole seconds


def test_skopeo_reads_what_was_pushed(plain_registry: Distribution, skopeo: Path) -> None:
    push(plain_registry, build_image(architecture="s390x"))
    reference = f"docker://{plain_registry.host}/harness/image:1"

    inspected = subprocess.run(
        [skopeo, "inspect", "--tls-verify=false", reference], check=True, capture_output=True
    )

    assert json.loads(inspected.stdout)["Architecture"] == "s390x"


def test_buildah_pulls_what_was_pushed(
    plain_registry: Distribution, buildah: Path, tmp_path: Path
) -> None:
    image = build_image(architecture="riscv64")
    push(plain_registry, image)
    storage = ["--storage-driver=vfs", f"--root={tmp_path}/root", f"--runroot={tmp_path}/run"]
    reference = f"docker://{plain_registry.host}/harness/image:1"

    pulled = subprocess.run(
        [buildah, *storage, "pull", "--quiet", "--tls-verify=false", reference],
        check=True,
        capture_output=True,
        text=True,
    )

    assert f"sha256:{pulled.stdout.strip()}" == image.config.digest


#: How often requests are timed at least, and at most where the machine is busy.
FEWEST, MOST = 2, 15
#: So long that what a busy machine adds is little beside it.
LONG_RTT = 0.6


def response_times(registry: Distribution, rtt: float, requests: int) -> list[float]:
    """Time requests on one new connection, in seconds."""
    scheme = registry.url.partition(":")[0]
    times = []
    with DelayProxy("127.0.0.1", registry.port, rtt) as proxy:
        with client(registry) as http:
            for _ in range(requests):
                begun = time.perf_counter()
                http.get(f"{scheme}://{proxy.host}:{proxy.port}/v2/")
                times.append(time.perf_counter() - begun)
        assert proxy.connections == 1
    return times


@pytest.mark.parametrize(
    ("fixture", "first"),
    # connect and request; with TLS 1.3 one more for the handshake
    [("plain_registry", 2), ("tls_registry", 3), ("tls_http1_registry", 3)],
)
def test_the_delay_proxy_adds_whole_round_trips(
    request: pytest.FixtureRequest, fixture: str, first: int
) -> None:
    registry: Distribution = request.getfixturevalue(fixture)

    trip = trip_seconds(LONG_RTT)
    assert LONG_RTT <= trip < 1.2 * LONG_RTT
    expected = pytest.approx([first, 1, 1], abs=0.25)
    at_once = delayed = [float("inf")] * 3
    for times in range(1, MOST + 1):
        # A busy machine only adds time, so the least of all times is what the proxy adds.
        at_once = list(map(min, at_once, response_times(registry, 0, 3)))
        delayed = list(map(min, delayed, response_times(registry, LONG_RTT, 3)))
        trips = [(slow - fast) / trip for slow, fast in zip(delayed, at_once, strict=True)]
        if times >= FEWEST and trips == expected:
            return
    assert trips == expected


@asynccontextmanager
async def reached_through_proxy(handler: Handler, rtt: float) -> AsyncIterator[DelayProxy]:
    """Run a TCP server on this event loop, with a proxy in front of it."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=512)
    async with server:
        with DelayProxy("127.0.0.1", server.sockets[0].getsockname()[1], rtt) as proxy:
            yield proxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what came, once the client has said that it is all."""
    writer.write(await reader.read())
    writer.close()
    await writer.wait_closed()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection at its first byte."""
    await reader.readexactly(1)
    linger_not = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    writer.transport.abort()


async def exchange(proxy: DelayProxy, chunks: Iterable[bytes]) -> bytes:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await asyncio.sleep(0.001)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


def test_the_delay_proxy_keeps_the_order_of_bytes_and_lets_one_end_finish_first() -> None:
    chunks = [bytes([number]) * (number * 37) for number in range(100)]

    async def scenario() -> bytes:
        async with reached_through_proxy(echo, 0.05) as proxy:
            return await exchange(proxy, chunks)

    assert asyncio.run(scenario()) == b"".join(chunks)


def test_two_hundred_connections_at_once_are_each_as_slow_as_one() -> None:
    async def scenario() -> tuple[list[bytes], float, int]:
        async with reached_through_proxy(echo, RTT) as proxy:
            begun = time.perf_counter()
            answers = await asyncio.gather(*(exchange(proxy, [b"x"]) for _ in range(200)))
            return answers, time.perf_counter() - begun, proxy.connections

    answers, seconds, connections = asyncio.run(scenario())

    assert answers == [b"x"] * 200
    assert connections == 200
    assert 2 * RTT <= seconds < 4 * RTT


def test_a_reset_travels_through_the_delay_proxy() -> None:
    async def scenario() -> None:
        async with reached_through_proxy(hang_up, 0.05) as proxy:
            with pytest.raises(ConnectionResetError):
                await exchange(proxy, [b"x"])

    asyncio.run(scenario())


def test_a_refused_connection_is_reset_by_the_delay_proxy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with (
        DelayProxy("127.0.0.1", port, 0.05) as proxy,
        socket.create_connection((proxy.host, proxy.port)) as connection,
        pytest.raises(ConnectionResetError),
    ):
        connection.recv(1)


def test_a_delay_proxy_that_stops_ends_its_connections_and_its_thread() -> None:
    async def scenario() -> bytes:
        async with reached_through_proxy(echo, 60) as proxy:
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            writer.write(b"never to arrive")
            await asyncio.sleep(0.05)
        try:
            return await reader.read()
        finally:
            writer.close()

    assert asyncio.run(scenario()) == b""
    assert DelayProxy.__name__ not in {thread.name for thread in threading.enumerate()}


def run_tests_without_a_registry(variable: dict[str, str]) -> subprocess.CompletedProcess[str]:
    test = "tests/registry/test_distribution.py::test_a_manifest_can_be_deleted"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", test]
    environment = {"PATH": str(Path(sys.executable).parent), "HOME": os.environ["HOME"]}
    return subprocess.run(
        command, cwd=ROOT, env=environment | variable, text=True, capture_output=True, check=False
    )


def test_tests_are_skipped_with_the_reason_where_there_is_no_registry() -> None:
    run = run_tests_without_a_registry({})

    assert run.returncode == 0
    assert "1 skipped" in run.stdout
    assert "docker-registry is not installed (apt-get install docker-registry)" in run.stdout


def test_a_skip_is_a_failure_where_the_registry_is_required() -> None:
    run = run_tests_without_a_registry({"OCI_MERGE_REQUIRE_REAL_REGISTRY": "1"})

    assert run.returncode == 1
    assert "skipped" not in run.stdout.splitlines()[-1]
    assert "allows no skip of a real_registry test, yet: docker-registry is not" in run.stdout


def test_nothing_of_the_developer_is_seen(home: Path) -> None:
    assert Path.home() == home
    assert list(home.iterdir()) == []
    assert not {"DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE"} & set(os.environ)
