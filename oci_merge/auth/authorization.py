"""What is known of one credential at one registry, from one run to the next. Data alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from oci_merge.auth.challenge import DEFAULT_LIFE, Scope
from oci_merge.credentials import Credential
from oci_merge.errors import RegistryError
from oci_merge.http.message import Response

#: A token is not used in its last seconds, when it might end on the way.
_MARGIN = 10.0

#: How often a password is refused until it counts as wrong. Once is not enough, since some
#: registries say 401, rather than 403, of a repository that its user may not see.
MAX_REFUSALS = 2


@dataclass(slots=True, eq=False)
class Trial:
    """What a registry has made so far of a password, or of a token that was given as it is.

    A wrong one that is sent with all first requests at once might lock its user out.

    Attributes:
        is_accepted: whether a request was answered with something else than a challenge.
        refusals: the 401s.
    """

    is_accepted: bool = False
    refusals: list[Response] = field(default_factory=list)

    @property
    def verdict(self) -> Response | None:
        """The 401 that says that it is wrong, so that it is not sent again."""
        is_wrong = not self.is_accepted and len(self.refusals) >= MAX_REFUSALS
        return self.refusals[-1] if is_wrong else None

    @property
    def is_open(self) -> bool:
        """Whether it is neither accepted nor wrong yet; then one request goes ahead."""
        return not self.is_accepted and self.verdict is None


@dataclass(frozen=True, slots=True, eq=False)
class Authorization:
    """The value of an ``Authorization`` header, and what is known of it.

    Attributes:
        value: the header's value.
        scopes: what a token is for; empty for Basic, and for a token that was given as it is.
        obtained: when it came, on the monotonic clock.
        life: how long it says it lasts, in seconds.
        trial: whether the registry takes it, where no token server has vouched for it.
    """

    value: str = field(repr=False)
    scopes: frozenset[Scope] = frozenset()
    obtained: float = 0.0
    life: float = float("inf")
    trial: Trial | None = None

    def covers(self, scopes: Sequence[Scope]) -> bool:
        """Say whether the token was asked for with all of these scopes."""
        have = {scope.resource: set(scope.actions) for scope in self.scopes}
        return all(set(scope.actions) <= have.get(scope.resource, set()) for scope in scopes)

    def is_fresh(self, began: float) -> bool:
        """Say whether this came after ``began`` and is still within its life.

        A refusal of a fresh one is about what it allows, not about its age.
        """
        return self.obtained > began and time.monotonic() < self.obtained + self.life

    @property
    def is_spent(self) -> bool:
        """Whether it is not worth sending; short lives are not believed, as servers err."""
        return time.monotonic() > self.obtained + max(self.life, DEFAULT_LIFE) - _MARGIN


class Login:
    """A credential at a registry: whether it is any good there.

    Attributes:
        credential: the credential; None for an anonymous user.
        fixed: what to send where no token server is asked.
        is_believed: whether a token server has given something for it.
    """

    def __init__(self, credential: Credential | None) -> None:
        self.credential = credential
        self.fixed: Authorization | None = None
        self.is_believed = False
        self._refusals = 0
        self._doubt: RegistryError | None = None
        self._proving = asyncio.Lock()

    @asynccontextmanager
    async def proved(self, *, may_be_less: bool) -> AsyncIterator[None]:
        """Ask a token server in the block: until it has given something, one at a time.

        Args:
            may_be_less: whether less will be asked for if this is refused.

        Raises:
            RegistryError: the credential is wrong, as far as can be seen, so it is not sent again;
                or it may be, and less is asked for.
        """
        if self.is_believed:
            yield
            return
        async with self._proving:
            is_wrong = self._refusals >= MAX_REFUSALS
            if self._doubt is not None and not self.is_believed and (is_wrong or may_be_less):
                raise self._doubt.with_traceback(None)
            yield

    def note_refusal(self, error: RegistryError, *, is_last: bool) -> None:
        """Note that a token server did not take it; a password that is never taken is wrong.

        Args:
            error: what it said.
            is_last: whether no less can be asked for.
        """
        if self.is_believed or self.credential is None:
            return
        self._doubt = error
        self._refusals += is_last
