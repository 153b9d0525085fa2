"""The result of a merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oci_merge.model.platform import Platform
from oci_merge.planning.component import Component
from oci_merge.planning.plan import Plan

#: How many platforms or tags the ``repr`` of a result names.
_SHOWN = 8


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class TagResult:
    """One tag of the target.

    Attributes:
        name: the bare tag.
        changed: whether the merge moved it; in a dry run, whether it would move it. A tag that
            can be written but not read counts as moved.
    """

    name: str
    changed: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MergeResult:
    """A merge that is done or, in a dry run, planned.

    Attributes:
        target: the target's reference.
        digest: the index's digest.
        size: the index's size in bytes.
        media_type: the index's media type.
        platforms: its images, in order.
        tags: the target's tag and the others asked for.
        warnings: what the user should know, in sentences.
        plan: what was written, and where.
        dry_run: whether this was a dry run, which writes nothing.
    """

    target: str
    digest: str
    size: int
    media_type: str
    platforms: tuple[PlatformResult, ...]
    tags: tuple[TagResult, ...]
    warnings: tuple[str, ...]
    plan: Plan
    dry_run: bool

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
        """Return the result as JSON values; in a dry run, ``plan`` has the plan besides."""
        document = {
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
            "tags": [{"name": tag.name, "changed": tag.changed} for tag in self.tags],
            "warnings": list(self.warnings),
            "dryRun": self.dry_run,
        }
        return document | {"plan": self.plan.to_dict()} if self.dry_run else document


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
