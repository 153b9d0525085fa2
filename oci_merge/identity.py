"""One credential at one registry: the header that it gives, and the tokens that it got.

A token covers all that the run does as this identity; a server that refuses so much is asked for
less.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from oci_merge.challenge import (
    DEFAULT_LIFE,
    Challenge,
    Scope,
    choose_challenge,
    merge_scopes,
    parse_scopes,
)
from oci_merge.credentials import Credential
from oci_merge.errors import AuthenticationError, RegistryError
from oci_merge.exchange import Reply
from oci_merge.tokens import TokenClient
from oci_merge.transport import Transport

#: A token is not used in its last seconds, when it might end on the way.
_MARGIN = 10.0

#: How often a password is refused until it counts as wrong. Once is not enough, since some
#: registries say 401, rather than 403, of a repository that its user may not see.
_MAX_REFUSALS = 2

_Key = frozenset[Scope]


@dataclass(slots=True, eq=False)
class Trial:
    """What a registry has made so far of a password, or of a token that was given as it is.

    A wrong one that is sent with all first requests at once might lock its user out.

    Attributes:
        is_accepted: whether a request was answered with something else than a challenge.
        refusals: the 401s.
    """

    is_accepted: bool = False
    refusals: list[Reply] = field(default_factory=list)

    @property
    def verdict(self) -> Reply | None:
        """The 401 that says that it is wrong, so that it is not sent again."""
        is_wrong = not self.is_accepted and len(self.refusals) >= _MAX_REFUSALS
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


class Identity:
    """Answers challenges as one user.

    Args:
        transport: the way to the registry.
        credential: who this is; None for an anonymous user.
        run: all that the run will do as this user.
    """

    def __init__(
        self, transport: Transport, credential: Credential | None, run: Sequence[Scope] = ()
    ) -> None:
        self.credential = credential
        self._client = TokenClient(transport, credential)
        self._run = tuple(run)
        self._fixed: Authorization | None = None
        self._tokens: dict[_Key, Authorization] = {}
        self._answers: dict[_Key, Authorization] = {}
        self._refusals: dict[_Key, tuple[float, RegistryError]] = {}
        self._too_wide: set[_Key] = set()
        self._login_refusals: set[_Key] = set()
        self._login_failed: RegistryError | None = None
        self._first = asyncio.Lock()
        self._locks: defaultdict[_Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def user(self) -> str:
        """Who this is, in words."""
        return self._client.user

    @property
    def is_logged_in(self) -> bool:
        """Whether its credential is right: it got a token, or got a request past a challenge."""
        trial = self._fixed.trial if self._fixed else None
        is_taken = bool(self._tokens) or (trial is not None and trial.is_accepted)
        return self.credential is not None and is_taken

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not appear in any output, should a server repeat it."""
        tokens = tuple(token.value.partition(" ")[2] for token in self._tokens.values())
        return tokens + (self.credential.secrets if self.credential else ())

    def current(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what to send with a request for ``scopes``, or None to ask without."""
        if self._fixed is not None:
            return self._fixed
        last = self._answers.get(frozenset(scopes))
        if last is not None and not last.is_spent:
            return last
        tokens = (token for token in self._tokens.values() if not token.is_spent)
        return next((token for token in tokens if token.covers(scopes)), None)

    async def answer(
        self,
        challenges: Sequence[Challenge],
        scopes: Sequence[Scope],
        used: Authorization | None,
        began: float,
    ) -> Authorization | None:
        """Answer the challenges of a 401; as ``Authenticator.answer``."""
        credential = self.credential
        if credential and credential.registry_token and _offers(challenges, "bearer"):
            return self._answer_fixed(f"Bearer {credential.registry_token}", used)
        challenge = choose_challenge(challenges)
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            basic = credential.basic() if credential and credential.has_password else None
            return self._answer_fixed(basic, used)
        return await self._answer_bearer(challenge, scopes, used, began)

    def _answer_fixed(self, value: str | None, used: Authorization | None) -> Authorization | None:
        """Answer with what needs no token server, once."""
        if value is None or (used is not None and used is self._fixed):
            return None
        if self._fixed is None:
            self._fixed = Authorization(value, trial=Trial())
        return self._fixed

    async def _answer_bearer(
        self,
        challenge: Challenge,
        scopes: Sequence[Scope],
        used: Authorization | None,
        began: float,
    ) -> Authorization | None:
        """Get a token: for the whole run, else for this request, else for its own repository."""
        asked = parse_scopes(challenge.parameters.get("scope", ""))
        narrow = merge_scopes([*scopes, *asked])
        own = tuple(scope for scope in narrow if scope.resource == scopes[0].resource)
        denied = used.scopes if used is not None and used.is_fresh(began) else None
        if denied == frozenset(narrow):
            return None
        if denied == frozenset(own) and frozenset(narrow) in self._too_wide:
            # A mount: that the token server would not grant its source is what there is to say.
            raise self._refusals[frozenset(narrow)][1]
        steps = {frozenset(narrow): narrow, frozenset(own): own}
        if denied is None and frozenset(narrow) not in self._tokens:
            wide = merge_scopes([*self._run, *narrow])
            steps = {frozenset(wide): wide} | steps
        token = await self._first_granted(challenge, list(steps.values()), used, began)
        self._answers[frozenset(scopes)] = token
        return token

    async def _first_granted(
        self,
        challenge: Challenge,
        steps: Sequence[tuple[Scope, ...]],
        used: Authorization | None,
        began: float,
    ) -> Authorization:
        """Ask for one thing after another, each less than the one before; not twice in vain."""
        *wider, last = steps
        for scopes in wider:
            if frozenset(scopes) in self._too_wide:
                continue
            try:
                return await self._token(challenge, scopes, used, began)
            except RegistryError as error:
                if error.status >= 500 or error.status == 429:
                    raise
                self._too_wide.add(frozenset(scopes))
        try:
            return await self._token(challenge, last, used, began)
        except AuthenticationError as error:
            self._login_refusals.add(frozenset(last))
            if self.credential is not None and len(self._login_refusals) >= _MAX_REFUSALS:
                self._login_failed = None if self._tokens else error
            raise

    async def _token(
        self,
        challenge: Challenge,
        scopes: tuple[Scope, ...],
        used: Authorization | None,
        began: float,
    ) -> Authorization:
        """Return a token other than ``used``; those who need the same share one request for it."""
        key = frozenset(scopes)
        # Until one token came, one at a time: a wrong password is not tried for each repository.
        async with self._locks[key] if self._tokens else self._first:
            known = self._tokens.get(key)
            if known is not None and known is not used and not known.is_spent:
                return known
            if self._login_failed is not None:
                raise self._login_failed
            refused_at, refusal = self._refusals.get(key, (0.0, None))
            if refusal is not None and refused_at > began:
                raise refusal
            try:
                token = await self._client.request(challenge, scopes)
            except RegistryError as error:
                self._refusals[key] = (time.monotonic(), error)
                raise
            self._tokens[key] = Authorization(
                f"Bearer {token.value}", key, time.monotonic(), token.life
            )
            return self._tokens[key]


def _offers(challenges: Sequence[Challenge], scheme: str) -> bool:
    return any(challenge.scheme == scheme for challenge in challenges)
