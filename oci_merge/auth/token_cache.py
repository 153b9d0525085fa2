"""The tokens of one user in one run, by scope.

A token covers all that the run does as this user. A token server that refuses so many scopes is
asked for fewer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from oci_merge._concurrency import SingleFlight
from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Challenge, Scope, merge_scopes, own_scopes, parse_scopes
from oci_merge.auth.logins import Login
from oci_merge.auth.token_client import TokenClient
from oci_merge.errors import AuthenticationError, RegistryError
from oci_merge.http.retry import is_busy

_Key = frozenset[Scope]


class TokenCache:
    """Gets tokens for one user and keeps them for the run.

    Args:
        client: asks token servers.
        login: the user.
        run: all that the run will do as this user.
    """

    def __init__(self, client: TokenClient, login: Login, run: Sequence[Scope] = ()) -> None:
        self.login = login
        self._client = client
        self._run = tuple(run)
        self._tokens: dict[_Key, Authorization] = {}
        self._last: dict[_Key, Authorization] = {}
        self._refusals: dict[_Key, RegistryError] = {}
        self._forgotten: set[Authorization | None] = set()
        self._requests: SingleFlight[tuple[_Key, bool], Authorization] = SingleFlight()
        self._checks: SingleFlight[str, None] = SingleFlight()

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not appear in any output, should a server repeat it."""
        tokens = tuple(token.value.partition(" ")[2] for token in self._tokens.values())
        return tokens + (self.login.credential.secrets if self.login.credential else ())

    def get(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what to send with a request for ``scopes``, or None where there is nothing yet."""
        if self.login.authorization is not None:
            return self.login.authorization
        # The last one may have been fetched for more than ``scopes``: a challenge asked for it.
        last = self._last.get(frozenset(scopes))
        if last is not None and not last.is_spent:
            return last
        tokens = (token for token in self._tokens.values() if not token.is_spent)
        return next((token for token in tokens if token.covers(scopes)), None)

    async def presume(self, challenge: Challenge, scopes: Sequence[Scope]) -> Authorization:
        """Get a token for the whole run before the registry has named its token server.

        It is asked for once. What it refuses, the registry shall be asked for first.

        Args:
            challenge: the Bearer challenge that the registry is likely to send.
            scopes: the scopes of the request, of its own repository first.

        Raises:
            RegistryError: the token server refused.
            TransportError: it did not answer soon, or credentials may not go there.
        """
        wide = merge_scopes([*self._run, *scopes])
        return await self._token(challenge, wide, None, narrowest=False, is_presumed=True)

    def forget(self) -> None:
        """Forget tokens and refusals: another server than the registry's has given them."""
        self._forgotten.update((*self._tokens.values(), self.login.authorization))
        self.login.start_over()
        self._tokens.clear()
        self._last.clear()
        self._refusals.clear()

    async def renew(
        self,
        challenge: Challenge,
        scopes: Sequence[Scope],
        refused: Authorization | None = None,
        *,
        is_fresh: bool = False,
    ) -> Authorization | None:
        """Get a token: for the whole run, else for this request, else for its own repository.

        Args:
            challenge: the Bearer challenge.
            scopes: the scopes of the refused request, of its own repository first.
            refused: what that request carried.
            is_fresh: whether that came after the request's operation had begun. A refusal of it
                is then about what it allows and not about its age.

        Returns:
            The token to send, or None where the refusal is a denial.

        Raises:
            RegistryError: the token server refused.
            TransportError: it did not answer, or credentials may not go there.
        """
        if refused in self._forgotten:
            refused = None  # the registry did not want what another server gave
        said = parse_scopes(challenge.parameters.get("scope", ""))
        asked = own_scopes(said, [*self._run, *scopes], self._client.registry)
        narrow = merge_scopes([*scopes, *asked])
        own = tuple(scope for scope in narrow if scope.resource == scopes[0].resource)
        is_denied = refused is not None and is_fresh and not refused.has_ended
        denied = refused.scopes if refused is not None and is_denied else None
        if denied == frozenset(narrow):
            return None
        if denied == frozenset(own) and (refusal := self._refusals.get(frozenset(narrow))):
            # A mount was refused with a token for the target alone. The reason to report is the
            # token server's: it did not grant the source.
            raise refusal.with_traceback(None)
        steps = [narrow, own]
        if denied is None and frozenset(narrow) not in self._tokens:
            steps.insert(0, merge_scopes([*self._run, *narrow]))
        token = await self._first_granted(challenge, steps, refused)
        self._last[frozenset(scopes)] = token
        return token

    async def _first_granted(
        self,
        challenge: Challenge,
        steps: Sequence[tuple[Scope, ...]],
        refused: Authorization | None,
    ) -> Authorization:
        """Ask for one scope list after another, each narrower than the one before."""
        *wider, last = {frozenset(scopes): scopes for scopes in steps}.values()
        for scopes in wider:
            try:
                return await self._token(challenge, scopes, refused, narrowest=False)
            except RegistryError as error:
                if is_busy(error.status):
                    raise
                if isinstance(error, AuthenticationError):
                    await self._checks.run("", partial(self._check_password, challenge))
        return await self._token(challenge, last, refused, narrowest=True)

    async def _check_password(self, challenge: Challenge) -> None:
        """Find out whether a token server refused the password, or only the scopes.

        Some answer 401 where the user may not see one repository of many. To ask for one repository
        after the other would send a wrong password again and again.

        Raises:
            AuthenticationError: the password is wrong.
        """
        check = self.login.token_check
        async with check.attempt() as refusal:
            if refusal is not None:
                raise refusal.with_traceback(None)
            if check.is_accepted:
                return
            try:
                if await self._client.check(challenge, self.login.credential):
                    check.accepted()
            except AuthenticationError as error:
                check.refused(error)
                raise

    async def _token(
        self,
        challenge: Challenge,
        scopes: tuple[Scope, ...],
        refused: Authorization | None,
        *,
        narrowest: bool,
        is_presumed: bool = False,
    ) -> Authorization:
        """Return a token other than ``refused``; all who need the same share one request."""
        key = frozenset(scopes)
        held = self._tokens.get(key)
        # Another request may have renewed the token meanwhile.
        if held is not None and held is not refused and not held.is_spent:
            return held
        if refusal := self._refusals.get(key):
            raise refusal.with_traceback(None)
        request = partial(self._request, challenge, scopes, narrowest, is_presumed)
        # What is presumed is asked for with little patience, which is no answer to a challenge.
        return await self._requests.run((key, is_presumed), request)

    async def _request(
        self, challenge: Challenge, scopes: tuple[Scope, ...], narrowest: bool, is_presumed: bool
    ) -> Authorization:
        key, credential = frozenset(scopes), self.login.credential
        # What comes after ``forget`` was asked of another server than the registry's.
        check = self.login.token_check
        async with check.attempt(narrowest=narrowest) as refusal:
            try:
                if refusal is not None:
                    raise refusal.with_traceback(None)
                token = await self._client.request(
                    challenge, scopes, credential, is_presumed=is_presumed
                )
            except RegistryError as error:
                # A refusal of these scopes holds for the run. An outage concerns other scopes and
                # other users too, so the token client remembers it.
                if check is self.login.token_check and not is_busy(error.status):
                    self._refusals[key] = error
                if isinstance(error, AuthenticationError) and error is not refusal:
                    check.refused(error)
                raise
            check.accepted()
        value = f"Bearer {token.value}"
        authorization = Authorization(value, key, time.monotonic(), token.life)
        if check is self.login.token_check:
            self._tokens[key] = authorization
        else:
            self._forgotten.add(authorization)
        return authorization
