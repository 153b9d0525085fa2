"""One request in one run, asked as whoever may: challenges are answered until a response comes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Scope
from oci_merge.auth.identities import Authenticator
from oci_merge.http.message import Request, Response
from oci_merge.http.session import Session
from oci_merge.registry.host import RegistryHost

#: A first answer to a challenge, one with fewer scopes, and one for a token that ended meanwhile.
_MAX_ANSWERS = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request.

    Attributes:
        response: the response.
        had_token: whether a token had been sent for it.
        answer: with what to ask again, where it is a challenge.
    """

    response: Response
    had_token: bool
    answer: Authorization | None = None


class Asker:
    """Sends a run's requests to a registry, each as its user.

    Over TLS one request alone goes ahead, and answers the challenge for all.

    Args:
        host: the registry.
        session: the run's way there.
        auth: who the run is there.
    """

    def __init__(self, host: RegistryHost, session: Session, auth: Authenticator) -> None:
        self._host = host
        self._session = session
        self._auth = auth

    async def ask(self, request: Request, scopes: Sequence[Scope]) -> Outcome:
        """Send a request and answer challenges.

        Args:
            request: the request; its URL is the registry's own.
            scopes: what it needs, of its own repository first.

        Returns:
            The outcome; a 401 is the registry's last word.

        Raises:
            RegistryError: a token server refused.
            TransportError: no usable response came.
            CredentialError: credentials are configured but cannot be read.
        """
        began = time.monotonic()
        outcome = await self._open(request, scopes, began)
        for _ in range(_MAX_ANSWERS):
            if outcome.answer is None:
                break
            outcome = await self._as(outcome.answer, request, scopes, began)
        return outcome

    async def _open(self, request: Request, scopes: Sequence[Scope], began: float) -> Outcome:
        """Send a first time."""
        if not self._host.is_open and self._session.origin.url.startswith("https:"):
            ahead = partial(self._ahead, request, scopes, began)
            outcome: Outcome
            first, outcome = await self._host.opening.run("", ahead)
            if first is request:
                return outcome
        used = await self._auth.current(scopes, began)
        return await self._as(used, request, scopes, began)

    async def _ahead(
        self, request: Request, scopes: Sequence[Scope], began: float
    ) -> tuple[Request, Outcome]:
        """Send what goes ahead."""
        outcome = await self._as(None, request, scopes, began)
        self._host.is_open = True
        return request, outcome

    async def _as(
        self, used: Authorization | None, request: Request, scopes: Sequence[Scope], began: float
    ) -> Outcome:
        """Send with an authorization; one request at a time tries a password for all."""
        trial = used.trial if used else None
        if trial and trial.is_open:
            async with self._host.proving:
                if trial.is_open:
                    return await self._try(used, request, scopes, began)
        return await self._try(used, request, scopes, began)

    async def _try(
        self, used: Authorization | None, request: Request, scopes: Sequence[Scope], began: float
    ) -> Outcome:
        if used and used.trial and used.trial.verdict:
            return Outcome(used.trial.verdict, had_token=False)
        authorization = used.value if used else None
        response = await self._session.send(replace(request, authorization=authorization))
        return await self._judge(response, scopes, used, began)

    async def _judge(
        self, response: Response, scopes: Sequence[Scope], used: Authorization | None, began: float
    ) -> Outcome:
        """Answer a challenge, if this is one."""
        had_token = used is not None and bool(used.scopes)
        if response.status != 401 or response.cross_origin:
            if used and used.trial and _says_who(response.status):
                used.trial.is_accepted = True
            return Outcome(response, had_token)
        answer = await self._auth.answer(response, scopes, used, began)
        return Outcome(response, had_token, answer)


def _says_who(status: int) -> bool:
    """Say whether a response shows that a password was looked at; a busy server may not have."""
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS
