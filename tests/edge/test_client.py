"""A client for many images: what one merge has found out serves the next."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from fixtures.server import RunningServer, ServerTLS, serve
from fixtures.tokens import Account, TokenService
from tests.edge.support import (
    CI,
    PASSWORD,
    Answers,
    Delays,
    Matches,
    asks,
    relays,
    reply,
    sources,
    speaking,
    tags,
    target,
    until,
    with_tokens,
)

_CI: dict[str, Any] = {"username": "ci", "password": PASSWORD}
_TARGETS = [f"bulk/app{number}" for number in range(6)]


@pytest.fixture
def tokens(registry: EmbeddedRegistry) -> TokenService:
    """The token service of the registry."""
    service = with_tokens()
    registry.settings.auth = service
    return service


@pytest.fixture(params=["http", "https"])
def host(request: pytest.FixtureRequest, registry: EmbeddedRegistry, tls: ServerTLS) -> Any:
    """The registry's name, in the clear and over TLS."""
    with serve(registry.app, tls=tls if request.param == "https" else None) as running:
        yield running.host


async def _merge(client: oci_merge.AsyncClient, host: str, repository: str) -> str:
    result = await client.merge(f"{host}/{repository}:1", sources=sources(host))
    return result.digest


async def _one_after_another(host: str, **options: Any) -> None:
    async with oci_merge.AsyncClient(**options) as client:
        for repository in _TARGETS:
            await _merge(client, host, repository)


async def _at_once(host: str, **options: Any) -> list[str | BaseException]:
    async with oci_merge.AsyncClient(**options) as client:
        return await asyncio.gather(
            *(_merge(client, host, repository) for repository in _TARGETS), return_exceptions=True
        )


def _published(registry: EmbeddedRegistry) -> list[str]:
    return [repository for repository in _TARGETS if tags(registry, repository)]


def test_merges_side_by_side_all_publish(host: str, registry: EmbeddedRegistry) -> None:
    outcomes = asyncio.run(_at_once(host))
    assert _published(registry) == _TARGETS
    assert [list(tags(registry, name).values()) for name in _TARGETS] == [[it] for it in outcomes]


