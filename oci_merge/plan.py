"""The plan of a merge: what will be written where. Pure; nothing here talks to a registry.

It is made in two parts, since blobs are mounted while configs are still being read:
``plan_transfers`` needs only the manifests, ``plan_index`` needs the platforms as well.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal

from oci_merge import media_types
from oci_merge.errors import DuplicatePlatformError, PlanError
from oci_merge.index_document import IndexDocument, IndexEntry, encode_index
from oci_merge.manifest import MAX_DOCUMENT, Descriptor, ImageManifest, Manifest
from oci_merge.platforms import Platform
from oci_merge.reference import Reference
from oci_merge.sources import NO_ANNOTATIONS, NO_ANNOTATIONS_HINT, ListFormat, Source
from oci_merge.text import printable

#: What a blob is to its manifest.
BlobRole = Literal["config", "attestation", "layer"]

#: What attestations say that they run on; an entry has to say something.
_UNKNOWN = Platform("unknown", "unknown")


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


@dataclass(frozen=True, slots=True)
class Mount:
    """A blob to mount into the target's repository (OCI distribution spec, "Mounting a blob").

    Attributes:
        digest: the blob.
        size: its size in bytes.
        media_type: its media type.
        source: the repository that has it.
        role: what it is.
    """

    digest: str
    size: int
    media_type: str
    source: str
    role: BlobRole = "layer"

    @property
    def is_document(self) -> bool:
        """Whether it is small and no layer of an image: then it may be copied, if need be."""
        return self.role != "layer" and self.size <= MAX_DOCUMENT


@dataclass(frozen=True, slots=True)
class Copy:
    """A blob to copy from another registry, where nothing can be mounted from.

    Attributes:
        digest: the blob.
        size: its size in bytes.
        media_type: its media type.
        registry: the registry that has it.
        source: the repository there that has it.
    """

    digest: str
    size: int
    media_type: str
    registry: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A manifest to put into the target's repository by digest.

    Attributes:
        manifest: its exact bytes.
        source: the repository that it comes from, with its registry if that is another.
        blobs: the digests that have to be mounted or copied before it.
    """

    manifest: Manifest
    source: str
    blobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transfers:
    """What the target's repository lacks: blobs to mount or to copy, then manifests to put."""

    mounts: tuple[Mount, ...] = ()
    children: tuple[Child, ...] = ()
    copies: tuple[Copy, ...] = ()

    def only(self, digests: AbstractSet[str]) -> Transfers:
        """Return what these children take."""
        children = tuple(child for child in self.children if child.manifest.digest in digests)
        blobs = {digest for child in children for digest in child.blobs}
        return Transfers(
            tuple(mount for mount in self.mounts if mount.digest in blobs),
            children,
            tuple(copy for copy in self.copies if copy.digest in blobs),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that a merge writes.

    Attributes:
        target: the target, with its tag.
        index: the index.
        transfers: what has to be there before the index.
        tags: the tags to publish, the target's own first.
        unchanged: those of the tags that already stand on this very index.
        assumed: what has to be there too, but the target's present index lists.
    """

    target: Reference
    index: IndexDocument
    transfers: Transfers = field(default_factory=Transfers)
    tags: tuple[str, ...] = ()
    unchanged: frozenset[str] = frozenset()
    assumed: Transfers = field(default_factory=Transfers)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values; the bytes of manifests are in base64."""
        return {
            "target": str(self.target),
            "index": {
                "mediaType": self.index.media_type,
                "digest": self.index.digest,
                "size": self.index.size,
                "document": self.index.content.decode(),
            },
            "mounts": [
                {
                    "digest": mount.digest,
                    "size": mount.size,
                    "mediaType": mount.media_type,
                    "from": mount.source,
                }
                for mount in self.transfers.mounts
            ],
            "copies": [
                {
                    "digest": copy.digest,
                    "size": copy.size,
                    "mediaType": copy.media_type,
                    "from": f"{copy.registry}/{copy.source}",
                }
                for copy in self.transfers.copies
            ],
            "children": [
                {
                    "digest": child.manifest.digest,
                    "size": child.manifest.size,
                    "mediaType": child.manifest.media_type,
                    "from": child.source,
                    "blobs": list(child.blobs),
                    "content": base64.b64encode(child.manifest.content).decode(),
                }
                for child in self.transfers.children
            ],
            "tags": [{"name": tag, "changed": tag not in self.unchanged} for tag in self.tags],
        }


def plan_transfers(
    components: Sequence[Component],
    repository: str,
    present: AbstractSet[str],
    *,
    registry: str | None = None,
) -> Transfers:
    """Find what has to be brought into the target's repository.

    Args:
        components: what the index will list.
        repository: the target's repository.
        present: digests of manifests that stand in it already, with all their blobs.
        registry: the target's registry; None where no component is in another.

    Returns:
        Each blob and each manifest once, in the order of the components; nothing for components
        that live in the target's repository. Blobs are mounted if any component of the target's
        registry has them, else copied. Layers that live outside registries are left alone.
    """
    near = [component for component in components if _is_near(component, registry)]
    at_home = [component for component in near if _repository(component) == repository]
    blobs_at_home = {blob.digest for component in at_home for blob, _ in _blobs(component)}
    settled = present | {component.manifest.digest for component in at_home}
    lacking = _lacking(components, near, settled)
    mounts: dict[str, Mount] = {}
    copies: dict[str, Copy] = {}
    for component in lacking:
        for blob, role in _blobs(component):
            if blob.digest in blobs_at_home:
                continue
            if _is_near(component, registry):
                mounts.setdefault(blob.digest, _mount(component, blob, role))
            else:
                copies.setdefault(blob.digest, _copy(component, blob))
    return Transfers(
        tuple(mounts.values()),
        tuple(_child(component, registry, blobs_at_home) for component in lacking),
        tuple(copy for copy in copies.values() if copy.digest not in mounts),
    )


def plan_index(
    components: Sequence[tuple[Component, Platform]],
    *,
    list_format: ListFormat,
    annotations: Mapping[str, str],
) -> IndexDocument:
    """Make the index.

    Args:
        components: what to list, in order, with the platform to publish for each; attestations
            move behind the images.
        list_format: the kind of index, see ``MergeRequest.format``.
        annotations: annotations of the index.

    Raises:
        DuplicatePlatformError: two images have one platform.
        PlanError: there are annotations, and the index turns out to be a Docker list.
    """
    images = [pair for pair in components if not pair[0].is_attestation]
    attestations = [
        (component, platform if platform.is_known else _UNKNOWN)
        for component, platform in components
        if component.is_attestation
    ]
    _check_duplicates(images)
    media_type = _index_type([component for component, _ in components], list_format)
    if annotations and media_type == media_types.DOCKER_LIST:
        raise PlanError(NO_ANNOTATIONS, hint=NO_ANNOTATIONS_HINT)
    entries: dict[tuple[str, Platform], IndexEntry] = {}
    for component, platform in images + attestations:
        entries.setdefault((component.manifest.digest, platform), _entry(component, platform))
    return encode_index(tuple(entries.values()), media_type, annotations)


def _check_duplicates(images: Sequence[tuple[Component, Platform]]) -> None:
    first: dict[Platform, Component] = {}
    for component, platform in images:
        other = first.setdefault(platform, component)
        if other is not component:
            raise DuplicatePlatformError(
                f"{other.name} and {component.name} are both {printable(str(platform))}",
                hint="leave one of them out, or push the right image under the wrong one's name: "
                "the platform is read from the image's config",
            )


def _index_type(components: Sequence[Component], list_format: ListFormat) -> str:
    if list_format == "oci":
        return media_types.OCI_INDEX
    if list_format == "docker":
        return media_types.DOCKER_LIST
    kinds = {component.manifest.media_type for component in components}
    return (
        media_types.DOCKER_LIST
        if kinds == {media_types.DOCKER_MANIFEST}
        else (media_types.OCI_INDEX)
    )


def _entry(component: Component, platform: Platform) -> IndexEntry:
    listed = component.listed
    return IndexEntry(
        media_type=component.manifest.media_type,
        digest=component.manifest.digest,
        size=component.manifest.size,
        platform=platform,
        annotations=(listed.annotations or {}) if listed else {},
        artifact_type=(listed.artifact_type or "") if listed else "",
    )


def _lacking(
    components: Sequence[Component], near: Sequence[Component], settled: AbstractSet[str]
) -> list[Component]:
    """Return the components that have to be put, each once, rather from near than from far."""
    chosen: dict[str, Component] = {}
    for component in (*near, *components):
        chosen.setdefault(component.manifest.digest, component)
    digests = dict.fromkeys(component.manifest.digest for component in components)
    return [chosen[digest] for digest in digests if digest not in settled]


def _mount(component: Component, blob: Descriptor, role: BlobRole) -> Mount:
    return Mount(blob.digest, blob.size, blob.media_type, _repository(component), role)


def _copy(component: Component, blob: Descriptor) -> Copy:
    at = component.source.reference
    return Copy(blob.digest, blob.size, blob.media_type, at.registry, at.repository)


def _child(component: Component, registry: str | None, blobs_at_home: AbstractSet[str]) -> Child:
    source = _repository(component)
    if not _is_near(component, registry):
        source = f"{component.source.reference.registry}/{source}"
    digests = dict.fromkeys(blob.digest for blob, _ in _blobs(component))
    blobs = tuple(digest for digest in digests if digest not in blobs_at_home)
    return Child(component.manifest, source, blobs)


def _repository(component: Component) -> str:
    return component.source.reference.repository


def _is_near(component: Component, registry: str | None) -> bool:
    return registry is None or component.source.reference.registry == registry


def _blobs(component: Component) -> list[tuple[Descriptor, BlobRole]]:
    """Return the blobs of a component, each with what it is."""
    document = component.document
    found: list[tuple[Descriptor, BlobRole]] = [(document.config, "config")]
    for layer in document.layers:
        if not layer.is_foreign:
            is_statement = component.is_attestation and layer.media_type == media_types.IN_TOTO
            found.append((layer, "attestation" if is_statement else "layer"))
    return found
