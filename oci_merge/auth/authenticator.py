"""One request in one run, asked as whoever may: challenges are answered until a reply comes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Scope
from oci_merge.auth.identities import Authenticator
from oci_merge.errors import TransportError
from oci_merge.http.message import Reply, Request
from oci_merge.http.session import Sender
from oci_merge.registry.host import Endpoint

#: A first answer to a challenge, one with fewer scopes, and one for a token that ended meanwhile.
_MAX_ANSWERS = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request.

    Attributes:
        reply: the reply.
        had_token: whether a token had been sent for it.
        answer: with what to ask again, where it is a challenge.
    """

    reply: Reply
    had_token: bool
    answer: Authorization | None = None


class Asker:
    """Sends a run's requests to a registry, each as its user.

    Over TLS one request alone goes ahead, and answers the challenge for all.

    Args:
        endpoint: the registry.
        sender: the run's way there.
        auth: who the run is there.
    """

    def __init__(self, endpoint: Endpoint, sender: Sender, auth: Authenticator) -> None:
        self._endpoint = endpoint
        self._transport = endpoint.transport
        self._sender = sender
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
            TransportError: no usable reply came.
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
        if not self._transport.is_settled:
            reply = await self._sender.send_in_clear(request)
            if reply is not None:
                return await self._judge(reply, scopes, None, began)
            async with self._endpoint.opening:
                if not self._transport.is_settled:
                    return await self._ahead(request, scopes, began)
        used = await self._auth.current(scopes, began)
        return await self._as(used, request, scopes, began)

    async def _ahead(self, request: Request, scopes: Sequence[Scope], began: float) -> Outcome:
        """Send what goes ahead; where nobody answers it, those who wait do not try again."""
        if error := self._endpoint.unreachable_since(began):
            raise error.with_traceback(None)
        used = await self._auth.current(scopes, began)
        try:
            return await self._as(used, request, scopes, began)
        except TransportError as error:
            if not self._transport.is_settled:
                self._transport.start_over()
                self._endpoint.note_unreachable(error, time.monotonic())
            raise

    async def _as(
        self, used: Authorization | None, request: Request, scopes: Sequence[Scope], began: float
    ) -> Outcome:
        """Send with an authorization; one request at a time tries a password for all."""
        trial = used.trial if used else None
        if trial and trial.is_open:
            async with self._endpoint.proving:
                if trial.is_open:
                    return await self._try(used, request, scopes, began)
        return await self._try(used, request, scopes, began)

    async def _try(
        self, used: Authorization | None, request: Request, scopes: Sequence[Scope], began: float
    ) -> Outcome:
        if used and used.trial and used.trial.verdict:
            return Outcome(used.trial.verdict, had_token=False)
        authorization = used.value if used else None
        reply = await self._sender.send(replace(request, authorization=authorization))
        return await self._judge(reply, scopes, used, began)

    async def _judge(
        self, reply: Reply, scopes: Sequence[Scope], used: Authorization | None, began: float
    ) -> Outcome:
        """Answer a challenge, if this is one."""
        had_token = used is not None and bool(used.scopes)
        if reply.status != 401 or reply.foreign:
            if used and used.trial and _says_who(reply.status):
                used.trial.is_accepted = True
            return Outcome(reply, had_token)
        answer = await self._auth.answer(reply, scopes, used, began)
        return Outcome(reply, had_token, answer)


def _says_who(status: int) -> bool:
    """Say whether a reply shows that a password was looked at; a busy server may not have."""
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS
