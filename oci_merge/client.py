"""A client for many merges: what is learnt of a registry, and its connections, serve them all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Literal

from oci_merge.credentials import given_credential
from oci_merge.credentials.environment import PASSWORD_VARIABLE, USERNAME_VARIABLE
from oci_merge.errors import UsageError
from oci_merge.events import OnEvent, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.timings import Timings
from oci_merge.operations.inspect import Inspection, check_inspected, inspect_reference
from oci_merge.operations.merge import Merge
from oci_merge.options import RegistryOptions
from oci_merge.planning.job import Job, ListFormat, PlatformCheck
from oci_merge.planning.request import MergeRequest, check_request, check_spec
from oci_merge.planning.result import MergeResult
from oci_merge.planning.spec import Spec
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.host import RegistryHost

#: How many of a client's operations are under way at once.
DEFAULT_CONCURRENCY = 16


class AsyncClient:
    """Merges and inspects many images through one set of connections.

    A registry's connections, its protocol, the way it asks for logins, and what was found out about
    them are kept until the client is closed. Merges may be awaited side by side; each is as it
    would be alone, with its own events, deadline and outcome. It belongs to one event loop, and
    lives no longer than its credentials: what was found for a registry is not looked for again.

        async with oci_merge.AsyncClient() as client:
            results = await asyncio.gather(*(client.merge(**image) for image in images))

    Args:
        username: the user at the registries of targets, and of what is inspected; without one, a
            credential is looked for, see ``explain_credentials``.
        password: the user's password or token.
        docker_config: a docker config, or the folder that has it, to look into instead of the
            usual files.
        plain_http: speak plain HTTP; a registry on a loopback address is tried so anyway.
        insecure: do not verify the registries' certificates.
        connection: retries, time-outs and certificates, where the usual ones do not do; its
            deadline is each operation's own.
        source_plain_http: ``plain_http`` for registries that have images but not the target.
        source_insecure: ``insecure`` for those.
        concurrency: how many operations are under way at once; the others wait for their turn.

    Raises:
        UsageError: one half of a login is missing, or ``concurrency`` is not positive.
        RuntimeError: by its methods, once it is closed.
    """

    #: How long to wait for what; tests set others.
    _timings = Timings()

    def __init__(
        self,
        *,
        username: str | None = None,
        password: str | None = None,
        docker_config: str | None = None,
        plain_http: bool = False,
        insecure: bool = False,
        connection: RegistryOptions | None = None,
        source_plain_http: bool = False,
        source_insecure: bool = False,
        concurrency: int = DEFAULT_CONCURRENCY,
    ) -> None:
        if concurrency < 1:
            raise UsageError(
                f"{concurrency} operations at once cannot be", hint="give a number from 1 on"
            )
        given_credential(username, password)
        self._options = replace(
            connection or RegistryOptions(),
            username=username,
            password=password,
            docker_config=docker_config,
            plain_http=plain_http,
            insecure=insecure,
        )
        self._source_options = replace(
            self._options,
            username=None,
            password=None,
            plain_http=source_plain_http,
            insecure=source_insecure,
            ca_file=None,
            client_cert=None,
            client_key=None,
        )
        self._hosts: dict[tuple[str, bool], RegistryHost] = {}
        self._turns = asyncio.Semaphore(concurrency)
        self._is_closed = False

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; the client is of no use any more."""
        self._is_closed = True
        for host in self._hosts.values():
            await host.aclose()

    async def merge(
        self,
        target: str,
        *,
        template: str | None = None,
        sources: Sequence[str] = (),
        platforms: Sequence[str] = (),
        tags: Sequence[str] = (),
        arch_aliases: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        format: ListFormat = "auto",
        platform_check: PlatformCheck = "warn",
        dry_run: bool = False,
        copy_layers: bool = False,
        on_event: OnEvent = ignore,
    ) -> MergeResult:
        """Join images into one multi-architecture image.

        It takes, returns and raises what ``oci_merge.merge`` does.
        """
        job = check_request(
            MergeRequest(
                target=target,
                template=template,
                sources=sources,
                platforms=platforms,
                tags=tags,
                arch_aliases=arch_aliases or {},
                annotations=annotations or {},
                format=format,
                platform_check=platform_check,
                copy_layers=copy_layers,
            )
        )
        return await self._run(job, on_event, dry_run=dry_run)

    async def push(
        self,
        spec: Spec,
        *,
        list_type: Literal["docker", "oci"] = "docker",
        ignore_missing: bool = False,
        platform_check: PlatformCheck = "warn",
        copy_layers: bool = False,
        on_event: OnEvent = ignore,
    ) -> MergeResult:
        """Join the images of a spec as manifest-tool does, byte for byte.

        It takes, returns and raises what ``oci_merge.push`` does.
        """
        job = check_spec(
            spec,
            format=list_type,
            platform_check=platform_check,
            ignore_missing=ignore_missing,
            copy_layers=copy_layers,
        )
        return await self._run(job, on_event, dry_run=False)

    async def inspect(
        self, reference: str, *, shallow: bool = False, on_event: OnEvent = ignore
    ) -> Inspection:
        """Look at an image or an index in its registry, without downloading layers.

        It takes, returns and raises what ``oci_merge.inspect`` does.
        """
        parsed = check_inspected(reference)
        async with self._turns:
            registry = RegistryClient(
                self._host(parsed.registry),
                reads=(parsed.repository,),
                deadline=Deadline(self._options.deadline),
                on_event=on_event,
            )
            return await inspect_reference(registry, parsed, reference, shallow=shallow)

    async def _run(self, job: Job, on_event: OnEvent, *, dry_run: bool) -> MergeResult:
        async with self._turns:
            run = Merge(job, on_event)
            deadline = Deadline(self._options.deadline)
            home = job.target.registry
            registries = {
                name: RegistryClient(
                    self._host(name, is_other=name != home),
                    reads=job.repositories_in(name),
                    writes=(job.target.repository,) if name == home else (),
                    deadline=deadline,
                    on_event=on_event,
                    on_warning=run.warn,
                )
                for name in (home, *job.other_registries)
            }
            return await run.run(registries, dry_run=dry_run)

    def _host(self, name: str, *, is_other: bool = False) -> RegistryHost:
        """Return a registry; as one that has but images it gets none of the target's secrets."""
        if self._is_closed:
            raise RuntimeError("the client is closed; make another one")
        key = name, is_other
        if key not in self._hosts:
            self._hosts[key] = RegistryHost(
                name,
                self._source_options if is_other else self._options,
                environ=_without_login(os.environ) if is_other else None,
                timings=self._timings,
            )
        return self._hosts[key]


def _without_login(environ: Mapping[str, str]) -> dict[str, str]:
    own = (USERNAME_VARIABLE, PASSWORD_VARIABLE)
    return {name: value for name, value in environ.items() if name not in own}
