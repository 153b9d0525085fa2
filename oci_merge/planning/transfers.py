"""Plans transfers into the target's repository: blobs to mount or copy, children to push. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from oci_merge._frozen import frozen
from oci_merge.model import media_types
from oci_merge.model.manifest import MAX_DOCUMENT, Blob, Manifest
from oci_merge.model.reference import Reference
from oci_merge.planning.component import Component

#: The role of a blob in its manifest; ``attestation`` is an in-toto statement.
BlobRole = Literal["config", "attestation", "layer"]


@frozen
class Mount:
    """A blob to mount (OCI distribution spec, "Mounting a blob from another repository").

    Attributes:
        digest: the blob's digest.
        size: its size in bytes.
        media_type: its media type.
        source: the repository to mount it from, in the target's registry.
        role: its role in its manifest.
        is_foreign: whether its image may do without it in a registry (foreign layers of Windows);
            it is left out where the source repository does not hold it.
    """

    digest: str
    size: int
    media_type: str
    source: str
    role: BlobRole = "layer"
    is_foreign: bool = False

    @property
    def is_document(self) -> bool:
        """Whether this is a config or statement of at most 4 MiB, which may always be copied."""
        # "No layer is downloaded" is promised, so layers are copied only on request. Without its
        # config and statements no image could be joined where a registry mounts nothing.
        return self.role != "layer" and self.size <= MAX_DOCUMENT


@frozen
class Copy:
    """A blob to copy from another registry, since mounts work only within one registry.

    Attributes:
        digest: the blob's digest.
        size: its size in bytes.
        media_type: its media type.
        registry: the registry to copy it from.
        source: the repository in that registry.
        is_foreign: as for ``Mount``.
    """

    digest: str
    size: int
    media_type: str
    registry: str
    source: str
    is_foreign: bool = False


@frozen(eq=False)
class Child:
    """A manifest to push into the target's repository by digest.

    Attributes:
        manifest: the manifest, with its exact bytes.
        source: the repository that it comes from; with the registry if that is not the target's.
        blobs: digests of the blobs that have to be mounted or copied before it is pushed.
    """

    manifest: Manifest
    source: str
    blobs: tuple[str, ...]


@frozen
class Transfers:
    """What the target's repository lacks: blobs to mount or copy, then manifests to push.

    Attributes:
        mounts: blobs to mount, each once.
        children: manifests to push, each once.
        copies: blobs to copy from other registries, each once.
    """

    mounts: tuple[Mount, ...] = ()
    children: tuple[Child, ...] = ()
    copies: tuple[Copy, ...] = ()

    def only(self, digests: AbstractSet[str]) -> Transfers:
        """Return the transfers for the children with these digests."""
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
    """Find the blobs and manifests that the target's repository lacks.

    Args:
        components: the components of the index.
        repository: the target's repository.
        present: digests of manifests that it has already, with all their blobs.
        registry: the target's registry, or None if all components are in it.

    Returns:
        Each blob and each manifest once, in the order of the components; none for components of
        the target's own repository. Blobs are mounted if a component in the target's registry has
        them, and copied otherwise; foreign layers only where the source holds them, which the
        transfer finds out.
    """
    in_registry = [component for component in components if _is_in_registry(component, registry)]
    in_target = [component for component in in_registry if _repository(component) == repository]
    blobs_in_target = {blob.digest for component in in_target for blob, _ in _blobs(component)}
    present = present | {component.manifest.digest for component in in_target}
    missing = _missing(components, in_registry, present)
    mounts: dict[str, Mount] = {}
    copies: dict[str, Copy] = {}
    for component in missing:
        for blob, role in _blobs(component):
            if blob.digest in blobs_in_target:
                continue
            # Several images often share a base layer: the first source that has a blob is used.
            if _is_in_registry(component, registry):
                mounts.setdefault(blob.digest, _mount(component, blob, role))
            else:
                copies.setdefault(blob.digest, _copy(component, blob))
    return Transfers(
        tuple(mounts.values()),
        tuple(_child(component, registry, blobs_in_target) for component in missing),
        # A later component may have what an earlier one would copy: a mount transfers no bytes.
        tuple(copy for copy in copies.values() if copy.digest not in mounts),
    )


def own_children(components: Sequence[Component], target: Reference) -> tuple[Child, ...]:
    """Return the manifests that components of the target's own repository have, each once."""
    own = {
        component.digest: Child(component.manifest, target.repository, ())
        for component in components
        if component.source.reference.name == target.name
    }
    return tuple(own.values())


def _missing(
    components: Sequence[Component], in_registry: Sequence[Component], present: AbstractSet[str]
) -> list[Component]:
    """Return one component for each manifest that is not present, in the order of the components.

    Of several components with one manifest, one in the target's registry is chosen.
    """
    chosen: dict[str, Component] = {}
    for component in (*in_registry, *components):
        chosen.setdefault(component.manifest.digest, component)
    digests = dict.fromkeys(component.manifest.digest for component in components)
    return [chosen[digest] for digest in digests if digest not in present]


def _mount(component: Component, blob: Blob, role: BlobRole) -> Mount:
    return Mount(
        blob.digest, blob.size, blob.media_type, _repository(component), role, blob.is_foreign
    )


def _copy(component: Component, blob: Blob) -> Copy:
    at = component.source.reference
    return Copy(
        blob.digest, blob.size, blob.media_type, at.registry, at.repository, blob.is_foreign
    )


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


def _blobs(component: Component) -> list[tuple[Blob, BlobRole]]:
    """Return the blobs of a component with their roles."""
    document = component.document
    found: list[tuple[Blob, BlobRole]] = []
    if document.config:
        found.append((document.config, "config"))
    for layer in document.layers:
        is_statement = not component.is_image and layer.media_type == media_types.IN_TOTO
        # What a referrer says is in its layers, signatures and SBOMs alike.
        is_document = is_statement or component.is_referrer
        found.append((layer, "attestation" if is_document else "layer"))
    return found
