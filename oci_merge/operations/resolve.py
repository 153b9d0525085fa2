"""Reads manifests and configs: from sources to components with platforms.

OCI distribution spec, "Pulling manifests", "Pulling blobs" and "Checking if content exists".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oci_merge._concurrency import gather, gather_settled
from oci_merge._text import listed
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    ManifestError,
    MissingComponentError,
    NotFoundError,
    OciMergeError,
)
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, Warned
from oci_merge.model.manifest import Descriptor, ImageIndex, Manifest
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.operations.platforms import read_config
from oci_merge.planning.component import Component
from oci_merge.planning.job import Candidate, Source, spelling_hint
from oci_merge.planning.platform_selection import select
from oci_merge.registry.client import Registries, RegistryClient
from oci_merge.registry.manifests import ManifestClient

#: Limits for one source: how deep indexes may be nested, and how many entries they may have in all.
#: An index is untrusted; without limits a small one could ask for millions of requests.
_MAX_DEPTH = 4
_MAX_ENTRIES = 1000


async def probe(
    registries: Registries, candidates: Sequence[Candidate], emit: OnEvent
) -> tuple[Candidate, ...]:
    """Find out which of the images exist ("Checking if content exists").

    Args:
        registries: the registries of the images, by ``host[:port]``.
        candidates: the references to look for.
        emit: called with progress events, and a warning for each that may not be read.

    Returns:
        The candidates that exist, in order.

    Raises:
        MissingComponentError: none of them exists.
        AuthenticationError, AccessDeniedError: none could be read, and some were denied.
        RegistryError, TransportError: a registry failed.
    """
    # By HEAD: registries with pull limits do not count it.
    emit(StageStarted("probe", len(candidates)))
    outcomes = await gather_settled(
        ManifestClient(registries[candidate.reference.registry]).head(
            candidate.reference, may_be_missing=True
        )
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
    # Some registries deny what does not exist. So a denied image is left out if others are found;
    # if none is found, the denial is the likely reason.
    if not found and denied:
        raise denied[0][1]
    if not found:
        first, *others = (str(candidate.reference) for candidate in candidates)
        tried = listed([first, f"{len(others)} more"] if others else [first])
        raise MissingComponentError(
            f"none of the images that the template names exists; tried {tried}",
            hint="check the template, or name the platforms to join with --platforms",
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
    """Fetch the manifests of all sources side by side, and flatten indexes to their images.

    Args:
        registries: the registries of the sources, by ``host[:port]``.
        sources: the images to join.
        emit: called with progress events and warnings.
        ignore_missing: leave out, with a warning, sources that do not exist; also sources that the
            credentials may not read, if they may read another one.

    Returns:
        All images and attestations, in the order of the sources.

    Raises:
        MissingComponentError: sources do not exist; the message names all of them.
        PlatformNotFoundError: an index does not list the requested platform.
        ManifestError, RegistryError, TransportError: a source could not be read.
    """
    # Two sources may be one index with two platforms: it is fetched once.
    references = list(dict.fromkeys(source.reference for source in sources))
    emit(StageStarted("manifests", len(references)))
    outcomes = await gather_settled(_fetch(registries, reference, emit) for reference in references)
    fetched = dict(zip(references, outcomes, strict=True))
    if ignore_missing:
        _leave_out_missing(fetched, emit)
    else:
        _check_all_found(fetched, sources)
    flattened = await gather(
        _flatten(registries[source.reference.registry], source, manifest)
        for source in sources
        if isinstance(manifest := fetched[source.reference], Manifest)
    )
    return tuple(component for components in flattened for component in components)


async def _fetch(registries: Registries, reference: Reference, emit: OnEvent) -> Manifest:
    manifest = await ManifestClient(registries[reference.registry]).get(reference)
    emit(StageAdvanced("manifests", str(reference)))
    return manifest


def _check_all_found(
    fetched: Mapping[Reference, Manifest | OciMergeError], sources: Sequence[Source]
) -> None:
    """Raise the error of a source that failed; missing sources are named all at once.

    Raises:
        MissingComponentError: one or more sources do not exist.
        OciMergeError: a source could not be read for another reason.
    """
    missing = []
    for reference, outcome in fetched.items():
        if isinstance(outcome, NotFoundError):
            missing.append((reference, outcome))
        elif isinstance(outcome, OciMergeError):
            raise outcome
    if not missing:
        return
    references = [reference for reference, _ in missing]
    _, first = missing[0]
    hint = spelling_hint([each for each in sources if each.reference in references]) or first.hint
    if len(missing) == 1:
        raise MissingComponentError(first.message, hint=hint) from first
    raise MissingComponentError(
        f"{listed([str(reference) for reference in references])} were not found "
        f"on {references[0].registry}",
        hint=hint,
    )


def _leave_out_missing(
    fetched: Mapping[Reference, Manifest | OciMergeError], emit: OnEvent
) -> None:
    """Warn of sources that are left out (``--ignore-missing``).

    Raises:
        MissingComponentError: no source exists.
        OciMergeError: a source could not be read for another reason than that it is missing.
    """
    # 5xx, 429 and broken connections do not mean "missing": leaving an image out because of them
    # would publish an index that silently lacks a platform.
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
            f"none of the images exists: {listed(names)}",
            hint="check their names and tags, and whether the build jobs pushed them",
        )


async def _flatten(
    registry: RegistryClient, source: Source, manifest: Manifest
) -> tuple[Component, ...]:
    """Return a source's components: the image itself, or the selected entries of its index."""
    if not isinstance(manifest.document, ImageIndex):
        return (Component(source, manifest),)
    components = await _IndexReader(registry, source).read(manifest.document)
    if not components:
        raise ManifestError(
            f"{source.reference} is an index that lists no image",
            hint="push the image again, or leave it out",
        )
    return select(source, components)


@dataclass(slots=True)
class _IndexReader:
    """Reads the images of one source that is an index, indexes within it included.

    Attributes:
        registry: the source's registry.
        source: the source.
        entries: how many entries the indexes read so far have together.
    """

    registry: RegistryClient
    source: Source
    entries: int = 0

    async def read(self, index: ImageIndex, depth: int = 1) -> list[Component]:
        """Fetch the manifests that an index lists, side by side.

        Raises:
            ManifestError: the indexes are nested too deeply, or have too many entries.
            RegistryError, TransportError: a manifest or config could not be read.
        """
        self.entries += len(index.manifests)
        if depth > _MAX_DEPTH or self.entries > _MAX_ENTRIES:
            raise ManifestError(
                f"{self.source.reference} is an index with more than {_MAX_ENTRIES} entries "
                f"or {_MAX_DEPTH} levels",
                hint="name its images one by one, with --source",
            )
        found = await gather(self._read_entry(descriptor, depth) for descriptor in index.manifests)
        return [component for components in found for component in components]

    async def _read_entry(self, descriptor: Descriptor, depth: int) -> list[Component]:
        at = self.source.reference
        manifest = await ManifestClient(self.registry).get(
            Reference(at.registry, at.repository, digest=descriptor.digest)
        )
        if isinstance(manifest.document, ImageIndex):
            return await self.read(manifest.document, depth + 1)
        platform = descriptor.platform
        declared = platform.to_platform() if platform else Platform("", "")
        component = Component(self.source, manifest, descriptor, declared)
        # The config is read at once, since the platform decides whether this image is selected.
        if not declared.is_known and not component.is_attestation:
            declared = await read_config(
                self.registry, Component(self.source, manifest, descriptor)
            )
        return [Component(self.source, manifest, descriptor, declared)]
