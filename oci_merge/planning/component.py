"""One manifest that the index will list."""

from __future__ import annotations

from dataclasses import dataclass

from oci_merge.model.manifest import Descriptor, ImageManifest, Manifest
from oci_merge.model.platform import Platform
from oci_merge.planning.job import Source


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """One manifest that the index will list: an image, or an attestation of one.

    Attributes:
        source: the source that it came from.
        manifest: its exact bytes and what they say.
        listed: its descriptor, where it came out of a source index; else None.
        said: the platform that the source index gives it, or None where its config has to be
            read.
    """

    source: Source
    manifest: Manifest
    listed: Descriptor | None = None
    said: Platform | None = None

    @property
    def document(self) -> ImageManifest:
        """What the manifest says."""
        assert isinstance(self.manifest.document, ImageManifest)
        return self.manifest.document

    @property
    def asked(self) -> Platform | None:
        """The platform asked for, or None."""
        return self.source.platform

    @property
    def is_attestation(self) -> bool:
        """Whether this is an attestation rather than an image."""
        return self.listed is not None and self.listed.is_attestation

    @property
    def name(self) -> str:
        """Names the component in messages: the source, and the digest within an index."""
        reference = self.source.reference
        return f"{reference} ({self.manifest.digest})" if self.listed else str(reference)
