"""The hosts that a client reaches, each with the options and logins that are meant for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from oci_merge.credentials.environment import PASSWORD_VARIABLE, USERNAME_VARIABLE
from oci_merge.events import OnEvent
from oci_merge.http.deadline import Deadline
from oci_merge.http.timings import Timings
from oci_merge.options import RegistryOptions
from oci_merge.registry.client import Registries, RegistryClient
from oci_merge.registry.host import RegistryHost


class Hosts:
    """Makes each host when it is first asked for, and keeps it until all are closed.

    Args:
        options: how to reach the registry of a target.
        source_options: how to reach the other registries.
        timings: how long to wait for what.
    """

    def __init__(
        self, options: RegistryOptions, source_options: RegistryOptions, timings: Timings
    ) -> None:
        self._options = options
        self._source_options = source_options
        self._timings = timings
        self._hosts: dict[tuple[str, bool, bool], RegistryHost] = {}

    @property
    def has_given_login(self) -> bool:
        """Whether a login for a target's registry is given, by options or in the environment."""
        return self._options.username is not None or bool(os.environ.get(USERNAME_VARIABLE))

    def get(self, name: str, *, is_other: bool = False, docker_first: bool = False) -> RegistryHost:
        """Return the host of a registry; one with images only gets no secret of the target's.

        A registry may be the target's in one merge and have images only in another, with other
        options, and ``push`` may find another login there than ``merge``. So it has a host for each
        of these.

        Args:
            name: the registry, as ``host[:port]``.
            is_other: whether it is another registry than the target's.
            docker_first: see ``RegistryHost``.
        """
        key = name, is_other, docker_first
        if key not in self._hosts:
            self._hosts[key] = self._made(name, is_other=is_other, docker_first=docker_first)
        return self._hosts[key]

    @asynccontextmanager
    async def anew(
        self,
        target: str,
        deadline: Deadline,
        repositories: Mapping[str, Sequence[str]],
        on_event: OnEvent,
    ) -> AsyncIterator[Registries]:
        """Open registries by connections and logins of their own, to read repositories of them.

        Args:
            target: the registry of the target.
            deadline: when the run has to be over.
            repositories: the repositories, by registry.
            on_event: told of retries and warnings.
        """
        hosts = {name: self._made(name, is_other=name != target) for name in repositories}
        try:
            yield {
                name: RegistryClient(
                    host, reads=repositories[name], deadline=deadline, on_event=on_event
                )
                for name, host in hosts.items()
            }
        finally:
            await asyncio.gather(*(host.aclose() for host in hosts.values()))

    async def aclose(self) -> None:
        """Close every host that is kept; the first error is raised when all are closed."""
        closed = await asyncio.gather(
            *(host.aclose() for host in self._hosts.values()), return_exceptions=True
        )
        for error in closed:
            if error is not None:
                raise error

    def _made(
        self, name: str, *, is_other: bool = False, docker_first: bool = False
    ) -> RegistryHost:
        return RegistryHost(
            name,
            self._source_options if is_other else self._options,
            environ=_without_login(os.environ) if is_other else None,
            docker_first=docker_first,
            timings=self._timings,
        )


def for_sources(target: RegistryOptions) -> RegistryOptions:
    """Return how to reach registries that have images but not the target, by default.

    Another registry must not get the target's password or client certificate. Its scheme and its
    certificate are its own matter, so ``plain_http`` and ``insecure`` are not copied either.
    """
    return RegistryOptions(
        docker_config=target.docker_config,
        retries=target.retries,
        timeout=target.timeout,
        rate=target.rate,
    )


def _without_login(environ: Mapping[str, str]) -> dict[str, str]:
    own = (USERNAME_VARIABLE, PASSWORD_VARIABLE)
    return {name: value for name, value in environ.items() if name not in own}
