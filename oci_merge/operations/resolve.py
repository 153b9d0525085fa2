"""The reading half: from sources to manifests, and from manifests to platforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oci_merge._concurrency import gather, gather_settled, gather_two
from oci_merge._text import listed, printable
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    ManifestError,
    MissingComponentError,
    NotFoundError,
    OciMergeError,
    RegistryError,
    UnsupportedMediaTypeError,
)
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, Warned
from oci_merge.model import media_types
from oci_merge.model.manifest import Descriptor, ImageIndex, Manifest, parse_config, parse_manifest
from oci_merge.model.platform import Platform, agrees
from oci_merge.model.reference import Reference
from oci_merge.planning.component import Component
from oci_merge.planning.job import Candidate, Job, Source
from oci_merge.planning.platform_selection import decide_platform, select
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient

#: How deep indexes within indexes are followed, and how much they may list altogether.
_MAX_DEPTH = 4
_MAX_ENTRIES = 1000

#: The registries that are read, by name.
Registries = Mapping[str, RegistryClient]


@dataclass(frozen=True, slots=True)
class TargetState:
    """What the target's repository holds now.

    Attributes:
        tags: the digest that a tag stands on; tags that do not exist are left out.
        children: digests of the manifests that the target's present index lists.
        unreadable: the tags that may not be read, with what the registry said. They count as
            absent, since some registries say the same of what is not there.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    children: frozenset[str] = frozenset()
    unreadable: Mapping[str, RegistryError] = field(default_factory=dict)


async def probe(
    registries: Registries, candidates: Sequence[Candidate], emit: OnEvent
) -> tuple[Candidate, ...]:
    """Look for images by HEAD, which does not count as a pull.

    Returns:
        Those that are there, in order.

    Raises:
        MissingComponentError: none is there.
        RegistryError, TransportError: one could not be looked for.
    """
    emit(StageStarted("probe", len(candidates)))
    outcomes = await gather_settled(
        ManifestClient(registries[candidate.reference.registry]).head(candidate.reference)
        for candidate in candidates
    )
    found, denied = [], []
    for candidate, outcome in zip(candidates, outcomes, strict=True):
        if isinstance(outcome, AuthenticationError | AccessDeniedError):
            denied.append((candidate, outcome))
        elif isinstance(outcome, str):
            found.append(candidate)
            emit(StageAdvanced("probe", str(candidate.reference)))
        elif not isinstance(outcome, NotFoundError):
            raise outcome
    if not found and denied:
        raise denied[0][1]
    if not found:
        tried = [str(candidate.reference) for candidate in candidates]
        raise MissingComponentError(
            f"none of the images that the template gives is there; tried {listed(tried)}",
            hint="check the template, or say with --platforms which images to join",
        )
    for candidate, outcome in denied:
        emit(Warned(f"{candidate.reference} is left out: {outcome}"))
    return tuple(found)


async def fetch_components(
    registries: Registries,
    sources: Sequence[Source],
    emit: OnEvent,
    *,
    ignore_missing: bool = False,
) -> tuple[Component, ...]:
    """Fetch the manifests of all sources at once, and flatten those that are indexes.

    Args:
        registries: their registries.
        sources: where they are.
        emit: told of progress.
        ignore_missing: leave out, with a warning, those that are not there, and those that the
            credentials may not read while they may read another.

    Returns:
        Every image and attestation, in the order of the sources.

    Raises:
        MissingComponentError: some are not there; the error names them all.
        PlatformNotFoundError: an index does not have the platform asked for.
        ManifestError, RegistryError, TransportError: one could not be read.
    """
    references = list(dict.fromkeys(source.reference for source in sources))
    emit(StageStarted("manifests", len(references)))
    outcomes = await gather_settled(_fetch(registries, reference, emit) for reference in references)
    fetched = dict(zip(references, outcomes, strict=True))
    if ignore_missing:
        _leave_out_missing(fetched, emit)
    else:
        _check_all_there(fetched)
    flattened = await gather(
        _flatten(registries[source.reference.registry], source, manifest)
        for source in sources
        if isinstance(manifest := fetched[source.reference], Manifest)
    )
    return tuple(component for components in flattened for component in components)


