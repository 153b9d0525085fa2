"""Coroutines side by side: results in order, one error, and nothing that goes on behind it."""

from __future__ import annotations

import asyncio
import gc

import pytest

from oci_merge import ManifestError, OciMergeError, TransportError
from oci_merge._concurrency import SingleFlight, background, gather, gather_settled, gather_two

pytestmark = pytest.mark.anyio


async def _returns(value: int, seconds: float = 0) -> int:
    await asyncio.sleep(seconds)
    return value


async def _raises(error: BaseException, seconds: float = 0) -> int:
    await asyncio.sleep(seconds)
    raise error


async def _caused() -> int:
    try:
        raise OSError("the very cause")
    except OSError as error:
        raise TransportError("no answer") from error


async def test_results_come_in_the_order_of_the_coroutines() -> None:
    assert await gather([_returns(1, 0.02), _returns(2)]) == [1, 2]
    assert await gather_two(_returns(1, 0.02), _returns(2)) == (1, 2)
    assert await gather_settled([_returns(1, 0.02), _returns(2)]) == [1, 2]
    assert await gather([]) == []


async def test_the_first_error_is_raised_by_itself_with_its_cause() -> None:
    with pytest.raises(TransportError, match="no answer") as gathered:
        await gather([_returns(1, 60), _caused()])
    with pytest.raises(TransportError, match="no answer") as paired:
        await gather_two(gather([_caused()]), _returns(1, 60))
    for caught in (gathered, paired):
        assert isinstance(caught.value.__cause__, OSError)


async def test_what_runs_beside_a_failure_is_cancelled_and_awaited() -> None:
    ended: list[str] = []

    async def tidies_up() -> int:
        try:
            return await _returns(1, 60)
        finally:
            await asyncio.sleep(0)
            ended.append("tidied up")

    with pytest.raises(ManifestError):
        await gather([tidies_up(), _raises(ManifestError("no"), 0.01), tidies_up()])
    with pytest.raises(ManifestError):
        await gather_two(_raises(ManifestError("no"), 0.01), tidies_up())
    assert ended == ["tidied up"] * 3


async def test_settling_keeps_our_errors_in_their_places_and_lets_all_end() -> None:
    no = ManifestError("no")
    assert await gather_settled([_raises(no), _returns(2, 0.02), _raises(no, 0.01)]) == [no, 2, no]


async def test_settling_does_not_hide_what_is_no_error_of_ours() -> None:
    with pytest.raises(LookupError, match="a bug"):
        await gather_settled([_returns(1, 60), _raises(LookupError("a bug"))])
    assert not issubclass(LookupError, OciMergeError)


async def test_a_cancellation_is_one_and_no_group() -> None:
    task = asyncio.ensure_future(
        gather_two(gather([_returns(1, 60)]), gather_settled([_returns(2, 60)]))
    )
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_flight_is_shared_by_all_who_ask_for_it_meanwhile_and_by_nobody_later() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    calls: list[str] = []

    async def call(name: str) -> int:
        calls.append(name)
        await asyncio.sleep(0.01)
        return len(calls)

    asked = [flight.run("a", lambda: call("a")) for _ in range(3)]
    assert await gather([*asked, flight.run("b", lambda: call("b"))]) == [2, 2, 2, 2]
    assert calls == ["a", "b"]
    assert await flight.run("a", lambda: call("again")) == 3


async def test_everybody_who_waits_for_a_flight_shares_its_failure() -> None:
    flight: SingleFlight[None, int] = SingleFlight()
    error = TransportError("no answer")
    asked = [flight.run(None, lambda: _raises(error, 0.01)) for _ in range(2)]
    assert await gather_settled(asked) == [error, error]


async def test_a_flight_goes_on_while_anybody_waits_and_is_cancelled_with_the_last() -> None:
    flight: SingleFlight[None, int] = SingleFlight()
    ended: list[str] = []

    async def call() -> int:
        try:
            return await _returns(7, 0.05)
        finally:
            ended.append("ended")

    first, second = (asyncio.ensure_future(flight.run(None, call)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert ended == []
    assert await second == 7

    ended.clear()
    alone = asyncio.ensure_future(flight.run(None, call))
    await asyncio.sleep(0.01)
    alone.cancel()
    await asyncio.wait([alone])
    assert alone.cancelled()
    assert ended == ["ended"]


async def test_an_error_that_comes_with_the_cancellation_of_its_only_caller_is_not_logged() -> None:
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))

    async def scenario() -> None:
        flight: SingleFlight[None, int] = SingleFlight()
        callers: list[asyncio.Future[int]] = []

        async def call() -> int:
            await asyncio.sleep(0)
            callers.pop().cancel()
            raise TransportError("no answer")

        callers.append(asyncio.ensure_future(flight.run(None, call)))
        await asyncio.wait(callers)

    await scenario()
    gc.collect()  # a task that is forgotten tells of its error
    assert logged == []


async def test_nothing_outlives_its_run_though_the_caller_is_cancelled_again_meanwhile() -> None:
    flight: SingleFlight[None, int] = SingleFlight()

    async def behind() -> None:
        async with background(tidies_up()):
            await asyncio.sleep(60)

    async def tidies_up() -> int:
        try:
            return await _returns(1, 60)
        finally:
            tidying.set()
            await tidied.wait()
            ended.append("tidied up")

    for run in (lambda: flight.run(None, tidies_up), behind):
        ended: list[str] = []
        tidying, tidied = asyncio.Event(), asyncio.Event()
        caller: asyncio.Future[object] = asyncio.ensure_future(run())
        await asyncio.sleep(0.01)
        caller.cancel()
        await tidying.wait()
        for _ in range(3):
            caller.cancel()
            await asyncio.sleep(0.01)
        assert not caller.done()
        tidied.set()
        await asyncio.wait([caller])
        assert caller.cancelled()
        assert ended == ["tidied up"]
