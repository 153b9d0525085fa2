"""Reads manifests and configs: from sources to components with platforms.

OCI distribution spec, "Pulling manifests", "Pulling blobs" and "Checking if content exists".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from oci_merge._concurrency import gather, gather_settled
from oci_merge._frozen import frozen
from oci_merge._text import listed
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    MissingComponentError,
    NotFoundError,
    OciMergeError,
    ServerError,
)
from oci_merge.events import OnEvent, StageAdvanced, StageStarted, Warned
from oci_merge.model.manifest import ImageIndex, Manifest
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import ManifestReader
from oci_merge.operations.source_index import SourceReader
from oci_merge.planning.component import Component
from oci_merge.planning.job import Candidate, Source, missing_hint
from oci_merge.registry.client import Registries
from oci_merge.registry.manifests import ManifestClient


@frozen
class Components:
    """What the sources hold.

    Attributes:
        listed: the images and their companions, in the order of the sources.
        indexes: the annotations of each source that is an index, by its digest.
        digests: the digest of what each source's reference points to.
    """

    listed: tuple[Component, ...]
    indexes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    digests: Mapping[Reference, str] = field(default_factory=dict)

    @property
    def annotations(self) -> tuple[Mapping[str, str], ...]:
        """The annotations of each source that is an index."""
        return tuple(self.indexes.values())


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
        _look_for(registries, candidate.reference, emit) for candidate in candidates
    )
    found, denied = [], []
    for candidate, outcome in zip(candidates, outcomes, strict=True):
        if isinstance(outcome, AuthenticationError | AccessDeniedError):
            denied.append((candidate, outcome))
        elif isinstance(outcome, str):
            found.append(candidate)
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


async def _look_for(registries: Registries, reference: Reference, emit: OnEvent) -> str:
    """Return the digest of a candidate; an answer counts as progress, whatever it is."""
    answered = StageAdvanced("probe", str(reference))
    client = ManifestClient(registries[reference.registry])
    try:
        digest = await client.head(reference, may_be_missing=True)
    except OciMergeError:
        emit(answered)
        raise
    emit(answered)
    return digest


async def fetch_components(
    registries: Registries,
    sources: Sequence[Source],
    emit: OnEvent,
    *,
    ignore_missing: bool = False,
    wait: float = 0,
    drop_attestations: bool = False,
    keep_labels: bool = False,
) -> Components:
    """Fetch the manifests of all sources side by side, and flatten indexes to their images.

    Args:
        registries: the registries of the sources, by ``host[:port]``.
        sources: the images to join.
        emit: called with progress events and warnings.
        ignore_missing: leave out, with a warning, sources that do not exist; also sources that the
            credentials may not read, if they may read another one.
        wait: for how many seconds to wait for images that are not there yet.
        drop_attestations: leave out the attestations that source indexes list.
        keep_labels: keep the labels of configs that are read here.

    Returns:
        The images and their companions, in the order of the sources.

    Raises:
        MissingComponentError: sources do not exist; the message names all of them.
        PlatformNotFoundError: an index does not list the requested platform.
        ManifestError, RegistryError, TransportError: a source could not be read.
    """
    # Two sources may be one index with two platforms: it is fetched once.
    references = list(dict.fromkeys(source.reference for source in sources))
    emit(StageStarted("manifests", len(references)))
    reader = ManifestReader(registries)
    fetched = await _fetch_all(reader, references, emit)
    if wait and (missing := _required(fetched, sources)):
        from oci_merge.operations.wait import wait_for_images  # few runs wait

        await wait_for_images(registries, missing, wait, emit)
        # What is optional may have come meanwhile, too.
        again = [each for each in references if isinstance(fetched[each], NotFoundError)]
        fetched |= await _fetch_all(reader, again, emit)
    if ignore_missing:
        _leave_out_missing(fetched, emit)
    else:
        _check_all_found(fetched, sources, emit)
    return await _components(
        [
            SourceReader(
                source,
                manifest,
                reader,
                emit,
                ignore_missing=ignore_missing,
                drop_attestations=drop_attestations,
                keep_labels=keep_labels,
            )
            for source in sources
            if isinstance(manifest := fetched[source.reference], Manifest)
        ]
    )


async def _fetch_all(
    reader: ManifestReader, references: Sequence[Reference], emit: OnEvent
) -> dict[Reference, Manifest | OciMergeError]:
    outcomes = await gather_settled(_fetch(reader, reference, emit) for reference in references)
    return dict(zip(references, outcomes, strict=True))


def _required(
    fetched: Mapping[Reference, Manifest | OciMergeError], sources: Sequence[Source]
) -> list[Reference]:
    """Return the missing images that have to be there; none if another one could not be read."""
    failed = [each for each in fetched.values() if isinstance(each, OciMergeError)]
    if not all(isinstance(failure, NotFoundError) for failure in failed):
        return []
    needed = {source.reference for source in sources if not source.is_optional}
    return [
        reference
        for reference, outcome in fetched.items()
        if isinstance(outcome, NotFoundError) and reference in needed
    ]


async def _fetch(reader: ManifestReader, reference: Reference, emit: OnEvent) -> Manifest:
    manifest = await reader.get(reference)
    emit(StageAdvanced("manifests", str(reference)))
    return manifest


async def _components(readers: Sequence[SourceReader]) -> Components:
    """Return the components of all sources; a companion follows its image into any of them."""
    images: frozenset[str] = frozenset().union(*await gather(one.expand() for one in readers))
    await gather(one.read(images) for one in readers)
    # Only now is it known of every image whether it is of the requested platform.
    published = frozenset(
        component.digest
        for one in readers
        for component in one.components(frozenset())
        if component.is_image
    )
    indexes = {
        one.manifest.digest: one.manifest.document.annotations
        for one in readers
        if isinstance(one.manifest.document, ImageIndex)
    }
    return Components(
        tuple(component for one in readers for component in one.components(published)),
        indexes,
        {one.source.reference: one.manifest.digest for one in readers},
    )


def _check_all_found(
    fetched: Mapping[Reference, Manifest | OciMergeError],
    sources: Sequence[Source],
    emit: OnEvent,
) -> None:
    """Raise the error of a source that failed; missing sources are named all at once.

    Optional sources that do not exist are left out, with a warning.

    Raises:
        MissingComponentError: one or more sources do not exist.
        OciMergeError: a source could not be read for another reason.
    """
    for reference, outcome in fetched.items():
        if isinstance(outcome, OciMergeError) and not isinstance(outcome, NotFoundError):
            if isinstance(outcome, ServerError) and reference.digest:
                # What distribution answers where a digest is a config's, and no manifest's.
                asked = [source for source in sources if source.reference == reference]
                outcome.hint = f"{outcome.hint}; {missing_hint(asked)}"
            raise outcome
    missing = _required(fetched, sources)
    if missing:
        raise _missing_error(missing, fetched, sources)
    for source in sources:
        if isinstance(fetched[source.reference], NotFoundError):
            emit(
                Warned(
                    f"{source.platform} is left out: it is optional, and {source.reference} "
                    "is not there"
                )
            )


def _missing_error(
    missing: Sequence[Reference],
    fetched: Mapping[Reference, Manifest | OciMergeError],
    sources: Sequence[Source],
) -> MissingComponentError:
    first = fetched[missing[0]]
    assert isinstance(first, NotFoundError)
    hint = missing_hint([each for each in sources if each.reference in missing]) or first.hint
    names = [str(reference) for reference in missing]
    if len(missing) == 1:
        error = MissingComponentError(first.message, missing=names, hint=hint)
        error.__cause__ = first
        return error
    return MissingComponentError(
        f"{listed(names)} were not found on {missing[0].registry}", missing=names, hint=hint
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
            missing=names,
            hint="check their names and tags, and whether the build jobs pushed them",
        )
