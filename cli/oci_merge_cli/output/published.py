"""The names of what was published, as the next job takes them."""

from __future__ import annotations

from dataclasses import dataclass

from oci_merge import MergeResult, TargetResult, parse_reference


@dataclass(frozen=True, slots=True)
class Published:
    """What the next job is told of an image in single values.

    All are made of names, tags and digests, whose grammar has no space, no quote, no dollar sign
    and no line break. No text of an image or a registry is among them, so a shell script that a
    value is pasted into does what its author meant.

    Attributes:
        image: the registry and repository of the first target that was published to; where every
            tag was kept, of the first target.
        digest: the index's digest.
        reference: the image by digest.
        tags: the references of the tags of all targets, without those that were kept.
        changed: whether any tag moved, ``true`` or ``false``.
    """

    image: str
    digest: str
    reference: str
    tags: tuple[str, ...]
    changed: str


def published(result: MergeResult) -> Published:
    """Return the names of what a merge has published."""
    published_to = [target for target in result.targets if not is_kept(target)]
    image = parse_reference((published_to or result.targets)[0].reference).name
    return Published(
        image=image,
        digest=result.digest,
        reference=f"{image}@{result.digest}",
        tags=tuple(
            str(parse_reference(target.reference).with_tag(tag.name))
            for target in result.targets
            for tag in target.tags
            if not tag.kept
        ),
        changed="true" if result.changed else "false",
    )


def is_kept(target: TargetResult) -> bool:
    """Return whether every tag of a target was kept, so that the index is perhaps not there."""
    return all(tag.kept for tag in target.tags)
