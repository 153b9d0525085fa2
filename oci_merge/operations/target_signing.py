"""Signs what a merge writes to one target, each step while something else is done there.

After authentication a merge takes four steps: manifests; configs and mounts; children; tags. To
sign takes two more before the tags: the index by its digest, then the signatures. All that these
need is read and uploaded beside the second and the third step.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from oci_merge._concurrency import gather, gather_settled, gather_two
from oci_merge.errors import ManifestError, OciMergeError, SigningError
from oci_merge.events import OnEvent, Warned
from oci_merge.model import media_types
from oci_merge.model.index import IndexDocument
from oci_merge.model.manifest import Descriptor, ImageIndex, Manifest, parse_manifest
from oci_merge.model.reference import Reference
from oci_merge.operations.attach_provenance import ProvenanceAttacher
from oci_merge.operations.keys import Trust
from oci_merge.operations.manifest_reader import MAX_ENTRIES, ManifestReader
from oci_merge.operations.sign import RepositorySigner
from oci_merge.operations.stored_signatures import open_repository
from oci_merge.operations.target_state import TargetState
from oci_merge.planning.component import Component
from oci_merge.planning.signing import SignatureResult, SignWish
from oci_merge.registry.client import RegistryClient
from oci_merge.trust.formats import Signed
from oci_merge.trust.provenance import ProvenanceSource

#: How deep indexes within an index are signed.
_MAX_DEPTH = 4

_T = TypeVar("_T")


class TargetSigning:
    """Signs what is written to one target. Its methods are called in their order here.

    Args:
        registry: the target's registry.
        target: the target.
        trust: the key to sign with; without one only a provenance is attached.
        wish: how to sign; None where only a provenance is attached.
        provenance: whether one is attached.
        may_leave: whether uploads may go to another host, if the registry says so.
        emit: called with warnings, and once everything is signed.
    """

    def __init__(
        self,
        registry: RegistryClient,
        target: Reference,
        trust: Trust,
        wish: SignWish | None,
        emit: OnEvent,
        *,
        provenance: bool = False,
        may_leave: bool = False,
    ) -> None:
        self._emit = emit
        self._is_complete = False
        signer = trust.signer
        self._registry = registry
        self._target = target
        self._index_only = wish.index_only if wish else True
        # One for both, so that the empty config of all bundles is uploaded once.
        self._at = open_repository(registry, target.repository, may_leave=may_leave)
        self._signer = (
            RepositorySigner(self._at, signer, wish.formats, lambda message: emit(Warned(message)))
            if wish and signer
            else None
        )
        self._provenance = ProvenanceAttacher(self._at, signer, trust.job) if provenance else None

    async def prepare_children(self, components: Sequence[Component], state: TargetState) -> None:
        """Make signatures of what the index will list, while that is brought.

        Args:
            components: what it will list.
            state: what the target holds.

        Raises:
            SigningError, RegistryError, TransportError: as ``RepositorySigner.prepare`` does.
        """
        if not self._signer:
            return
        signed = {
            one.digest: Signed(one.manifest.media_type, one.digest, one.manifest.size)
            for one in components
        }
        fresh = [each for digest, each in signed.items() if digest not in state.children]
        if fresh or not state.children:
            # Where a child is new, so is the index: its uploads can be opened before it is known.
            self._signer.open_ahead(1 + (0 if self._index_only else len(fresh)))
        if self._index_only:
            return
        known = [each for digest, each in signed.items() if digest in state.children]
        await gather_two(
            self._signer.prepare(fresh, is_new=True), self._signer.prepare(known, is_new=False)
        )

    async def prepare_index(self, index: IndexDocument, state: TargetState) -> None:
        """Make signatures of the index, while what it lists is brought.

        Args:
            index: the index.
            state: what the target holds.

        Raises:
            SigningError, RegistryError, TransportError: as ``RepositorySigner.prepare`` does.
        """
        if self._signer:
            is_new = index.digest not in state.tags.values()
            await self._signer.prepare([_signed(index)], is_new=is_new)

    async def complete(
        self,
        index: IndexDocument,
        put_index: Callable[[], Coroutine[Any, Any, object]] | None,
        sources: Sequence[ProvenanceSource] = (),
    ) -> None:
        """Put the index by its digest, then the signatures of all of it.

        Args:
            index: the index.
            put_index: puts it by its digest; None where it is there.
            sources: what it is made of.

        Raises:
            SigningError: the registry keeps no signature of a manifest.
            ManifestError, RegistryError, TransportError: the registry refused, or did not answer.
        """
        if self._signer:
            await self._signer.prepare(await self._manifests(index))
        steps: list[Coroutine[Any, Any, object]] = [put_index()] if put_index else []
        if self._signer:
            steps.append(self._signer.put_unseen())
        if self._provenance:
            steps.append(self._state(self._provenance, index, sources))
        await gather(steps)
        if self._signer:
            await self._signer.store()
            if self._signer.needs_confirmation:
                await self._signer.confirm(must_see=True)
            self._emit(self._signer.summary())
        # Not beside the signatures: both may be in one list, which is looked at once it is written.
        if self._provenance:
            await self._provenance.store()
        self._is_complete = True

    async def _state(
        self,
        provenance: ProvenanceAttacher,
        index: IndexDocument,
        sources: Sequence[ProvenanceSource],
    ) -> None:
        """Make the provenance, to be listed together with the signature of the index."""
        statement = await provenance.prepare(index, sources)
        if self._signer:
            self._signer.list_with(statement)

    async def confirm(self) -> None:
        """Look whether other writers have taken signatures away meanwhile.

        Raises:
            SigningError, RegistryError, TransportError: as ``RepositorySigner.confirm`` does.
        """
        if self._signer and self._is_complete:
            await self._signer.confirm()

    async def close(self) -> None:
        """End the uploads that are open."""
        await self._at.uploads.close()

    def results(self, index: IndexDocument) -> tuple[SignatureResult, ...]:
        """Return what became of the signatures, the index's first; none where none was stored."""
        if not self._signer or not self._is_complete:
            return ()
        digests = [index.digest, *(entry.digest for entry in self._entries(index))]
        return self._signer.results(digests)

    async def _manifests(self, index: IndexDocument) -> list[Signed]:
        """Return what is to be signed: the index, and everything that it lists."""
        if self._index_only:
            return [_signed(index)]
        reader = ManifestReader({self._registry.name: self._registry})
        at = Reference(self._target.registry, self._target.repository, digest=index.digest)
        return [_signed(index), *await listed_manifests(reader, at, self._entries(index))]

    def _entries(self, index: IndexDocument) -> Sequence[Descriptor]:
        manifest = parse_manifest(
            index.content,
            content_type=index.media_type,
            digest=index.digest,
            what=str(self._target),
        )
        assert isinstance(manifest.document, ImageIndex)
        return manifest.document.manifests


async def listed_manifests(
    reader: ManifestReader, at: Reference, entries: Iterable[Descriptor]
) -> list[Signed]:
    """Return what an index lists, with what indexes among that list, each once.

    Args:
        reader: reads these indexes.
        at: the index.
        entries: what it lists.

    Raises:
        ManifestError: there are too many, or indexes stand too deep in each other.
        RegistryError, TransportError: an index within it cannot be read.
    """
    found: dict[str, Signed] = {}
    level = list(entries)
    for _ in range(_MAX_DEPTH + 1):
        fresh = {each.digest: each for each in level if each.digest not in found}
        found |= {key: Signed(each.media_type, key, each.size) for key, each in fresh.items()}
        if len(found) > MAX_ENTRIES:
            raise ManifestError(
                f"{at} lists more than {MAX_ENTRIES} manifests, with those of indexes within it",
                hint="sign the index alone: --sign-index-only",
            )
        nested = [each for each in fresh.values() if each.media_type in media_types.INDEXES]
        if not nested:
            return list(found.values())
        reader.reserve(at, nested)
        manifests: list[Manifest] = await gather(reader.get_listed(at, each) for each in nested)
        level = [
            entry
            for manifest in manifests
            if isinstance(manifest.document, ImageIndex)
            for entry in manifest.document.manifests
        ]
    raise ManifestError(
        f"{at} has indexes that stand more than {_MAX_DEPTH} deep in each other",
        hint="sign the index alone: --sign-index-only",
    )


async def confirmed(
    publishing: Coroutine[Any, Any, _T], signings: Sequence[TargetSigning | None]
) -> _T:
    """Move the tags, and look beside that whether the signatures are still there.

    A writer that takes them away does so whether a tag has moved or not, so the look costs no step.

    Args:
        publishing: moves the tags.
        signings: those of the targets.

    Raises:
        OciMergeError: tags could not be moved, or a signature did not stay.
    """

    async def look() -> None:
        await gather(each.confirm() for each in signings if each)

    outcomes: list[Any] = await gather_settled([publishing, look()])
    moved, looked = outcomes
    if isinstance(moved, OciMergeError):
        raise moved
    if isinstance(looked, OciMergeError):
        raise SigningError(
            f"the tags point to the new index, but its signatures did not stay: {looked.message}",
            hint="run the same command again, when no other job signs the same image",
        ) from looked
    result: _T = moved
    return result


def _signed(index: IndexDocument) -> Signed:
    return Signed(index.media_type, index.digest, index.size)