async def read_platforms(
    registries: Registries, components: Sequence[Component], job: Job, emit: OnEvent
) -> list[tuple[Component, Platform]]:
    """Read the configs of all images at once and decide what each is published as.

    Raises:
        PlatformMismatchError: an image is not what was asked for, and the job wants that checked.
        ManifestError, RegistryError, TransportError: a config could not be read.
    """
    unread = [component for component in components if component.said is None]
    emit(StageStarted("configs", len(unread)))
    read = await gather(
        _read_config(registries[component.source.reference.registry], component, emit)
        for component in unread
    )
    said = dict(zip(unread, read, strict=True))
    decided = []
    for component in components:
        platform = component.said or said.get(component, Platform("", ""))
        if not component.is_attestation:
            platform, warning = decide_platform(
                component, platform, job.platform_check, as_written=job.as_written
            )
            if warning:
                emit(Warned(warning))
        decided.append((component, platform))
    return decided


async def read_target(
    registry: RegistryClient, target: Reference, tags: Sequence[str]
) -> TargetState:
    """Read what the target's tags stand on: its own by GET, the others by HEAD.

    Returns:
        What was read; a tag that may not be is unreadable, and all are where a login is refused.
        ``check_unreadable`` says whether a run may go on with that.

    Raises:
        RegistryError, TransportError: one could not be read.
    """
    others = [tag for tag in tags if tag != target.tag]
    try:
        (own, children), rest = await gather_two(
            _standing(registry, target),
            gather(_standing_digest(registry, target.with_tag(tag)) for tag in others),
        )
    except AuthenticationError as error:
        # No tag more is looked at: a wrong password that is sent often may lock its user out.
        return TargetState(unreadable=dict.fromkeys(tags, error))
    outcomes = {str(target.tag): own} | dict(zip(others, rest, strict=True))
    return TargetState(
        {tag: digest for tag, digest in outcomes.items() if isinstance(digest, str) and digest},
        children,
        {tag: error for tag, error in outcomes.items() if isinstance(error, RegistryError)},
    )


def check_unreadable(registry: RegistryClient, target: Reference, target_state: TargetState) -> str:
    """Say which tags are unreadable and why, once the images are read.

    Returns:
        A sentence; empty if all tags were seen.

    Raises:
        AuthenticationError: the registry wants a login. Where it has taken one, for the images,
            its 401 says of the target what others say by 403.
    """
    if not target_state.unreadable:
        return ""
    first = next(iter(target_state.unreadable.values()))
    if isinstance(first, AuthenticationError) and registry.wants_login(target.repository):
        raise first
    return (
        f"{listed(list(target_state.unreadable))} of {target.name} could not be looked at, "
        f"so it is not known whether anything stands there: {first.message}"
    )


def pinning_platforms(
    found: Sequence[Candidate], decided: Sequence[tuple[Component, Platform]]
) -> str:
    """Return the value of ``--platforms`` that names the images that were found."""
    words = []
    for candidate in found:
        said = [
            platform
            for component, platform in decided
            if component.source.reference == candidate.reference and not component.is_attestation
        ]
        fitting = [
            platform
            for platform in candidate.platforms
            if any(agrees(platform, other) for other in said)
        ]
        words += [str(platform) for platform in fitting or candidate.platforms[:1]]
    return ",".join(words)


async def _fetch(registries: Registries, reference: Reference, emit: OnEvent) -> Manifest:
    manifest = await ManifestClient(registries[reference.registry]).get(reference)
    emit(StageAdvanced("manifests", str(reference)))
    return manifest


def _check_all_there(fetched: Mapping[Reference, Manifest | OciMergeError]) -> None:
    missing = []
    for reference, outcome in fetched.items():
        if isinstance(outcome, NotFoundError):
            missing.append((reference, outcome))
        elif isinstance(outcome, OciMergeError):
            raise outcome
    if len(missing) == 1:
        _, only = missing[0]
        raise MissingComponentError(only.message, hint=only.hint) from only
    if missing:
        names = [str(reference) for reference, _ in missing]
        raise MissingComponentError(
            f"{listed(names)} were not found on {missing[0][0].registry}",
            hint=missing[0][1].hint,
        )


