"""Reads configs, and decides under which platform each image is published.

OCI distribution spec, "Pulling blobs"; OCI image spec, "Image Configuration".
"""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge._concurrency import gather
from oci_merge._text import printable
from oci_merge.errors import (
    UnsupportedMediaTypeError,
)
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, Warned
from oci_merge.model import media_types
from oci_merge.model.manifest import parse_config
from oci_merge.model.platform import Platform, agrees
from oci_merge.planning.component import Component
from oci_merge.planning.job import Candidate, Job
from oci_merge.planning.platform_decision import decide_platform
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import Registries, RegistryClient


async def read_platforms(
    registries: Registries, components: Sequence[Component], job: Job, emit: OnEvent
) -> list[tuple[Component, Platform]]:
    """Read the configs side by side, and decide under which platform each image is published.

    Args:
        registries: the registries of the components, by ``host[:port]``.
        components: the components.
        job: the job; it says how platforms are compared and written.
        emit: called with progress events and warnings.

    Returns:
        The components in order, each with its platform.

    Raises:
        PlatformMismatchError: an image is for another platform than the requested one, and the
            job says that this is an error.
        ManifestError, RegistryError, TransportError: a config could not be read.
    """
    unread = [component for component in components if component.declared is None]
    emit(StageStarted("configs", len(unread)))
    read = await gather(
        read_config(registries[component.source.reference.registry], component, emit)
        for component in unread
    )
    declared = dict(zip(unread, read, strict=True))
    platforms = []
    for component in components:
        platform = component.declared or declared.get(component, Platform("", ""))
        if component.is_image:
            platform, warning = decide_platform(
                component, platform, job.platform_check, as_written=job.as_written
            )
            if warning:
                emit(Warned(warning))
        platforms.append((component, platform))
    return platforms


def pinning_platforms(
    found: Sequence[Candidate], platforms: Sequence[tuple[Component, Platform]]
) -> str:
    """Return the value of ``--platforms`` that gives the same images without looking for them.

    Args:
        found: the candidates that exist.
        platforms: their components, with the platforms under which they are published.

    Returns:
        Platforms, separated by commas, such as ``linux/amd64,linux/arm64``.
    """
    names = []
    for candidate in found:
        published = [
            platform
            for component, platform in platforms
            if component.source.reference == candidate.reference and component.is_image
        ]
        # A template without VARIANT gives one reference for v5, v6 and v7: the image says which.
        matching = [
            platform
            for platform in candidate.platforms
            if any(agrees(platform, other) for other in published)
        ]
        names += [str(platform) for platform in matching or candidate.platforms[:1]]
    return ",".join(names)


async def read_config(
    registry: RegistryClient, component: Component, emit: OnEvent | None = None
) -> Platform:
    """Read the platform that an image's config declares.

    Returns:
        The platform, not normalized; empty if it is no container image, such as a Helm chart, and
        the user named a platform for it.

    Raises:
        UnsupportedMediaTypeError: it is no container image, and no platform was requested.
        ManifestError, RegistryError, TransportError: the config could not be read.
    """
    config = component.document.config
    if config.media_type not in media_types.IMAGE_CONFIGS:
        if component.requested is None:
            raise UnsupportedMediaTypeError(
                f"{component.name} has a config of type {printable(config.media_type)!r}, "
                "which does not declare a platform",
                hint="name container images, or give its platform with --template and "
                "--platforms or in a spec",
            )
        return Platform("", "")
    blobs = BlobClient(registry, component.source.reference.repository)
    content = await blobs.get_config(config, what=component.name)
    if emit:
        emit(StageAdvanced("configs", component.name))
    return parse_config(content, what=component.name)
