"""A registry's session without a network, for tests of what stands above it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin

import httpx

from oci_merge import RegistryOptions
from oci_merge.events import OnEvent, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.message import Request, Response
from oci_merge.http.session import Session
from oci_merge.http.url_policy import Origin
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.host import RegistryHost

Handler = Callable[[Request], httpx.Response]


class FakeSession(Session):
    """Answers requests by a handler; nothing is retried or redirected.

    Args:
        handler: makes the response to a request; the request's URL is absolute.
        url: the registry's URL.
    """

    def __init__(self, handler: Handler, url: str = "https://reg.test") -> None:
        self.requests: list[Request] = []
        self._handler = handler
        self._url_of_registry = url
        self.deadline = Deadline(None)

    @property
    def registry(self) -> str:
        return self._url_of_registry.partition("://")[2]

    @property
    def origin(self) -> Origin:
        return Origin(self._url_of_registry, self._url_of_registry.startswith("http:"))

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        made = self._handler(request)
        url = urljoin(self._url_of_registry, request.url)
        return Response(made.status_code, made.headers, made.content, url, False, "HTTP/1.1")

    async def open_tls(self) -> None:
        pass

    async def open_ahead(self, count: int) -> None:
        pass


class FakeHost(RegistryHost):
    """A registry whose runs use a fake session."""

    def __init__(self, session: FakeSession, options: RegistryOptions) -> None:
        super().__init__(session.registry, options)
        self._fake = session

    def session(self, deadline: Deadline | None = None, on_event: OnEvent = ignore) -> Session:
        return self._fake


class FakeNetwork:
    """Hosts that answer what a test says.

    Attributes:
        session: the way there.
    """

    def __init__(self, url: str = "https://reg.test") -> None:
        self.session = FakeSession(self._answer, url)
        self._routes: list[tuple[str, list[httpx.Response]]] = []

    def add(self, prefix: str, *responses: httpx.Response) -> None:
        """Answer URLs with a prefix: by these responses in turn, and then by the last for ever."""
        self._routes.append((prefix, list(responses)))

    def requests(self, prefix: str = "") -> list[Request]:
        """Return the requests to URLs with a prefix."""
        requests = self.session.requests
        return [request for request in requests if self._url(request).startswith(prefix)]

    @asynccontextmanager
    async def opened(
        self, *, reads: Sequence[str] = ("team/app",), **options: Any
    ) -> AsyncIterator[RegistryClient]:
        """Give the registry for one run; ``options`` are those of the registry."""
        async with FakeHost(self.session, RegistryOptions(**options)) as host:
            yield RegistryClient(host, reads=reads)

    def _answer(self, request: Request) -> httpx.Response:
        for prefix, responses in self._routes:
            if self._url(request).startswith(prefix):
                return responses.pop(0) if len(responses) > 1 else responses[0]
        raise AssertionError(f"{self._url(request)} was not to be asked")

    def _url(self, request: Request) -> str:
        return urljoin(self.session.origin.url, request.url)
