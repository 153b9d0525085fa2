"""The library's verbs, asynchronous. ``blocking`` has the same for code without an event loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Literal

from oci_merge.connection import Connection
from oci_merge.credentials import docker_config_file, given_credential
from oci_merge.credentials.environment import PASSWORD_VARIABLE, USERNAME_VARIABLE
from oci_merge.events import ComponentsFound, Event, OnEvent, Warned, ignore
from oci_merge.index_document import IndexDocument
from oci_merge.inspection import Inspection, check_inspected, inspect_reference
from oci_merge.plan import Component, Plan, Transfers, plan_index, plan_transfers
from oci_merge.platforms import Platform
from oci_merge.publish import Publisher
from oci_merge.registry import Registry
from oci_merge.resolve import (
    Registries,
    Standing,
    fetch_components,
    pinning_platforms,
    probe,
    read_platforms,
    read_target,
)
from oci_merge.results import MergeResult, TagResult, platform_results
from oci_merge.sources import (
    Job,
    ListFormat,
    MergeRequest,
    PlatformCheck,
    Source,
    check_request,
    check_spec,
)
from oci_merge.spec import Spec
from oci_merge.template import Candidate
from oci_merge.together import both

_Decided = list[tuple[Component, Platform]]


async def merge(
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
    username: str | None = None,
    password: str | None = None,
    docker_config: str | None = None,
    plain_http: bool = False,
    insecure: bool = False,
    connection: Connection | None = None,
    copy_layers: bool = False,
    source_plain_http: bool = False,
    source_insecure: bool = False,
    on_event: OnEvent = ignore,
) -> MergeResult:
    """Join images into one multi-architecture image in their registry.

    No layer is downloaded, unless ``copy_layers`` says so. Until everything else stands no tag
    moves, so that a failure leaves the tags as they were; a rerun goes on where it ended.

    Args:
        target: the tag to publish, for example ``reg.example/app:latest``.
        template: one reference for all platforms, with ARCH, OS and VARIANT in its repository or
            tag, for example ``reg.example/app-ARCHVARIANT:1.0``.
        sources: instead of a template, the images themselves, by tag or digest.
        platforms: the platforms to put into the template, for example ``linux/arm/v7``; where
            there are none, the known platforms are looked for.
        tags: more tags for the index, as bare names.
        arch_aliases: architecture names that the template's images write otherwise, for example
            ``{"amd64": "x86_64"}``.
        annotations: annotations of the index (an OCI index only).
        format: ``oci``, ``docker``, or ``auto``: a Docker list where every image is Docker's.
        platform_check: what to do where an image contradicts the platform asked for: ``warn``
            and publish what was asked, ``error``, or ``off``.
        dry_run: read and plan, but write nothing.
        username: the registry's user; without one, a credential is looked for, see
            ``explain_credentials``.
        password: the user's password or token.
        docker_config: a docker config, or the folder that has it, to look into instead of the
            usual files.
        plain_http: speak plain HTTP; a registry on a loopback address is tried so anyway.
        insecure: do not verify the registry's certificate.
        connection: retries, time-outs and certificates, where the usual ones do not do.
        copy_layers: where the registry does not mount a blob, copy it through this machine, in
            pieces; the images may then be in other registries than the target. The credentials
            given here and ``OCI_MERGE_USERNAME`` are the target registry's, as are the files of
            ``connection``; for the others, the rest is looked for.
        source_plain_http: ``plain_http`` for the other registries.
        source_insecure: ``insecure`` for the other registries.
        on_event: called with each progress event, in the event loop's thread.

    Returns:
        The index's digest and size, its platforms, and which tags moved.

    Raises:
        UsageError: something asked for is wrong; no request was sent.
        PlanError: the images cannot be joined.
        ManifestError: what the registry holds is not usable.
        PublishError: some tags moved and some did not.
        CredentialError: credentials are configured but cannot be read.
        RegistryError: the registry refused.
        TransportError: the registry did not answer.
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
    access = _Access(username, password, docker_config, plain_http, insecure, connection, on_event)
    others = access.of_others(source_plain_http, source_insecure)
    return await _run(job, access, others, dry_run=dry_run)