def test_the_second_merge_is_not_asked_who_it_is(
    host: str, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    async def scenario() -> int:
        async with oci_merge.AsyncClient(**_CI) as client:
            await _merge(client, host, "bulk/first")
            before = len(registry.requests)
            await _merge(client, host, "bulk/second")
            return before

    before = asyncio.run(scenario())
    assert 401 not in [seen.status for seen in registry.requests[before:]]
    assert [asked.scopes[0] for asked in tokens.requests] == [
        "repository:bulk/first:pull,push",
        "repository:bulk/second:pull,push",
    ]


def test_each_merge_asks_for_one_token_with_its_own_scopes(
    host: str, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    asyncio.run(_at_once(host, **_CI))
    assert _published(registry) == _TARGETS
    assert sorted(asked.scopes[0] for asked in tokens.requests) == [
        f"repository:{repository}:pull,push" for repository in _TARGETS
    ]


def test_a_password_is_proved_once_for_all_merges(host: str, registry: EmbeddedRegistry) -> None:
    registry.settings.auth = BasicAuth([CI])
    asyncio.run(_one_after_another(host, **_CI))
    assert _published(registry) == _TARGETS
    challenged = [seen.status for seen in registry.requests].count(401)
    assert challenged <= 5  # the first requests of the first merge


def test_a_wrong_password_is_sent_no_more_often_for_many_merges_than_for_one(
    host: str, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI])
    outcomes = asyncio.run(_at_once(host, username="ci", password="wrong"))
    assert {type(outcome) for outcome in outcomes} == {oci_merge.AuthenticationError}
    sent = [seen for seen in registry.requests if "authorization" in seen.headers]
    assert len(sent) <= 2


def test_a_wrong_password_is_not_asked_of_the_token_server_for_each_merge(
    host: str, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    outcomes = asyncio.run(_at_once(host, username="ci", password="wrong"))
    assert {type(outcome) for outcome in outcomes} == {oci_merge.AuthenticationError}
    assert len(tokens.requests) <= 3


def test_a_denial_of_one_merge_is_no_denial_of_another(
    host: str, registry: EmbeddedRegistry
) -> None:
    grants = {name: frozenset({"pull", "push"}) for name in _TARGETS if name != "bulk/app2"}
    grants |= {"team/*": frozenset({"pull"}), "bulk/app2": frozenset({"pull"})}
    reader = with_tokens(accounts=[Account("ci", PASSWORD, grants)])
    registry.settings.auth = reader
    outcomes = asyncio.run(_at_once(host, **_CI))
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [str, str, oci_merge.MountRefusedError, str, str, str]
    assert _published(registry) == [name for name in _TARGETS if name != "bulk/app2"]


def test_a_token_server_that_refuses_in_advance_lets_the_registry_ask(
    host: str, registry: EmbeddedRegistry, tokens: TokenService
) -> None:
    """The next repository may be open to everybody, whatever the token server thinks of it."""

    async def scenario() -> str:
        async with oci_merge.AsyncClient(**_CI) as client:
            await _merge(client, host, "bulk/first")
            tokens.refuse_status = 403
            tokens.max_scopes = 0
            registry.settings.auth = None
            return await _merge(client, host, "bulk/open")

    digest = asyncio.run(scenario())
    assert tags(registry, "bulk/open") == {"1": digest}


def test_connections_are_kept_between_merges(registry: EmbeddedRegistry) -> None:
    async def scenario(runs: int, starts: list[bytes]) -> None:
        with serve(registry.app) as running:
            async with (
                speaking(relays(running.port, starts)) as host,
                oci_merge.AsyncClient(plain_http=True) as client,
            ):
                for repository in _TARGETS[:runs]:
                    await _merge(client, host, repository)

    once: list[bytes] = []
    often: list[bytes] = []
    asyncio.run(scenario(1, once))
    asyncio.run(scenario(6, often))
    assert len(often) < 2 * len(once)


def test_no_more_operations_are_under_way_than_asked_for(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Delays(asks("GET", "/manifests/"), 0.02))
    events: list[str] = []

    async def one(client: oci_merge.AsyncClient, repository: str) -> None:
        await client.merge(
            f"{server.host}/{repository}:1",
            sources=sources(server.host),
            on_event=lambda _: events.append(repository),
        )

    async def scenario() -> None:
        async with oci_merge.AsyncClient(concurrency=1) as client:
            await asyncio.gather(*(one(client, repository) for repository in _TARGETS))

    asyncio.run(scenario())
    assert [
        name for name, after in zip(events, [*events[1:], ""], strict=True) if name != after
    ] == (_TARGETS)


def test_a_client_wants_at_least_one_operation() -> None:
    with pytest.raises(oci_merge.UsageError, match="concurrency must be at least 1, got 0"):
        oci_merge.AsyncClient(concurrency=0)


def test_a_merge_after_one_that_failed_is_as_good_as_the_first(
    host: str, registry: EmbeddedRegistry
) -> None:
    broken = Answers(asks("PUT", "/manifests/"), reply(400, b"{}"), times=1)
    registry.hooks.append(broken)

    async def scenario() -> str:
        async with oci_merge.AsyncClient() as client:
            with pytest.raises(oci_merge.RegistryError):
                await _merge(client, host, "bulk/first")
            return await _merge(client, host, "bulk/first")

    digest = asyncio.run(scenario())
    assert tags(registry, "bulk/first") == {"1": digest}


def test_a_registry_that_was_down_is_tried_again_by_the_next_merge(
    registry: EmbeddedRegistry, tls: ServerTLS
) -> None:
    async def scenario(port: int) -> str:
        host = f"127.0.0.1:{port}"
        async with oci_merge.AsyncClient(retries=0) as client:
            with pytest.raises(oci_merge.TransportError, match="could not connect"):
                await _merge(client, host, "bulk/first")
            with serve(registry.app, tls=tls, port=port):
                return await _merge(client, host, "bulk/first")

    with serve(registry.app, tls=tls) as running:
        port = running.port
    digest = asyncio.run(scenario(port))
    assert tags(registry, "bulk/first") == {"1": digest}


def test_each_operation_has_a_deadline_of_its_own(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    async def scenario() -> None:
        async with oci_merge.AsyncClient(deadline=0.4, retries=0) as client:
            await _merge(client, server.host, "bulk/first")
            await asyncio.sleep(0.5)
            await _merge(client, server.host, "bulk/second")
            registry.hooks.append(Delays(asks("GET"), 2))
            with pytest.raises(oci_merge.TransportError, match="did not end within"):
                await _merge(client, server.host, "bulk/third")

    asyncio.run(scenario())


@pytest.fixture
def blocking(server: RunningServer) -> Iterator[oci_merge.Client]:
    """A blocking client."""
    with oci_merge.Client() as client:
        yield client


def test_a_blocking_client_serves_many_threads(
    server: RunningServer, registry: EmbeddedRegistry, blocking: oci_merge.Client
) -> None:
    def one(repository: str) -> str:
        return blocking.merge(f"{server.host}/{repository}:1", sources=sources(server.host)).digest

    with ThreadPoolExecutor(3) as pool:
        digests = list(pool.map(one, _TARGETS))
    assert [tags(registry, name) for name in _TARGETS] == [{"1": digest} for digest in digests]


def test_a_blocking_client_pushes_specs_and_inspects(
    server: RunningServer, blocking: oci_merge.Client
) -> None:
    spec = oci_merge.spec_from_template(
        template=f"{server.host}/team/app-ARCH:1.0",
        target=f"{server.host}/bulk/spec:1",
        platforms=["linux/amd64", "linux/arm64"],
    )
    pushed = blocking.push(spec)
    assert blocking.inspect(f"{server.host}/bulk/spec:1").digest == pushed.digest


def test_a_blocking_client_raises_what_the_asynchronous_one_raises(
    server: RunningServer, blocking: oci_merge.Client
) -> None:
    with pytest.raises(oci_merge.NotFoundError):
        blocking.inspect(f"{server.host}/team/nothing:1")
    with pytest.raises(oci_merge.UsageError):
        blocking.merge("no reference at all", sources=["a"])


def test_a_blocking_client_ends_its_thread_and_what_is_under_way(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    started = threading.Event()

    def starts(request: Request) -> bool:
        started.set()
        return True

    registry.hooks.append(Delays(starts, 1))
    outcomes: list[BaseException] = []

    def one(client: oci_merge.Client) -> None:
        try:
            client.inspect(f"{server.host}/team/app-amd64:1.0")
        except BaseException as error:
            outcomes.append(error)

    with oci_merge.Client() as client:
        thread = threading.Thread(target=one, args=[client])
        thread.start()
        assert started.wait(5)
    thread.join(3)
    assert not thread.is_alive()
    assert len(outcomes) == 1
    assert "oci-merge" not in [each.name for each in threading.enumerate()]


def test_a_blocking_client_that_is_not_open_says_so() -> None:
    client = oci_merge.Client()
    with pytest.raises(RuntimeError, match="use it in a with block"):
        client.inspect("reg.test/app:1")


@pytest.mark.anyio
async def test_a_blocking_client_refuses_where_an_event_loop_runs() -> None:
    with oci_merge.Client() as client, pytest.raises(RuntimeError, match="await the same method"):
        client.inspect("reg.test/app:1")


@pytest.mark.parametrize("method", ["__init__", "merge", "push", "inspect"])
def test_both_clients_have_the_same_signatures(method: str) -> None:
    blocking, waiting = getattr(oci_merge.Client, method), getattr(oci_merge.AsyncClient, method)
    assert inspect.signature(blocking) == inspect.signature(waiting)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_answer_does_not_show_that_a_password_is_right(
    status: int, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = BasicAuth([CI])
    with_login = Answers(
        lambda asked: "authorization" in asked.headers, reply(status, b"{}"), times=1
    )
    registry.hooks.append(with_login)
    asyncio.run(_at_once(server.host, username="ci", password="wrong", retries=0))
    sent = [seen for seen in registry.requests if "authorization" in seen.headers]
    assert len(sent) <= 1 + 2


def test_a_closed_client_says_so(server: RunningServer) -> None:
    async def scenario() -> None:
        client = oci_merge.AsyncClient()
        await client.aclose()
        with pytest.raises(RuntimeError, match="the client is closed"):
            await client.inspect(f"{server.host}/team/app-amd64:1.0")
        with pytest.raises(RuntimeError, match="the client is closed"):
            await client.merge(None, sources=1)  # type: ignore[arg-type]

    asyncio.run(scenario())


#: Longer than any operation may take to end once its client is closed, in seconds.
_PROMPT = 4.0


class _Stalls(Hook):
    """Holds back the requests that match until it is told to let them go.

    Attributes:
        asked: set when the first of them has come.
        released: to be set when the test has ended, so that the server can end as well.
    """

    def __init__(self, matches: Matches) -> None:
        self.asked = threading.Event()
        self.released = threading.Event()
        self._matches = matches

    async def before(self, request: Request) -> Response | None:
        if self._matches(request):
            self.asked.set()
            await until(self.released.is_set, 60)
        return None


_Stall = Callable[[Matches], _Stalls]


@pytest.fixture
def stall(server: RunningServer, registry: EmbeddedRegistry) -> Iterator[_Stall]:
    """Make the registry hold back requests until the test has ended."""
    made: list[_Stalls] = []

    def stall(matches: Matches) -> _Stalls:
        made.append(_Stalls(matches))
        registry.hooks.append(made[-1])
        return made[-1]

    yield stall
    for each in made:
        each.released.set()


_STALLED = {
    "manifests": asks("GET", "/manifests/1.0"),
    "configs": asks("GET", "/blobs/"),
    "mounts": asks("POST", "/blobs/uploads/"),
    "tags": asks("PUT", "/manifests/1"),
}


@pytest.mark.parametrize("stalled", _STALLED)
def test_closing_a_client_ends_what_is_under_way(
    stalled: str, server: RunningServer, stall: _Stall
) -> None:
    stalls = stall(_STALLED[stalled])

    async def scenario() -> list[object]:
        client = oci_merge.AsyncClient(concurrency=2)
        merges = [asyncio.ensure_future(_merge(client, server.host, name)) for name in _TARGETS]
        await asyncio.to_thread(stalls.asked.wait, 5)
        async with asyncio.timeout(_PROMPT):
            await client.aclose()
            return await asyncio.gather(*merges, return_exceptions=True)

    outcomes = asyncio.run(scenario())
    assert {type(outcome) for outcome in outcomes} == {RuntimeError}
    assert {str(outcome) for outcome in outcomes} == {
        "the client was closed before the operation had ended"
    }


def test_closing_a_client_ends_an_operation_that_waits_to_retry(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("GET"), reply(503, b"{}", retry_after="60")))

    async def scenario() -> None:
        retries = asyncio.Event()
        client = oci_merge.AsyncClient()
        merge = asyncio.ensure_future(
            client.inspect(f"{server.host}/team/app-amd64:1.0", on_event=lambda _: retries.set())
        )
        async with asyncio.timeout(_PROMPT):
            await retries.wait()
            await client.aclose()
            with pytest.raises(RuntimeError, match="the client was closed"):
                await merge

    asyncio.run(scenario())


def test_a_client_may_be_closed_twice_at_the_same_time(
    server: RunningServer, stall: _Stall
) -> None:
    stalls = stall(asks("GET"))

    async def scenario() -> None:
        client = oci_merge.AsyncClient()
        merge = asyncio.ensure_future(_merge(client, server.host, "bulk/first"))
        await asyncio.to_thread(stalls.asked.wait, 5)
        async with asyncio.timeout(_PROMPT):
            await asyncio.gather(client.aclose(), client.aclose())
            assert merge.done()
            await client.aclose()
        assert isinstance(merge.exception(), RuntimeError)

    asyncio.run(scenario())


def test_a_close_that_is_cancelled_goes_on_for_the_others(
    server: RunningServer, stall: _Stall
) -> None:
    stalls = stall(asks("GET"))

    async def scenario() -> None:
        client = oci_merge.AsyncClient()
        merge = asyncio.ensure_future(_merge(client, server.host, "bulk/first"))
        await asyncio.to_thread(stalls.asked.wait, 5)
        first = asyncio.ensure_future(client.aclose())
        await asyncio.sleep(0)
        first.cancel()
        async with asyncio.timeout(_PROMPT):
            await client.aclose()
            with pytest.raises(RuntimeError, match="the client was closed"):
                await merge
        assert first.cancelled()

    asyncio.run(scenario())


def test_a_cancellation_of_the_caller_s_own_stays_one(server: RunningServer, stall: _Stall) -> None:
    stalls = stall(asks("GET"))

    async def scenario() -> bool:
        client = oci_merge.AsyncClient()
        merge = asyncio.ensure_future(_merge(client, server.host, "bulk/first"))
        await asyncio.to_thread(stalls.asked.wait, 5)
        merge.cancel()
        await client.aclose()
        await asyncio.wait([merge])
        return merge.cancelled()

    assert asyncio.run(scenario())


def test_the_caller_s_task_may_go_on_after_its_client_was_closed(
    server: RunningServer, stall: _Stall
) -> None:
    """The cancellation that ended the operation is taken back, so that nothing else sees it."""
    stalls = stall(asks("GET"))

    async def goes_on(client: oci_merge.AsyncClient) -> int:
        with pytest.raises(RuntimeError, match="the client was closed"):
            await _merge(client, server.host, "bulk/first")
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    async def scenario() -> int:
        client = oci_merge.AsyncClient()
        task = asyncio.ensure_future(goes_on(client))
        await asyncio.to_thread(stalls.asked.wait, 5)
        await client.aclose()
        return await task

    assert asyncio.run(scenario()) == 0


def _in_a_thread(work: Callable[[], object]) -> Future[object]:
    """Run something in a thread that holds up nothing should it never end."""
    outcome: Future[object] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def test_closing_a_blocking_client_ends_what_other_threads_wait_for(
    server: RunningServer, stall: _Stall
) -> None:
    stalls = stall(asks("GET"))
    client = oci_merge.Client().__enter__()
    merges = [
        _in_a_thread(lambda: client.merge(target(server.host), sources=sources(server.host)))
        for _ in range(3)
    ]
    assert stalls.asked.wait(5)
    assert [_in_a_thread(client.close).result(_PROMPT) for _ in range(2)] == [None, None]
    for merge in merges:
        with pytest.raises(RuntimeError, match=r"the client (was|is) closed"):
            merge.result(_PROMPT)
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.inspect(target(server.host))
    with pytest.raises(RuntimeError, match="make another one"):
        client.__enter__()


def test_a_blocking_client_may_be_closed_by_on_event(server: RunningServer) -> None:
    client = oci_merge.Client()

    def scenario() -> None:
        with client, pytest.raises(RuntimeError, match="the client was closed"):
            client.merge(
                target(server.host),
                sources=sources(server.host),
                on_event=lambda _: client.close(),
            )

    _in_a_thread(scenario).result(_PROMPT)
    assert "oci-merge" not in [each.name for each in threading.enumerate()]


def test_a_blocking_client_refuses_to_wait_for_itself(server: RunningServer) -> None:
    with oci_merge.Client() as client:

        def waits(_: oci_merge.Event) -> None:
            client.inspect(target(server.host))

        def merge() -> None:
            with pytest.raises(RuntimeError, match="await the same method"):
                client.merge(
                    target(server.host),
                    sources=sources(server.host),
                    on_event=waits,
                )

        _in_a_thread(merge).result(_PROMPT)
        # It is none the worse for it.
        assert client.merge(target(server.host), sources=sources(server.host)).digest


def test_a_blocking_client_that_was_never_open_may_be_closed() -> None:
    client = oci_merge.Client()
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.inspect("reg.test/app:1")
