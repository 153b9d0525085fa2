"""Sends requests to one registry in one run, and turns error responses into errors of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from oci_merge._frozen import frozen
from oci_merge.auth.authenticator import Authenticator
from oci_merge.auth.challenge import Scope, pull, pull_push
from oci_merge.errors import RegistryError
from oci_merge.events import OnEvent, Warned, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.message import Request, Response
from oci_merge.http.response_errors import Attempt, error_from
from oci_merge.http.url_policy import Origin
from oci_merge.registry.challenges import unanswerable_error
from oci_merge.registry.host import RegistryHost
from oci_merge.registry.warnings import WarningsOnce

_SUCCESSES = frozenset({200, 201, 202, 204})


@frozen
class Purpose:
    """What a request is for.

    Attributes:
        action: a verb, for example ``read``.
        subject: what it is done to, for example ``reg.example/app:1.0``.
        scopes: the scopes that it needs, those of its own repository first.
        may_be_missing: whether it is usual that there is no such thing.
    """

    action: str
    subject: str
    scopes: tuple[Scope, ...]
    may_be_missing: bool = False


class RegistryClient:
    """A registry, for one run. ``ManifestClient`` and ``BlobClient`` have its endpoints.

    Args:
        host: the state that outlives the run.
        reads: the repositories that the run reads.
        writes: the repositories that it reads and writes.
        deadline: when the run has to be over.
        on_event: told of each retry.
        on_warning: called with each warning of the registry, and about a login, once for each
            sentence; where it is left out, ``on_event`` is told of the latter.

    Attributes:
        name: the registry's name.
        host: the state that outlives the run.
        timings: how long to wait for what.
    """

    def __init__(
        self,
        host: RegistryHost,
        *,
        reads: Sequence[str] = (),
        writes: Sequence[str] = (),
        deadline: Deadline | None = None,
        on_event: OnEvent = ignore,
        on_warning: Callable[[str], object] | None = None,
    ) -> None:
        self.name = host.name
        self.host = host
        self.timings = host.timings
        self._session = host.session(deadline, on_event)
        scopes = [*map(pull_push, writes), *map(pull, reads)]
        warn = on_warning or (lambda message: on_event(Warned(message)))
        self._authenticator = Authenticator(self._session, scopes, host.logins, warn)
        self._warnings = WarningsOnce(
            self.name, on_warning, lambda: self._authenticator.users.secrets
        )

    async def request(
        self, request: Request, purpose: Purpose, *, expect: AbstractSet[int] = _SUCCESSES
    ) -> Response:
        """Send a request and return the response that was hoped for.

        Args:
            request: the request. Where its URL is another host's, it gets no credentials.
            purpose: what it is for.
            expect: the statuses that are a success.

        Raises:
            AuthenticationError: the registry refused the credentials, or wants some.
            AccessDeniedError: the credentials do not allow this.
            NotFoundError, RateLimitedError, ServerError, RegistryError: another status came.
            TransportError: no usable response came.
            ManifestError: the response is larger than the request's limit.
            CredentialError: credentials are configured but cannot be read.
        """
        try:
            response = await self._authenticator.send(
                request, purpose.scopes, may_be_missing=purpose.may_be_missing
            )
        except RegistryError as refusal:  # by a token server
            await self._advise(refusal, purpose)
            raise
        if not response.cross_origin:
            self._warnings.note(response.headers.get_list("warning"))
        if response.status in expect:
            return response
        users = self._authenticator.users
        attempt = Attempt(
            action=purpose.action,
            subject=purpose.subject,
            registry=self.name,
            method=request.method,
            user=users.name(purpose.scopes),
            secrets=users.secrets,
        )
        had_token = self._authenticator.has_token(purpose.scopes)
        error = error_from(response, attempt, had_token=had_token)
        if response.cross_origin:
            raise error
        if unanswerable := unanswerable_error(response, error, attempt):
            raise unanswerable
        await self._advise(error, purpose)
        raise error

    async def _advise(self, error: RegistryError, purpose: Purpose) -> None:
        """Name the other logins, or the lack of one, in the hint of a denial."""
        if error.status in (401, 403) and not error.is_about_login:
            advice = await self._authenticator.users.advice(purpose.scopes, error)
            # Several requests may share a token server's refusal; its hint is set once.
            if advice and not error.is_about_login:
                error.hint = advice
                error.is_about_login = True

    async def open_ahead(self, count: int) -> None:
        """Open connections for so many requests side by side, while others are waited for."""
        await self._session.open_ahead(count)

    @property
    def deadline(self) -> Deadline:
        """When the run has to be over."""
        return self._session.deadline

    @property
    def origin(self) -> Origin:
        """The registry's origin; its scheme is known once a first response has come."""
        return self._session.origin

    def wants_login(self, repository: str) -> bool:
        """Say whether a repository's user was challenged, and no login of theirs was accepted."""
        return self._authenticator.users.wants_login(repository)


#: The registries of a run, by ``host[:port]``.
Registries = Mapping[str, RegistryClient]
