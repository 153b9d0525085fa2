"""The plan of a merge: what is written to the target, and the bytes of the index. Pure.

A plan is made in two parts, because blobs are mounted while configs are still being read:
``plan_transfers`` needs only the manifests, ``plan_index`` needs the platforms as well.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oci_merge._text import printable
from oci_merge.errors import DuplicatePlatformError, PlanError
from oci_merge.model import media_types
from oci_merge.model.index import IndexDocument, IndexEntry, encode_index
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.options import ListFormat
from oci_merge.planning.component import Component
from oci_merge.planning.job import NO_ANNOTATIONS, NO_ANNOTATIONS_HINT
from oci_merge.planning.transfers import Transfers

#: The platform of attestations in an index, as buildx writes it. Runtimes never select it.
_UNKNOWN = Platform("unknown", "unknown")


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that a merge writes.

    Attributes:
        target: the target, with its tag.
        index: the index.
        transfers: the blobs and children that the target's repository lacks; they are transferred
            before the index is pushed.
        tags: the tags to publish, the target's own first.
        unchanged: those of the tags that point to this very index already.
        expected: transfers that are taken to be unnecessary, because the target's present index
            lists those children. They are made if the registry turns out to lack something.
    """

    target: Reference
    index: IndexDocument
    transfers: Transfers = field(default_factory=Transfers)
    tags: tuple[str, ...] = ()
    unchanged: frozenset[str] = frozenset()
    expected: Transfers = field(default_factory=Transfers)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values: manifests in base64, sizes in bytes."""
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


def plan_index(
    components: Sequence[tuple[Component, Platform]],
    *,
    list_format: ListFormat,
    annotations: Mapping[str, str],
) -> IndexDocument:
    """Make the index (OCI image spec, "Image Index").

    Args:
        components: the components in order, each with the platform to publish. Attestations are
            moved behind the images.
        list_format: the kind of index, see ``options.ImageKeywords``; ``auto`` is a Docker list
            if all components are Docker manifests and there are no annotations, else an OCI index.
        annotations: annotations of the index.

    Returns:
        The encoded index.

    Raises:
        DuplicatePlatformError: two different images have the same platform.
        PlanError: there are annotations, and the index would be a Docker list.
    """
    images = [pair for pair in components if not pair[0].is_attestation]
    attestations = [
        (component, platform if platform.is_known else _UNKNOWN)
        for component, platform in components
        if component.is_attestation
    ]
    _check_duplicates(images)
    # Only an OCI index has room for annotations.
    kind: ListFormat = "oci" if annotations and list_format == "auto" else list_format
    media_type = _index_type([component for component, _ in components], kind)
    if annotations and media_type == media_types.DOCKER_LIST:
        raise PlanError(NO_ANNOTATIONS, hint=NO_ANNOTATIONS_HINT)
    # Two sources may lead to the same image, by two names or out of two indexes: it is listed once.
    entries: dict[tuple[str, Platform], IndexEntry] = {}
    for component, platform in images + attestations:
        entries.setdefault((component.manifest.digest, platform), _entry(component, platform))
    return encode_index(tuple(entries.values()), media_type, annotations)


def _check_duplicates(images: Sequence[tuple[Component, Platform]]) -> None:
    # A runtime would take the first of the two, and the other one would never run.
    first: dict[Platform, Component] = {}
    for component, platform in images:
        other = first.setdefault(platform, component)
        if other is not component:
            raise DuplicatePlatformError(
                f"{other.name} and {component.name} are both {printable(str(platform))}",
                hint="leave one of them out, or rebuild the wrong one: the platform is read from "
                "the image's config",
            )


def _index_type(components: Sequence[Component], list_format: ListFormat) -> str:
    """Return the index's media type. One OCI manifest makes it an OCI index: a Docker list may
    not list OCI manifests.
    """
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
    # Annotations and artifact type stand in the source index alone; they would be lost otherwise.
    descriptor = component.descriptor
    return IndexEntry(
        media_type=component.manifest.media_type,
        digest=component.manifest.digest,
        size=component.manifest.size,
        platform=platform,
        annotations=(descriptor.annotations or {}) if descriptor else {},
        artifact_type=(descriptor.artifact_type or "") if descriptor else "",
    )
