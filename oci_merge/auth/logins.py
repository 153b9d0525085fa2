"""How a registry asks for logins, and the logins for it. This outlives a run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from oci_merge._concurrency import SingleFlight
from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Challenge
from oci_merge.auth.credential_check import CredentialCheck
from oci_merge.credentials import Credential, CredentialSearch
from oci_merge.errors import RegistryError
from oci_merge.http.message import Request, Response

#: What a challenge says about one request rather than about the registry.
_OF_ONE_REQUEST = frozenset({"scope", "error", "error_description", "error_uri"})


@dataclass(slots=True, eq=False)
class Login:
    """One credential at one registry, and whether it was accepted there.

    Attributes:
        credential: the credential; None for an anonymous user.
        authorization: what is sent to the registry where it asks for the password, or where the
            credential is a registry token; None until it has asked.
        token_check: whether a token server has accepted the credential.
    """

    credential: Credential | None
    authorization: Authorization | None = None
    token_check: CredentialCheck[RegistryError] = field(init=False)

    def __post_init__(self) -> None:
        # An anonymous user has no password that could be wrong.
        self.token_check = CredentialCheck(is_accepted=self.credential is None)

    @property
    def user(self) -> str:
        """The user, in words that are safe to print."""
        return self.credential.user if self.credential else "an anonymous user"

    @property
    def is_accepted(self) -> bool:
        """Whether the registry or its token server has accepted the credential."""
        sent = self.authorization
        return self.credential is not None and (
            self.token_check.is_accepted or (sent is not None and sent.check.is_accepted)
        )

    def authorize(self, value: str) -> Authorization:
        """Return the authorization for a header value that needs no token server."""
        if self.authorization is None:
            self.authorization = Authorization(value, check=CredentialCheck())
        return self.authorization


class Logins:
    """The registry's challenges, and the logins found for it.

    Args:
        search: where to look for credentials, once the registry asks for one.

    Attributes:
        challenges: the registry's challenges, without what they say about single requests; empty
            until it has sent one.
        has_answered: whether the registry has answered any request.
        first_request: the request that goes ahead until then, with its response; whoever waits
            for it shares its failure.
    """

    def __init__(self, search: CredentialSearch) -> None:
        self.challenges: tuple[Challenge, ...] = ()
        self.has_answered = False
        self.first_request: SingleFlight[str, tuple[Request, Response]] = SingleFlight()
        self._search = search
        self._found: dict[str, Login] = {}
        self._logins: dict[Credential | None, Login] = {}
        self._searches: SingleFlight[str, None] = SingleFlight()

    def note(self, challenges: Iterable[Challenge]) -> None:
        """Remember how the registry asks."""
        self.challenges = tuple(map(_without_request, challenges))

    async def find(self, repositories: Iterable[str]) -> dict[str, Login]:
        """Return the login for each repository; unknown ones are looked for, in a thread.

        Raises:
            CredentialError: a source is there but cannot be read.
        """
        wanted = set(repositories)
        # One search at a time, for whatever repositories: it may ask a helper, which the others
        # need not ask again. Whoever waited for a search that failed shares its error.
        while unknown := sorted(wanted - self._found.keys()):
            await self._searches.run("", partial(self._look_for, unknown))
        return {repository: self._found[repository] for repository in wanted}

    async def _look_for(self, repositories: Sequence[str]) -> None:
        found = await asyncio.to_thread(
            lambda: {repository: self._search.find(repository) for repository in repositories}
        )
        for repository, credential in found.items():
            self._found[repository] = self._logins.setdefault(credential, Login(credential))


def _without_request(challenge: Challenge) -> Challenge:
    parameters = challenge.parameters.items()
    kept = {name: value for name, value in parameters if name not in _OF_ONE_REQUEST}
    return replace(challenge, parameters=kept)
