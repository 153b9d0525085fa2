"""Parses manifests, indexes and configs that a registry sent.

OCI image spec, "Content Descriptors", "Image Manifest", "Image Index" and "Image Configuration".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pydantic.dataclasses
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import core_schema

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import InvalidReferenceError, ManifestError, UnsupportedMediaTypeError
from oci_merge.model import media_types
from oci_merge.model.digest import check_digest
from oci_merge.model.platform import Platform

#: The largest manifest or config that is read, in bytes: what registries accept at least (OCI
#: distribution spec, "Pushing Manifests"). A registry is not trusted to send less.
MAX_DOCUMENT = 4 * 1024 * 1024

#: Annotations by which buildx marks an attestation and the manifest that it is about.
REFERENCE_TYPE = "vnd.docker.reference.type"
REFERENCE_DIGEST = "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"
#: Annotation by which a SOCI index (version 2) names the image that it is about.
_SOCI_IMAGE = "com.amazon.soci.image-manifest-digest"

#: Content types that do not name a kind of manifest; the body decides then.
_VAGUE_TYPES = frozenset({"", "application/json", "text/plain", "application/octet-stream"})


def _digest(text: str) -> str:
    try:
        return check_digest(text)
    except InvalidReferenceError as error:
        raise ValueError(error.message) from error


class _Null:
    """Marks a field that may be ``null``, which is read as an empty value, as Go reads it.

    Args:
        empty: makes the empty value.
        convert: what is kept of any other value.
        read_as: the type of the value, where it is not that of the field.
    """

    def __init__(
        self,
        empty: Callable[[], object],
        convert: Callable[[Any], object] = lambda value: value,
        read_as: Any = None,
    ) -> None:
        self._empty = empty
        self._convert = convert
        self._read_as = read_as

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda value: self._empty() if value is None else self._convert(value),
            core_schema.nullable_schema(
                handler.generate_schema(self._read_as) if self._read_as else handler(source)
            ),
        )


_Text = Annotated[str, _Null(str)]
_Texts = Annotated[list[_Text], _Null(list)]
_Annotations = Annotated[dict[str, _Text], _Null(dict)]
_Digest = Annotated[str, AfterValidator(_digest)]
#: Whether a list of strings, or a mapping, has any; it is checked, and not kept.
_HasTexts = Annotated[bool, _Null(bool, bool, list[_Text])]
_HasAnnotations = Annotated[bool, _Null(bool, bool, dict[str, _Text])]
_Size = Annotated[int, Field(strict=True, ge=0, lt=2**63)]

# Fields that nothing reads are dropped: parsed, a document can take thirty times its bytes, and a
# model is never encoded again. What is hashed and pushed are the bytes that were received. The
# schema is built when it is first used, since many runs see no index.
_CONFIG = ConfigDict(extra="ignore", validate_by_name=True, defer_build=True)


class _Document(BaseModel):
    model_config = _CONFIG | ConfigDict(frozen=True)


class ConfigDocument(_Document):
    """The fields of an image's config that are read (OCI image spec, "Image Configuration")."""

    # All are optional here: images without a platform exist, and the user may give one.
    architecture: _Text = ""
    os: _Text = ""
    variant: _Text = ""
    os_version: _Text = Field("", alias="os.version")
    os_features: _Texts = Field(default_factory=list, alias="os.features")

    def to_platform(self) -> Platform:
        """Return the fields as a ``Platform``, not normalized; absent ones are empty."""
        return Platform(
            self.os, self.architecture, self.variant, self.os_version, tuple(self.os_features)
        )


class PlatformDocument(ConfigDocument):
    """The ``platform`` of a descriptor (OCI image spec, "Image Index")."""

    #: Features of the CPU, in Docker's manifest lists; the OCI image spec reserves the name.
    features: _Texts = Field(default_factory=list)


class Descriptor(_Document):
    """An entry of an index (OCI image spec, "Content Descriptors")."""

    media_type: _Text = Field("", alias="mediaType")
    digest: _Digest
    size: _Size
    platform: PlatformDocument | None = None
    annotations: _Annotations = Field(default_factory=dict)
    urls: _Texts = Field(default_factory=list)
    data: _Text = ""
    artifact_type: _Text = Field("", alias="artifactType")

    @property
    def attests(self) -> str:
        """The digest of the manifest that this attestation is about, or an empty string."""
        return self.annotations.get(REFERENCE_DIGEST, "") if self.is_attestation else ""

    @property
    def is_attestation(self) -> bool:
        """Whether this is an attestation manifest, by the annotation that buildx sets."""
        return self.annotations.get(REFERENCE_TYPE) == ATTESTATION

    @property
    def about(self) -> str:
        """The digest of the manifest that this entry accompanies, or an empty string."""
        return self.annotations.get(REFERENCE_DIGEST, "") or self.annotations.get(_SOCI_IMAGE, "")

    @property
    def is_companion(self) -> bool:
        """Whether this entry is no image: an attestation, a SOCI index or another artifact."""
        # SOCI indexes say the platform of their image, so the platform alone does not tell.
        platform = self.platform.to_platform() if self.platform else None
        is_unknown = platform is not None and (platform.os, platform.architecture) == (
            "unknown",
            "unknown",
        )
        is_artifact = bool(self.artifact_type) and (
            self.artifact_type.lower() not in media_types.IMAGE_CONFIGS
        )
        return is_unknown or is_artifact or bool(self.about or self.annotations.get(REFERENCE_TYPE))


