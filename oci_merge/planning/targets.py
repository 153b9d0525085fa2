"""Checks the targets of a merge and their tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from oci_merge import _keywords as take
from oci_merge._text import listed, printable
from oci_merge.errors import InvalidReferenceError, UsageError
from oci_merge.model.reference import Reference, check_tag, parse_reference
from oci_merge.options import MergeKeywords
from oci_merge.planning.job import Job, Target


def asked_targets(target: str | Reference | None, asked: MergeKeywords) -> tuple[Target, ...]:
    """Check the targets of a merge and their tags, as its keywords have them.

    Args:
        target: a target; None where the keyword ``targets`` has them all.
        asked: the keywords of the merge, from ``checked``.

    Raises:
        UsageError: as by ``parse_targets``.
    """
    return parse_targets(
        target, cast("tuple[str, ...]", asked["targets"]), [str(tag) for tag in asked["tags"]]
    )


def parse_targets(
    target: str | Reference | None, more: Iterable[str], tags: Iterable[str]
) -> tuple[Target, ...]:
    """Check the targets of a merge and their tags.

    Args:
        target: a target; None where the others are all.
        more: other targets.
        tags: more tags: names are for every repository, references for their own.

    Returns:
        Each repository once, with its tags.

    Raises:
        UsageError: there is no target.
        InvalidReferenceError: a target or a tag is not valid, or a tag is of another repository.
    """
    named = [*([] if target is None else [take.reference("target", target)]), *more]
    if not named:
        raise UsageError(
            "the merge has no target", hint="give --target reg.example/app:1.0, the tag to publish"
        )
    checked = [check_target(text) for text in named]
    by_name: dict[str, list[Reference]] = {}
    for reference in checked:
        by_name.setdefault(reference.name, []).append(reference)
    own = [own_tag(tag, checked) for tag in tags]
    return tuple(
        Target(
            first,
            tuple(
                dict.fromkeys(
                    [
                        *(each.identifier for each in (first, *others)),
                        *(tag for tag, repository in own if repository in ("", name)),
                    ]
                )
            ),
        )
        for name, (first, *others) in by_name.items()
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
        if not reference.digest
        and any(
            reference.name == target.reference.name and reference.tag in target.tags
            for target in job.targets
        )
    ]
    return tuple(
        f"{reference} is one of the images to join, and its tag moves to the index"
        for reference in dict.fromkeys(moved)
    )


def own_tag(tag: str, targets: Sequence[Reference]) -> tuple[str, str]:
    """Return a tag, and the name of the target that it is for; empty if it is for every target.

    Args:
        tag: a bare tag, or a reference with the repository of a target.
        targets: the targets.

    Raises:
        InvalidReferenceError: it is not a tag, or of another repository.
    """
    if not set(tag) & set("/:@"):
        return check_tag(tag), ""
    reference = parse_reference(tag)
    names = list(dict.fromkeys(target.name for target in targets))
    if reference.digest or not reference.tag:
        raise InvalidReferenceError(
            f"{printable(tag)!r} is not a tag: "
            f"it has {'a digest' if reference.digest else 'no tag behind the name'}",
            hint=f"give tags, such as 1.0 or {names[0]}:1.0",
        )
    if reference.name not in names:
        raise InvalidReferenceError(
            f"{printable(tag)!r} is not a tag of {listed(names)}, but of {reference.name}",
            hint="give tags of a target's repository, or --target for each other one",
        )
    return reference.tag, reference.name


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
