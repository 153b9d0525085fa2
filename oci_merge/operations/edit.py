"""Changes an index under its tag: takes platforms out of it, or annotates it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from oci_merge.errors import ManifestError
from oci_merge.events import Event, OnEvent, StageAdvanced, StageStarted, TagMoved, Warned
from oci_merge.model.index import IndexDocument
from oci_merge.model.manifest import ImageIndex, Manifest
from oci_merge.model.reference import Reference
from oci_merge.operations.present_index import (
    attempts,
    check_there,
    read_present,
    settle,
    tag_digest,
)
from oci_merge.planning.edit import Edited, PresentIndex, listed_platforms
from oci_merge.planning.plan import Plan
from oci_merge.planning.result import MergeResult, TagResult, TargetResult
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.verified_put import put_manifest

if TYPE_CHECKING:
    from oci_merge.operations.keys import Trust
    from oci_merge.planning.signing import SignatureResult, SignWish

#: A change: called with the index, and whether it was tried before.
Change = Callable[[PresentIndex, bool], Edited]


class Edit:
    """One change of an index, from what stands under a tag to what is put there.

    Args:
        at: the tag.
        change: the change. Applied to an index that has it already, it gives the same index.
        on_event: called with progress events and warnings.
        wish: how to sign the index that is put; None for no signature.
        trust: the key for that.
    """

    def __init__(
        self,
        at: Reference,
        change: Change,
        on_event: OnEvent,
        wish: SignWish | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._at = at
        self._change = change
        self._on_event = on_event
        self._warnings: list[str] = []
        self._wish = wish
        self._trust = trust
        self._signatures: tuple[SignatureResult, ...] = ()

    async def run(self, registry: RegistryClient, *, dry_run: bool) -> MergeResult:
        """Read the index, change it and, unless this is a dry run, put it under its tag.

        Args:
            registry: the registry.
            dry_run: write nothing.

        Returns:
            What stands under the tag then, or would.

        Raises:
            ManifestError: it is no index, or lists what the registry does not have.
            PlanError: the change cannot be made.
            TagChangedError: others moved the tag each time that this was tried.
            SigningError: the registry keeps no signature; the tag was not put.
            CredentialError, RegistryError, TransportError: the registry could not be read or
                written.
        """
        at, has_written = self._at, False
        async for attempt in attempts(registry, [at]):
            manifest = await self._read(registry)
            present = await read_present(registry, at, manifest)
            edited = self._change(present, attempt > 0)
            index = edited.index
            # Where another writer came after this one, its index may hold the change, too.
            if index.digest == manifest.digest:
                await self._sign(registry, index, dry_run=dry_run, is_there=True)
                if not has_written:
                    self._on_event(TagMoved(str(at.tag), False, str(at)))
                return self._result(edited, manifest.digest, dry_run, changed=has_written)
            await check_there(registry, at, edited.kept)
            if dry_run:
                return self._result(edited, manifest.digest, dry_run, changed=True)
            # All of it comes before the look, from which the put must not be far.
            await self._sign(registry, index, dry_run=dry_run, is_there=False)
            if index.subject:
                from oci_merge.operations.referrers import put_index_with_subject  # few have one

                await put_index_with_subject(registry, at.repository, index)
            if await tag_digest(registry, at) != manifest.digest:
                continue
            self._on_event(StageStarted("tags", 1))
            await put_manifest(registry, at, index.media_type, index.content)
            has_written = True
            self._on_event(StageAdvanced("tags", str(at.tag)))
            self._on_event(TagMoved(str(at.tag), True, str(at)))
            await settle(registry)
            if await tag_digest(registry, at) == index.digest:
                return self._result(edited, manifest.digest, dry_run, changed=True)
        raise AssertionError("the attempts end with an error")

    async def _sign(
        self, registry: RegistryClient, index: IndexDocument, *, dry_run: bool, is_there: bool
    ) -> None:
        """Sign the index with all that it lists, if that is asked for, before the tag is put."""
        if not self._wish or not self._trust or dry_run:
            return
        from oci_merge.operations.target_signing import TargetSigning  # few changes are signed

        at = Reference(self._at.registry, self._at.repository, digest=index.digest)
        put = partial(put_manifest, registry, at, index.media_type, index.content)
        signing = TargetSigning(registry, self._at, self._trust, self._wish, self._emit)
        try:
            await signing.complete(index, None if is_there else put)
            await signing.confirm()
            self._signatures = signing.results(index)
        finally:
            await signing.close()

    async def _read(self, registry: RegistryClient) -> Manifest:
        at = self._at
        manifest = await ManifestClient(registry).get(at)
        if not isinstance(manifest.document, ImageIndex):
            raise ManifestError(
                f"{at} is a single image and no index",
                hint=f"make it one first: oci-merge --source {at} --target {at}",
            )
        return manifest

    def warn(self, message: str) -> None:
        """Emit a warning; it is part of the result, too."""
        self._emit(Warned(message))

    def _emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._warnings.append(event.message)
        self._on_event(event)

    def _result(self, edited: Edited, before: str, dry_run: bool, *, changed: bool) -> MergeResult:
        tag, index = str(self._at.tag), edited.index
        plan = Plan(
            target=self._at,
            index=index,
            tags=(tag,),
            unchanged=frozenset() if changed else frozenset({tag}),
            stays=tuple(dict.fromkeys(entry.digest for entry in edited.kept)),
            standing={tag: before},
        )
        return MergeResult(
            targets=(TargetResult(str(self._at), (TagResult(tag, changed),), plan),),
            digest=index.digest,
            size=index.size,
            media_type=index.media_type,
            platforms=listed_platforms(edited.entries, str(self._at)),
            warnings=tuple(self._warnings),
            dry_run=dry_run,
            signatures=self._signatures,
        )
