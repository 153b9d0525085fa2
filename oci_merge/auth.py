"""Answering a registry's challenges: who asks, for each repository, and with what.

The containers tools keep credentials for parts of a registry, so a run may be several users there.
A request is sent as the user of the repository that it is for; a mount, which concerns two, as the
user of the one that is written to. In the usual case there is one user, and one token for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from oci_merge.challenge import Scope, parse_challenges
from oci_merge.credentials import Credential, CredentialSearch
from oci_merge.errors import CredentialError
from oci_merge.exchange import Reply
from oci_merge.identity import Authorization, Identity
from oci_merge.transport import Transport

_SCHEMES = frozenset({"basic", "bearer"})


class Authenticator:
    """What one run knows of one registry's wish to know who asks.

    Wherever scopes are given, those of the repository that a request is for come first.

    Args:
        transport: the way to the registry; token servers are asked through it too.
        scopes: all that the run will do there.
        search: where to look for credentials, once the registry asks for one.
    """

    def __init__(
        self, transport: Transport, scopes: Sequence[Scope], search: CredentialSearch
    ) -> None:
        self._transport = transport
        self._run = tuple(scopes)
        self._search = search
        self._identities: dict[str, Identity] = {}
        self._search_failed: CredentialError | None = None
        self._searching = asyncio.Lock()

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

    def current(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what to send with a request for ``scopes``, or None to ask without."""
        identity = self._identities.get(_repository(scopes[0]))
        return identity.current(scopes) if identity else None

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
        if used is not None and used.trial is not None:
            used.trial.refusals.append(reply)
        challenges = parse_challenges(reply.headers.get_list("www-authenticate"))
        if _SCHEMES.isdisjoint(challenge.scheme for challenge in challenges):
            return None
        identity = await self._identity(scopes)
        return await identity.answer(challenges, scopes, used, began)

    async def _identity(self, scopes: Sequence[Scope]) -> Identity:
        """Return who asks for these scopes; the first time, credentials are looked for."""
        repository = _repository(scopes[0])
        async with self._searching:
            if self._search_failed is not None:
                raise self._search_failed
            if repository not in self._identities:
                try:
                    await self._look_for_all(repository)
                except CredentialError as error:
                    self._search_failed = error
                    raise
            return self._identities[repository]

    async def _look_for_all(self, repository: str) -> None:
        """Look for the credentials of all the run's repositories, and of one that may be new."""
        wanted = {repository, *map(_repository, self._run)} - self._identities.keys()
        found = await asyncio.to_thread(
            lambda: {repository: self._search.find(repository) for repository in sorted(wanted)}
        )
        known = {identity.credential: identity for identity in self._identities.values()}
        for name, credential in found.items():
            if credential not in known:
                known[credential] = self._new_identity(credential, found)
            self._identities[name] = known[credential]

    def _new_identity(
        self, credential: Credential | None, found: dict[str, Credential | None]
    ) -> Identity:
        """Make an identity; one that writes reads everything too, since it mounts from there."""
        mine = [scope for scope in self._run if found.get(_repository(scope)) == credential]
        writes = any("push" in scope.actions for scope in mine)
        return Identity(self._transport, credential, self._run if writes else mine)


def _repository(scope: Scope) -> str:
    return scope.resource.partition(":")[2]
