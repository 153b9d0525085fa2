"""Reads configs, and decides under which platform each image is published.

OCI distribution spec, "Pulling blobs"; OCI image spec, "Image Configuration".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from oci_merge._concurrency import gather
from oci_merge._text import printable
from oci_merge.errors import (
    DigestMismatchError,
    ManifestError,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, Warned
from oci_merge.model import media_types
from oci_merge.model.manifest import MAX_DOCUMENT, ImageManifest, parse_config
from oci_merge.model.platform import Platform, agrees, fill_gaps, has_gap, normalize
from oci_merge.planning.component import Component
from oci_merge.planning.job import Candidate, Job
from oci_merge.planning.platform_decision import check_selected, decide_platform
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import Registries, RegistryClient

if TYPE_CHECKING:
    from oci_merge.model.labels import ImageLabels

#: A config that says os and architecture has more bytes than this.
_SMALLEST_CONFIG = len('{"os":"","architecture":""}')
#: How many bytes the configs may have together whose labels are kept. A usual one has 10 KiB.
_MAX_BYTES = 32 * 1024 * 1024


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
        The components in order, each with its platform, and with its labels if the job needs them.

    Raises:
        PlatformMismatchError: an image is for another platform than the requested one, and the
            job says that this is an error.
        ManifestError, RegistryError, TransportError: a config could not be read.
    """
    # The config of an entry of an index is read where it may fill a gap, beside those of images.
    unread = [component for component in components if _is_read(component, job)]
    if job.reads_labels:
        _check_sizes(unread)
    emit(StageStarted("configs", len(unread)))
    read = await gather(
        _read_declared(registries[component.source.reference.registry], component, job, emit)
        for component in unread
    )
    declared = dict(zip(unread, read, strict=True))
    images = Counter(component.source for component in components if component.is_image)
    platforms = []
    for component in components:
        platform, labels = declared.get(component, (component.declared, component.labels))
        platform = platform or Platform("", "")
        if labels is not None:
            component = replace(component, labels=labels)
        if component.is_image:
            # A name says what one image is, and not what an index of several holds.
            alone = images[component.source] == 1
            platform, warning = decide_platform(
                component,
                platform,
                job.platform_check,
                found_as=component.source.named if alone else None,
                as_written=job.as_written,
            )
            if warning:
                emit(Warned(warning))
        platforms.append((component, platform))
    for warning in check_selected(job, platforms):
        emit(Warned(warning))
    return platforms


def _is_read(component: Component, job: Job) -> bool:
    """Say whether the config of a component is read, for its platform or its labels."""
    if component.labels is not None:
        return False  # it was read to choose among the entries of an index
    if component.declared is None:
        return True
    return component.is_image and (has_gap(component.declared) or job.reads_labels)


def _check_sizes(components: Sequence[Component]) -> None:
    """Refuse configs that are too large together, where the labels of all of them are kept.

    Raises:
        ManifestError: they are.
    """
    configs = [component.document.config for component in components]
    if sum(config.size for config in configs if config) > _MAX_BYTES:
        raise ManifestError(
            f"the configs of the images have more than {_MAX_BYTES // 2**20} MiB together",
            hint="ask for the platforms that you need, or join fewer images at once",
        )


async def _read_declared(
    registry: RegistryClient, component: Component, job: Job, emit: OnEvent
) -> tuple[Platform, ImageLabels | None]:
    """Return what an image declares: an entry of an index, with its gaps filled from its config.

    The labels are None where the job does not need them, or there is no config.
    """
    entry = component.declared
    if entry is None:
        content = await read_image_config(registry, component, emit)
        declared = parse_config(content, what=component.name) if content else Platform("", "")
        return declared, read_labels(component, content) if job.reads_labels else None
    reference = component.source.reference
    try:
        config = await image_config(
            registry, reference.repository, component.document, what=component.name
        )
        found = parse_config(config, what=component.name) if config else Platform("", "")
        labels = read_labels(component, config) if job.reads_labels else None
    except DigestMismatchError:
        raise
    except (ManifestError, NotFoundError):
        # The entry stays as its author wrote it.
        return entry, None
    emit(StageAdvanced("configs", component.name))
    return fill_gaps(entry, found) if has_gap(entry) else entry, labels


def read_labels(component: Component, config: bytes) -> ImageLabels | None:
    """Return what an image's config says of it; None if it has no config.

    Raises:
        ManifestError: the config cannot be read.
    """
    if not config:
        return None
    from oci_merge.model.labels import parse_labels  # most jobs need no labels

    return parse_labels(config, what=component.name)


def pinning_platforms(
    found: Sequence[Candidate], platforms: Sequence[tuple[Component, Platform]]
) -> str:
    """Return the value of ``--platforms`` that gives the same images without looking for them.

    Args:
        found: the candidates that exist.
        platforms: their components, with the platforms under which they are published.

    Returns:
        Platforms, separated by commas, such as ``linux/amd64,linux/arm64``; an empty string if
        there is no such value.
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
        # Each image has to be among them, and each of them has to be an image.
        named = [other for other in published if any(agrees(it, other) for it in matching)]
        if not published or len(named) != len(published):
            return ""
        names += [str(platform) for platform in matching]
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
    content = await read_image_config(registry, component, emit)
    return parse_config(content, what=component.name) if content else Platform("", "")


async def read_image_config(
    registry: RegistryClient, component: Component, emit: OnEvent | None = None
) -> bytes:
    """Return the bytes of an image's config; empty, and errors, as for ``read_config``."""
    document = component.document
    repository = component.source.reference.repository
    content = await image_config(registry, repository, document, what=component.name)
    if not content:
        if component.requested is None:
            kind = printable(document.config.media_type) if document.config else ""
            has = (
                f"a config of type {kind!r}, which" if document.config else "no config, so that it"
            )
            raise UnsupportedMediaTypeError(
                f"{component.name} has {has} does not declare a platform",
                hint="name container images, or give its platform with --template and "
                "--platforms, with --source REF=PLATFORM or in a spec",
            )
        return b""
    if emit:
        emit(StageAdvanced("configs", component.name))
    return content


async def image_config(
    registry: RegistryClient, repository: str, document: ImageManifest, *, what: str
) -> bytes:
    """Return the bytes of a container image's config; empty for anything else.

    Some builders give the config another media type than the image spec does, or none. Such a
    config is an image's if it is JSON with os and architecture.

    Args:
        registry: the image's registry.
        repository: the image's repository.
        document: its manifest.
        what: names the image in errors.

    Raises:
        ManifestError, RegistryError, TransportError: the config could not be read.
    """
    config = document.config
    if config is None:
        return b""
    blobs = BlobClient(registry, repository)
    if config.media_type in media_types.IMAGE_CONFIGS:
        return await blobs.get_config(config, what=what)
    # An artifact's config may be empty, or a model of gigabytes: neither is fetched.
    if not _SMALLEST_CONFIG <= config.size <= MAX_DOCUMENT:
        return b""
    try:
        content = await blobs.get_config(config, what=what)
        return content if normalize(parse_config(content, what=what)).is_known else b""
    except DigestMismatchError:
        raise
    except (ManifestError, NotFoundError):
        return b""