async def push(
    spec: Spec,
    *,
    list_type: Literal["docker", "oci"] = "docker",
    ignore_missing: bool = False,
    platform_check: PlatformCheck = "warn",
    username: str | None = None,
    password: str | None = None,
    docker_config: str | None = None,
    plain_http: bool = False,
    insecure: bool = False,
    connection: Connection | None = None,
    copy_layers: bool = False,
    source_plain_http: bool = False,
    source_insecure: bool = False,
    on_event: OnEvent = ignore,
) -> MergeResult:
    """Join the images of a spec as manifest-tool does, byte for byte.

    Unlike ``merge``, this takes the kind of index from ``list_type`` alone, and publishes
    platforms as they are written rather than in their normal form.

    Args:
        spec: the target and its images, from ``parse_spec`` or ``spec_from_template``.
        list_type: ``docker`` for a manifest list, ``oci`` for an index.
        ignore_missing: leave out, with a warning, images that are not there.
        platform_check: what to do where an image contradicts the platform asked for: ``warn``
            and publish what was asked, ``error``, or ``off``.
        username: as for ``merge``, like all that follow.
        password: see there.
        docker_config: see there.
        plain_http: see there.
        insecure: see there.
        connection: see there.
        copy_layers: see there.
        source_plain_http: see there.
        source_insecure: see there.
        on_event: see there.

    Returns:
        The same as ``merge``.

    Raises:
        OciMergeError: as ``merge`` does.
    """
    job = check_spec(
        spec,
        format=list_type,
        platform_check=platform_check,
        ignore_missing=ignore_missing,
        copy_layers=copy_layers,
    )
    access = _Access(username, password, docker_config, plain_http, insecure, connection, on_event)
    others = access.of_others(source_plain_http, source_insecure)
    return await _run(job, access, others, dry_run=False)


async def _run(job: Job, access: _Access, others: _Access, *, dry_run: bool) -> MergeResult:
    home = job.target.registry
    run = _Merge(job, access.on_event)
    registries = {
        home: access.open(
            home,
            reads=job.repositories_in(home),
            writes=(job.target.repository,),
            on_warning=run.warn,
        )
    }
    for name in job.other_registries:
        reads = job.repositories_in(name)
        registries[name] = others.open(name, reads=reads, on_warning=run.warn)
    async with AsyncExitStack() as stack:
        for registry in registries.values():
            await stack.enter_async_context(registry)
        return await run.run(registries, dry_run=dry_run)


async def inspect(
    reference: str,
    *,
    shallow: bool = False,
    username: str | None = None,
    password: str | None = None,
    docker_config: str | None = None,
    plain_http: bool = False,
    insecure: bool = False,
    connection: Connection | None = None,
    on_event: OnEvent = ignore,
) -> Inspection:
    """Look at an image or an index in its registry, without downloading layers.

    Args:
        reference: with a tag or a digest, for example ``reg.example/app:latest``.
        shallow: read the manifest alone, and nothing of what it lists: one request.
        username: the registry's user; without one, a credential is looked for, see
            ``explain_credentials``.
        password: the user's password or token.
        docker_config: a docker config, or the folder that has it, to look into instead of the
            usual files.
        plain_http: speak plain HTTP; a registry on a loopback address is tried so anyway.
        insecure: do not verify the registry's certificate.
        connection: retries, time-outs and certificates, where the usual ones do not do.
        on_event: called with each retry, in the event loop's thread.

    Returns:
        Its digest, exact bytes, and images with their platforms and layers.

    Raises:
        UsageError: it is no reference, or has neither tag nor digest.
        ManifestError: what is there is no image.
        CredentialError: credentials are configured but cannot be read.
        RegistryError: the registry refused.
        TransportError: the registry did not answer.
    """
    parsed = check_inspected(reference)
    access = _Access(username, password, docker_config, plain_http, insecure, connection, on_event)
    async with access.open(parsed.registry, reads=(parsed.repository,)) as registry:
        return await inspect_reference(registry, parsed, reference, shallow=shallow)


