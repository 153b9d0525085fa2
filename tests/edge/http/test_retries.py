"""Requests that fail in a way that may pass are sent again; time-outs and deadlines are kept."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook, Settings
from fixtures.images import build_image
from fixtures.server import ServerTLS, serve
from fixtures.tokens import Account, TokenService
from oci_merge import Event, MergeResult, Retrying
from oci_merge.errors import RateLimitedError, RegistryError, ServerError, TransportError
from oci_merge.http.message import Request as Asked
from tests.edge.support import OpenSession, session

PASSING = [408, 429, 500, 502, 503, 504]
#: One request of every kind that a merge sends.
STEPS = [
    ("HEAD", "/manifests/"),
    ("GET", "/manifests/"),
    ("GET", "/blobs/"),
    ("POST", "/blobs/uploads/"),
    ("PUT", "/manifests/sha256:"),
    ("PUT", "/manifests/1.0"),
]


class Fails(Hook):
    """Answers a step of the merge badly at first.

    Args:
        method: the method of the requests to answer.
        part: what is in their path.
        times: how many of them.
        reply: makes the answer.
        done: answer so after the registry has done what was asked.
    """

    def __init__(
        self,
        method: str,
        part: str,
        *,
        times: int,
        reply: Callable[[], Response],
        done: bool = False,
    ) -> None:
        self._method, self._part, self._left = method, part, times
        self._reply, self._done = reply, done

    async def before(self, request: Request) -> Response | None:
        return None if self._done or not self._takes(request) else self._reply()

    async def after(self, request: Request, response: Response) -> Response:
        return self._reply() if self._done and self._takes(request) else response

    def _takes(self, request: Request) -> bool:
        fits = request.method == self._method and self._part in request.url.path
        if not fits or not self._left:
            return False
        self._left -= 1
        return True


class Lost(Response):
    """A reply that breaks off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"half":'})


