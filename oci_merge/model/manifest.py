"""Manifests, indexes and configs as they come from a registry (OCI image spec).

The models read what is needed and keep the rest; the bytes are never written again from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from oci_merge._text import printable
from oci_merge.errors import InvalidReferenceError, ManifestError, UnsupportedMediaTypeError
from oci_merge.model import media_types
from oci_merge.model.digest import check_digest
from oci_merge.model.platform import Platform

#: The largest manifest or config that is read, in bytes (OCI distribution spec: at least 4 MiB).
MAX_DOCUMENT = 4 * 1024 * 1024

REFERENCE_TYPE = "vnd.docker.reference.type"
REFERENCE_DIGEST = "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"

#: Content types that say nothing of the kind of manifest.
_VAGUE_TYPES = frozenset({"", "application/json", "text/plain", "application/octet-stream"})


def _digest(text: str) -> str:
    try:
        return check_digest(text)
    except InvalidReferenceError as error:
        raise ValueError(error.message) from error


class _Document(BaseModel):
    # Built when it is first used: a run may well see no index.
    model_config = ConfigDict(extra="allow", frozen=True, validate_by_name=True, defer_build=True)


class PlatformDocument(_Document):
    """The ``platform`` of a descriptor, and the same fields of an image's config."""

    architecture: str | None = None
    os: str | None = None
    variant: str | None = None
    os_version: str | None = Field(None, alias="os.version")
    os_features: list[str] | None = Field(None, alias="os.features")

    def to_platform(self) -> Platform:
        """Return the fields as they stand, with empty strings for those that are absent."""
        return Platform(
            self.os or "",
            self.architecture or "",
            self.variant or "",
            self.os_version or "",
            tuple(self.os_features or ()),
        )


class Descriptor(_Document):
    """A descriptor (OCI image spec, "Content Descriptors")."""

    media_type: str = Field("", alias="mediaType")
    digest: Annotated[str, AfterValidator(_digest)]
    size: Annotated[int, Field(strict=True, ge=0, lt=2**63)]
    platform: PlatformDocument | None = None
    annotations: dict[str, str] | None = None
    urls: list[str] | None = None
    artifact_type: str | None = Field(None, alias="artifactType")

    @property
    def attests(self) -> str:
        """The digest that this attestation manifest is about, or an empty string."""
        annotations = self.annotations or {}
        if annotations.get(REFERENCE_TYPE) != ATTESTATION:
            return ""
        return annotations.get(REFERENCE_DIGEST, "")

    @property
    def is_attestation(self) -> bool:
        """Whether buildx marked this entry of an index as an attestation manifest."""
        return (self.annotations or {}).get(REFERENCE_TYPE) == ATTESTATION

    @property
    def is_foreign(self) -> bool:
        """Whether this layer lives outside registries."""
        return media_types.is_foreign_layer(self.media_type, has_urls=bool(self.urls))


class ImageManifest(_Document):
    """An image manifest, of OCI or of Docker (schema 2)."""

    media_type: str | None = Field(None, alias="mediaType")
    artifact_type: str | None = Field(None, alias="artifactType")
    config: Descriptor
    layers: list[Descriptor]
    annotations: dict[str, str] | None = None


class ImageIndex(_Document):
    """An OCI index or a Docker manifest list."""

    media_type: str | None = Field(None, alias="mediaType")
    manifests: list[Descriptor]
    annotations: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as a registry holds it.

    Attributes:
        media_type: its media type, without parameters.
        digest: the digest of ``content``.
        content: the exact bytes.
        document: what the bytes say.
    """

    media_type: str
    digest: str
    content: bytes
    document: ImageManifest | ImageIndex

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.content)


class _Shape(BaseModel):
    """What tells one kind of manifest from another, in the spec's own names."""

    model_config = ConfigDict(defer_build=True)

    schemaVersion: Annotated[int, Field(strict=True)] | None = None
    mediaType: str | None = None
    manifests: Any = None
    config: Any = None
    layers: Any = None


_Model = TypeVar("_Model", bound=BaseModel)


def parse_manifest(content: bytes, *, content_type: str, digest: str, what: str) -> Manifest:
    """Read a manifest or an index.

    Args:
        content: the bytes, whose digest has been verified or computed by the caller.
        content_type: the response's Content-Type.
        digest: the digest of ``content``.
        what: names the image in errors.

    Raises:
        UnsupportedMediaTypeError: it is schema 1, or no manifest of a known kind.
        ManifestError: it is not JSON, breaks the spec, or contradicts its Content-Type.
    """
    shape = _validate(_Shape, content, f"the manifest of {what}")
    media_type = _media_type(shape, content_type, what)
    if shape.manifests is not None and (shape.config is not None or shape.layers is not None):
        raise ManifestError(f"the manifest of {what} is an image and an index at once")
    model: type[ImageIndex] | type[ImageManifest] = (
        ImageIndex if media_type in media_types.INDEXES else ImageManifest
    )
    return Manifest(
        media_type, digest, content, _validate(model, content, f"the manifest of {what}")
    )


def parse_config(content: bytes, *, what: str) -> Platform:
    """Read the platform from an image's config.

    Returns:
        The platform as it stands there; fields that are absent are empty.

    Raises:
        ManifestError: it is not JSON, or a field is of another kind than the spec says.
    """
    return _validate(PlatformDocument, content, f"the config of {what}").to_platform()


def _media_type(shape: _Shape, content_type: str, what: str) -> str:
    """Choose the kind from header, body and structure, which must not contradict each other."""
    header = content_type.partition(";")[0].strip().lower()
    body = (shape.mediaType or "").lower()
    if header in media_types.SCHEMA1 or body in media_types.SCHEMA1 or shape.schemaVersion == 1:
        raise UnsupportedMediaTypeError(
            f"{what} is a Docker schema 1 image, which no index can list",
            hint="build and push it again with a current builder",
        )
    declared = body if header in _VAGUE_TYPES else header
    if body and declared != body:
        raise ManifestError(
            f"the registry calls {what} {printable(header)}, "
            f"but the manifest itself says {printable(body)}",
            hint="push the image again; the registry or a proxy changed its media type",
        )
    if not declared:
        is_index = shape.manifests is not None
        declared = media_types.OCI_INDEX if is_index else media_types.OCI_MANIFEST
    if declared not in media_types.INDEXES | media_types.MANIFESTS:
        raise UnsupportedMediaTypeError(
            f"{what} is {printable(declared)}, which is neither an image nor an index",
            hint="name container images; charts, signatures and other artifacts have no platform",
        )
    return declared


def _validate(model: type[_Model], content: bytes, what: str) -> _Model:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f" at {printable(place)}" if place else ""
        raise ManifestError(
            f"{what} cannot be read{where}: {printable(first['msg'])}",
            hint="the registry sent something else than the OCI image spec describes",
        ) from None
