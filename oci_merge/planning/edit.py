"""Changes an index that exists: images go, annotations come and go. Pure.

An index is changed as JSON values, so that fields which nothing here knows stay as they are. One
that a change leaves alone keeps its very bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.errors import ManifestError, PlanError, PlatformNotFoundError
from oci_merge.model import media_types
from oci_merge.model.index import IndexDocument, encode_document, sorted_annotations
from oci_merge.model.manifest import Descriptor, ImageIndex, Manifest
from oci_merge.model.platform import Platform, agrees
from oci_merge.planning.annotations import (
    Annotations,
    EntryAnnotation,
    check_concerned,
    values_for,
)
from oci_merge.planning.result import PlatformResult

_NO_PLATFORM = Platform("", "")
_ANEW = "join the image anew from its parts"


@frozen(eq=False)
class PresentEntry:
    """One entry of an index that exists.

    Attributes:
        raw: its descriptor as JSON values.
        descriptor: the same, parsed.
        platform: its platform, by the descriptor or the image's config; empty if neither says it.
    """

    raw: Mapping[str, Any]
    descriptor: Descriptor
    platform: Platform

    @property
    def digest(self) -> str:
        """The digest of its manifest."""
        return self.descriptor.digest

    @property
    def is_image(self) -> bool:
        """Whether it is an image, or an index within the index, and no companion of one."""
        return not self.descriptor.is_companion

    @property
    def about(self) -> str:
        """The digest of the manifest that it accompanies, or an empty string."""
        return self.descriptor.about

    def annotated(self, annotations: Mapping[str, str]) -> PresentEntry:
        """Return the entry with these annotations in the place of its own."""
        if annotations == self.descriptor.annotations:
            return self
        raw = with_annotations(self.raw, annotations, before=("data", "platform", "artifactType"))
        return PresentEntry(raw, self.descriptor, self.platform)


@frozen(eq=False)
class PresentIndex:
    """An index that exists.

    Attributes:
        name: its reference, for messages.
        media_type: its media type.
        content: its bytes; empty for an index that was made up of a single image.
        document: the same as JSON values.
        entries: what it lists, in order.
        annotations: its own annotations.
    """

    name: str
    media_type: str
    content: bytes
    document: Mapping[str, Any]
    entries: tuple[PresentEntry, ...]
    annotations: Mapping[str, str]

    @property
    def is_docker(self) -> bool:
        """Whether it is a Docker manifest list, which has no annotations."""
        return self.media_type == media_types.DOCKER_LIST

    def encoded(self, document: Mapping[str, Any], media_type: str) -> IndexDocument:
        """Encode what a change has made of the index.

        Raises:
            ManifestError: the index has a value that cannot be written again.
        """
        if document == self.document and media_type == self.media_type and self.content:
            return IndexDocument(media_type, self.content)
        try:
            return encode_document(document, media_type)
        except ValueError:  # UnicodeEncodeError is one
            raise ManifestError(
                f"the index {self.name} has a value that cannot be written again",
                hint=_ANEW,
            ) from None


@frozen(eq=False)
class Edited:
    """What a change has made of an index.

    Attributes:
        index: the index.
        entries: what it lists.
        kept: those of the entries that were there before.
        warnings: what the user should know, in sentences.
    """

    index: IndexDocument
    entries: tuple[PresentEntry, ...]
    kept: tuple[PresentEntry, ...]
    warnings: tuple[str, ...] = ()


def read_index(
    manifest: Manifest, name: str, platforms: Mapping[str, Platform] | None = None
) -> PresentIndex:
    """Return an index in the form in which it is changed.

    Args:
        manifest: the index.
        name: its reference, for messages.
        platforms: the platforms of ``unplaced`` entries, by digest, as their configs say them.

    Raises:
        ManifestError: it has a value that cannot be read, such as a number of 5000 digits.
    """
    index = manifest.document
    assert isinstance(index, ImageIndex)  # callers have looked
    try:
        document = json.loads(manifest.content)
    except (ValueError, RecursionError):  # in a field that nothing else reads
        raise ManifestError(
            f"the index {name} has a value that cannot be read", hint=_ANEW
        ) from None
    found = platforms or {}
    entries = tuple(
        PresentEntry(raw, each, _platform(each) or found.get(each.digest, _NO_PLATFORM))
        for raw, each in zip(document["manifests"] or (), index.manifests, strict=True)
    )
    return PresentIndex(
        name, manifest.media_type, manifest.content, document, entries, index.annotations
    )


def unplaced(index: ImageIndex) -> tuple[Descriptor, ...]:
    """Return the images of an index whose descriptors do not say a platform."""
    return tuple(
        entry
        for entry in index.manifests
        if not entry.is_companion
        and entry.media_type not in media_types.INDEXES
        and _platform(entry) is None
    )


def remove_platforms(
    present: PresentIndex, platforms: Sequence[Platform], *, again: bool = False
) -> Edited:
    """Take images out of an index, with what accompanies them.

    Args:
        present: the index.
        platforms: their platforms; one without a variant takes every variant.
        again: a second try, in which it is no error that a platform is gone.

    Raises:
        PlatformNotFoundError: the index lists no image of one of the platforms.
        PlanError: no image would be left.
    """
    images = [entry for entry in present.entries if entry.is_image]
    gone = {
        id(entry)
        for entry in images
        if any(entry.platform.is_known and agrees(asked, entry.platform) for asked in platforms)
    }
    there = [entry.platform for entry in images if entry.platform.is_known]
    missing = [asked for asked in platforms if not any(agrees(asked, one) for one in there)]
    if missing and not again:
        names = listed([printable(str(platform)) for platform in dict.fromkeys(missing)])
        raise PlatformNotFoundError(
            f"{present.name} lists no image for {names}", hint=_there(there)
        )
    if len(gone) == len(images):
        raise PlanError(
            f"{present.name} would list no image any more",
            hint="leave one platform, or delete the tag in the registry",
        )
    kept = [entry for entry in images if id(entry) not in gone]
    left = remaining(present.entries, {entry.digest for entry in kept})
    entries = [entry for entry in left if id(entry) not in gone]
    index = present.encoded(with_entries(present.document, entries), present.media_type)
    return Edited(index, tuple(entries), tuple(entries))


def annotate_index(
    present: PresentIndex,
    annotations: Annotations,
    removed: Annotations,
    *,
    again: bool = False,
) -> Edited:
    """Set and remove annotations of an index and of its entries.

    Args:
        present: the index.
        annotations: what to set.
        removed: the keys to remove; their values are not read. One that is not there is no error.
        again: a second try, in which it is no error that a platform is gone.

    Raises:
        PlanError: it is a Docker manifest list.
        PlatformNotFoundError: it lists no image of a platform whose entries are annotated.
    """
    if present.is_docker:
        raise PlanError(
            f"{present.name} is a Docker manifest list, which cannot carry annotations",
            hint=f"join it anew as an OCI index: oci-merge --source {present.name} "
            f"--target {present.name} --format oci --annotation KEY=VALUE",
        )
    if not again:
        places = [(entry.platform, entry.is_image) for entry in present.entries]
        check_concerned((*annotations.entries, *removed.entries), places)
    entries = [_annotated(entry, annotations.entries, removed.entries) for entry in present.entries]
    document = with_entries(present.document, entries)
    own = {key: value for key, value in present.annotations.items() if key not in removed.index}
    own |= annotations.index
    if own != present.annotations:
        document = with_annotations(document, own)
    index = present.encoded(document, present.media_type)
    return Edited(index, tuple(entries), tuple(entries))


def listed_platforms(
    entries: Sequence[PresentEntry], source: str, fresh: Sequence[PlatformResult] = ()
) -> tuple[PlatformResult, ...]:
    """Return the images that an index lists, each with what accompanies it.

    Args:
        entries: what it lists.
        source: where entries come from that are not among ``fresh``.
        fresh: images that were added.
    """
    added = {image.digest: image.source for image in fresh}
    return tuple(
        PlatformResult(
            platform=entry.platform,
            digest=entry.digest,
            size=entry.descriptor.size,
            media_type=entry.descriptor.media_type,
            source=added.get(entry.digest, source),
            attestations=tuple(
                other.digest
                for other in entries
                if not other.is_image and other.about == entry.digest
            ),
        )
        for entry in entries
        if entry.is_image
    )


def _annotated(
    entry: PresentEntry, given: Sequence[EntryAnnotation], removed: Sequence[EntryAnnotation]
) -> PresentEntry:
    def chosen(annotations: Iterable[EntryAnnotation]) -> dict[str, str]:
        return values_for(annotations, entry.platform, is_image=entry.is_image)

    gone = chosen(removed)
    own = {key: value for key, value in entry.descriptor.annotations.items() if key not in gone}
    return entry.annotated(own | chosen(given))


def remaining(entries: Sequence[PresentEntry], images: AbstractSet[str]) -> list[PresentEntry]:
    """Return the images, and each companion whose image stays or that names none of the index.

    Args:
        entries: what an index lists.
        images: the digests of the images that stay.
    """
    root = root_finder(entries)
    own = {entry.digest for entry in entries if entry.is_image}
    return [
        entry
        for entry in entries
        if (
            entry.digest in images
            if entry.is_image
            else root(entry) in images or root(entry) not in own
        )
    ]


def root_finder(entries: Sequence[PresentEntry]) -> Callable[[PresentEntry], str]:
    """Return a function that gives the digest of the image that a companion is about in the end.

    A companion may be about another companion; an empty string stands for none.
    """
    about = {entry.digest: entry.about for entry in entries if not entry.is_image}

    def root(entry: PresentEntry) -> str:
        digest, seen = entry.about, {entry.digest}
        while digest in about and digest not in seen:  # an index is untrusted: it may be a circle
            seen.add(digest)
            digest = about[digest]
        return digest

    return root


def with_entries(document: Mapping[str, Any], entries: Iterable[PresentEntry]) -> dict[str, Any]:
    """Return an index that lists these entries."""
    return {**document, "manifests": [entry.raw for entry in entries]}


def with_annotations(
    values: Mapping[str, Any], annotations: Mapping[str, str], *, before: Sequence[str] = ()
) -> dict[str, Any]:
    """Return JSON values with other annotations, where Go's tools write them.

    Args:
        values: an index or a descriptor.
        annotations: the annotations; the field is left out if there are none.
        before: fields that follow the annotations.
    """
    if "annotations" in values and annotations:
        return {**values, "annotations": sorted_annotations(annotations)}
    others = {name: value for name, value in values.items() if name != "annotations"}
    if not annotations:
        return others
    behind = {name: others.pop(name) for name in before if name in others}
    return {**others, "annotations": sorted_annotations(annotations), **behind}


def _platform(descriptor: Descriptor) -> Platform | None:
    platform = descriptor.platform.to_platform() if descriptor.platform else _NO_PLATFORM
    return platform if platform.is_known else None


def _there(platforms: Iterable[Platform]) -> str:
    names = list(dict.fromkeys(printable(str(platform)) for platform in platforms))
    return f"it lists {listed(names)}" if names else "it lists no image with a platform"
