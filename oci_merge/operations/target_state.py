"""Reads what the target's repository holds before a merge: where its tags point, and its index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from oci_merge._concurrency import gather, gather_two
from oci_merge._frozen import frozen
from oci_merge._text import listed
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    ManifestError,
    NotFoundError,
    RegistryError,
)
from oci_merge.model.manifest import ImageIndex, Manifest, parse_manifest
from oci_merge.model.reference import Reference
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient


@frozen
class TargetState:
    """What the target's repository holds before the merge.

    Attributes:
        tags: the digests that the tags point to; tags that do not exist are left out.
        children: digests of the manifests that the target's present index lists.
        unreadable: errors of the tags that the credentials may not read. These tags count as
            absent, since some registries deny access to what does not exist.
        manifest: what the target's own tag points to; None if that is nothing that can be read.
        broken: why that cannot be used although it is there.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    children: frozenset[str] = frozenset()
    unreadable: Mapping[str, RegistryError] = field(default_factory=dict)
    manifest: Manifest | None = None
    broken: ManifestError | None = None

    @property
    def index(self) -> ImageIndex | None:
        """The index that the target's own tag points to; None if it points to something else."""
        document = self.manifest.document if self.manifest else None
        return document if isinstance(document, ImageIndex) else None


async def read_target(
    registry: RegistryClient, target: Reference, tags: Sequence[str]
) -> TargetState:
    """Read where the target's tags point now, and what the target's present index lists.

    Args:
        registry: the target's registry.
        target: the target, with its own tag.
        tags: all tags to publish, the target's own among them.

    Returns:
        The state; tags that the credentials may not read are in ``unreadable``, all of them if the
        login is refused. ``check_unreadable`` decides whether the run may go on.

    Raises:
        RegistryError, TransportError: a tag could not be read for another reason.
    """
    # Only the target's own index is needed; of the other tags a HEAD gives the digest.
    others = [tag for tag in tags if tag != target.tag]
    try:
        own, rest = await gather_two(
            _read_index(registry, target),
            gather(_read_digest(registry, target.with_tag(tag)) for tag in others),
        )
    except AuthenticationError as error:
        # No other tag is read: a server may lock a user out after a few wrong passwords.
        return TargetState(unreadable=dict.fromkeys(tags, error))
    outcomes = {str(target.tag): own.digest} | dict(zip(others, rest, strict=True))
    return TargetState(
        {tag: digest for tag, digest in outcomes.items() if isinstance(digest, str) and digest},
        own.children,
        {tag: error for tag, error in outcomes.items() if isinstance(error, RegistryError)},
        own.manifest,
        own.broken,
    )


def check_unreadable(registry: RegistryClient, target: Reference, target_state: TargetState) -> str:
    """Return a warning that names the unreadable tags. Call it after the images have been read.

    Args:
        registry: the target's registry.
        target: the target.
        target_state: what ``read_target`` returned.

    Returns:
        One sentence, or an empty string if all tags were read.

    Raises:
        AuthenticationError: the registry answered 401 and has not accepted the login.
    """
    if not target_state.unreadable:
        return ""
    first = next(iter(target_state.unreadable.values()))
    # A 401 from a registry that accepted the login for the images is a denial of the target, which
    # others answer by 403. It ends no run: such registries deny what does not exist, but may be
    # written. If not, the write fails with the reason.
    if isinstance(first, AuthenticationError) and registry.wants_login(target.repository):
        raise first
    return (
        f"{listed(list(target_state.unreadable))} of {target.name} could not be read, "
        f"so it is not known whether the tags exist: {first.message}"
    )


@frozen
class _Own:
    """What the target's own tag points to.

    Attributes:
        digest: empty if the tag does not exist, and an error if it may not be read.
        children: the digests that its index lists.
        manifest: the index or the image.
        broken: why it cannot be used.
    """

    digest: str | AccessDeniedError
    children: frozenset[str] = frozenset()
    manifest: Manifest | None = None
    broken: ManifestError | None = None


async def _read_index(registry: RegistryClient, target: Reference) -> _Own:
    """Read what the target's own tag points to."""
    try:
        raw = await ManifestClient(registry).get_raw(target, may_be_missing=True)
    except AccessDeniedError as denial:
        return _Own(denial)
    except NotFoundError:
        return _Own("")
    # A broken manifest counts as absent: publishing replaces it.
    except ManifestError as error:
        return _Own("", broken=error)
    try:
        manifest = parse_manifest(
            raw.content, content_type=raw.media_type, digest=raw.digest, what=str(target)
        )
    except ManifestError as error:
        return _Own(raw.digest, broken=error)
    if not isinstance(manifest.document, ImageIndex):
        return _Own(raw.digest, frozenset({raw.digest}), manifest)
    children = frozenset(entry.digest for entry in manifest.document.manifests)
    return _Own(raw.digest, children, manifest)


async def _read_digest(registry: RegistryClient, reference: Reference) -> str | AccessDeniedError:
    """Return the digest that a tag points to; empty or an error as for ``_read_index``."""
    try:
        return await ManifestClient(registry).head(reference, may_be_missing=True)
    except AccessDeniedError as denial:
        return denial
    except NotFoundError:
        return ""