def _leave_out_missing(
    fetched: Mapping[Reference, Manifest | OciMergeError], emit: OnEvent
) -> None:
    """Warn of images that are left out; what else went wrong is an error all the same."""
    some_readable = any(isinstance(outcome, Manifest) for outcome in fetched.values())
    for reference, outcome in fetched.items():
        if isinstance(outcome, NotFoundError):
            emit(Warned(f"{reference} is left out, as it is not there: {outcome}"))
        elif isinstance(outcome, AuthenticationError | AccessDeniedError) and some_readable:
            emit(
                Warned(
                    f"{reference} is left out, as it may not be read with the credentials "
                    f"that read others: {outcome}"
                )
            )
        elif isinstance(outcome, OciMergeError):
            raise outcome
    if not some_readable:
        names = [str(reference) for reference in fetched]
        raise MissingComponentError(
            f"none of the images is there: {listed(names)}",
            hint="check the names and tags; there is nothing to publish",
        )


async def _flatten(
    registry: RegistryClient, source: Source, manifest: Manifest
) -> tuple[Component, ...]:
    if not isinstance(manifest.document, ImageIndex):
        return (Component(source, manifest),)
    leaves = await _Walk(registry, source).leaves(manifest.document)
    if not leaves:
        raise ManifestError(
            f"{source.reference} is an index that lists no image",
            hint="push the image again, or leave it out",
        )
    return select(source, leaves)


@dataclass(slots=True)
class _Walk:
    """A walk over the indexes of one source.

    Attributes:
        registry: its registry.
        source: the source.
        entries: how many entries the indexes met so far list altogether.
    """

    registry: RegistryClient
    source: Source
    entries: int = 0

    async def leaves(self, index: ImageIndex, depth: int = 1) -> list[Component]:
        """Fetch what an index lists, indexes within it included."""
        self.entries += len(index.manifests)
        if depth > _MAX_DEPTH or self.entries > _MAX_ENTRIES:
            raise ManifestError(
                f"{self.source.reference} is an index with more than {_MAX_ENTRIES} entries "
                f"or {_MAX_DEPTH} levels",
                hint="no image has that many; name the images themselves",
            )
        found = await gather(self._leaf(descriptor, depth) for descriptor in index.manifests)
        return [component for components in found for component in components]

    async def _leaf(self, listed_as: Descriptor, depth: int) -> list[Component]:
        at = self.source.reference
        manifest = await ManifestClient(self.registry).get(
            Reference(at.registry, at.repository, digest=listed_as.digest)
        )
        if isinstance(manifest.document, ImageIndex):
            return await self.leaves(manifest.document, depth + 1)
        said = listed_as.platform.to_platform() if listed_as.platform else Platform("", "")
        component = Component(self.source, manifest, listed_as, said)
        if not said.is_known and not component.is_attestation:
            said = await _read_config(self.registry, Component(self.source, manifest, listed_as))
        return [Component(self.source, manifest, listed_as, said)]


async def _read_config(
    registry: RegistryClient, component: Component, emit: OnEvent | None = None
) -> Platform:
    """Read what an image says of itself; what is no image says nothing, if it may keep silent."""
    config = component.document.config
    if config.media_type not in media_types.IMAGE_CONFIGS:
        if component.asked is None:
            raise UnsupportedMediaTypeError(
                f"{component.name} has a config of type {printable(config.media_type)!r}, "
                "which says nothing of a platform",
                hint="name container images, or say which platform it is of: "
                "with --template and --platforms, or in a spec",
            )
        return Platform("", "")
    blobs = BlobClient(registry, component.source.reference.repository)
    content = await blobs.get_config(config, what=component.name)
    if emit:
        emit(StageAdvanced("configs", component.name))
    return parse_config(content, what=component.name)


async def _standing(
    registry: RegistryClient, target: Reference
) -> tuple[str | AccessDeniedError, frozenset[str]]:
    """Return the digest that a tag stands on and what its index lists; whatever stands there."""
    try:
        raw = await ManifestClient(registry).get_raw(target)
    except AccessDeniedError as denial:
        return denial, frozenset()
    except (NotFoundError, ManifestError):  # nothing, or something broken, that may be replaced
        return "", frozenset()
    try:
        manifest = parse_manifest(
            raw.content, content_type=raw.media_type, digest=raw.digest, what=str(target)
        )
    except ManifestError:
        return raw.digest, frozenset()
    if not isinstance(manifest.document, ImageIndex):
        return raw.digest, frozenset({raw.digest})
    return raw.digest, frozenset(entry.digest for entry in manifest.document.manifests)


async def _standing_digest(
    registry: RegistryClient, reference: Reference
) -> str | AccessDeniedError:
    try:
        return await ManifestClient(registry).head(reference)
    except AccessDeniedError as denial:
        return denial
    except NotFoundError:
        return ""
