"""Adds images to an index that exists, in the place of those of their platforms. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from oci_merge._text import listed, printable
from oci_merge.model import media_types
from oci_merge.model.index import IndexDocument, IndexEntry, encode_index
from oci_merge.model.manifest import REFERENCE_TYPE, Manifest, parse_manifest
from oci_merge.model.platform import Platform, normalize
from oci_merge.options import ListFormat
from oci_merge.planning.edit import (
    Edited,
    PresentEntry,
    PresentIndex,
    read_index,
    remaining,
    root_finder,
    with_annotations,
    with_entries,
)

#: Fields of an OCI index and of its descriptors that a Docker manifest list does not have.
_OCI_FIELDS = ("artifactType", "subject", "annotations")
_OCI_ENTRY_FIELDS = ("artifactType", "data")


def append_images(
    present: PresentIndex,
    fresh: PresentIndex,
    *,
    given: Mapping[str, str],
    list_format: ListFormat,
) -> Edited:
    """Add the images of one index to another.

    What was there stays in its place with its descriptor, but for images of the platforms that are
    added, and what accompanies these. A new image stands in the place of the first that it
    replaces, or else behind. One that is there already keeps its descriptor, too.

    Args:
        present: the index that exists.
        fresh: an index of the images to add, with what accompanies them.
        given: the annotations of the index that the user gave; they win.
        list_format: the kind of index. With ``auto`` it stays what it is, unless it has to become
            an OCI index for an OCI image or for annotations.
    """
    entries = _entries(present, fresh)
    is_docker = list_format == "docker" or (
        list_format == "auto" and present.is_docker and fresh.is_docker
    )
    media_type = media_types.DOCKER_LIST if is_docker else media_types.OCI_INDEX
    document: dict[str, Any] = with_entries(present.document, entries)
    # The sources' annotations fill gaps; what the index says already is not theirs to replace.
    annotations = {**fresh.annotations, **present.annotations, **given}
    if annotations != present.annotations:
        document = with_annotations(document, annotations)
    for name in ("artifactType", "subject"):
        if name in fresh.document:
            document = _with_field(document, name, fresh.document[name])
    warnings = _conversion(present, fresh, media_type)
    if media_type != present.media_type:
        document = _converted(document, media_type)
    index = present.encoded(document, media_type)
    own = {entry.digest for entry in fresh.entries}
    kept = tuple(entry for entry in entries if entry.digest not in own)
    return Edited(index, tuple(entries), kept, (*warnings, *_unsure(present)))


def replaces(new: Platform, old: Platform) -> bool:
    """Say whether an image of a platform takes the place of another one in an index.

    The names are compared in normal form. Two Windows images are of one platform if the builds of
    their systems are the same, as for the runtime: revisions follow each other.
    """
    one, other = normalize(new), normalize(old)
    if (one.os, one.architecture, one.variant) != (other.os, other.architecture, other.variant):
        return False
    # What only one of the two says tells nothing apart.
    versions = [_build(platform.os_version) for platform in (one, other) if platform.os_version]
    features = [set(platform.os_features) for platform in (one, other) if platform.os_features]
    return _alike(versions) and _alike(features)


def wrapped(manifest: Manifest, name: str, platform: Platform) -> PresentIndex:
    """Return the index that a single image stands for: one that lists it alone.

    Args:
        manifest: the image's manifest.
        name: its reference, for messages.
        platform: its platform.
    """
    is_docker = manifest.media_type == media_types.DOCKER_MANIFEST
    media_type = media_types.DOCKER_LIST if is_docker else media_types.OCI_INDEX
    entry = IndexEntry(manifest.media_type, manifest.digest, manifest.size, platform)
    index = fresh_index(encode_index([entry], media_type, {}), name)
    return replace(index, content=b"")  # it stands nowhere


def fresh_index(index: IndexDocument, name: str) -> PresentIndex:
    """Return an index that was just made, in the form in which indexes are changed."""
    manifest = parse_manifest(
        index.content, content_type=index.media_type, digest=index.digest, what=name
    )
    return read_index(manifest, name)


def _entries(present: PresentIndex, fresh: PresentIndex) -> list[PresentEntry]:
    """Return what the new index lists, in order."""
    new_images = [entry for entry in fresh.entries if entry.is_image]
    new_companions = [entry for entry in fresh.entries if not entry.is_image]
    is_replaced = {
        id(entry): [new for new in new_images if replaces(new.platform, entry.platform)]
        for entry in present.entries
        if entry.is_image and entry.platform.is_known
    }
    stays = {
        entry.digest
        for entry in present.entries
        if entry.is_image and not is_replaced.get(id(entry))
    } | {new.digest for new in new_images}
    left = {id(entry) for entry in remaining(present.entries, stays)}
    named = {_accompanies(entry) for entry in new_companions}
    by_image = _companions_by_image(fresh)
    root = root_finder(present.entries)
    first = {
        entry.digest: is_replaced[id(entry)][0].digest
        for entry in present.entries
        if is_replaced.get(id(entry))
    }
    result: list[PresentEntry] = []
    for entry in present.entries:
        if entry.is_image:
            news = is_replaced.get(id(entry))
            result += [_same_or_new(present, new) for new in news] if news else [entry]
        elif id(entry) in left and _accompanies(entry) not in named:
            result.append(entry)
        else:
            # The companions of the new image take the place of those of the old one.
            image = first.get(root(entry), root(entry))
            result += [_same_or_new(present, new) for new in by_image.get(image, ())]
    result += [_same_or_new(present, new) for new in (*new_images, *new_companions)]
    return _once(result, {entry.digest for entry in fresh.entries})


def _once(entries: Sequence[PresentEntry], fresh: AbstractSet[str]) -> list[PresentEntry]:
    """Return the entries, each of the new ones once: an image of one platform, or a companion."""
    kept: dict[object, PresentEntry] = {}
    for entry in entries:
        platform = normalize(entry.platform) if entry.is_image else None
        features = tuple(entry.descriptor.platform.features) if entry.descriptor.platform else ()
        key = (entry.digest, platform, features) if entry.digest in fresh else id(entry)
        kept.setdefault(key, entry)
    return list(kept.values())


def _same_or_new(present: PresentIndex, new: PresentEntry) -> PresentEntry:
    """Return a new entry; one that is listed already as it was, with the new annotations."""
    for entry in present.entries:
        is_same = entry.digest == new.digest and entry.is_image == new.is_image
        if is_same and (not new.is_image or _says_the_same(entry, new)):
            return entry.annotated({**entry.descriptor.annotations, **new.descriptor.annotations})
    return new


def _says_the_same(entry: PresentEntry, new: PresentEntry) -> bool:
    """Say whether an entry is listed already as what it is to be listed as."""
    is_written = entry.descriptor.platform is not None
    return is_written and normalize(entry.platform) == normalize(new.platform)


def _companions_by_image(fresh: PresentIndex) -> dict[str, list[PresentEntry]]:
    root = root_finder(fresh.entries)
    found: dict[str, list[PresentEntry]] = {}
    for entry in fresh.entries:
        if not entry.is_image:
            found.setdefault(root(entry), []).append(entry)
    return found


def _accompanies(entry: PresentEntry) -> tuple[str, str, str]:
    """Return what a companion is about, and its kind: a newer one of the kind replaces it."""
    kind = entry.descriptor.annotations.get(REFERENCE_TYPE, "")
    # Of a companion that names no image, only the digest tells it from others.
    return entry.about or entry.digest, kind, entry.descriptor.artifact_type


def _build(version: str) -> str:
    return ".".join(version.split(".")[:3])


def _alike(values: Sequence[object]) -> bool:
    return len(values) < 2 or values[0] == values[1]


def _with_field(document: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Return an index with a field, where Go's tools write it if it is new."""
    if name in document:
        return {**document, name: value}
    follow = ("manifests", "subject", "annotations") if name == "artifactType" else ("annotations",)
    others = dict(document)
    behind = {field: others.pop(field) for field in follow if field in others}
    return {**others, name: value, **behind}


