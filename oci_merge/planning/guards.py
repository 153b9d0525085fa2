"""Checks what has to hold before a tag moves: platforms and labels of the index. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from oci_merge._text import listed, printable
from oci_merge.errors import LabelMismatchError, RequiredPlatformError
from oci_merge.model.index import IndexDocument
from oci_merge.model.manifest import ImageIndex, parse_manifest
from oci_merge.model.platform import Platform, agrees, normalize
from oci_merge.model.reference import Reference
from oci_merge.planning.component import Component

#: How many characters of a label's value a message shows.
_SHOWN = 80


def parsed_index(index: IndexDocument) -> ImageIndex:
    """Return an index that was just made as it is read in a registry."""
    document = parse_manifest(
        index.content, content_type=index.media_type, digest=index.digest, what="the new index"
    ).document
    assert isinstance(document, ImageIndex)
    return document


def image_platforms(index: ImageIndex) -> list[Platform]:
    """Return the platforms of an index's images; attestations and other companions have none."""
    platforms = [
        entry.platform.to_platform()
        for entry in index.manifests
        if entry.platform and not entry.is_companion
    ]
    return [platform for platform in platforms if platform.is_known]


def check_required(
    required: Iterable[Platform], platforms: Sequence[Platform], target: Reference
) -> None:
    """Check that an index has an image for each required platform.

    Args:
        required: the platforms. One without a variant takes any, one without a version of the
            system, too.
        platforms: those of the index's images.
        target: where it is to be published.

    Raises:
        RequiredPlatformError: there is none for one or more of them.
    """
    missing = [
        platform for platform in dict.fromkeys(required) if not _is_among(platform, platforms)
    ]
    if not missing:
        return
    raise RequiredPlatformError(
        f"the index for {target} would have no image for {_named(missing)}, "
        f"which it must have; it has {_named(platforms) or 'none'}",
        missing=[str(platform) for platform in missing],
        hint="push the missing images and run the command again, or take them out of --require",
    )


def check_same(labels: Iterable[str], images: Sequence[tuple[Component, Platform]]) -> None:
    """Check that all images have labels, each with one value.

    Args:
        labels: the labels.
        images: the images and their companions, each with its platform, read with their labels.

    Raises:
        LabelMismatchError: values differ, or an image has no such label or no config to read.
    """
    checked = [component for component, _ in images if component.is_image]
    for label in dict.fromkeys(labels):
        values = {one.digest: _value(one, label) for one in checked}
        if len(set(values.values())) == 1 and all(values.values()):
            continue
        names = {one.digest: one.name for one in checked}
        said = [f"{names[digest]} has {_words(names, values, digest)}" for digest in names]
        raise LabelMismatchError(
            f"the images do not agree on the label {printable(label, limit=_SHOWN)}: "
            f"{listed(said)}",
            label=label,
            hint="build all of them from one source, with this label, or leave out --require-same",
        )


def _value(component: Component, label: str) -> str | None:
    """Return the value of a label; None where there is no config."""
    return component.labels.values.get(label, "").strip() if component.labels else None


def _words(names: dict[str, str], values: dict[str, str | None], digest: str) -> str:
    value = values[digest]
    if value is None:
        return "no config that could be read"
    return repr(printable(value, limit=_SHOWN)) if value else "no such label"


def lost_platforms(present: Iterable[Platform], new: Sequence[Platform]) -> list[Platform]:
    """Return the platforms that one index has and another has not, each once.

    Args:
        present: the platforms of the index that a tag points to. One without a variant is there
            if any variant is. Windows' versions are told apart by their build, and not by their
            revision, which every update raises.
        new: the platforms of the new index.
    """
    lost: dict[Platform, Platform] = {}
    for platform in present:
        if not _is_among(replace(platform, os_version=_build(platform)), new):
            normal = normalize(platform)
            key = replace(normal, os_version=_build(platform), os_features=())
            lost.setdefault(key, platform)
    return list(lost.values())


def loss(target: Reference, lost: Sequence[Platform]) -> str:
    """Return the sentence that says what a tag loses."""
    return f"{target} loses {_named(lost)}, which it has now"


def _is_among(wanted: Platform, platforms: Iterable[Platform]) -> bool:
    return any(
        agrees(wanted, platform) and _is_version(wanted.os_version, platform.os_version)
        for platform in platforms
    )


def _is_version(wanted: str, found: str) -> bool:
    """Say whether a version of a system is the wanted one, or begins with it."""
    return not wanted or not found or found == wanted or found.startswith(f"{wanted}.")


def _build(platform: Platform) -> str:
    """Return the part of a version up to the build: 10.0.17763 of 10.0.17763.6293."""
    return ".".join(platform.os_version.split(".")[:3])


def _named(platforms: Iterable[Platform]) -> str:
    return listed([printable(str(platform)) for platform in dict.fromkeys(platforms)])
