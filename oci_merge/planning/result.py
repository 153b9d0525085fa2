"""The result of a merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oci_merge._frozen import frozen
from oci_merge.model.platform import Platform
from oci_merge.planning.component import Component
from oci_merge.planning.plan import Plan
from oci_merge.planning.signing import SignatureResult, VerifiedSignature

#: How many platforms or tags the ``repr`` of a result names.
_SHOWN = 8


@frozen
class PlatformResult:
    """One image of the index.

    Attributes:
        platform: the platform that it was published as.
        digest: its manifest's digest.
        size: its manifest's size in bytes.
        media_type: its manifest's media type.
        source: the reference that it came from.
        attestations: the digests of what accompanies it: attestations, SOCI indexes and others.
    """

    platform: Platform
    digest: str
    size: int
    media_type: str
    source: str
    attestations: tuple[str, ...] = ()


@frozen
class TagResult:
    """One tag of the target.

    Attributes:
        name: the bare tag.
        changed: whether the merge moved it; in a dry run, whether it would move it. A tag that
            can be written but not read counts as moved.
        kept: whether it stays where it is, since that is newer (``only_newer``).
    """

    name: str
    changed: bool
    kept: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the tag as JSON values; ``kept`` only where it is true."""
        document = {"name": self.name, "changed": self.changed}
        return document | {"kept": True} if self.kept else document


@frozen(eq=False, repr=False)
class TargetResult:
    """One repository that was published to, or would be.

    Attributes:
        reference: the repository, with the first of its tags.
        tags: the tags, that of the reference first.
        plan: what was written, and where.
    """

    reference: str
    tags: tuple[TagResult, ...]
    plan: Plan

    def __repr__(self) -> str:
        return f"TargetResult({self.reference!r}, {_shortened([tag.name for tag in self.tags])!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the target as JSON values, without the plan."""
        return {"target": self.reference, "tags": [tag.to_dict() for tag in self.tags]}


@frozen(eq=False, repr=False)
class MergeResult:
    """A merge that is done or, in a dry run, planned.

    Attributes:
        targets: the repositories, in the order in which they were named.
        digest: the index's digest.
        size: the index's size in bytes.
        media_type: the index's media type.
        platforms: its images, in order.
        warnings: what the user should know, in sentences.
        dry_run: whether this was a dry run, which writes nothing.
        verified: whether everything was read again once it was published.
        deleted: the tags of images that were deleted then, as references.
        signatures: those of the index and of what it lists, in each target.
        verified_signatures: those by which the images were trusted.
    """

    targets: tuple[TargetResult, ...]
    digest: str
    size: int
    media_type: str
    platforms: tuple[PlatformResult, ...]
    warnings: tuple[str, ...]
    dry_run: bool
    verified: bool = False
    deleted: tuple[str, ...] = ()
    signatures: tuple[SignatureResult, ...] = ()
    verified_signatures: tuple[VerifiedSignature, ...] = ()

    @property
    def target(self) -> str:
        """The reference of the first target."""
        return self.targets[0].reference

    @property
    def tags(self) -> tuple[TagResult, ...]:
        """The tags of the first target: the target's own and the others asked for."""
        return self.targets[0].tags

    @property
    def plan(self) -> Plan:
        """What was written to the first target, and where."""
        return self.targets[0].plan

    @property
    def changed(self) -> bool:
        """Whether any tag moved; in a dry run, whether one would."""
        return any(tag.changed for target in self.targets for tag in target.tags)

    def __repr__(self) -> str:
        # It fits a screen: the plan has the bytes of every manifest and would fill many.
        shown = {
            "target": self.target,
            "digest": self.digest,
            "size": self.size,
            "platforms": _shortened([str(image.platform) for image in self.platforms]),
            "tags": _shortened([tag.name for tag in self.tags]),
            "warnings": len(self.warnings),
            "dry_run": self.dry_run,
        }
        return f"MergeResult({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values; in a dry run, with the plan of each target.

        ``target``, ``tags`` and ``plan`` are those of the first target.
        """
        document: dict[str, Any] = {
            "target": self.target,
            "digest": self.digest,
            "size": self.size,
            "mediaType": self.media_type,
            "platforms": [
                {
                    "platform": str(image.platform),
                    "digest": image.digest,
                    "size": image.size,
                    "mediaType": image.media_type,
                    "source": image.source,
                    "attestations": list(image.attestations),
                }
                for image in self.platforms
            ],
            "tags": self.targets[0].to_dict()["tags"],
            "targets": [
                target.to_dict()
                # A single target's plan stands below, and is large.
                | (
                    {"plan": target.plan.to_dict()}
                    if self.dry_run and len(self.targets) > 1
                    else {}
                )
                for target in self.targets
            ],
            "changed": self.changed,
            "warnings": list(self.warnings),
            "dryRun": self.dry_run,
            "verified": self.verified,
            "deleted": list(self.deleted),
            "signatures": [signature.to_dict() for signature in self.signatures],
            "verifiedSignatures": [each.to_dict() for each in self.verified_signatures],
        }
        return document | {"plan": self.plan.to_dict()} if self.dry_run else document


@frozen
class Verification:
    """What was found to be complete in a registry.

    Attributes:
        reference: the reference, with its digest.
        digest: the digest that it stands at.
        media_type: the media type of what it points to.
        platforms: the platforms of its images, in order.
        manifests: how many manifests it lists that are there.
        blobs: how many blobs these name that are there.
        signatures: its signatures by the keys that were named.
    """

    reference: str
    digest: str
    media_type: str
    platforms: tuple[Platform, ...]
    manifests: int
    blobs: int
    signatures: tuple[VerifiedSignature, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what was verified as JSON values."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "mediaType": self.media_type,
            "platforms": [str(platform) for platform in self.platforms],
            "manifests": self.manifests,
            "blobs": self.blobs,
            "signatures": [signature.to_dict() for signature in self.signatures],
        }


def _shortened(words: list[str]) -> str:
    more = len(words) - _SHOWN
    return " ".join(words[:_SHOWN] + ([f"and {more} more"] if more > 0 else []))


def platform_results(
    decided: Sequence[tuple[Component, Platform]],
) -> tuple[PlatformResult, ...]:
    """Return the images among the components, each once, with what accompanies it."""
    images = {
        (component.digest, platform): component
        for component, platform in reversed(decided)
        if component.is_image
    }
    chosen = dict.fromkeys(
        (component.digest, platform) for component, platform in decided if component.is_image
    )
    return tuple(
        PlatformResult(
            platform=platform,
            digest=component.manifest.digest,
            size=component.manifest.size,
            media_type=component.manifest.media_type,
            source=str(component.source.reference),
            attestations=_attestations(decided, component.manifest.digest),
        )
        for digest, platform in chosen
        for component in (images[digest, platform],)
    )


def _attestations(decided: Sequence[tuple[Component, Platform]], digest: str) -> tuple[str, ...]:
    found = (
        component.manifest.digest
        for component, _ in decided
        if not component.is_image and component.about == digest
    )
    return tuple(dict.fromkeys(found))