@dataclass(frozen=True, slots=True)
class _Access:
    """How the caller wants a registry to be spoken to, as the verbs take it."""

    username: str | None
    password: str | None = field(repr=False)
    docker_config: str | None
    plain_http: bool
    insecure: bool
    connection: Connection | None
    on_event: OnEvent
    environ: Mapping[str, str] | None = None

    def of_others(self, plain_http: bool, insecure: bool) -> _Access:
        """Return the access to other registries, which get none of the target's secrets."""
        own = (USERNAME_VARIABLE, PASSWORD_VARIABLE)
        environ = {name: value for name, value in os.environ.items() if name not in own}
        connection = self.connection and replace(
            self.connection, ca_file=None, client_cert=None, client_key=None
        )
        return replace(
            self,
            username=None,
            password=None,
            plain_http=plain_http,
            insecure=insecure,
            connection=connection,
            environ=environ,
        )

    def open(
        self,
        name: str,
        *,
        reads: Sequence[str],
        writes: Sequence[str] = (),
        on_warning: Callable[[str], object] | None = None,
    ) -> Registry:
        """Return the registry, without sending anything."""
        return Registry(
            name,
            reads=reads,
            writes=writes,
            credential=given_credential(self.username, self.password),
            docker_config=docker_config_file(self.docker_config) if self.docker_config else None,
            plain_http=self.plain_http,
            insecure=self.insecure,
            connection=self.connection,
            on_event=self.on_event,
            environ=self.environ,
            on_warning=on_warning,
        )


class _Merge:
    """One merge: its four steps on the wire, in order and side by side."""

    def __init__(self, job: Job, on_event: OnEvent) -> None:
        self._job = job
        self._on_event = on_event
        self._warnings: list[str] = []

    async def run(self, registries: Registries, *, dry_run: bool) -> MergeResult:
        """Read, plan and, unless this is a dry run, publish."""
        job = self._job
        publisher = Publisher(registries, job.target, self._emit, copy_layers=job.copy_layers)
        for warning in job.warnings:
            self.warn(warning)
        try:
            (components, found), standing = await both(
                self._components(registries),
                read_target(registries[job.target.registry], job.target, job.tags),
            )
            transfers = self._transfers(components, standing)
            (decided, index), _ = await both(
                self._index(registries, components, found),
                publisher.transfer(Transfers() if dry_run else transfers),
            )
            plan = self._plan(components, standing, transfers, index)
            unchanged = plan.unchanged if dry_run else await publisher.publish(plan)
        finally:
            await publisher.close()
        return self._result(plan, decided, unchanged, dry_run)

    def warn(self, message: str) -> None:
        """Tell of something that the user should know."""
        self._emit(Warned(message))

    async def _components(
        self, registries: Registries
    ) -> tuple[tuple[Component, ...], tuple[Candidate, ...]]:
        found: tuple[Candidate, ...] = ()
        sources = self._job.sources
        if self._job.candidates:
            found = await probe(registries, self._job.candidates, self._emit)
            sources = tuple(Source(candidate.reference) for candidate in found)
        components = await fetch_components(
            registries, sources, self._emit, ignore_missing=self._job.ignore_missing
        )
        return components, found

    async def _index(
        self,
        registries: Registries,
        components: Sequence[Component],
        found: Sequence[Candidate],
    ) -> tuple[_Decided, IndexDocument]:
        decided = await read_platforms(registries, components, self._job, self._emit)
        if found:
            references = tuple(str(candidate.reference) for candidate in found)
            self._emit(ComponentsFound(references, pinning_platforms(found, decided)))
        index = plan_index(decided, list_format=self._job.format, annotations=self._job.annotations)
        return decided, index

    def _transfers(self, components: Sequence[Component], standing: Standing) -> Transfers:
        target = self._job.target
        return plan_transfers(
            components, target.repository, standing.children, registry=target.registry
        )

    def _plan(
        self,
        components: Sequence[Component],
        standing: Standing,
        transfers: Transfers,
        index: IndexDocument,
    ) -> Plan:
        digest = index.digest
        everything = self._transfers(components, replace(standing, children=frozenset()))
        return Plan(
            target=self._job.target,
            index=index,
            transfers=transfers,
            tags=self._job.tags,
            unchanged=frozenset(tag for tag in self._job.tags if standing.tags.get(tag) == digest),
            assumed=everything
            if len(everything.children) > len(transfers.children)
            else Transfers(),
        )

    def _result(
        self, plan: Plan, decided: _Decided, unchanged: AbstractSet[str], dry_run: bool
    ) -> MergeResult:
        return MergeResult(
            target=str(self._job.target),
            digest=plan.index.digest,
            size=plan.index.size,
            media_type=plan.index.media_type,
            platforms=platform_results(decided),
            tags=tuple(TagResult(tag, tag not in unchanged) for tag in plan.tags),
            warnings=tuple(self._warnings),
            plan=plan,
            dry_run=dry_run,
        )

    def _emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._warnings.append(event.message)
        self._on_event(event)