def status(code: int, content: bytes = b"", **headers: str) -> Callable[[], Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: Response(content, code, named)


@pytest.fixture
def stocked() -> EmbeddedRegistry:
    """A registry with `team/img-ARCH:1.0` for amd64 and arm64."""
    made = EmbeddedRegistry()
    for architecture in ("amd64", "arm64"):
        made.add_image(f"team/img-{architecture}", "1.0", build_image("linux", architecture))
    return made


@pytest.fixture
def host(stocked: EmbeddedRegistry) -> Iterator[str]:
    """The authority at which it is served."""
    with serve(stocked.app) as server:
        yield server.host


def merge(host: str, **options: Any) -> MergeResult:
    return oci_merge.merge(f"{host}/team/img:1.0", template=f"{host}/team/img-ARCH:1.0", **options)


def count(stocked: EmbeddedRegistry, method: str, part: str) -> int:
    return sum(seen.method == method and part in seen.path for seen in stocked.requests)


@pytest.mark.parametrize("code", PASSING)
def test_every_status_that_may_pass_is_tried_again_in_every_step(
    stocked: EmbeddedRegistry, host: str, code: int
) -> None:
    stocked.hooks += [Fails(*step, times=1, reply=status(code)) for step in STEPS]
    events: list[Event] = []
    assert merge(host, on_event=events.append).tags[0].changed
    retries = [event for event in events if isinstance(event, Retrying)]
    assert len(retries) == len(STEPS)
    assert all(event.reason.startswith(f"{host} answered {code} ") for event in retries)
    assert {event.subject.partition(" ")[0] for event in retries} == {"HEAD", "GET", "POST", "PUT"}


@pytest.mark.parametrize("done", [False, True])
def test_a_lost_reply_is_asked_for_again_in_every_step(
    stocked: EmbeddedRegistry, host: str, done: bool
) -> None:
    stocked.hooks += [Fails(*step, times=1, reply=Lost, done=done) for step in STEPS]
    result = merge(host)
    assert stocked.storage.repositories["team/img"].tags == {"1.0": result.digest}


def test_a_put_whose_reply_was_lost_is_seen_to_have_happened(
    stocked: EmbeddedRegistry, host: str
) -> None:
    stocked.hooks.append(Fails("PUT", "/manifests/1.0", times=2, reply=Lost, done=True))
    result = merge(host)
    assert result.tags[0].changed
    assert count(stocked, "PUT", "/manifests/1.0") == 3


@pytest.mark.parametrize(("retries", "tries"), [(None, 5), (0, 1), (2, 3)])
def test_what_does_not_pass_is_given_up(
    stocked: EmbeddedRegistry, host: str, retries: int | None, tries: int
) -> None:
    stocked.hooks.append(Fails("PUT", "/manifests/1.0", times=99, reply=status(503)))
    given = {} if retries is None else {"retries": retries}
    with pytest.raises(ServerError) as caught:
        merge(host, **given)
    assert caught.value.status == 503
    assert count(stocked, "PUT", "/manifests/1.0") == tries


@pytest.mark.parametrize(("asked", "seconds"), [("7", 7), ("3600", 120)])
def test_retry_after_is_kept_to_and_capped(
    stocked: EmbeddedRegistry, host: str, waits: list[float], asked: str, seconds: float
) -> None:
    reply = status(429, retry_after=asked)
    stocked.hooks.append(Fails("PUT", "/manifests/1.0", times=1, reply=reply))
    events: list[Event] = []
    merge(host, on_event=events.append)
    assert waits == [seconds]
    assert [event.seconds for event in events if isinstance(event, Retrying)] == [seconds]


def test_a_pull_limit_fails_at_once_and_says_what_to_do(
    stocked: EmbeddedRegistry, host: str
) -> None:
    body = (
        b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit"}]}'
    )
    reply = status(429, body, ratelimit_limit="100;w=21600")
    stocked.hooks.append(Fails("GET", "/manifests/", times=99, reply=reply))
    with pytest.raises(RateLimitedError) as caught:
        oci_merge.inspect(f"{host}/team/img-amd64:1.0")
    assert caught.value.message.startswith(
        f"pull rate limit reached at {host} for an anonymous user "
        f"while reading {host}/team/img-amd64:1.0: "
    )
    assert "docker login" in caught.value.hint
    assert "6 hours" in caught.value.hint
    assert len(stocked.requests) == 1


def test_token_requests_are_tried_again(stocked: EmbeddedRegistry, host: str) -> None:
    everything = {"*": frozenset({"pull", "push"})}
    stocked.settings = Settings(auth=TokenService(accounts=[Account("ci", "word", everything)]))
    stocked.hooks.append(Fails("GET", "/token", times=2, reply=status(502)))
    assert merge(host, username="ci", password="word").tags[0].changed


def test_inspect_tells_of_retries_too(stocked: EmbeddedRegistry, host: str) -> None:
    stocked.hooks.append(Fails("GET", "/manifests/", times=1, reply=status(503)))
    events: list[Event] = []
    oci_merge.inspect(f"{host}/team/img-amd64:1.0", on_event=events.append)
    assert [type(event) for event in events] == [Retrying]


@pytest.mark.parametrize(
    "asked", [Asked("GET", "/v2/", repeatable=False), Asked("PATCH", "/v2/", content=b"chunk")]
)
def test_a_request_that_must_not_be_repeated_is_not(
    stocked: EmbeddedRegistry, host: str, asked: Asked
) -> None:
    stocked.hooks.append(Fails(asked.method, "/v2/", times=1, reply=status(503)))
    assert asyncio.run(_send(session(host, plain_http=True), asked)) == 503


async def _send(made: OpenSession, request: Asked) -> int:
    try:
        return (await made.send(request)).status
    finally:
        await made.transport.aclose()


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one answer on each connection, the last one from then on; None of them hangs up."""
    starts: list[bytes] = []

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                starts.append(connection.recv(65536))
                connection.sendall(answers[min(len(starts), len(answers)) - 1])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", starts
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_local_registry_whose_first_reply_is_lost_is_not_taken_for_a_tls_server(
    first: bytes,
) -> None:
    # Lost in the clear, no TLS to speak of, and then in the clear again.
    with answering(first, b"HTTP/1.1 400 Bad Request\r\n\r\n", OK) as (host, starts):
        assert asyncio.run(_send(session(host), Asked("GET", "/v2/"))) == 200
    assert [start[:1] for start in starts] == [b"G", b"\x16", b"G"]


def test_a_refused_connection_is_tried_again_until_the_registry_is_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
    events: list[Event] = []
    made = session(host, plain_http=True, on_event=events.append)
    with pytest.raises(TransportError, match="could not connect"):
        asyncio.run(_send(made, Asked("GET", "/v2/")))
    assert [type(event) for event in events] == [Retrying] * 4


def test_an_untrusted_certificate_is_a_definite_answer(stocked: EmbeddedRegistry) -> None:
    events: list[Event] = []
    with (
        serve(stocked.app, tls=_tls(trustme.CA())) as server,
        pytest.raises(TransportError, match="is not trusted"),
    ):
        merge(server.host, on_event=events.append)
    assert not any(isinstance(event, Retrying) for event in events)


def _tls(authority: trustme.CA) -> ServerTLS:
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    return ServerTLS(chain, leaf.private_key_pem.bytes())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"timeout": 0.2, "retries": 0}, "did not answer GET /v2/ in time"),
        ({"timeout": 0.1, "retries": 2}, "did not answer GET /v2/ in time"),
        (
            {"deadline": 0.4},
            r"within its 0\.4 seconds: .* the answer of .* to GET /v2/",
        ),
        ({"timeout": 0.3, "retries": 9, "deadline": 0.4}, "within its 0.4 seconds"),
    ],
)
def test_a_server_that_never_answers_fails_in_the_time_promised(
    options: dict[str, Any], match: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        made = session(host, plain_http=True, **options)
        began = time.monotonic()
        with pytest.raises(TransportError, match=match) as caught:
            asyncio.run(_send(made, Asked("GET", "/v2/")))
        assert time.monotonic() - began < 2
    assert caught.value.hint


def test_nobody_waits_for_a_retry_that_the_deadline_forbids(
    stocked: EmbeddedRegistry, host: str
) -> None:
    reply = status(503, retry_after="60")
    stocked.hooks.append(Fails("PUT", "/manifests/1.0", times=99, reply=reply))
    began = time.monotonic()
    with pytest.raises(ServerError):
        merge(host, deadline=30)
    assert time.monotonic() - began < 20
    assert count(stocked, "PUT", "/manifests/1.0") == 1


def test_a_deadline_among_the_tags_says_which_moved(stocked: EmbeddedRegistry, host: str) -> None:
    class Hangs(Hook):
        async def before(self, request: Request) -> Response | None:
            if request.method == "PUT" and request.url.path.endswith("/manifests/slow"):
                await asyncio.sleep(30)
            return None

    stocked.hooks.append(Hangs())
    with pytest.raises(oci_merge.PublishError, match="within its 2 seconds") as caught:
        merge(host, tags=["slow"], deadline=2)
    assert caught.value.moved == ("1.0",)
    assert caught.value.failed == ("slow",)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


@pytest.mark.parametrize("sink", [None, _drain])
def test_a_registry_s_certificates_are_not_for_the_hosts_that_it_points_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sink: Any
) -> None:
    authority, own = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(own)
    trustme.CA().cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    store, front = EmbeddedRegistry(), EmbeddedRegistry()
    with serve(store.app, tls=_tls(authority)) as there:
        reply = status(307, location=f"{there.url}/blob")
        front.hooks.append(Fails("GET", "/v2/", times=99, reply=reply))
        with serve(front.app, tls=_tls(authority)) as here:
            for options in ({"ca_file": str(own)}, {"insecure": True}):
                made = session(here.host, **options)
                with pytest.raises(TransportError, match=f"{there.host} is not trusted"):
                    asyncio.run(_send(made, Asked("GET", "/v2/", write_to=sink)))
    assert store.requests == []
    assert len(front.requests) == 2


def test_registry_errors_that_stay_are_the_registry_s_own(
    stocked: EmbeddedRegistry, host: str
) -> None:
    stocked.hooks.append(Fails("GET", "/manifests/", times=99, reply=status(403)))
    with pytest.raises(RegistryError):
        oci_merge.inspect(f"{host}/team/img-amd64:1.0")
    assert len(stocked.requests) == 1
