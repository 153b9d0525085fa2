"""Sends one request and answers authentication challenges.

The containers tools keep credentials for parts of a registry, so a run may be several users there.
A request is sent as the user of the repository that it is for; a mount, which concerns two, as the
user of the one that is written to. In the usual case there is one user, and one token for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from oci_merge._concurrency import SingleFlight, background, gather_two
from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Challenge, Scope, choose_challenge, parse_challenges
from oci_merge.auth.credential_check import CredentialCheck
from oci_merge.auth.logins import Login, Logins
from oci_merge.auth.token_cache import TokenCache
from oci_merge.auth.users import Users, repository_of
from oci_merge.errors import OciMergeError, RegistryError
from oci_merge.http.deadline import DeadlineReachedError
from oci_merge.http.message import Request, Response
from oci_merge.http.retry import is_busy
from oci_merge.http.session import Session

#: A first answer to a challenge, one with fewer scopes, and one for a token that ended meanwhile.
_MAX_ANSWERS = 4
#: Refusals of a login, and those that may stand for "log in first".
_DENIALS = frozenset({401, 403})
_HIDING = frozenset({403, 404})
_SCHEMES = frozenset({"basic", "bearer"})


class Authenticator:
    """Sends a run's requests to one registry, each as its user.

    Wherever scopes are given, those of the repository that a request is for come first.

    Args:
        session: the run's way to the registry; token servers are asked through it too.
        scopes: all that the run will do there.
        logins: what earlier runs have found out.
        warn: called with each warning about a login, once for each sentence.

    Attributes:
        users: who the run is there.
    """

    def __init__(
        self,
        session: Session,
        scopes: Sequence[Scope],
        logins: Logins,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        self._session = session
        self._logins = logins
        self.users = Users(session, scopes, logins, warn)
        self._lets_registry_ask = False
        # The challenge that this run has answered before the registry has sent one.
        self._presumed: Challenge | None = None
        self._presumption: SingleFlight[str, bool] = SingleFlight()

    async def send(
        self, request: Request, scopes: Sequence[Scope], *, may_be_missing: bool = False
    ) -> Response:
        """Send a request and answer challenges.

        Args:
            request: the request. Where its URL is another host's, it goes there without
                credentials, and the response counts as cross-origin.
            scopes: what the request needs.
            may_be_missing: whether a 404 is an answer like any other, which costs no round trip.

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
        old = self.users.held(scopes)
        outcome: Response | RegistryError | None
        try:
            outcome = await self._go_ahead(request, scopes)
            authorization = None if outcome else old or await self._authorize(scopes)
            is_asked_ahead = may_be_missing and authorization is None
            async with self._asked_ahead(scopes) if is_asked_ahead else nullcontext():
                for _ in range(_MAX_ANSWERS + 1):
                    if authorization is not None:
                        async with authorization.check.attempt() as refusal:
                            outcome = refusal or await self._session.send(
                                replace(request, authorization=authorization.value)
                            )
                            if refusal is None:
                                _judge(authorization.check, outcome)
                    elif outcome is None:
                        outcome = await self._session.send(request)
                    if authorization is None and _may_hide_challenge(request, outcome):
                        authorization = await self._look_behind(outcome, scopes)
                    else:
                        authorization = await self._answer(outcome, scopes, authorization, old)
                    if authorization is None:
                        break
        except RegistryError as error:
            outcome = error
        assert outcome is not None
        if _is_denial(outcome) and self.users.give_up_login(scopes):
            return await self._send_anonymously(request, scopes, outcome)
        return _result(outcome)

    def _asked_ahead(self, scopes: Sequence[Scope]) -> AbstractAsyncContextManager[None]:
        """Find out while the block runs whether the registry hides that it wants a login.

        ``_look_behind`` shares what comes of it, so that a 404 costs no further round trip.
        """
        return background(self._logins.is_challenged(self._session, repository_of(scopes)))

    async def _send_anonymously(
        self, request: Request, scopes: Sequence[Scope], refusal: Response | RegistryError
    ) -> Response:
        """Send a request without a login; where that is refused, the first refusal holds."""
        try:
            outcome: Response | RegistryError = await self.send(request, scopes)
        except RegistryError as error:
            outcome = error
        self.users.note_anonymous(scopes, is_refused=_is_denial(outcome))
        return _result(refusal if _is_denial(outcome) else outcome)

    async def _look_behind(
        self, response: Response, scopes: Sequence[Scope]
    ) -> Authorization | None:
        """Return what to send after a denial that asks for no login, or None if nothing helps.

        Some registries deny anonymous users as if there were nothing, and challenge only at
        ``/v2/``. They are asked there if there may be a login to answer with.
        """
        if self.users.is_anonymous(scopes) or self._lets_registry_ask:
            return None
        challenges = _challenges(response)
        if choose_challenge(challenges) is None:
            repository = repository_of(scopes)
            if not await self._logins.is_challenged(self._session, repository):
                return None
            challenges = self._logins.challenges
        cache = await self.users.find(scopes)
        if cache.login.credential is None:
            return None
        return await _authorization(cache, challenges, scopes)

    def has_token(self, scopes: Sequence[Scope]) -> bool:
        """Say whether a token server has given a token for these scopes."""
        held = self.users.held(scopes)
        return held is not None and bool(held.scopes)

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
        if self.users.held(scopes) is not None:
            return None  # it answers what is presumed, and so do the others: none is challenged
        if (presumed := self._logins.presumed) is not None:
            presume = partial(self._presume, presumed, scopes)
            async with self._session.deadline.kept(self._first_answer):
                if await self._presumption.run("", presume):
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
        what = "a login for" if self._logins.has_answered else "the first answer of"
        return f"{what} {self._session.registry}"

    async def _send_ahead(
        self, request: Request, scopes: Sequence[Scope]
    ) -> tuple[Request, Response]:
        """Send the registry's first request, and answer its challenge for those that wait."""
        response = await self._session.send(request)
        self._logins.has_answered = True
        # A refusal is about this request's scopes. It is remembered, so that it is raised where
        # the request itself is answered, and not for those that wait.
        with suppress(RegistryError):
            await self._answer(response, scopes)
        return request, response

    async def _presume(self, presumed: Challenge, scopes: Sequence[Scope]) -> bool:
        """Answer the challenge that a registry is known to send, while a connection to it opens.

        Whatever fails here, the registry is asked then, as any other one: it may have changed its
        ways, or let in everybody.

        Returns:
            Whether there is something to send.
        """
        self._presumed = presumed
        opening, getting = self._session.open_tls(), self._get_presumed(presumed, scopes)
        _, is_there = await gather_two(opening, getting)
        if not is_there:
            self._logins.presume_nothing()
        return is_there

    async def _get_presumed(self, presumed: Challenge, scopes: Sequence[Scope]) -> bool:
        with suppress(OciMergeError):
            cache = await self.users.find(scopes)
            if value := _header(cache.login, (presumed,), presumed):
                cache.login.authorize(value)
                return True
            if presumed.scheme == "bearer":
                await cache.presume(presumed, scopes)
                return True
        return False

    async def _authorize(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what to send with a first try, or None to let the registry ask.

        Where the registry has sent a challenge already, to this run or an earlier one, that is
        answered now. If it comes to nothing, the registry shall ask: what this request is for may
        be open to everybody.
        """
        if not self._logins.challenges or self._lets_registry_ask:
            return self.users.held(scopes)
        cache = await self.users.find(scopes)
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
        old: Authorization | None = None,
    ) -> Authorization | None:
        """Return what to send after a 401, or None where there is none, or it is a denial."""
        self._logins.has_answered = True
        challenges = _challenges(response) if _is_challenge(response) else ()
        if _SCHEMES.isdisjoint(challenge.scheme for challenge in challenges):
            return None
        self._logins.note(challenges)
        chosen = choose_challenge(challenges)
        if self._presumed and chosen and not chosen.asks_like(self._presumed):
            # What was got of another server is no answer to this one.
            self._presumed = None
            self.users.forget_tokens()
        cache = await self.users.find(scopes)
        is_fresh = refused is not old
        return await _authorization(cache, challenges, scopes, refused, is_fresh=is_fresh)


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


def _may_hide_challenge(request: Request, response: Response) -> bool:
    """Say whether a request without a login was denied in a way that asks for none."""
    return response.status in _HIDING and not response.cross_origin and not request.is_streamed


def _challenges(response: Response) -> tuple[Challenge, ...]:
    return parse_challenges(response.headers.get_list("www-authenticate"))


def _is_denial(outcome: Response | RegistryError) -> bool:
    """Say whether the registry or its token server denied what was asked for."""
    is_elsewhere = isinstance(outcome, Response) and outcome.cross_origin
    return outcome.status in _DENIALS and not is_elsewhere


def _result(outcome: Response | RegistryError) -> Response:
    if isinstance(outcome, RegistryError):
        raise outcome
    return outcome
