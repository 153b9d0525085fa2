"""What is kept of one registry from one run to the next: connections, and how it asks who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from oci_merge._concurrency import SingleFlight
from oci_merge.auth.identities import Logins
from oci_merge.credentials import CredentialSearch, docker_config_file, given_credential
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
        timings: how long to wait for what.

    Attributes:
        opening: the request that answers the challenge for all.
        is_open: whether it has been answered.
        proving: held by the request that tries a password.
        has_put_tags: whether a run has put several tags, each by a request of its own.
        takes_tags: whether it takes several tags in one request; None as long as nobody knows.

    Raises:
        UsageError, TransportError: a file of certificates cannot be used.
    """

    def __init__(
        self,
        name: str,
        options: RegistryOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        timings: Timings | None = None,
    ) -> None:
        self.name = name
        self.options = options = options or RegistryOptions()
        self.transport = Transport(name, options, timings)
        self.logins = Logins(
            CredentialSearch(
                name,
                given_credential(options.username, options.password),
                environ=environ,
                docker_config=docker_config_file(options.docker_config)
                if options.docker_config
                else None,
            )
        )
        self.opening: SingleFlight[str, tuple[object, Any]] = SingleFlight()
        self.is_open = False
        self.proving = asyncio.Lock()
        self.has_put_tags = False
        self.takes_tags: bool | None = None

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
        await self.transport.aclose()
