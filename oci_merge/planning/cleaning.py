"""Refuses to delete tags at registries that are known to delete more, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from oci_merge.errors import UsageError
from oci_merge.model.host import DOCKER_HUB, ECR
from oci_merge.model.reference import Reference

_HINT = "leave --delete-sources out"


def check_deletable(targets: Sequence[Reference], sources: Iterable[Reference]) -> None:
    """Refuse to delete tags where that is known to do harm, or to do nothing.

    Args:
        targets: the targets.
        sources: the images to join.

    Raises:
        UsageError: a registry deletes the manifest with its tag, or no tag at all.
    """
    own = {target.name for target in targets}
    for source in sources:
        if source.digest:
            continue
        if source.registry == "ghcr.io":
            raise UsageError(
                f"the tag of {source} cannot be deleted: GitHub deletes no tag alone, but a "
                "package version, which is the image with all of its tags",
                hint=f"{_HINT}; and let no clean-up delete untagged versions that an index lists",
            )
        if source.registry == DOCKER_HUB:
            raise UsageError(
                f"the tag of {source} cannot be deleted: Docker Hub deletes no tag by the "
                "registry's API",
                hint=f"{_HINT}, and delete the tags on its web site or by its own API",
            )
        if ECR.fullmatch(source.registry) and source.name in own:
            raise UsageError(
                f"the tag of {source} cannot be deleted: ECR deletes an image with its last tag, "
                "and the index in the same repository lists it",
                hint=f"{_HINT}, or push the images to another repository than the target's",
            )
