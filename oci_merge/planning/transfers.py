"""What has to be brought into the target's repository: blobs to mount or copy, children to put."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from oci_merge.model import media_types
from oci_merge.model.manifest import MAX_DOCUMENT, Descriptor, Manifest
from oci_merge.planning.component import Component

#: What a blob is to its manifest.
BlobRole = Literal["config", "attestation", "layer"]


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
    in_registry = [component for component in components if _is_in_registry(component, registry)]
    in_target = [component for component in in_registry if _repository(component) == repository]
    blobs_in_target = {blob.digest for component in in_target for blob, _ in _blobs(component)}
    standing = present | {component.manifest.digest for component in in_target}
    missing = _missing(components, in_registry, standing)
    mounts: dict[str, Mount] = {}
    copies: dict[str, Copy] = {}
    for component in missing:
        for blob, role in _blobs(component):
            if blob.digest in blobs_in_target:
                continue
            if _is_in_registry(component, registry):
                mounts.setdefault(blob.digest, _mount(component, blob, role))
            else:
                copies.setdefault(blob.digest, _copy(component, blob))
    return Transfers(
        tuple(mounts.values()),
        tuple(_child(component, registry, blobs_in_target) for component in missing),
        tuple(copy for copy in copies.values() if copy.digest not in mounts),
    )


def _missing(
    components: Sequence[Component], in_registry: Sequence[Component], standing: AbstractSet[str]
) -> list[Component]:
    """Return the components that have to be put, each once, preferably from the registry."""
    chosen: dict[str, Component] = {}
    for component in (*in_registry, *components):
        chosen.setdefault(component.manifest.digest, component)
    digests = dict.fromkeys(component.manifest.digest for component in components)
    return [chosen[digest] for digest in digests if digest not in standing]


def _mount(component: Component, blob: Descriptor, role: BlobRole) -> Mount:
    return Mount(blob.digest, blob.size, blob.media_type, _repository(component), role)


def _copy(component: Component, blob: Descriptor) -> Copy:
    at = component.source.reference
    return Copy(blob.digest, blob.size, blob.media_type, at.registry, at.repository)


def _child(component: Component, registry: str | None, blobs_in_target: AbstractSet[str]) -> Child:
    source = _repository(component)
    if not _is_in_registry(component, registry):
        source = f"{component.source.reference.registry}/{source}"
    digests = dict.fromkeys(blob.digest for blob, _ in _blobs(component))
    blobs = tuple(digest for digest in digests if digest not in blobs_in_target)
    return Child(component.manifest, source, blobs)


def _repository(component: Component) -> str:
    return component.source.reference.repository


def _is_in_registry(component: Component, registry: str | None) -> bool:
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
