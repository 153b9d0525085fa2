"""Reads what a reference points to: an image, or an index with its images.

OCI distribution spec, "Pulling manifests" and "Pulling blobs".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oci_merge._concurrency import gather
from oci_merge._frozen import frozen
from oci_merge.errors import InvalidReferenceError, ManifestError, NotFoundError
from oci_merge.model.manifest import Descriptor, ImageIndex, ImageManifest, Manifest, parse_config
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.operations.manifest_reader import MAX_ENTRIES, ManifestReader, listed_at
from oci_merge.operations.platforms import image_config
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient


@frozen
class InspectedLayer:
    """A layer of an image.

    Attributes:
        digest: its digest.
        size: its size in bytes, compressed as it is stored.
        media_type: its media type.
    """

    digest: str
    size: int
    media_type: str


@frozen
class InspectedImage:
    """An image, by itself or as an entry of an index.

    Attributes:
        digest: its manifest's digest.
        size: its manifest's size in bytes.
        media_type: its manifest's media type.
        content: its manifest's exact bytes.
        platform: its platform by the index, else by its config; not normalized.
        layers: its layers, lowest first.
        is_attestation: whether it is an attestation of another image.
        attests: the digest of the image that it attests, or an empty string.
        is_missing: whether the registry does not have it, although an index lists it; it has no
            ``content`` and no ``layers`` then.
    """

    digest: str
    size: int
    media_type: str
    content: bytes
    platform: Platform
    layers: tuple[InspectedLayer, ...] = ()
    is_attestation: bool = False
    attests: str = ""
    is_missing: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the image as JSON values, sizes in bytes."""
        return {
            "digest": self.digest,
            "size": self.size,
            "mediaType": self.media_type,
            "platform": str(self.platform),
            "attests": self.attests or None,
            "missing": self.is_missing,
            "layers": [
                {"digest": layer.digest, "size": layer.size, "mediaType": layer.media_type}
                for layer in self.layers
            ],
        }


@frozen
class Inspection:
    """What a reference points to.

    Attributes:
        reference: the reference, as the user wrote it.
        digest: the manifest's digest.
        size: its size in bytes.
        media_type: its media type.
        content: its exact bytes.
        is_index: whether it is an index rather than an image.
        images: the index's entries in order, or the single image; empty if only the manifest was
            read (``shallow``).
        config: the exact bytes of a single image's config; empty for an index, and for anything
            but a container image.
    """

    reference: str
    digest: str
    size: int
    media_type: str
    content: bytes
    is_index: bool
    images: tuple[InspectedImage, ...]
    config: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """Return the inspection as JSON values, sizes in bytes."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "size": self.size,
            "mediaType": self.media_type,
            "images": [image.to_dict() for image in self.images],
        }


def check_inspected(text: str) -> Reference:
    """Parse a reference to inspect; it must have a tag or a digest.

    Args:
        text: for example ``reg.example/team/app:1.0``.

    Raises:
        InvalidReferenceError: it is not a valid reference, or has neither tag nor digest.
    """
    # No default of ``latest``: who forgets the tag would look at another image than they mean.
    reference = parse_reference(text)
    if not reference.tag and not reference.digest:
        raise InvalidReferenceError(
            f"{text!r} has neither a tag nor a digest",
            hint=f"add the one to inspect, for example {text}:latest",
        )
    return reference


async def inspect_reference(
    registry: RegistryClient, reference: Reference, text: str, *, shallow: bool = False
) -> Inspection:
    """Read what a reference points to, and the manifests that an index lists.

    Args:
        registry: the reference's registry.
        reference: the reference.
        text: the reference, as the user wrote it.
        shallow: read only the manifest itself, no entries of an index and no config.

    Returns:
        The inspection.

    Raises:
        NotFoundError: the reference does not exist.
        ManifestError, RegistryError, TransportError: something could not be read.
    """
    manifest = await ManifestClient(registry).get(reference)
    reader = ManifestReader({registry.name: registry})
    reader.count(reference, manifest)
    found = Inspection(
        reference=text,
        digest=manifest.digest,
        size=manifest.size,
        media_type=manifest.media_type,
        content=manifest.content,
        is_index=isinstance(manifest.document, ImageIndex),
        images=(),
    )
    return found if shallow else await _add_images(found, reader, reference, manifest)


async def _add_images(
    found: Inspection, reader: ManifestReader, reference: Reference, manifest: Manifest
) -> Inspection:
    """Return the inspection with the images of an index, or with a single image and its config."""
    document = manifest.document
    if isinstance(document, ImageIndex):
        _check_entries(document, reference)
        reader.reserve(reference, document.manifests)
        entries = (_inspect_entry(reader, reference, entry) for entry in document.manifests)
        return replace(found, images=tuple(await gather(entries)))
    config = await _config(reader, reference, document)
    image = InspectedImage(
        digest=manifest.digest,
        size=manifest.size,
        media_type=manifest.media_type,
        content=manifest.content,
        platform=_platform(config, reference),
        layers=_layers(document),
    )
    return replace(found, images=(image,), config=config)


def _check_entries(index: ImageIndex, reference: Reference) -> None:
    if len(index.manifests) > MAX_ENTRIES:
        raise ManifestError(
            f"{reference} is an index with more than {MAX_ENTRIES} entries",
            hint="look at the index alone, with --output manifest",
        )


async def _inspect_entry(
    reader: ManifestReader, index: Reference, entry: Descriptor
) -> InspectedImage:
    reference = listed_at(index, entry)
    platform = entry.platform.to_platform() if entry.platform else Platform("", "")
    found = InspectedImage(
        digest=entry.digest,
        size=entry.size,
        media_type=entry.media_type,
        content=b"",
        platform=platform,
        is_attestation=entry.is_attestation,
        attests=entry.attests,
    )
    try:
        manifest = await reader.get_listed(index, entry)
    except NotFoundError:
        return replace(found, is_missing=True)
    document = manifest.document
    layers: tuple[InspectedLayer, ...] = ()
    if isinstance(document, ImageManifest):
        layers = _layers(document)
        # The platform of a descriptor is optional.
        if not platform.is_known and not entry.is_companion:
            platform = _platform(await _config(reader, reference, document), reference)
    return replace(
        found,
        media_type=entry.media_type or manifest.media_type,
        content=manifest.content,
        platform=platform,
        layers=layers,
    )


async def _config(reader: ManifestReader, reference: Reference, document: ImageManifest) -> bytes:
    """Return the bytes of a container image's config; empty for anything else."""
    registry = reader.registries[reference.registry]
    return await image_config(registry, reference.repository, document, what=str(reference))


def _platform(config: bytes, reference: Reference) -> Platform:
    return parse_config(config, what=str(reference)) if config else Platform("", "")


def _layers(document: ImageManifest) -> tuple[InspectedLayer, ...]:
    return tuple(
        InspectedLayer(layer.digest, layer.size, layer.media_type) for layer in document.layers
    )
