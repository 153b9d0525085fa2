"""Answering a registry's challenges: who asks, for each repository, and with what.

The containers tools keep credentials for parts of a registry, so a run may be several users there.
A request is sent as the user of the repository that it is for; a mount, which concerns two, as the
user of the one that is written to. In the usual case there is one user, and one token for all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from oci_merge.auth.authorization import Authorization, Login
from oci_merge.auth.challenge import Challenge, Scope, parse_challenges
from oci_merge.auth.token_cache import Identity
from oci_merge.credentials import Credential, CredentialSearch
from oci_merge.errors import CredentialError, RegistryError
from oci_merge.http.message import Response
from oci_merge.http.session import Session

_SCHEMES = frozenset({"basic", "bearer"})
#: What a challenge says of the request that it answers, rather than of the registry.
_OF_ONE_REQUEST = frozenset({"scope", "error", "error_description", "error_uri"})


class Logins:
    """What is known of a registry's wish to know who asks, from one run to the next.

    Args:
        search: where to look for credentials, once the registry asks for one.

    Attributes:
        challenges: the registry's, without what they say of single requests; empty until it has
            asked.
    """

    def __init__(self, search: CredentialSearch) -> None:
        self.challenges: tuple[Challenge, ...] = ()
        self._search = search
        self._found: dict[str, Login] = {}
        self._logins: dict[Credential | None, Login] = {}
        self._failure: tuple[float, CredentialError] | None = None
        self._searching = asyncio.Lock()

    def note(self, challenges: Iterable[Challenge]) -> None:
        """Remember how the registry asks."""
        self.challenges = tuple(
            replace(
                challenge,
                parameters={
                    name: value
                    for name, value in challenge.parameters.items()
                    if name not in _OF_ONE_REQUEST
                },
            )
            for challenge in challenges
        )

    async def find(self, repositories: Iterable[str]) -> dict[str, Login]:
        """Return who asks for each repository; what is not known is looked for, in a thread.

        Raises:
            CredentialError: a source is there but cannot be read.
        """
        wanted, asked = set(repositories), time.monotonic()
        async with self._searching:
            # Who waited for a search that failed does not search again.
            if self._failure is not None and self._failure[0] >= asked:
                raise self._failure[1].with_traceback(None)
            unknown = sorted(wanted - self._found.keys())
            if unknown:
                try:
                    credentials = await asyncio.to_thread(self._look_for, unknown)
                except CredentialError as error:
                    self._failure = time.monotonic(), error
                    raise
                for repository, credential in credentials.items():
                    login = self._logins.setdefault(credential, Login(credential))
                    self._found[repository] = login
        return {repository: self._found[repository] for repository in wanted}

    def _look_for(self, repositories: Iterable[str]) -> dict[str, Credential | None]:
        return {repository: self._search.find(repository) for repository in repositories}


class Authenticator:
    """Who one run is at one registry.

    Wherever scopes are given, those of the repository that a request is for come first.

    Args:
        session: the run's way to the registry; token servers are asked through it too.
        scopes: all that the run will do there.
        logins: what other runs have found out.
    """

    def __init__(self, session: Session, scopes: Sequence[Scope], logins: Logins) -> None:
        self._session = session
        self._run = tuple(scopes)
        self._logins = logins
        self._asked_before = bool(logins.challenges)
        self._identities: dict[str, Identity] = {}

    def user(self, scopes: Sequence[Scope]) -> str:
        """Return who asks for these scopes, in words."""
        identity = self._identities.get(_repository(scopes[0]))
        return identity.user if identity else "an anonymous user"

    def wants_login(self, repository: str) -> bool:
        """Say whether a repository's user was challenged, and no login of theirs was taken."""
        identity = self._identities.get(repository)
        return identity is not None and not identity.is_logged_in

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not appear in any output, should a server repeat it."""
        identities = dict.fromkeys(self._identities.values())
        return tuple(secret for identity in identities for secret in identity.secrets)

    async def current(self, scopes: Sequence[Scope], began: float) -> Authorization | None:
        """Return what to send with a request for ``scopes``, or None to ask without.

        Where the registry has asked an earlier run, it is answered before it asks this one; if
        that comes to nothing, it shall ask.

        Raises:
            TransportError: the token server did not answer, or credentials may not go there.
            CredentialError: the credentials cannot be read.
        """
        if self._asked_before:
            identity = await self._identity(scopes)
            try:
                return identity.current(scopes) or await identity.answer(
                    self._logins.challenges, scopes, None, began
                )
            except RegistryError:
                self._asked_before = False
        known = self._identities.get(_repository(scopes[0]))
        return known.current(scopes) if known else None

    async def answer(
        self, response: Response, scopes: Sequence[Scope], used: Authorization | None, began: float
    ) -> Authorization | None:
        """Answer a 401.

        Args:
            response: the 401.
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
        if used is not None and used.trial is not None and used.trial.is_open:
            used.trial.refusals.append(response)
        challenges = parse_challenges(response.headers.get_list("www-authenticate"))
        if _SCHEMES.isdisjoint(challenge.scheme for challenge in challenges):
            return None
        self._logins.note(challenges)
        identity = await self._identity(scopes)
        return await identity.answer(challenges, scopes, used, began)

    async def _identity(self, scopes: Sequence[Scope]) -> Identity:
        """Return who asks for these scopes; the first time, all of the run's users are found."""
        repository = _repository(scopes[0])
        if repository not in self._identities:
            found = await self._logins.find({repository, *map(_repository, self._run)})
            known = {identity.login: identity for identity in self._identities.values()}
            for name, login in found.items():
                if login not in known:
                    known[login] = self._new_identity(login, found)
                self._identities.setdefault(name, known[login])
        return self._identities[repository]

    def _new_identity(self, login: Login, found: dict[str, Login]) -> Identity:
        """Make an identity; one that writes reads everything too, since it mounts from there."""
        mine = [scope for scope in self._run if found.get(_repository(scope)) is login]
        writes = any("push" in scope.actions for scope in mine)
        return Identity(self._session, login, self._run if writes else mine)


def _repository(scope: Scope) -> str:
    return scope.resource.partition(":")[2]
