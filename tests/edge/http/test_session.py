"""How often a run sends its requests again: the promise holds for a server, not for a request."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from oci_merge.errors import ManifestError, TransportError
from oci_merge.events import Event, Retrying
from oci_merge.http.message import Request, Response
from oci_merge.http.session import Session
from tests.edge.http.fake_transport import FakeTransport, answered, refused, timed_out

pytestmark = pytest.mark.anyio


def _gets(count: int) -> list[Request]:
    return [Request("GET", f"/v2/{number}") for number in range(count)]


async def _all(session: Session, requests: list[Request]) -> list[Response | BaseException]:
    sending = (session.send(request) for request in requests)
    return await asyncio.gather(*sending, return_exceptions=True)


async def test_requests_side_by_side_share_the_retries_of_a_server_that_refuses() -> None:
    async def refuses(request: Request) -> Response:
        raise refused()

    transport = FakeTransport(refuses)
    outcomes = await _all(Session(transport, retries=4), _gets(6))
    assert {type(outcome) for outcome in outcomes} == {TransportError}
    assert len(transport.requests) == 6 + 4


async def test_requests_side_by_side_share_the_retries_of_a_server_that_is_overloaded() -> None:
    async def fails(request: Request) -> Response:
        return answered(request, 503)

    transport = FakeTransport(fails)
    outcomes = await _all(Session(transport, retries=4), _gets(6))
    assert [outcome.status for outcome in outcomes if isinstance(outcome, Response)] == [503] * 6
    assert len(transport.requests) == 6 + 4


async def test_when_one_retry_is_answered_the_other_requests_are_sent_again_side_by_side() -> None:
    seen: Counter[str] = Counter()
    most = under_way = 0

    async def loses_the_first(request: Request) -> Response:
        nonlocal most, under_way
        seen[request.url] += 1
        if seen[request.url] == 1:
            raise refused()
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return answered(request)

    events: list[Event] = []
    transport = FakeTransport(loses_the_first)
    outcomes = await _all(Session(transport, on_event=events.append), _gets(6))
    assert [outcome.status for outcome in outcomes if isinstance(outcome, Response)] == [200] * 6
    assert set(seen.values()) == {2}
    assert most == 5
    assert [type(event) for event in events] == [Retrying] * 6


async def test_each_request_has_its_own_retries_where_it_is_told_to_wait() -> None:
    async def is_busy(request: Request) -> Response:
        return answered(request, 429)

    transport = FakeTransport(is_busy)
    await _all(Session(transport, retries=1), _gets(3))
    assert len(transport.requests) == 3 * 2


async def test_an_answer_that_is_an_error_of_ours_is_not_shared() -> None:
    seen: Counter[str] = Counter()

    async def floods_one(request: Request) -> Response:
        seen[request.url] += 1
        if seen[request.url] == 1:
            raise refused()
        if request.url == "/v2/0":
            raise ManifestError("too large")
        return answered(request)

    outcomes = await _all(Session(FakeTransport(floods_one)), _gets(3))
    assert [type(outcome) for outcome in outcomes] == [ManifestError, Response, Response]


async def test_a_request_is_sent_once_to_a_server_that_is_down_until_it_answers() -> None:
    is_up = False

    async def refuses_or_not(request: Request) -> Response:
        if not is_up:
            raise refused()
        return answered(request)

    transport = FakeTransport(refuses_or_not)
    session = Session(transport, retries=2)
    for expected in (3, 4, 5):
        with pytest.raises(TransportError):
            await session.send(Request("GET", "/v2/"))
        assert len(transport.requests) == expected
    is_up = True
    assert (await session.send(Request("GET", "/v2/"))).status == 200
    is_up = False
    with pytest.raises(TransportError):
        await session.send(Request("GET", "/v2/"))
    assert len(transport.requests) == 6 + 3


async def test_another_server_has_its_own_retries() -> None:
    async def refuses(request: Request) -> Response:
        raise refused()

    transport = FakeTransport(refuses)
    session = Session(transport, retries=2)
    for url in ("/v2/", "https://tokens.test/token", "https://store.test/blob"):
        with pytest.raises(TransportError):
            await session.send(Request("GET", url))
    assert len(transport.requests) == 3 * 3


async def test_a_silent_server_is_asked_once_more_and_then_waited_for_shortly() -> None:
    async def is_silent(request: Request) -> Response:
        raise timed_out()

    transport = FakeTransport(is_silent)
    session = Session(transport, retries=4)
    with pytest.raises(TransportError):
        await session.send(Request("PUT", "/v2/"))
    with pytest.raises(TransportError):
        await session.send(Request("HEAD", "/v2/"))
    brief = transport.timings.brief
    assert [request.patience for request in transport.requests] == [None, None, brief]


async def test_a_silent_server_is_waited_for_where_a_blob_is_streamed() -> None:
    async def is_silent(request: Request) -> Response:
        raise timed_out()

    async def takes(pieces: object) -> None:
        pass

    transport = FakeTransport(is_silent)
    session = Session(transport, retries=0)
    for request in (Request("GET", "/v2/"), Request("GET", "/v2/", write_to=takes)):
        with pytest.raises(TransportError):
            await session.send(request)
    assert [request.patience for request in transport.requests] == [None, None]


async def test_a_lost_request_that_must_not_be_repeated_takes_no_retry_from_the_others() -> None:
    seen: Counter[str] = Counter()

    async def loses_the_first(request: Request) -> Response:
        seen[request.url] += 1
        if seen[request.url] == 1:
            raise refused()
        return answered(request)

    session = Session(FakeTransport(loses_the_first))
    once = Request("HEAD", "/v2/once", repeatable=False)
    outcomes = await _all(session, [once, *_gets(2)])
    assert [type(outcome) for outcome in outcomes] == [TransportError, Response, Response]


async def test_a_bug_is_raised_as_it_is_and_not_retried() -> None:
    async def has_a_bug(request: Request) -> Response:
        raise TypeError("a bug")

    transport = FakeTransport(has_a_bug)
    with pytest.raises(TypeError, match="a bug"):
        await Session(transport).send(Request("GET", "/v2/"))
    assert len(transport.requests) == 1
