"""Sends one run's requests to one registry: retries, rate limit, deadline.

The transport may be shared by many runs. How often a run tries again, how long it may take and who
hears of it are its own. Retries are below authentication, so a token that ends while a retry waits
is renewed like any other.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from oci_merge._concurrency import SingleFlight
from oci_merge._text import shown_host, shown_path
from oci_merge.errors import OciMergeError, TransportError
from oci_merge.events import OnEvent, Retrying, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.errors import is_answered_early, is_outage, is_time_out, may_pass
from oci_merge.http.message import Request, Response
from oci_merge.http.rate_limit import RateLimiter
from oci_merge.http.retry import PASSING_STATUSES, RetryPolicy
from oci_merge.http.timings import Timings
from oci_merge.http.url_policy import Origin
from oci_merge.options import DEFAULT_RETRIES

#: Methods that do no more if they are repeated; a PATCH would append its chunk once more.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})

_Outcome = Response | OciMergeError


class Sender(Protocol):
    """What a session needs of a transport; ``Transport`` says more of each."""

    @property
    def registry(self) -> str: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def timings(self) -> Timings: ...
    @property
    def rate_limiter(self) -> RateLimiter: ...
    async def send(self, request: Request) -> Response: ...
    async def pause(self, seconds: float) -> None: ...
    async def open_tls(self) -> None: ...
    async def open_ahead(self, count: int) -> None: ...


@dataclass(slots=True, eq=False)
class _Tries:
    """How often one request was sent, and what came of it last."""

    request: Request
    origin: str
    last: _Outcome
    failures: int = 1
    time_outs: int = 0

    @property
    def is_unanswered(self) -> bool:
        return isinstance(self.last, TransportError) and is_outage(self.last)

    @property
    def is_down(self) -> bool:
        """Whether the last failure is likely to be the server's, not the request's."""
        if isinstance(self.last, Response):
            return self.last.status in PASSING_STATUSES and self.last.status >= 500
        return self.is_unanswered


class Session:
    """Sends a run's requests.

    Args:
        transport: the connections to the registry.
        retries: how often a request is sent again.
        deadline: when the run has to be over.
        on_event: told of each retry.

    Attributes:
        deadline: when the run has to be over.
    """

    def __init__(
        self,
        transport: Sender,
        *,
        retries: int = DEFAULT_RETRIES,
        deadline: Deadline | None = None,
        on_event: OnEvent = ignore,
    ) -> None:
        self._transport = transport
        self._policy = RetryPolicy(retries, transport.timings.first_retry)
        # It bounds each wait instead of cancelling the run, so that a run which reaches it ends
        # with an error that knows which tags moved.
        self.deadline = deadline or Deadline(None)
        self._on_event = on_event
        # The origins at which a request of this run has used up its retries, and whether they
        # were silent. An answer takes them out.
        self._given_up: dict[str, bool] = {}
        self._retrying: SingleFlight[tuple[str, bool], _Tries] = SingleFlight()

    @property
    def registry(self) -> str:
        """The registry's name."""
        return self._transport.registry

    @property
    def origin(self) -> Origin:
        """The registry's origin; its scheme is known once a first response has come."""
        return self._transport.origin

    @property
    def timings(self) -> Timings:
        """How long to wait for what."""
        return self._transport.timings

    async def open_tls(self) -> None:
        """Open a TLS connection for the first request (``Transport.open_tls``)."""
        await self._transport.open_tls()

    async def open_ahead(self, count: int) -> None:
        """Open connections for requests that will go side by side (``Transport.open_ahead``)."""
        await self._transport.open_ahead(count)

    async def send(self, request: Request) -> Response:
        """Send a request, follow redirects (``Request.is_followed``), and retry what may pass.

        Raises:
            TransportError: no usable response came.
            ManifestError: the response is larger than the request's limit.
            RuntimeError: the transport is closed, or was closed meanwhile.
        """
        origin = self._origin_of(request)
        await self._turn(request, is_first=True)
        outcome: _Outcome
        try:
            async with self.deadline.kept(lambda: self._answer_to(request)):
                outcome = await self._transport.send(self._hastened(request, origin))
        except OciMergeError as error:
            outcome = error
        tries = _Tries(request, origin, outcome)
        self._note(tries)
        if self._next_wait(tries) is not None:
            outcome = await self._send_again(tries)
        if isinstance(outcome, OciMergeError):
            raise outcome
        return outcome

    async def _send_again(self, tries: _Tries) -> _Outcome:
        """Send a request again until a response is final or the retries are used up.

        Where several requests fail because a server is down, one of them is sent again for all:
        the number of retries holds for the server, not for each request. When it is answered, the
        others are sent again side by side; when its retries are used up, the others share that.
        """
        while self._next_wait(tries) is not None:
            if not tries.is_down:
                await self._retry(tries)
                break
            key = tries.origin, tries.is_unanswered
            ahead = await self._retrying.run(key, partial(self._retry, tries))
            if ahead is tries:
                break
            if ahead.is_down:
                return ahead.last if isinstance(ahead.last, TransportError) else tries.last
            self._tell(tries, 0.0)
            await self._attempt(tries)
        return tries.last

    async def _retry(self, tries: _Tries) -> _Tries:
        """Send a request again, after a wait each time, until there is no reason or right to."""
        while (wait := self._next_wait(tries)) is not None:
            if self._is_told_to_wait(tries):
                # A 429 is for everybody: the requests behind this one wait as long.
                self._transport.rate_limiter.hold(time.monotonic() + wait)
            self._tell(tries, wait)
            await self._transport.pause(wait)
            await self._attempt(tries)
        return tries

    async def _attempt(self, tries: _Tries) -> None:
        await self._turn(tries.request, is_first=False)
        try:
            async with self.deadline.kept(lambda: self._answer_to(tries.request)):
                tries.last = await self._transport.send(tries.request)
        except OciMergeError as error:
            tries.last = error
        tries.failures += 1
        self._note(tries)

    def _is_told_to_wait(self, tries: _Tries) -> bool:
        """Say whether the registry itself answered that it has had too many requests."""
        if not isinstance(tries.last, Response) or tries.last.cross_origin:
            return False
        return tries.last.status == HTTPStatus.TOO_MANY_REQUESTS and tries.origin == ""

    def _note(self, tries: _Tries) -> None:
        """Learn from an outcome."""
        if isinstance(tries.last, TransportError):
            tries.time_outs += is_time_out(tries.last)
            if is_answered_early(tries.last):
                # HTTP/1.1 has no such answer: the server's words can be read there in any case.
                tries.request = replace(tries.request, avoids_http2=True)
        if not tries.is_down:
            self._given_up.pop(tries.origin, None)

    def _next_wait(self, tries: _Tries) -> float | None:
        """Return how long to wait before a request is sent again, or None if it is not."""
        request, last = tries.request, tries.last
        if not request.repeatable or request.method not in _REPEATABLE or request.is_streamed:
            return None
        if isinstance(last, Response):
            wait = self._policy.wait_after_response(
                tries.failures, last.status, last.headers, last.content
            )
        elif isinstance(last, TransportError) and may_pass(last):
            wait = self._policy.wait_after_loss(tries.failures, tries.time_outs)
        else:
            return None
        if wait is None and tries.is_down:
            self._given_up[tries.origin] = tries.time_outs > 0
        # Later requests to a server that is down are sent once each, until one is answered.
        if tries.is_down and tries.origin in self._given_up:
            return None
        return wait if wait is not None and self.deadline.allows(wait) else None

    def _hastened(self, request: Request, origin: str) -> Request:
        """Return a request with little patience for a server that has been silent in this run."""
        if self._given_up.get(origin) and not request.is_streamed:
            return replace(request, patience=self._transport.timings.brief)
        return request

    def _tell(self, tries: _Tries, wait: float) -> None:
        if isinstance(tries.last, Response):
            status = f"{tries.last.status} {HTTPStatus(tries.last.status).phrase}"
            reason = f"{shown_host(tries.last.url)} answered {status}"
        else:
            reason = tries.last.message
        subject = f"{tries.request.method} {shown_path(tries.request.url)}"
        self._on_event(Retrying(subject, reason, wait))

    async def _turn(self, request: Request, *, is_first: bool) -> None:
        """Wait until a request may go to the registry; other hosts have limits of their own."""
        rate_limiter = self._transport.rate_limiter
        if rate_limiter.is_free(time.monotonic()) or not self.origin.owns(request.url):
            return
        async with self.deadline.kept(lambda: f"its turn to ask {shown_host(self.origin.url)}"):
            if is_first:  # a retry has waited for itself
                await self._while_held()
            now = time.monotonic()
            wait = rate_limiter.reserve(now) - now
            if wait > 0:
                await self._transport.pause(wait)
                await self._while_held()

    async def _while_held(self) -> None:
        """Wait as long as the registry told another request to.

        A random part keeps the waiting requests from coming back at the same moment.
        """
        held = self._transport.rate_limiter.held(time.monotonic())
        if held > 0:
            await self._transport.pause(held * random.uniform(1, 1.25))  # noqa: S311

    def _answer_to(self, request: Request) -> str:
        url = self.origin.at(request.url)
        return f"the answer of {shown_host(url)} to {request.method} {shown_path(url)}"

    def _origin_of(self, request: Request) -> str:
        """Return a key for the server of a request; the registry's is known before its scheme."""
        if self.origin.owns(request.url):
            return ""
        parts = urlsplit(request.url)
        return f"{parts.scheme}://{parts.netloc}"