@pydantic.dataclasses.dataclass(frozen=True, slots=True, config=_CONFIG)
class Blob:
    """The descriptor of a config or a layer (OCI image spec, "Content Descriptors").

    Attributes:
        digest: the blob's digest.
        size: its size in bytes.
        media_type: its media type.
        has_urls: whether the descriptor has ``urls`` to fetch it from.
    """

    digest: _Digest
    size: _Size
    media_type: _Text = Field("", alias="mediaType")
    has_urls: _HasTexts = Field(default=False, alias="urls")

    @property
    def is_foreign(self) -> bool:
        """Whether this layer may be kept outside the registry (foreign, non-distributable)."""
        return media_types.is_foreign_layer(self.media_type, has_urls=self.has_urls)


class ImageManifest(_Document):
    """An image manifest (OCI image spec, "Image Manifest"; Docker schema 2)."""

    artifact_type: _Text = Field("", alias="artifactType")
    # Artifacts without a config exist, and the user may say for which platform they are.
    config: Blob | None = None
    # An artifact manifest may have none.
    layers: Annotated[list[Blob], _Null(list)] = Field(default_factory=list)
    has_annotations: _HasAnnotations = Field(False, alias="annotations")


class ImageIndex(_Document):
    """An index (OCI image spec, "Image Index"; Docker manifest list)."""

    manifests: Annotated[list[Descriptor], _Null(list)]
    annotations: _Annotations = Field(default_factory=dict)


@frozen
class Manifest:
    """A manifest or an index that a registry sent.

    Attributes:
        media_type: its media type, without parameters.
        digest: the digest of ``content``.
        content: the exact bytes.
        document: the parsed content.
    """

    media_type: str
    digest: str
    content: bytes
    document: ImageManifest | ImageIndex

    @property
    def size(self) -> int:
        """The size of ``content`` in bytes."""
        return len(self.content)


class _Present:
    """Makes of a field's value whether it is there and not ``null``; the value is not read."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.with_default_schema(
            core_schema.none_schema(), default=True, on_error="default"
        )


#: True, or None where the field is absent or ``null``.
_Presence = Annotated[bool | None, _Present()]


class _Shape(BaseModel):
    """The fields that tell the kinds of manifest apart, in the spec's own spelling."""

    model_config = ConfigDict(defer_build=True)

    schemaVersion: Annotated[int, Field(strict=True)] | None = None
    mediaType: str | None = None
    manifests: _Presence = None
    config: _Presence = None
    layers: _Presence = None


_Model = TypeVar("_Model", bound=BaseModel)


def parse_manifest(content: bytes, *, content_type: str, digest: str, what: str) -> Manifest:
    """Parse a manifest or an index.

    Args:
        content: the bytes that were received.
        content_type: the response's Content-Type.
        digest: the digest of ``content``, which the caller has verified or computed.
        what: names the image in errors.

    Raises:
        UnsupportedMediaTypeError: it is a Docker schema 1 manifest, or of an unknown kind.
        ManifestError: it is not JSON, does not follow the spec, or contradicts its Content-Type.
    """
    # Two passes: only the first can tell which model the second has to use.
    shape = _validate(_Shape, content, f"the manifest of {what}")
    media_type = _media_type(shape, content_type, what)
    # OCI image spec, "Image Manifest": such a document could be read as either by two clients, who
    # would then run different images under one digest (CVE-2021-41190).
    if shape.manifests is not None and (shape.config is not None or shape.layers is not None):
        raise ManifestError(f"the manifest of {what} is an image and an index at once")
    model: type[ImageIndex] | type[ImageManifest] = (
        ImageIndex if media_type in media_types.INDEXES else ImageManifest
    )
    if model is ImageManifest and shape.config is None and shape.layers is None:
        raise ManifestError(
            f"the manifest of {what} cannot be read at config: it has neither config nor layers"
        )
    return Manifest(
        media_type, digest, content, _validate(model, content, f"the manifest of {what}")
    )


def parse_config(content: bytes, *, what: str) -> Platform:
    """Parse the platform out of an image's config (OCI image spec, "Image Configuration").

    Args:
        content: the config's bytes.
        what: names the image in errors.

    Returns:
        The platform, not normalized; absent fields are empty.

    Raises:
        ManifestError: it is not JSON, or a field has another type than the spec says.
    """
    return _validate(ConfigDocument, content, f"the config of {what}").to_platform()


def _media_type(shape: _Shape, content_type: str, what: str) -> str:
    """Return the media type, from the Content-Type, else the body, else its fields.

    Raises:
        UnsupportedMediaTypeError, ManifestError: as ``parse_manifest`` does.
    """
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
    # OCI manifests may omit mediaType; Docker's never do.
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
        # Without the input: it is untrusted, and may be megabytes long.
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f" at {printable(place)}" if place else ""
        raise ManifestError(
            f"{what} cannot be read{where}: {printable(first['msg'])}",
            hint="the registry sent something else than the OCI image spec describes",
        ) from None