def _converted(document: Mapping[str, Any], media_type: str) -> dict[str, Any]:
    """Return an index as one of the other kind."""
    if media_type == media_types.OCI_INDEX:
        return {**document, "mediaType": media_type}
    entries = [
        {name: value for name, value in entry.items() if name not in _OCI_ENTRY_FIELDS}
        for entry in document["manifests"]
    ]
    others = {name: value for name, value in document.items() if name not in _OCI_FIELDS}
    return {**others, "mediaType": media_type, "manifests": entries}


def _conversion(present: PresentIndex, fresh: PresentIndex, media_type: str) -> list[str]:
    """Return a warning where the index becomes one of the other kind."""
    if media_type == present.media_type or not present.content:
        return []
    if media_type == media_types.OCI_INDEX:
        reason = "" if fresh.is_docker else ", for OCI images or annotations"
        return [f"{present.name} is a Docker manifest list and becomes an OCI index{reason}"]
    lost = [name for name in _OCI_FIELDS if name in present.document]
    lost += [f"annotation {printable(key)}" for key in present.annotations]
    lost = [name for name in lost if name != "annotations"]
    behind = f"; left out: {listed(lost)}" if lost else ""
    return [f"{present.name} is an OCI index and becomes a Docker manifest list{behind}"]


def _unsure(present: PresentIndex) -> list[str]:
    """Return a warning for each index within the index whose images are not known."""
    return [
        f"{present.name} lists the index {entry.digest}, which says no platform; it is kept"
        for entry in present.entries
        if entry.descriptor.media_type in media_types.INDEXES and not entry.platform.is_known
    ]
