"""A wrong password is sent twice at most, and one attempt is made at a time until it is right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from oci_merge.auth.credential_check import CredentialCheck

_Check = CredentialCheck[str]


class _Server:
    """Takes passwords, or refuses them; it notes how many are under way at once."""

    def __init__(self, *, accepts: bool) -> None:
        self.sent = self.at_once = self._under_way = 0
        self._accepts = accepts

    async def ask(self, check: _Check, *, narrowest: bool = True) -> str:
        """Make one attempt, and return the refusal, or an empty string."""
        async with check.attempt(narrowest=narrowest) as refusal:
            if refusal is not None:
                return refusal
            self.sent += 1
            self._under_way += 1
            self.at_once = max(self.at_once, self._under_way)
            for _ in range(20):  # turns of the loop, in which everybody else could go
                await asyncio.sleep(0)
            self._under_way -= 1
            if self._accepts:
                check.accepted()
                return ""
            check.refused(f"refusal {self.sent}")
            return f"refusal {self.sent}"


def _run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario()

    asyncio.run(run())


def test_a_wrong_password_is_sent_twice_and_then_refused_without_asking() -> None:
    async def scenario() -> None:
        server, check = _Server(accepts=False), _Check()
        answers = await asyncio.gather(*(server.ask(check) for _ in range(5)))
        assert (server.sent, server.at_once) == (2, 1)
        assert answers == ["refusal 1", *["refusal 2"] * 4]

    _run(scenario)


def test_a_right_password_is_sent_alone_once_and_then_side_by_side() -> None:
    async def scenario() -> None:
        server, check = _Server(accepts=True), _Check()
        await asyncio.gather(*(server.ask(check) for _ in range(5)))
        assert server.sent == 5
        assert server.at_once == 4
        assert check.is_accepted

    _run(scenario)


def test_a_refusal_after_an_acceptance_says_nothing_about_the_password() -> None:
    async def scenario() -> None:
        check = _Check()
        check.accepted()
        check.refused("no")
        check.refused("no")
        async with check.attempt() as refusal:
            assert refusal is None

    _run(scenario)


def test_a_wide_scope_list_is_asked_for_once_and_its_refusal_counts() -> None:
    async def scenario() -> None:
        server, check = _Server(accepts=False), _Check()
        for _ in range(3):
            assert await server.ask(check, narrowest=False) == "refusal 1"
        assert server.sent == 1
        await asyncio.gather(*(server.ask(check) for _ in range(5)))
        assert server.sent == 2

    _run(scenario)


def test_an_attempt_that_came_to_nothing_is_made_again() -> None:
    async def scenario() -> None:
        server, check = _Server(accepts=False), _Check()
        for _ in range(3):
            with pytest.raises(OSError, match="broken"):
                async with check.attempt():
                    raise OSError("broken")
        await asyncio.gather(*(server.ask(check) for _ in range(5)))
        assert server.sent == 2

    _run(scenario)


def test_an_attempt_that_is_cancelled_lets_the_next_one_go() -> None:
    async def scenario() -> None:
        server, check = _Server(accepts=True), _Check()
        held = asyncio.Event()

        async def hold() -> None:
            async with check.attempt():
                held.set()
                await asyncio.sleep(60)

        holding = asyncio.create_task(hold())
        await held.wait()
        waiting = asyncio.create_task(server.ask(check))
        await asyncio.sleep(0)
        assert server.sent == 0
        holding.cancel()
        assert await waiting == ""
        assert server.sent == 1

    _run(scenario)


def test_a_credential_that_needs_no_check_is_sent_side_by_side() -> None:
    async def scenario() -> None:
        server, check = _Server(accepts=True), _Check(is_accepted=True)
        await asyncio.gather(*(server.ask(check) for _ in range(5)))
        assert server.at_once == 5

    _run(scenario)
