"""Whether a server has accepted a credential (one mechanism for Basic and for token servers)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

_Refusal = TypeVar("_Refusal")

#: How many refusals make a password wrong. One is not enough, since some servers answer 401,
#: rather than 403, for a repository that the user may not see.
MAX_REFUSALS = 2


class CredentialCheck(Generic[_Refusal]):
    """Keeps a wrong password from being sent again and again.

    Some servers lock a user out after a few failures. So until a server has accepted a credential,
    one attempt is made at a time, and after two refusals none is made any more.

    Args:
        is_accepted: whether the credential needs no check.
        refusals: how often another server has refused it, which might have been about it.

    Attributes:
        is_accepted: whether the server has accepted the credential; that is never taken back, as
            later refusals are about what the user may do.
        refusals: how often it was refused before that.
    """

    def __init__(self, *, is_accepted: bool = False, refusals: int = 0) -> None:
        self.is_accepted = is_accepted
        self.refusals = refusals
        self._refusal: _Refusal | None = None
        self._one_at_a_time = asyncio.Lock()

    def accepted(self) -> None:
        """Note that the server accepted the credential."""
        self.is_accepted = True

    def refused(self, refusal: _Refusal) -> None:
        """Note that the server refused the credential.

        Args:
            refusal: what the server answered; it is given to those who attempt no more.
        """
        if not self.is_accepted:
            self._refusal = refusal
            self.refusals += 1

    def give_up(self) -> None:
        """Let nobody attempt any more; a refusal has to be there."""
        if not self.is_accepted:
            self.refusals = MAX_REFUSALS

    @asynccontextmanager
    async def attempt(self, *, narrowest: bool = True) -> AsyncIterator[_Refusal | None]:
        """Send the credential in the block and note there what came of it.

        Args:
            narrowest: whether no less can be asked for; otherwise the first refusal is enough
                for not asking for so much again.

        Yields:
            None where the credential may be sent, else the refusal to use instead.
        """
        if not self.is_accepted:
            async with self._one_at_a_time:
                # The attempt that was waited for may have settled the matter.
                if not self.is_accepted and self._verdict(narrowest) is None:
                    yield None
                    return
        yield self._verdict(narrowest)

    def _verdict(self, narrowest: bool) -> _Refusal | None:
        if self.is_accepted or (narrowest and self.refusals < MAX_REFUSALS):
            return None
        return self._refusal
