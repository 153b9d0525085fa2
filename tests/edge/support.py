"""Sample images, hooks that misbehave, and servers below HTTP, for the tests of the edge."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import trustme
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook, RequestRecord, Settings
from fixtures.images import BuiltImage, BuiltIndex, build_image
from fixtures.server import ServerTLS
from fixtures.tokens import Account, TokenService
from oci_merge import MergeResult, Reference, RegistryOptions, parse_reference
from oci_merge.client import AsyncClient
from oci_merge.events import OnEvent, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.session import Session
from oci_merge.http.timings import Timings
from oci_merge.http.transport import Transport
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.host import RegistryHost

REPOSITORY = "team/app"
AMD64 = build_image("linux", "amd64")
ARM64 = build_image("linux", "arm64")
ARMV7 = build_image("linux", "arm", "v7")
#: The images to join, by repository; each is there as 1.0.
IMAGES: Mapping[str, BuiltImage] = {
    "team/app-amd64": AMD64,
    "team/app-arm64": ARM64,
    "team/app-armv7": ARMV7,
}
#: What the target's tag stands on where it is there already.
OLD = build_image("linux", "s390x", text="old")

PASSWORD = "pass-5ecret-word"
CI = Account("ci", PASSWORD, {"*": frozenset({"pull", "push"})})

Matches = Callable[[Request], bool]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def stocked(
    settings: Settings | None = None,
    *,
    hooks: Sequence[Hook] = (),
    images: Mapping[str, BuiltImage] = IMAGES,
) -> EmbeddedRegistry:
    """Return a registry with images, each tagged 1.0, and nothing at the target."""
    registry = EmbeddedRegistry(settings, hooks=hooks)
    for repository, image in images.items():
        registry.add_image(repository, "1.0", image)
    return registry


def add_old(registry: EmbeddedRegistry, *tags: str) -> None:
    """Put an old image under tags of the target."""
    for tag in tags:
        registry.add_image(REPOSITORY, tag, OLD)


def target(host: str, tag: str = "latest") -> str:
    """Return the target's reference."""
    return f"{host}/{REPOSITORY}:{tag}"


def sources(host: str, images: Mapping[str, BuiltImage] = IMAGES) -> list[str]:
    """Return the references of the images to join."""
    return [f"{host}/{repository}:1.0" for repository in images]


def merge(host: str, **options: Any) -> MergeResult:
    """Join the sample images as the target's latest."""
    given = {} if "template" in options else {"sources": sources(host)}
    return oci_merge.merge(target(host), **given | options)


def reference(name: str = "team/app:1.0", host: str = "reg.test") -> Reference:
    """Return the reference of an image."""
    return parse_reference(f"{host}/{name}")


@asynccontextmanager
async def opened(
    name: str, *, reads: Sequence[str] = (), on_event: OnEvent = ignore, **options: Any
) -> AsyncIterator[RegistryClient]:
    """Give a registry for one run; ``options`` are those of the registry."""
    reached = RegistryOptions(**options)
    async with RegistryHost(name, reached, timings=AsyncClient._timings) as host:
        yield RegistryClient(host, reads=reads, on_event=on_event)


class OpenSession(Session):
    """A session with a transport of its own, for the test to close."""

    def __init__(self, transport: Transport, **options: Any) -> None:
        super().__init__(transport, **options)
        self.transport = transport


def session(
    host: str, *, on_event: OnEvent = ignore, timings: Timings | None = None, **options: Any
) -> OpenSession:
    """Return one run's way to a registry; ``options`` say how it is reached."""
    reached = RegistryOptions(**options)
    return OpenSession(
        Transport(host, reached, timings or AsyncClient._timings),
        retries=reached.retries,
        deadline=Deadline(reached.deadline),
        on_event=on_event,
    )


def note_waits(set_timings: Callable[..., None]) -> list[float]:
    """Let no retry wait; return the list to which the seconds are appended instead."""
    seconds: list[float] = []

    async def sleep(wait: float) -> None:
        seconds.append(wait)
        await asyncio.sleep(0)

    set_timings(sleep=sleep)
    return seconds


