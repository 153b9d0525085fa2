"""One user in one run: the header that a credential gives, and the tokens that it got.

A token covers all that the run does as this identity; a server that refuses so much is asked for
less.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence

from oci_merge.auth.authorization import Authorization, Login, Trial
from oci_merge.auth.challenge import (
    Challenge,
    Scope,
    choose_challenge,
    merge_scopes,
    parse_scopes,
)
from oci_merge.auth.token_client import TokenClient
from oci_merge.errors import AuthenticationError, RegistryError
from oci_merge.http.session import Session

_Key = frozenset[Scope]


class Identity:
    """Answers challenges as one user.

    Args:
        session: the run's way to the registry.
        login: who this is.
        run: all that the run will do as this user.
    """

    def __init__(self, session: Session, login: Login, run: Sequence[Scope] = ()) -> None:
        self.login = login
        self._client = TokenClient(session, login.credential)
        self._run = tuple(run)
        self._tokens: dict[_Key, Authorization] = {}
        self._answers: dict[_Key, Authorization] = {}
        self._refusals: dict[_Key, tuple[float, RegistryError]] = {}
        self._too_wide: set[_Key] = set()
        self._locks: defaultdict[_Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def user(self) -> str:
        """Who this is, in words."""
        return self._client.user

    @property
    def is_logged_in(self) -> bool:
        """Whether its credential is right: it got a token, or got a request past a challenge."""
        trial = self.login.fixed.trial if self.login.fixed else None
        is_taken = self.login.is_believed or (trial is not None and trial.is_accepted)
        return self.login.credential is not None and is_taken

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not appear in any output, should a server repeat it."""
        tokens = tuple(token.value.partition(" ")[2] for token in self._tokens.values())
        return tokens + (self.login.credential.secrets if self.login.credential else ())

    def current(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what to send with a request for ``scopes``, or None to ask without."""
        if self.login.fixed is not None:
            return self.login.fixed
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
        credential = self.login.credential
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
        if value is None or (used is not None and used is self.login.fixed):
            return None
        if self.login.fixed is None:
            self.login.fixed = Authorization(value, trial=Trial())
        return self.login.fixed

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
                return await self._token(challenge, scopes, used, began, may_be_less=True)
            except RegistryError as error:
                if error.status >= 500 or error.status == 429:
                    raise
                self._too_wide.add(frozenset(scopes))
        return await self._token(challenge, last, used, began)

    async def _token(
        self,
        challenge: Challenge,
        scopes: tuple[Scope, ...],
        used: Authorization | None,
        began: float,
        *,
        may_be_less: bool = False,
    ) -> Authorization:
        """Return a token other than ``used``; those who need the same share one request for it."""
        key = frozenset(scopes)
        async with self._locks[key]:
            known = self._tokens.get(key)
            if known is not None and known is not used and not known.is_spent:
                return known
            refused_at, refusal = self._refusals.get(key, (0.0, None))
            if refusal is not None and refused_at > began:
                raise refusal
            async with self.login.proved(may_be_less=may_be_less):
                try:
                    token = await self._client.request(challenge, scopes)
                except RegistryError as error:
                    self._refusals[key] = (time.monotonic(), error)
                    if isinstance(error, AuthenticationError):
                        self.login.note_refusal(error, is_last=not may_be_less)
                    raise
                self.login.is_believed = True
            self._tokens[key] = Authorization(
                f"Bearer {token.value}", key, time.monotonic(), token.life
            )
            return self._tokens[key]


def _offers(challenges: Sequence[Challenge], scheme: str) -> bool:
    return any(challenge.scheme == scheme for challenge in challenges)
