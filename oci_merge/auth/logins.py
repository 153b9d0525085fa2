"""How a registry asks for logins, and the logins for it. This outlives a run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from oci_merge._concurrency import SingleFlight
from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Challenge, choose_challenge, parse_challenges
from oci_merge.auth.credential_check import CredentialCheck
from oci_merge.credentials import Credential, CredentialSearch, Stop
from oci_merge.credentials.advice import near_misses, other_logins
from oci_merge.errors import OciMergeError, RegistryError
from oci_merge.http.message import Request, Response
from oci_merge.http.session import Session

#: What a challenge says about one request rather than about the registry.
_OF_ONE_REQUEST = frozenset({"scope", "error", "error_description", "error_uri"})
#: How long a search that is given up may take to end, in seconds.
_THREAD_ENDS = 1.0


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
            check = CredentialCheck[Response](refusals=self.token_check.refusals)
            self.authorization = Authorization(value, check=check)
        return self.authorization

    def start_over(self) -> None:
        """Forget what another server said than the registry asks for; refusals still count."""
        refusals = self.token_check.refusals
        if self.authorization is not None:
            refusals += self.authorization.check.refusals
            self.authorization.check.give_up()
        self.authorization = None
        self.token_check = CredentialCheck(is_accepted=self.credential is None, refusals=refusals)


class Logins:
    """The registry's challenges, and the logins found for it.

    Args:
        search: where to look for credentials, once the registry asks for one.
        presumed: the challenge that the registry is known to send, None where none is known.

    Attributes:
        challenges: the registry's challenges, without what they say about single requests; what is
            presumed until it has sent one.
        has_answered: whether the registry has answered any request.
        first_request: the request that goes ahead until then, with its response; whoever waits
            for it shares its failure.
    """

    def __init__(self, search: CredentialSearch, presumed: Challenge | None = None) -> None:
        self.challenges: tuple[Challenge, ...] = () if presumed is None else (presumed,)
        self._presumed = presumed
        self.has_answered = False
        self.first_request: SingleFlight[str, tuple[Request, Response]] = SingleFlight()
        self._search = search
        self._found: dict[str, Login] = {}
        self._logins: dict[Credential | None, Login] = {}
        self._searches: SingleFlight[str, None] = SingleFlight()
        self._root: SingleFlight[str, None] = SingleFlight()
        self._has_asked = False
        self._may_be_found: dict[str, bool] = {}
        self._looks: SingleFlight[str, bool] = SingleFlight()
        self._advice: dict[tuple[str, Credential | None], str] = {}

    def note(self, challenges: Iterable[Challenge]) -> None:
        """Remember how the registry asks."""
        self.challenges = tuple(map(_without_request, challenges))

    @property
    def presumed(self) -> Challenge | None:
        """The challenge that the registry is known to send, until it has answered a request."""
        return None if self.has_answered else self._presumed

    def presume_nothing(self) -> None:
        """Let the registry say how it asks, unless it has: what was presumed comes to nothing."""
        if not self.has_answered:
            self.challenges = ()
        self._presumed = None

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
        stop = Stop()
        search = asyncio.ensure_future(
            asyncio.to_thread(
                lambda: {name: self._search.find(name, stop=stop) for name in repositories}
            )
        )
        # asyncio logs an error that nobody retrieved, as that of a search that is given up.
        search.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            found = await asyncio.shield(search)
        except asyncio.CancelledError:
            # The last run that waited is over. A thread cannot be cancelled, but what it waits for
            # can be ended, and nothing of it outlives the run.
            stop.end()
            await asyncio.wait([search], timeout=_THREAD_ENDS)
            raise
        for repository, credential in found.items():
            self._found[repository] = self._logins.setdefault(credential, Login(credential))

    async def is_challenged(self, session: Session, repository: str) -> bool:
        """Say whether the registry wants a login at all; it is asked once, at ``/v2/``.

        Where there can be no login for the repository, it is not asked. No helper is run for that.
        """
        if not self.challenges and not self._has_asked and await self.may_find(repository):
            await self._root.run("", partial(self._ask_root, session))
        return bool(self.challenges)

    async def may_find(self, repository: str) -> bool:
        """Say whether there may be a login for a repository; no helper is run for that."""
        known = self._found.get(repository)
        if known is not None:
            return known.credential is not None
        if repository not in self._may_be_found:
            look = partial(asyncio.to_thread, self._search.may_find, repository)
            self._may_be_found[repository] = await self._looks.run(repository, look)
        return self._may_be_found[repository]

    async def _ask_root(self, session: Session) -> None:
        if self._has_asked:  # meanwhile, by another request
            return
        # A registry that does not answer here is no worse off than one that has no challenge.
        with suppress(OciMergeError):
            response = await session.send(Request("GET", "/v2/", repeatable=False))
            challenges = parse_challenges(response.headers.get_list("www-authenticate"))
            if not response.cross_origin and choose_challenge(challenges):
                self.note(challenges)
        self._has_asked = True

    async def advise(self, repository: str, credential: Credential | None) -> str:
        """Say which other logins there are for a repository that was denied.

        Args:
            repository: the repository.
            credential: the credential that was denied; None for an anonymous user.

        Returns:
            A hint, or an empty string; what has a near miss alone follows a semicolon.
        """
        key = repository, credential
        if key not in self._advice:
            advise = (
                partial(other_logins, denied=credential) if credential is not None else near_misses
            )
            self._advice[key] = await asyncio.to_thread(advise, self._search, repository)
        return self._advice[key]


def _without_request(challenge: Challenge) -> Challenge:
    parameters = challenge.parameters.items()
    kept = {name: value for name, value in parameters if name not in _OF_ONE_REQUEST}
    return replace(challenge, parameters=kept)
