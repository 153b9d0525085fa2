"""Checks the targets of a merge and their tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from oci_merge._text import printable
from oci_merge.errors import (
    InvalidReferenceError,
)
from oci_merge.model.reference import Reference, check_tag, parse_reference
from oci_merge.planning.job import (
    Job,
)


def moved_sources(job: Job, references: Iterable[Reference]) -> tuple[str, ...]:
    """Return a warning for each of the images to join whose own tag the merge moves.

    Args:
        job: the merge, with all of its tags.
        references: where the images are.
    """
    moved = [
        str(reference)
        for reference in references
        if reference.name == job.target.name and not reference.digest and reference.tag in job.tags
    ]
    return tuple(
        f"{reference} is one of the images to join, and its tag moves to the index"
        for reference in dict.fromkeys(moved)
    )


def own_tag(tag: str, target: Reference) -> str:
    """Return a tag of the target, which may be given as a reference with the target's repository.

    Raises:
        InvalidReferenceError: it is not a tag, or of another repository.
    """
    if not set(tag) & set("/:@"):
        return check_tag(tag)
    reference = parse_reference(tag)
    if reference.digest or not reference.tag:
        raise InvalidReferenceError(
            f"{printable(tag)!r} is not a tag: "
            f"it has {'a digest' if reference.digest else 'no tag behind the name'}",
            hint=f"give tags, such as 1.0 or {target.name}:1.0",
        )
    if reference.name != target.name:
        raise InvalidReferenceError(
            f"{printable(tag)!r} is not a tag of {target.name}, but of {reference.name}",
            hint="give tags of the target's repository, and merge once for each other target",
        )
    return reference.tag


def check_target(text: str) -> Reference:
    """Return a target that was named: a reference with a tag, and without a digest.

    Raises:
        InvalidReferenceError: it is another reference, or none.
    """
    target = parse_reference(text)
    if target.digest:
        raise InvalidReferenceError(
            f"the target {text!r} has a digest, but the digest is what a merge finds out",
            hint=f"name a tag, for example {target.name}:{target.tag or 'latest'}",
        )
    if not target.tag:
        raise InvalidReferenceError(
            f"the target {text!r} has no tag",
            hint=f"say which tag to publish, for example {text}:latest",
        )
    return target
