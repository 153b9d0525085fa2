"""State of one registry that outlives a run: connections, logins, capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from oci_merge.auth.known_servers import known_challenge
from oci_merge.auth.logins import Logins
from oci_merge.credentials import CredentialSearch, docker_config_file, given_credential
from oci_merge.events import OnEvent, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.session import Session
from oci_merge.http.timings import Timings
from oci_merge.http.transport import Transport
from oci_merge.options import RegistryOptions


class RegistryHost:
    """A registry, for as many runs as there are; nothing is sent until one of them asks.

    Args:
        name: the authority, or ``docker.io``.
        options: how to reach it, and as whom; without a user, a credential is looked for when the
            registry asks.
        environ: the environment to find credentials in; the process's own where it is left out.
        docker_first: whether docker's own credentials come before those of the containers tools.
        timings: how long to wait for what.

    Attributes:
        has_put_tags: whether a run has put several tags.
        takes_tags: whether the registry takes several tags in one request; None as long as that
            is not known.
        has_referrers: whether the registry has the referrers API; None as long as that is not
            known.
        lists_subjects: the repositories that said that they list a manifest as a referrer; one
            registry may serve repositories of several kinds.
        timings: how long to wait for what.

    Raises:
        UsageError, TransportError: a file of certificates cannot be used.
    """

    def __init__(
        self,
        name: str,
        options: RegistryOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        docker_first: bool = False,
        timings: Timings | None = None,
    ) -> None:
        self.name = name
        self.timings = timings or Timings()
        self._options = options = options or RegistryOptions()
        self._transport = Transport(name, options, self.timings)
        # What is not verified may be another registry, and what has no TLS is none of them.
        is_sure = not (options.plain_http or options.insecure)
        self.logins = Logins(
            CredentialSearch(
                name,
                given_credential(options.username, options.password),
                environ=environ,
                docker_config=docker_config_file(options.docker_config)
                if options.docker_config
                else None,
                docker_first=docker_first,
            ),
            known_challenge(name) if is_sure else None,
        )
        self.has_put_tags = False
        self.takes_tags: bool | None = None
        self.has_referrers: bool | None = None
        self.lists_subjects: set[str] = set()

    async def __aenter__(self) -> RegistryHost:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def session(self, deadline: Deadline | None = None, on_event: OnEvent = ignore) -> Session:
        """Return one run's way to the registry.

        Args:
            deadline: when the run has to be over.
            on_event: told of each retry.
        """
        return Session(
            self._transport, retries=self._options.retries, deadline=deadline, on_event=on_event
        )
