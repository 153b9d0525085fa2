"""The library's verbs, asynchronous, each with a client of its own.

``blocking`` has the same for code without an event loop, ``client`` the same for many images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from oci_merge.client import AsyncClient
from oci_merge.events import OnEvent, ignore
from oci_merge.operations.inspect import Inspection
from oci_merge.options import RegistryOptions
from oci_merge.planning.job import ListFormat, PlatformCheck
from oci_merge.planning.result import MergeResult
from oci_merge.planning.spec import Spec


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
    connection: RegistryOptions | None = None,
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
    async with AsyncClient(
        username=username,
        password=password,
        docker_config=docker_config,
        plain_http=plain_http,
        insecure=insecure,
        connection=connection,
        source_plain_http=source_plain_http,
        source_insecure=source_insecure,
    ) as client:
        return await client.merge(
            target,
            template=template,
            sources=sources,
            platforms=platforms,
            tags=tags,
            arch_aliases=arch_aliases,
            annotations=annotations,
            format=format,
            platform_check=platform_check,
            dry_run=dry_run,
            copy_layers=copy_layers,
            on_event=on_event,
        )


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
    connection: RegistryOptions | None = None,
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
    async with AsyncClient(
        username=username,
        password=password,
        docker_config=docker_config,
        plain_http=plain_http,
        insecure=insecure,
        connection=connection,
        source_plain_http=source_plain_http,
        source_insecure=source_insecure,
    ) as client:
        return await client.push(
            spec,
            list_type=list_type,
            ignore_missing=ignore_missing,
            platform_check=platform_check,
            copy_layers=copy_layers,
            on_event=on_event,
        )


async def inspect(
    reference: str,
    *,
    shallow: bool = False,
    username: str | None = None,
    password: str | None = None,
    docker_config: str | None = None,
    plain_http: bool = False,
    insecure: bool = False,
    connection: RegistryOptions | None = None,
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
    async with AsyncClient(
        username=username,
        password=password,
        docker_config=docker_config,
        plain_http=plain_http,
        insecure=insecure,
        connection=connection,
    ) as client:
        return await client.inspect(reference, shallow=shallow, on_event=on_event)
