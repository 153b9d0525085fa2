"""A component: one manifest that the index will list."""

from __future__ import annotations

from dataclasses import dataclass

from oci_merge.model.manifest import Descriptor, ImageManifest, Manifest
from oci_merge.model.platform import Platform
from oci_merge.planning.job import Source


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """One manifest that the index will list: an image, or the attestation of an image.

    Attributes:
        source: the source that it was found in.
        manifest: the manifest, with its exact bytes.
        descriptor: its descriptor in the source index; None if the source is a single image.
        declared: the platform by that descriptor, or by the image's config where the descriptor
            has none; None if the source is a single image, whose config is read later.
    """

    source: Source
    manifest: Manifest
    descriptor: Descriptor | None = None
    declared: Platform | None = None

    @property
    def document(self) -> ImageManifest:
        """The parsed manifest."""
        # Indexes are flattened before components are made of them.
        assert isinstance(self.manifest.document, ImageManifest)
        return self.manifest.document

    @property
    def requested(self) -> Platform | None:
        """The platform that the user asked for, or None."""
        return self.source.platform

    @property
    def is_attestation(self) -> bool:
        """Whether this is an attestation and no image."""
        # Only the descriptor tells: the manifest of an attestation looks like an image's.
        return self.descriptor is not None and self.descriptor.is_attestation

    @property
    def name(self) -> str:
        """The name for messages: the source, and the digest if the source is an index."""
        reference = self.source.reference
        return f"{reference} ({self.manifest.digest})" if self.descriptor else str(reference)
