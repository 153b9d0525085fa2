"""The plan of a merge: what is written to the target, and the bytes of the index. Pure.

A plan is made in two parts, because blobs are mounted while configs are still being read:
``plan_transfers`` needs only the manifests, ``plan_index`` needs the platforms as well.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import DuplicatePlatformError, PlanError
from oci_merge.model import media_types
from oci_merge.model.index import IndexDocument, IndexEntry, encode_index
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.options import ListFormat
from oci_merge.planning.annotations import EntryAnnotation, check_concerned, values_for
from oci_merge.planning.component import Component
from oci_merge.planning.job import NO_ANNOTATIONS, NO_ANNOTATIONS_HINT
from oci_merge.planning.transfers import Child, Transfers

#: The version of the document that a plan is written as; another one means something else.
PLAN_VERSION = 1
#: The platform of attestations in an index, as buildx writes it. Runtimes never select it.
_UNKNOWN = Platform("unknown", "unknown")


@frozen
class PlannedSource:
    """An image to join, as it was read.

    Attributes:
        reference: where it was read.
        digest: the digest of what the reference pointed to then.
    """

    reference: Reference
    digest: str


@frozen(kw_only=True)
class Manner:
    """How a plan is to be carried out; see the keywords of a merge.

    Attributes:
        copy_layers: whether blobs are copied that are not mounted.
        verify: whether everything is read again then.
        delete_sources: whether the tags of the images are deleted then.
        referrers: whether what refers to the images is brought along.
        force: whether tags are put that point to the index already.
        attaches: whether something is signed, stated or brought with the index.
    """

    copy_layers: bool = False
    verify: bool = False
    delete_sources: bool = False
    referrers: bool = False
    force: bool = False
    attaches: bool = False


@frozen(eq=False)
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
        kept: the tags that stay where they are, each with the reason.
        force: whether unchanged tags are put again.
        own: the manifests of the index that were read in the target's own repository.
        stays: the digests of what the index lists as the one before it did, and that was not read.
        standing: the digests that the tags pointed to; tags that did not exist are left out.
        unreadable: the tags of which that is not known, since they may not be read.
        sources: the images to join.
        manner: how it is to be carried out.
    """

    target: Reference
    index: IndexDocument
    transfers: Transfers = field(default_factory=Transfers)
    tags: tuple[str, ...] = ()
    unchanged: frozenset[str] = frozenset()
    expected: Transfers = field(default_factory=Transfers)
    kept: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    own: tuple[Child, ...] = ()
    stays: tuple[str, ...] = ()
    standing: Mapping[str, str] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()
    sources: tuple[PlannedSource, ...] = ()
    manner: Manner = Manner()

    @property
    def to_put(self) -> list[str]:
        """The tags that are put."""
        return [
            tag
            for tag in self.tags
            if tag not in self.kept and (self.force or tag not in self.unchanged)
        ]

    @property
    def manifests(self) -> dict[str, Child]:
        """The manifests of the index with their bytes, by digest."""
        children = (*self.own, *self.transfers.children, *self.expected.children)
        return {child.manifest.digest: child for child in children}

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values: manifests in base64, sizes in bytes.

        ``oci_merge.apply`` takes it, within the result of a dry run.
        """
        return {
            "version": PLAN_VERSION,
            "target": str(self.target),
            "index": {
                "mediaType": self.index.media_type,
                "digest": self.index.digest,
                "size": self.index.size,
                "document": self.index.content.decode(),
            },
            **_transfers(self.transfers),
            "expected": _transfers(self.expected),
            "own": [_child(child) for child in self.own],
            "stays": list(self.stays),
            "tags": [
                {"name": tag, "changed": False, "kept": True}
                if tag in self.kept
                else {"name": tag, "changed": tag not in self.unchanged}
                for tag in self.tags
            ],
            "standing": {
                tag: self.standing.get(tag) for tag in self.tags if tag not in self.unreadable
            },
            "sources": [
                {"reference": str(source.reference), "digest": source.digest}
                for source in self.sources
            ],
            "options": {
                "copyLayers": self.manner.copy_layers,
                "verify": self.manner.verify,
                "deleteSources": self.manner.delete_sources,
                "referrers": self.manner.referrers,
                "force": self.manner.force,
                "attaches": self.manner.attaches,
            },
        }


def _transfers(transfers: Transfers) -> dict[str, Any]:
    return {
        "mounts": [
            {
                "digest": mount.digest,
                "size": mount.size,
                "mediaType": mount.media_type,
                "from": mount.source,
                "role": mount.role,
                "foreign": mount.is_foreign,
            }
            for mount in transfers.mounts
        ],
        "copies": [
            {
                "digest": copy.digest,
                "size": copy.size,
                "mediaType": copy.media_type,
                "from": f"{copy.registry}/{copy.source}",
                "foreign": copy.is_foreign,
            }
            for copy in transfers.copies
        ],
        "children": [_child(child) for child in transfers.children],
    }


def _child(child: Child) -> dict[str, Any]:
    return {
        "digest": child.manifest.digest,
        "size": child.manifest.size,
        "mediaType": child.manifest.media_type,
        "from": child.source,
        "blobs": list(child.blobs),
        "content": base64.b64encode(child.manifest.content).decode(),
    }


def plan_index(
    components: Sequence[tuple[Component, Platform]],
    *,
    list_format: ListFormat,
    annotations: Mapping[str, str],
    entry_annotations: Sequence[EntryAnnotation] = (),
    as_written: bool = False,
    artifact_type: str = "",
    subject: IndexEntry | None = None,
) -> IndexDocument:
    """Make the index (OCI image spec, "Image Index").

    Args:
        components: the components in order, each with the platform to publish. Companions, such
            as attestations, are moved behind the images.
        list_format: the kind of index, see ``options.ImageKeywords``; ``auto`` is a Docker list
            if all components are Docker manifests and nothing else asks for an OCI index, such as
            annotations; else an OCI index.
        annotations: annotations of the index.
        entry_annotations: annotations of its entries; they win over those of a source index.
        as_written: refuse one image that is asked for twice as one platform, as manifest-tool
            does.
        artifact_type: the artifact type of the index, or an empty string.
        subject: the manifest that the index refers to.

    Returns:
        The encoded index.

    Raises:
        DuplicatePlatformError: two different images of different sources have the same platform.
        PlatformNotFoundError: there is no image of a platform whose entries are annotated.
        PlanError: the index would be a Docker list, which has no room for what is asked for.
    """
    images = [pair for pair in components if pair[0].is_image]
    listings = _unique(images)
    if as_written:
        _check_asked_once([component for component, _ in images])
    _check_duplicates(listings)
    companions = _unique([pair for pair in components if not pair[0].is_image])
    # Only an OCI index has room for these.
    is_annotated = bool(annotations or entry_annotations)
    is_rich = bool(is_annotated or artifact_type or subject)
    kind: ListFormat = "oci" if is_rich and list_format == "auto" else list_format
    media_type = _index_type([component for component, _ in components], kind)
    if is_annotated and media_type == media_types.DOCKER_LIST:
        raise PlanError(NO_ANNOTATIONS, hint=NO_ANNOTATIONS_HINT)
    listed = [*listings, *companions]
    places = [(_written(listing), listing.component.is_image) for listing in listed]
    check_concerned(entry_annotations, places)
    entries = tuple(_entry(listing, entry_annotations) for listing in listed)
    return encode_index(
        entries, media_type, annotations, artifact_type=artifact_type, subject=subject
    )


@dataclass(slots=True)
class _Listing:
    """One entry of the index.

    Attributes:
        component: what it lists.
        platform: the platform to publish.
        sources: the sources that give it.
    """

    component: Component
    platform: Platform
    sources: set[Reference]


def _unique(components: Sequence[tuple[Component, Platform]]) -> list[_Listing]:
    """Return one listing for each digest of a platform, however many sources give it."""
    listings: dict[object, _Listing] = {}
    for component, platform in components:
        key = (component.digest, platform, _features(component))
        new = _Listing(component, platform, set())
        listing = listings.setdefault(key, new)
        listing.sources.add(component.source.reference)
        # What an index says of an image would be lost where the image is also named by itself.
        if listing.component.descriptor is None:
            listing.component = component
    return list(listings.values())


def _check_asked_once(images: Sequence[Component]) -> None:
    # Who asks for one platform twice has most likely mistyped the other one.
    asked: set[tuple[Reference, Platform, str]] = set()
    for image in images:
        if image.requested is None:
            continue
        key = (image.source.reference, image.requested, image.digest)
        if key in asked:
            raise DuplicatePlatformError(
                f"{image.name} is asked for twice as {image.requested}",
                hint="leave one of them out, or correct it",
            )
        asked.add(key)


def _check_duplicates(images: Sequence[_Listing]) -> None:
    # A runtime would take the first of the two, and the other one would never run. What one index
    # lists side by side, such as gzip and zstd, was put there on purpose.
    by_platform: dict[Platform, list[_Listing]] = {}
    for image in images:
        for other in by_platform.setdefault(image.platform, []):
            if other.component.digest != image.component.digest and not (
                other.sources & image.sources
            ):
                raise DuplicatePlatformError(
                    f"{other.component.name} and {image.component.name} "
                    f"are both {printable(str(image.platform))}",
                    hint="leave one of them out, or rebuild the wrong one: the platform is read "
                    "from the image's config",
                )
        by_platform[image.platform].append(image)


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


def _entry(listing: _Listing, given: Sequence[EntryAnnotation]) -> IndexEntry:
    # What the source index alone says, such as annotations, would be lost otherwise.
    component, descriptor = listing.component, listing.component.descriptor
    own = values_for(given, _written(listing), is_image=component.is_image)
    return IndexEntry(
        media_type=component.manifest.media_type,
        digest=component.digest,
        size=component.manifest.size,
        platform=_platform(component, listing.platform),
        annotations={**(descriptor.annotations if descriptor else {}), **own},
        artifact_type=descriptor.artifact_type if descriptor else "",
        features=_features(component),
        urls=tuple(descriptor.urls) if descriptor else (),
        data=descriptor.data if descriptor else "",
    )


def _written(listing: _Listing) -> Platform:
    """Return the platform that an entry is written with; empty where it is written without."""
    return _platform(listing.component, listing.platform) or Platform("", "")


def _platform(component: Component, platform: Platform) -> Platform | None:
    """Return the platform to write; a companion may have none, as its author left it."""
    if component.is_image or platform.is_known:
        return platform
    is_attestation = component.descriptor is not None and component.descriptor.is_attestation
    return _UNKNOWN if is_attestation else None


def _features(component: Component) -> tuple[str, ...]:
    descriptor = component.descriptor
    return tuple(descriptor.platform.features) if descriptor and descriptor.platform else ()
