"""Reads the labels of the images that an append keeps, which have to agree with the new ones.

OCI distribution spec, "Pulling manifests"; OCI image spec, "Image Configuration".
"""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge._concurrency import gather
from oci_merge.model.labels import parse_labels
from oci_merge.model.manifest import Descriptor, ImageIndex, ImageManifest
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import ManifestReader, listed_at
from oci_merge.operations.platforms import image_config
from oci_merge.planning.component import Component
from oci_merge.planning.job import Source
from oci_merge.registry.client import Registries


async def read_kept_images(
    registries: Registries,
    at: Reference,
    index: ImageIndex,
    joined: Sequence[tuple[Component, Platform]],
) -> list[tuple[Component, Platform]]:
    """Read the images that an index lists beside those that were joined, with their labels.

    An index within the index is given without labels, as an image without a config is.

    Args:
        registries: the registries, by ``host[:port]``.
        at: the first target, whose repository has them.
        index: the index to publish.
        joined: the images that were joined.

    Raises:
        NotFoundError: an image is not there any more.
        ManifestError, RegistryError, TransportError: an image could not be read.
    """
    reader, registry = ManifestReader(registries), registries[at.registry]

    async def read(entry: Descriptor) -> tuple[Component, Platform]:
        manifest = await reader.get_listed(at, entry)
        where, document = listed_at(at, entry), manifest.document
        component = Component(Source(where), manifest)
        if isinstance(document, ImageManifest):
            name = str(where)
            config = await image_config(registry, at.repository, document, what=name)
            labels = parse_labels(config, what=name) if config else None
            component = Component(Source(where), manifest, labels=labels)
        return component, entry.platform.to_platform() if entry.platform else Platform("", "")

    new = {component.digest for component, _ in joined}
    kept = [each for each in index.manifests if not (each.is_companion or each.digest in new)]
    reader.reserve(at, kept)
    return await gather(read(entry) for entry in kept)
