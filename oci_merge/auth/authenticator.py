"""Sends one request and answers authentication challenges.

The containers tools keep credentials for parts of a registry, so a run may be several users there.
A request is sent as the user of the repository that it is for; a mount, which concerns two, as the
user of the one that is written to. In the usual case there is one user, and one token for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Challenge, Scope, choose_challenge, parse_challenges
from oci_merge.auth.credential_check import CredentialCheck
from oci_merge.auth.logins import Login, Logins
from oci_merge.auth.token_cache import TokenCache
from oci_merge.auth.token_client import TokenClient
from oci_merge.errors import RegistryError
from oci_merge.http.deadline import DeadlineReachedError
from oci_merge.http.message import Request, Response
from oci_merge.http.retry import is_busy
from oci_merge.http.session import Session

#: A first answer to a challenge, one with fewer scopes, and one for a token that ended meanwhile.
_MAX_ANSWERS = 4
_SCHEMES = frozenset({"basic", "bearer"})


class Authenticator:
    """Sends a run's requests to one registry, each as its user.

    Wherever scopes are given, those of the repository that a request is for come first.

    Args:
        session: the run's way to the registry; token servers are asked through it too.
        scopes: all that the run will do there.
        logins: what earlier runs have found out.
    """

    def __init__(self, session: Session, scopes: Sequence[Scope], logins: Logins) -> None:
        self._session = session
        self._run = tuple(scopes)
        self._logins = logins
        self._client = TokenClient(session)
        self._caches: dict[str, TokenCache] = {}
        self._lets_registry_ask = False

    async def send(self, request: Request, scopes: Sequence[Scope]) -> Response:
        """Send a request and answer challenges.

        Args:
            request: the request. Where its URL is another host's, it goes there without
                credentials, and the response counts as cross-origin.
            scopes: what the request needs.

        Returns:
            The response. A 401 is the registry's last word.

        Raises:
            RegistryError: a token server refused.
            TransportError: no usable response came.
            CredentialError: credentials are configured but cannot be read.
        """
        if not self._session.origin.owns(request.url):
            return replace(await self._session.send(request), cross_origin=True)
        # What the run gets from here on is fresh: a refusal of it is about what it allows. What
        # was there before may have ended, so it is renewed once.
        old = self._held(scopes)
        response = await self._go_ahead(request, scopes)
        authorization = None if response else old or await self._authorize(scopes)
        for _ in range(_MAX_ANSWERS + 1):
            if authorization is not None:
                async with authorization.check.attempt() as refusal:
                    response = refusal or await self._session.send(
                        replace(request, authorization=authorization.value)
                    )
                    if refusal is None:
                        _judge(authorization.check, response)
            elif response is None:
                response = await self._session.send(request)
            if not _is_challenge(response):
                break
            is_fresh = authorization is not old
            authorization = await self._answer(response, scopes, authorization, is_fresh=is_fresh)
            if authorization is None:
                break
        assert response is not None
        return response

    def user(self, scopes: Sequence[Scope]) -> str:
        """Return who asks for these scopes, in words that are safe to print."""
        cache = self._caches.get(_repository(scopes[0]))
        return cache.login.user if cache else "an anonymous user"

    def has_token(self, scopes: Sequence[Scope]) -> bool:
        """Say whether a token server has given a token for these scopes."""
        held = self._held(scopes)
        return held is not None and bool(held.scopes)

    def wants_login(self, repository: str) -> bool:
        """Say whether a repository's user was challenged, and no login of theirs was accepted."""
        cache = self._caches.get(repository)
        return cache is not None and not cache.login.is_accepted

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not appear in any output, should a server repeat it."""
        caches = dict.fromkeys(self._caches.values())
        return tuple(secret for cache in caches for secret in cache.secrets)

    def _held(self, scopes: Sequence[Scope]) -> Authorization | None:
        cache = self._caches.get(_repository(scopes[0]))
        return cache.get(scopes) if cache else None

    async def _go_ahead(self, request: Request, scopes: Sequence[Scope]) -> Response | None:
        """Let one request go ahead to a registry that has not answered yet.

        Returns:
            The response, if it was this request, else None once the other one is answered.
        """
        # Each of the others would be challenged too. Where plain HTTP was asked for, all go at
        # once, since a round trip costs more there than a few more requests. Elsewhere the
        # transport lets one go first anyway, as its response tells the protocol.
        if self._logins.has_answered or self._session.origin.url.startswith("http:"):
            return None
        ahead = partial(self._send_ahead, request, scopes)
        try:
            async with self._session.deadline.kept(self._first_answer):
                first, response = await self._logins.first_request.run("", ahead)
        except DeadlineReachedError:
            # The request that went ahead may be another run's, whose deadline is not ours.
            if not self._session.deadline.allows(0):
                raise
            return await self._go_ahead(request, scopes)
        return response if first is request else None

    def _first_answer(self) -> str:
        return f"the first answer of {self._session.registry}"

    async def _send_ahead(
        self, request: Request, scopes: Sequence[Scope]
    ) -> tuple[Request, Response]:
        """Send the registry's first request, and answer its challenge for those that wait."""
        response = await self._session.send(request)
        self._logins.has_answered = True
        if _is_challenge(response):
            # A refusal is about this request's scopes. It is remembered, so that it is raised
            # where the request itself is answered, and not for those that wait.
            with suppress(RegistryError):
                await self._answer(response, scopes)
        return request, response

    async def _authorize(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what to send with a first try, or None to let the registry ask.

        Where the registry has sent a challenge already, to this run or an earlier one, that is
        answered now. If it comes to nothing, the registry shall ask: what this request is for may
        be open to everybody.
        """
        if not self._logins.challenges or self._lets_registry_ask:
            return self._held(scopes)
        cache = await self._cache(scopes)
        try:
            return cache.get(scopes) or await _authorization(cache, self._logins.challenges, scopes)
        except RegistryError:
            self._lets_registry_ask = True
            return None

    async def _answer(
        self,
        response: Response,
        scopes: Sequence[Scope],
        refused: Authorization | None = None,
        *,
        is_fresh: bool = False,
    ) -> Authorization | None:
        """Return what to send after a 401, or None where the 401 is a denial."""
        challenges = parse_challenges(response.headers.get_list("www-authenticate"))
        if _SCHEMES.isdisjoint(challenge.scheme for challenge in challenges):
            return None
        self._logins.note(challenges)
        cache = await self._cache(scopes)
        return await _authorization(cache, challenges, scopes, refused, is_fresh=is_fresh)

    async def _cache(self, scopes: Sequence[Scope]) -> TokenCache:
        """Return the tokens of the user of these scopes; at first, all users of the run are found.

        A user who writes somewhere gets tokens that read everything, too, as mounts read the
        sources as that user.
        """
        repository = _repository(scopes[0])
        if repository not in self._caches:
            found = await self._logins.find({repository, *map(_repository, self._run)})
            known = {cache.login: cache for cache in self._caches.values()}
            for name, login in found.items():
                if login not in known:
                    own = [scope for scope in self._run if found.get(_repository(scope)) is login]
                    writes = any("push" in scope.actions for scope in own)
                    known[login] = TokenCache(self._client, login, self._run if writes else own)
                self._caches.setdefault(name, known[login])
        return self._caches[repository]


async def _authorization(
    cache: TokenCache,
    challenges: Sequence[Challenge],
    scopes: Sequence[Scope],
    refused: Authorization | None = None,
    *,
    is_fresh: bool = False,
) -> Authorization | None:
    """Answer challenges as one user: with what needs no token server, else with a token."""
    challenge = choose_challenge(challenges)
    if value := _header(cache.login, challenges, challenge):
        authorization = cache.login.authorize(value)
        return None if authorization is refused else authorization
    if challenge is None or challenge.scheme == "basic":
        return None
    return await cache.renew(challenge, scopes, refused, is_fresh=is_fresh)


def _header(login: Login, challenges: Sequence[Challenge], chosen: Challenge | None) -> str | None:
    """Return the header's value where no token server has to be asked for it."""
    credential = login.credential
    if credential is None:
        return None
    if credential.registry_token and any(each.scheme == "bearer" for each in challenges):
        return f"Bearer {credential.registry_token}"
    is_basic = chosen is not None and chosen.scheme == "basic"
    return credential.basic() if is_basic and credential.has_password else None


def _judge(check: CredentialCheck[Response], response: Response) -> None:
    """Note what a response says about the credential; a busy server may not have looked at it."""
    if _is_challenge(response):
        check.refused(response)
    elif not is_busy(response.status):
        check.accepted()


def _is_challenge(response: Response) -> bool:
    """Say whether the registry wants to know who asks; another host's 401 is no challenge."""
    return response.status == HTTPStatus.UNAUTHORIZED and not response.cross_origin


def _repository(scope: Scope) -> str:
    return scope.resource.partition(":")[2]
