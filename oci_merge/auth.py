"""Answering a registry's challenges: Basic, and Bearer by the Docker token flow.

One token covers all the scopes of a run; a server that refuses so many is asked for fewer.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from oci_merge.challenge import (
    DEFAULT_LIFE,
    Challenge,
    Scope,
    choose_challenge,
    merge_scopes,
    parse_challenges,
    parse_scopes,
    parse_token,
    resolve_realm,
)
from oci_merge.credentials import Credential, find_credential
from oci_merge.errors import AuthenticationError, RegistryError
from oci_merge.failures import Attempt, error_from
from oci_merge.text import printable
from oci_merge.transport import Reply, Request, Transport

_CLIENT_ID = "oci-merge"
_MAX_TOKEN = 64 * 1024
#: A token is not used in its last seconds, when it might end on the way.
_MARGIN = 10.0
#: What is shorter is not looked for in what servers say: it would blank out ordinary words.
_MIN_SECRET = 4
#: How often a password is refused until it counts as wrong. Once is not enough, since some
#: registries say 401, rather than 403, of a repository that its user may not see.
_MAX_REFUSALS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Authorization:
    """The value of an ``Authorization`` header, and what is known of it.

    Attributes:
        value: the header's value.
        scopes: what a token is for; empty for Basic.
        obtained: when it came, on the monotonic clock.
        life: how long it says it lasts, in seconds.
    """

    value: str = field(repr=False)
    scopes: frozenset[Scope] = frozenset()
    obtained: float = 0.0
    life: float = float("inf")

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


class Authenticator:
    """What one run knows of one registry's wish to know who asks.

    Args:
        transport: the way to the registry; token servers are asked through it too.
        scopes: all that the run will do there.
        given: the credential that the caller gave, if any.
        docker_config: the file to read instead of the usual docker config.
        environ: the environment to look into; the process's own where it is left out.
    """

    def __init__(
        self,
        transport: Transport,
        scopes: Sequence[Scope],
        given: Credential | None = None,
        docker_config: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._transport = transport
        self._run = tuple(scopes)
        self._given = given
        self._docker_config = docker_config
        self._environ = environ
        self._credential: Credential | None = None
        self._basic: Authorization | None = None
        self._basic_is_accepted = False
        self._basic_refusals: list[Reply] = []
        self._tokens: dict[frozenset[Scope], Authorization] = {}
        self._refusals: dict[frozenset[Scope], tuple[float, RegistryError]] = {}
        self._wide_is_refused = False
        self._login_failed: RegistryError | None = None
        self._first = asyncio.Lock()
        self._locks: defaultdict[frozenset[Scope], asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def user(self) -> str:
        """Who asks, in words."""
        if self._credential is None:
            return "an anonymous user"
        return f"{printable(self._credential.username)} (from {self._credential.origin})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any output, should a server repeat it; longest first."""
        credential = self._credential
        values = [token.value.partition(" ")[2] for token in self._tokens.values()]
        if credential is not None:
            values += [credential.basic().partition(" ")[2], credential.password]
        long = [value for value in values if len(value) >= _MIN_SECRET]
        return tuple(sorted(long, key=len, reverse=True))

    def current(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what to send with a request for ``scopes``, or None to ask without."""
        if self._basic is not None:
            return self._basic
        exact = self._tokens.get(frozenset(merge_scopes(scopes)))
        for token in (exact, *self._tokens.values()):
            if token is not None and not token.is_spent and token.covers(scopes):
                return token
        return None

    def is_unproven(self, used: Authorization | None) -> bool:
        """Say whether this is a password that the registry has neither accepted nor refused yet.

        A wrong one sent with all first requests at once might lock its user out.
        """
        is_basic = used is not None and used is self._basic
        return is_basic and not self._basic_is_accepted and self.refusal(used) is None

    def accepted(self, used: Authorization | None) -> None:
        """Note that a request was answered with something else than a challenge."""
        if used is not None and used is self._basic:
            self._basic_is_accepted = True

    def refusal(self, used: Authorization | None) -> Reply | None:
        """Return the 401 that says that a password is wrong, so that it is not sent again."""
        is_basic = used is not None and used is self._basic
        if not is_basic or self._basic_is_accepted or len(self._basic_refusals) < _MAX_REFUSALS:
            return None
        return self._basic_refusals[-1]

    async def answer(
        self, reply: Reply, scopes: Sequence[Scope], used: Authorization | None, began: float
    ) -> Authorization | None:
        """Answer a 401.

        Args:
            reply: the 401.
            scopes: what the refused request needs.
            used: what it carried.
            began: when its operation began, on the monotonic clock.

        Returns:
            What to send next, or None where the 401 is a denial.

        Raises:
            RegistryError: the token server refused.
            TransportError: it did not answer, or credentials may not go there.
            CredentialError: the credentials cannot be read.
        """
        if used is not None and used is self._basic:
            self._basic_refusals.append(reply)
        headers = reply.headers.get_list("www-authenticate")
        challenge = choose_challenge(parse_challenges(headers))
        if challenge is None:
            return None
        if self._credential is None:
            self._credential = find_credential(
                self._transport.registry,
                self._given,
                environ=self._environ,
                docker_config=self._docker_config,
            )
        if challenge.scheme == "basic":
            return self._answer_basic(used)
        asked = parse_scopes(challenge.parameters.get("scope", ""))
        return await self._answer_bearer(challenge, merge_scopes([*scopes, *asked]), used, began)

    def _answer_basic(self, used: Authorization | None) -> Authorization | None:
        if self._credential is None or (used is not None and used is self._basic):
            return None
        if self._basic is None:
            self._basic = Authorization(self._credential.basic())
        return self._basic

    async def _answer_bearer(
        self,
        challenge: Challenge,
        narrow: tuple[Scope, ...],
        used: Authorization | None,
        began: float,
    ) -> Authorization | None:
        """Get a token for the whole run, or for this request alone where that was refused."""
        exact = frozenset(narrow)
        denied = used if used is not None and used.is_fresh(began) else None
        if denied is not None and denied.scopes == exact:
            return None
        wide = merge_scopes([*self._run, *narrow])
        if denied is None and not self._wide_is_refused and exact not in self._tokens:
            try:
                return await self._token(challenge, wide, used, began)
            except RegistryError as error:
                is_about_scopes = error.status < 500 and error.status != 429
                if not is_about_scopes or wide == narrow:
                    raise
                self._wide_is_refused = True
        try:
            return await self._token(challenge, narrow, used, began)
        except AuthenticationError as error:
            if self._credential is not None and not self._tokens:
                self._login_failed = error
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
                self._tokens[key] = await self._request(challenge, scopes)
            except RegistryError as error:
                self._refusals[key] = (time.monotonic(), error)
                raise
            return self._tokens[key]

    async def _request(self, challenge: Challenge, scopes: tuple[Scope, ...]) -> Authorization:
        """Ask the token server (Docker token authentication, "Requesting a token")."""
        resolve = partial(
            resolve_realm,
            registry_url=self._transport.base_url,
            trusts_plain=self._transport.is_plain_or_unverified,
        )
        realm = resolve(challenge.parameters["realm"])
        reply = await self._transport.send(
            Request(
                "GET",
                _with_query(realm, self._query(challenge, scopes)),
                limit=_MAX_TOKEN,
                authorization=self._credential.basic() if self._credential else None,
                check_redirect=resolve,
            )
        )
        if reply.status != 200:
            raise error_from(reply, self._attempt(realm))
        token = parse_token(reply.content)
        return Authorization(
            f"Bearer {token.value}", frozenset(scopes), time.monotonic(), token.life
        )

    def _query(self, challenge: Challenge, scopes: tuple[Scope, ...]) -> str:
        pairs = [("scope", str(scope)) for scope in scopes]
        if service := challenge.parameters.get("service"):
            pairs.insert(0, ("service", service))
        pairs.append(("client_id", _CLIENT_ID))
        if self._credential is not None:
            pairs.append(("account", self._credential.username))
        return urlencode(pairs)

    def _attempt(self, realm: str) -> Attempt:
        return Attempt(
            action="get a token for",
            subject=self._transport.registry,
            registry=self._transport.registry,
            method="GET",
            user=self.user,
            server=f"the token server {printable(urlsplit(realm).netloc)}",
            secrets=self.secrets,
        )


def _with_query(url: str, query: str) -> str:
    """Append to a URL's query as text, since a client would encode what is there once more."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"
