"""An entry of a source, and a component: a manifest that the index will list. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oci_merge._frozen import frozen
from oci_merge.model.manifest import REFERENCE_TYPE, Descriptor, ImageManifest, Manifest
from oci_merge.model.platform import Platform
from oci_merge.planning.job import Source

if TYPE_CHECKING:
    from oci_merge.model.labels import ImageLabels


@frozen(eq=False)
class Entry:
    """What an index of a source lists, before its manifest is read.

    Attributes:
        descriptor: its descriptor.
        declared: the platform by that descriptor, or else by the descriptor of the index within
            the index that lists it; empty if neither says one.
    """

    descriptor: Descriptor
    declared: Platform

    @property
    def digest(self) -> str:
        """The digest of its manifest."""
        return self.descriptor.digest

    @property
    def is_image(self) -> bool:
        """Whether its descriptor is an image's; only the manifest may tell that it is not."""
        return not self.descriptor.is_companion

    @property
    def about(self) -> str:
        """The digest of the manifest that it accompanies, or an empty string."""
        return self.descriptor.about

    @property
    def kind(self) -> str:
        """What it is, in a few words for messages."""
        if self.is_image:
            return str(self.declared) if self.declared.is_known else "an image"
        reference_type = self.descriptor.annotations.get(REFERENCE_TYPE, "")
        named = "attestation" if self.descriptor.is_attestation else reference_type
        return named or self.descriptor.artifact_type or "artifact"


@frozen(eq=False)
class Component:
    """One manifest that the index will list: an image, or a companion such as an attestation.

    Attributes:
        source: the source that it was found in.
        manifest: the manifest, with its exact bytes.
        descriptor: its descriptor in the source index; None if the source is a single image.
        declared: the platform by that descriptor, or by the image's config where the platform had
            to be known early; None if the image's config is read later.
        is_artifact: whether the manifest says that this is no image although its descriptor
            does not.
        is_referrer: whether it is brought along because it refers to an image, and is not listed.
        labels: what its config says of it, where a job needs that; None where the config has not
            been read, or cannot be.
    """

    source: Source
    manifest: Manifest
    descriptor: Descriptor | None = None
    declared: Platform | None = None
    is_artifact: bool = False
    is_referrer: bool = False
    labels: ImageLabels | None = None

    @property
    def digest(self) -> str:
        """The digest of its manifest."""
        return self.manifest.digest

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
    def is_image(self) -> bool:
        """Whether this is an image, which runs on a platform, and no companion of one."""
        if self.is_referrer:
            return False
        # The descriptor tells first: the manifest of an attestation looks like an image's.
        if self.descriptor is None:
            return True
        return not (self.is_artifact or self.descriptor.is_companion)

    @property
    def about(self) -> str:
        """The digest of the manifest that it accompanies, or an empty string."""
        return self.descriptor.about if self.descriptor else ""

    @property
    def name(self) -> str:
        """The name for messages: the source, and the digest if the source is an index."""
        reference = self.source.reference
        return f"{reference} ({self.manifest.digest})" if self.descriptor else str(reference)