def found(image: BuiltImage | BuiltIndex, **headers: str) -> httpx.Response:
    """Return a reply that holds a manifest; ``docker_content_digest`` names a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"content-type": image.media_type, "docker-content-digest": image.digest} | named
    return httpx.Response(200, headers=named, content=image.manifest)


def challenged(*challenges: str) -> httpx.Response:
    """Return a 401 with challenges, each a header of its own."""
    return httpx.Response(401, headers=[("www-authenticate", value) for value in challenges])


def tags(registry: EmbeddedRegistry, repository: str = REPOSITORY) -> dict[str, str]:
    """Return what each tag of a repository stands on."""
    held = registry.storage.repositories.get(repository)
    return dict(held.tags) if held else {}


def paths(records: Sequence[RequestRecord], method: str, part: str = "") -> list[str]:
    """Return the paths of the requests of a method that contain a part."""
    return [record.path for record in records if record.method == method and part in record.path]


def writes(records: Sequence[RequestRecord]) -> list[RequestRecord]:
    """Return the requests that change something."""
    return [record for record in records if record.method not in ("GET", "HEAD")]


def with_tokens(**options: Any) -> TokenService:
    """Return a token service at which ``ci`` may pull and push everywhere."""
    return TokenService(**{"accounts": [CI]} | options)


def asks(method: str, part: str = "") -> Matches:
    """Return a predicate of requests by method and a part of their path and query."""

    def matches(request: Request) -> bool:
        query = request.url.query
        whole = f"{request.url.path}?{query}" if query else request.url.path
        return request.method == method and part in whole

    return matches


class Answers(Hook):
    """Answers requests in the registry's place, with one and the same reply.

    Args:
        matches: which requests.
        reply: makes the reply.
        times: how many of them, all if left out.
    """

    def __init__(
        self, matches: Matches, reply: Callable[[], Response], *, times: int | None = None
    ) -> None:
        self.count = 0
        self._matches = matches
        self._reply = reply
        self._times = times

    async def before(self, request: Request) -> Response | None:
        if not self._matches(request) or self.count == self._times:
            return None
        self.count += 1
        return self._reply()


class Delays(Hook):
    """Holds back requests, or their answers.

    Args:
        matches: which requests.
        seconds: for how long.
        answers: hold back what the registry did, rather than what it is to do.
    """

    def __init__(self, matches: Matches, seconds: float, *, answers: bool = False) -> None:
        self._matches = matches
        self._seconds = seconds
        self._answers = answers

    async def before(self, request: Request) -> Response | None:
        if not self._answers and self._matches(request):
            await asyncio.sleep(self._seconds)
        return None

    async def after(self, request: Request, response: Response) -> Response:
        if self._answers and self._matches(request):
            await asyncio.sleep(self._seconds)
        return response


class Holds(Hook):
    """Holds back requests until something else has happened, or five seconds have passed.

    Args:
        matches: which requests.
        until: says whether it has.
    """

    def __init__(self, matches: Matches, until: Callable[[], bool]) -> None:
        self._matches = matches
        self._until = until

    async def before(self, request: Request) -> Response | None:
        if self._matches(request):
            await until(self._until)
        return None


class Truncated(Response):
    """A reply that ends before its own length, so that the server breaks the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"half":'})


def reply(
    status: int, content: bytes | str = b"", *, kind: str = "application/json", **headers: str
) -> Callable[[], Response]:
    """Return a maker of replies; ``content_type`` becomes the header ``content-type``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: Response(content, status, named, kind)


def server_tls(authority: trustme.CA) -> ServerTLS:
    """Return what a server of this machine shows: a certificate signed by an authority."""
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    certificate = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    return ServerTLS(certificate, leaf.private_key_pem.bytes())


async def until(happened: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait until something has happened; say whether it did."""
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:  # noqa: ASYNC110 - in another thread
        await asyncio.sleep(0.005)
    return happened()


@asynccontextmanager
async def speaking(
    handler: Handler, context: ssl.SSLContext | None = None, *, port: int = 0
) -> AsyncIterator[str]:
    """Run a TCP server on this event loop and give its HOST:PORT; it closes each connection."""
    running: set[asyncio.Task[Any]] = set()

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with suppress(OSError, asyncio.IncompleteReadError):  # the client has gone
            try:
                await handler(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()
        running.discard(task)

    server = await asyncio.start_server(handled, "127.0.0.1", port, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        # A connection that was just accepted takes some turns of the loop until its handler runs;
        # nobody would close it otherwise.
        for _ in range(20):
            await asyncio.sleep(0)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


def says(content: bytes, *, heads: list[bytes] | None = None) -> Handler:
    """Return a handler that reads a request's head, sends bytes and closes the connection.

    Args:
        content: the bytes to send.
        heads: what was read is appended to it.
    """

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heads is not None:
            heads.append(head)
        writer.write(content)
        await writer.drain()

    return handler


def relays(port: int, starts: list[bytes], *, complaint: bytes | None = None) -> Handler:
    """Return a handler that carries connections on to a server of this machine.

    Args:
        port: the server's port.
        starts: what each connection starts with is appended to it.
        complaint: what is said, before hanging up, to those that do not start as TLS does.
    """

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.read(65536)
        starts.append(start)
        if complaint is not None and not start.startswith(b"\x16"):
            writer.write(complaint)
            await writer.drain()
            return
        if not start:
            return  # the client has closed a connection that it did not need
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        onward.write(start)
        try:
            await asyncio.gather(carry(reader, onward), carry(there, writer))
        finally:
            onward.close()
            await onward.wait_closed()

    return handler
