"""One run's requests to a registry: which are tried again, and until when.

The transport may be shared by many runs; how patient a run is, and who is told of it, is its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urljoin

import httpx

from oci_merge._text import shown_host, shown_path
from oci_merge.errors import TransportError
from oci_merge.events import OnEvent, Retrying, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.message import Request, Response
from oci_merge.http.retry import RetryPolicy
from oci_merge.http.transport import NotInClearError, Transport
from oci_merge.http.url_policy import Origin
from oci_merge.options import DEFAULT_RETRIES

_sleep = asyncio.sleep

#: What does no more if it is done twice; a PATCH would append its chunk once more.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})

_Attempt = Callable[[Request], Awaitable[Response]]


class Session:
    """Sends a run's requests.

    Args:
        transport: the way to the registry.
        retries: how often a request is sent again.
        deadline: when the run has to be over.
        on_event: told of each retry.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        retries: int = DEFAULT_RETRIES,
        deadline: Deadline | None = None,
        on_event: OnEvent = ignore,
    ) -> None:
        self.transport = transport
        self._policy = RetryPolicy(retries)
        self._deadline = deadline or Deadline(None)
        self._on_event = on_event
        self._opening = asyncio.Lock()  # until http is merged

    async def send(self, request: Request) -> Response:
        """Send a request, follow redirects (``Request.is_followed``), and try again what may pass.

        Raises:
            TransportError: no usable response came.
            ManifestError: the response is larger than the request's limit.
        """
        # until http is merged: negotiation is wholly below Session.send then
        if not self.transport.is_settled:
            async with self._opening:
                if not self.transport.is_settled:
                    try:
                        response = await self.send_in_clear(request)
                        return response or await self._repeated(request, self.transport.once)
                    except TransportError:
                        self.transport.start_over()
                        raise
        return await self._repeated(request, self.transport.once)

    @property
    def registry(self) -> str:  # until http is merged
        """The registry's name."""
        return self.transport.registry

    @property
    def origin(self) -> Origin:  # until http is merged
        """The registry's origin."""
        return self.transport.origin

    async def open_ahead(self, count: int) -> None:  # until http is merged
        """Open connections for requests that will go side by side."""
        await self.transport.open_ahead(count)

    async def send_in_clear(self, request: Request) -> Response | None:
        """Try a loopback registry in the clear.

        All first requests may try at once: none of them carries a credential, as no challenge
        has come yet.

        Returns:
            The response, or None if the registry is on another machine or speaks no plain HTTP.

        Raises:
            TransportError, ManifestError: as ``send`` does.
        """
        if not self.transport.tries_clear:
            return None
        try:
            return await self._repeated(request, self.transport.in_clear)
        except NotInClearError:
            return None

    async def _repeated(self, request: Request, attempt: _Attempt) -> Response:
        """Make attempts until one comes to something, or no more are allowed."""
        failures = 0
        while True:
            await self._turn(request, is_first=failures == 0)
            failures += 1
            try:
                response = await self._in_time(request, attempt)
            except TransportError as error:
                passing = self.transport.may_pass(error)
                # until http is merged: a silent server is tried once more
                is_foreign = not self.transport.is_own(request.url)
                if is_foreign and isinstance(error.__cause__, httpx.ReadTimeout) and failures > 1:
                    raise
                wait = self._policy.wait_after_loss(failures) if passing else None
                if wait is None or not self._affords(request, wait):
                    raise
                reason = error.message
            else:
                wait = self._policy.wait_after_response(
                    failures, response.status, response.headers, response.content
                )
                if wait is None or not self._affords(request, wait):
                    return response
                status = f"{response.status} {HTTPStatus(response.status).phrase}"
                reason = f"{shown_host(response.url)} answered {status}"
                if response.status == HTTPStatus.TOO_MANY_REQUESTS and not response.cross_origin:
                    self._hold(request, wait)
            self._on_event(Retrying(f"{request.method} {shown_path(request.url)}", reason, wait))
            await _sleep(wait)
            attempt = self.transport.once_more

    async def _turn(self, request: Request, *, is_first: bool) -> None:
        """Wait until the registry may be asked; other hosts have limits of their own."""
        rate_limiter = self.transport.rate_limiter
        if rate_limiter.is_free(time.monotonic()) or not self.transport.is_own(request.url):
            return
        async with self._deadline.kept(f"its turn to ask {shown_host(self._url(request))}"):
            if is_first:  # what is sent again has waited for itself
                await self._while_held()
            now = time.monotonic()
            wait = rate_limiter.reserve(now) - now
            if wait > 0:
                await _sleep(wait)
                await self._while_held()

    async def _while_held(self) -> None:
        held = self.transport.rate_limiter.held(time.monotonic())
        if held > 0:  # they shall not all come back at once
            await _sleep(held * random.uniform(1, 1.25))  # noqa: S311

    def _hold(self, request: Request, wait: float) -> None:
        """Let every request wait that one is told to wait for."""
        if self.transport.is_own(request.url):
            self.transport.rate_limiter.hold(time.monotonic() + wait)

    async def _in_time(self, request: Request, attempt: _Attempt) -> Response:
        url = self._url(request)
        asked = f"{request.method} {shown_path(url)}"
        async with self._deadline.kept(f"the answer of {shown_host(url)} to {asked}"):
            return await attempt(request)

    def _url(self, request: Request) -> str:
        return urljoin(self.transport.base_url, request.url)

    def _affords(self, request: Request, wait: float) -> bool:
        """Say whether to wait for another attempt; nobody waits for what the deadline forbids."""
        may_repeat = (
            request.repeatable and request.method in _REPEATABLE and not request.is_streamed
        )
        return may_repeat and self._deadline.allows(wait)
