"""Checks what has to hold before a tag moves, and looks at the tag again when it does.

OCI distribution spec, "Pulling manifests". It has no way to move a tag only if that stands where it
stood: the time between a look and the move can be made short, and not taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from oci_merge._concurrency import gather
from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.errors import (
    ManifestError,
    NotComparableError,
    NotFoundError,
    OciMergeError,
    PlatformLossError,
)
from oci_merge.model.index import IndexDocument
from oci_merge.model.labels import ImageLabels, parse_labels
from oci_merge.model.manifest import (
    Descriptor,
    ImageIndex,
    ImageManifest,
    Manifest,
    parse_config,
)
from oci_merge.model.media_types import INDEXES
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.operations.destination import Destination
from oci_merge.operations.kept_images import read_kept_images
from oci_merge.operations.manifest_reader import MAX_ENTRIES, ManifestReader, listed_at
from oci_merge.operations.platforms import image_config
from oci_merge.planning.age import Described, compare
from oci_merge.planning.component import Component
from oci_merge.planning.guards import (
    check_required,
    check_same,
    image_platforms,
    loss,
    lost_platforms,
    parsed_index,
)
from oci_merge.planning.job import Safety
from oci_merge.registry.client import Registries, RegistryClient
from oci_merge.registry.manifests import ManifestClient

#: How deep the index of a tag may be nested.
_MAX_DEPTH = 4
#: How often a tag is put that others move at the same time.
_ATTEMPTS = 3


async def check_guards(
    registries: Registries,
    safety: Safety,
    destinations: Sequence[Destination],
    images: Sequence[tuple[Component, Platform]],
    index: IndexDocument,
    *,
    append: bool = False,
) -> None:
    """Check that a job may go on, and which tags stay where they are.

    Args:
        registries: the registries of the targets, by ``host[:port]``.
        safety: what has to hold.
        destinations: the targets, which have been read; their ``kept`` tags are set.
        images: the images and their companions, each with its platform and, where ``safety`` needs
            them, its labels.
        index: the index to publish.
        append: whether it is what the target has, with the images put in the places of others.

    Raises:
        RequiredPlatformError: the index lacks a platform that it must have.
        LabelMismatchError: the images do not agree on a label.
        PlatformLossError: a tag would lose a platform.
        NotComparableError: it is not known what a tag would lose, or what is newer.
        RegistryError, TransportError: a tag could not be read.
    """
    new, target = parsed_index(index), destinations[0].target.reference
    check_required(safety.require, image_platforms(new), target)
    is_kept_read = append and safety.require_same
    kept = await read_kept_images(registries, target, new, images) if is_kept_read else []
    check_same(safety.require_same, [*images, *kept])
    if not safety.looks_back:
        return
    labels = {one.digest: one.labels for one, _ in images if one.is_image}
    # What the present index says of itself is no word of the images that are appended to it.
    said = Described({} if append else new.annotations, [*labels.values()])
    added = [platform for one, platform in images if one.is_image] if append else None
    children = frozenset(entry.digest for entry in new.manifests)
    ours = _Ours(index.digest, image_platforms(new), said, children, added)
    await gather(
        _check_tags(registries[one.target.reference.registry], safety, one, ours)
        for one in destinations
    )


@frozen
class _Ours:
    """The new index.

    Attributes:
        digest: its digest.
        platforms: those of its images.
        said: what it says of itself.
        children: the digests that it lists.
        added: the platforms of the images that are appended; None if the index is not appended to.
    """

    digest: str
    platforms: Sequence[Platform]
    said: Described
    children: frozenset[str]
    added: Sequence[Platform] | None = None

    def rivals(self, present: _Present) -> Described | None:
        """Return what is said of the images whose places ours take; None where there is none."""
        if self.added is None:
            return present.said
        from oci_merge.planning.append import replaces  # most merges replace what is there

        replaced = [
            labels
            for platform, labels in present.images
            if any(replaces(new, platform) for new in self.added)
        ]
        return Described({}, [labels for labels in replaced if labels]) if replaced else None


@frozen
class _Present:
    """What a tag points to.

    Attributes:
        platforms: those of its images.
        said: what it says of itself.
        images: its images, each with what its config says.
    """

    platforms: Sequence[Platform]
    said: Described
    images: Sequence[tuple[Platform, ImageLabels | None]]


async def _check_tags(
    registry: RegistryClient, safety: Safety, destination: Destination, ours: _Ours
) -> None:
    """Judge every tag of a target, and let its publisher look at them again."""
    state, target = destination.state, destination.target
    errors: dict[str, OciMergeError] = dict(state.unreadable)
    if state.broken:
        errors[str(target.reference.tag)] = state.broken
    if errors:
        first = next(iter(errors.values()))
        raise NotComparableError(
            f"{listed([*errors])} of {target.reference.name} could not be read: {first.message}",
            hint=_way_out(safety),
        ) from first
    guard = TagGuard(registry, target.reference, safety, ours, state.manifest)
    # Several tags often point to one index, which is read once.
    await guard.read(state.tags.get(tag, "") for tag in target.tags)
    verdicts = {tag: await guard.judge(tag, state.tags.get(tag, "")) for tag in target.tags}
    destination.kept = {tag: reason for tag, reason in verdicts.items() if reason}
    if ours.digest in state.tags.values():  # another tag than the own one may stand there already
        destination.state = replace(state, children=state.children | ours.children)
    # An append looks before each put and after it, and begins again where a tag has moved: to put
    # once more what was made of an older index would undo what another job has appended.
    destination.publisher.guard = guard if ours.added is None else None


class TagGuard:
    """Says whether the tags of a target may move to the new index.

    Args:
        registry: the target's registry.
        target: the target.
        safety: what has to hold.
        ours: the new index.
        own: what the target's own tag points to, where that is known.
    """

    def __init__(
        self,
        registry: RegistryClient,
        target: Reference,
        safety: Safety,
        ours: _Ours,
        own: Manifest | None,
    ) -> None:
        self._registry = registry
        self._target = target
        self._safety = safety
        self._ours = ours
        self._own = own
        self._reader = ManifestReader({registry.name: registry})
        self._present: dict[str, _Present] = {}
        self._judged: dict[str, str] = {}

    async def read(self, digests: Iterable[str]) -> None:
        """Read what tags point to, each digest once.

        Raises:
            NotComparableError: it cannot be read as an index or an image.
            RegistryError, TransportError: the registry refused, or did not answer.
        """
        unread = [
            digest
            for digest in dict.fromkeys(digests)
            if digest not in ("", self._ours.digest) and digest not in self._present
        ]
        found = await gather(self._read(digest) for digest in unread)
        self._present.update(zip(unread, found, strict=True))

    async def judge(self, tag: str, digest: str) -> str:
        """Return why a tag stays where it is; an empty string if it may move.

        Args:
            tag: the tag.
            digest: what it points to; empty if it does not exist.

        Raises:
            PlatformLossError: it would lose a platform.
            NotComparableError: it is not known whether it would, or which of the two is newer.
            RegistryError, TransportError: what it points to could not be read.
        """
        self._judged[tag] = digest
        if digest in ("", self._ours.digest):
            return ""
        await self.read([digest])
        present, at = self._present[digest], self._target.with_tag(tag)
        if self._safety.only_newer and (theirs := self._ours.rivals(present)):
            by, ours = self._safety.only_newer, self._ours.said
            order = compare(by, ours, theirs)
            if order.sign is None:
                raise NotComparableError(
                    f"whether the images are newer than {at} is not known: "
                    f"they say {ours.words(by)}, and what it points to says {theirs.words(by)}",
                    hint=f"label the images of each build, or leave out --only-newer {by} once",
                )
            if order.sign < 0:
                return order.reason
        if self._safety.no_shrink:
            self._check_loss(at, lost_platforms(present.platforms, self._ours.platforms))
        return ""

    async def put(self, tag: str, put: Callable[[], Awaitable[bool]]) -> tuple[bool, str]:
        """Put the index under a tag, unless that was moved to something newer meanwhile.

        The tag is looked at just before, and where only newer images may move it, some time after:
        of two runs that put at the same time, the one with the newer images sees it and puts again.

        Args:
            tag: the tag.
            put: puts the index, and returns whether that moved the tag.

        Returns:
            Whether the tag moved, and why it stays where it is; that is empty if it moved.

        Raises:
            PlatformLossError, NotComparableError, RegistryError, TransportError: as ``judge`` does,
                or ``put``.
        """
        changed = False
        clock = asyncio.get_running_loop().time
        looked = clock()
        before = await self._standing(tag)
        for _ in range(_ATTEMPTS):
            if before != self._judged[tag] and (kept := await self.judge(tag, before)):
                return False, kept
            changed = await put() or changed
            if not self._safety.only_newer:
                break
            # Another run may have looked before this put and be about to put older images: it takes
            # about as long from its look to its put as this one did.
            await self._registry.timings.sleep(
                (clock() - looked) * self._registry.timings.overtaking
            )
            looked = clock()
            before = await self._standing(tag)
            if before in ("", self._ours.digest):
                break
        else:
            if kept := await self.judge(tag, before):
                return False, kept
            raise NotComparableError(
                f"{self._target.with_tag(tag)} was put {_ATTEMPTS} times: "
                f"it stands on {printable(before)} again, which is no newer image",
                hint="another job puts older images at the same time: run the same command again",
            )
        return changed, ""

    def _check_loss(self, at: Reference, lost: Sequence[Platform]) -> None:
        if lost:
            raise PlatformLossError(
                loss(at, lost).replace(" loses ", " would lose "),
                lost=[str(platform) for platform in lost],
                hint="join images for these platforms as well, or leave out --no-shrink",
            )

    async def _standing(self, tag: str) -> str:
        """Return the digest that a tag points to now; empty if it does not exist."""
        try:
            return await ManifestClient(self._registry).head(
                self._target.with_tag(tag), may_be_missing=True
            )
        except NotFoundError:
            return ""

    async def _read(self, digest: str) -> _Present:
        reference = Reference(self._target.registry, self._target.repository, digest=digest)
        try:
            if self._own and self._own.digest == digest:
                manifest = self._own
                self._reader.count(reference, manifest)
            else:
                manifest = await self._reader.get(reference)
            images = await self._images(reference, manifest, 1)
        except (ManifestError, NotFoundError) as error:
            raise NotComparableError(
                f"{reference} could not be read: {error.message}", hint=_way_out(self._safety)
            ) from error
        document = manifest.document
        annotations = document.annotations if isinstance(document, ImageIndex) else {}
        return _Present(
            [platform for platform, _ in images if platform.is_known],
            Described(annotations, [labels for _, labels in images if labels]),
            images,
        )

    async def _images(
        self, at: Reference, manifest: Manifest, depth: int
    ) -> list[tuple[Platform, ImageLabels | None]]:
        """Return the images of an index, or the single image, each with what its config says."""
        document = manifest.document
        if isinstance(document, ImageManifest):
            return [await self._image(at, document)]
        entries = [entry for entry in document.manifests if not entry.is_companion]
        if len(entries) > MAX_ENTRIES or depth > _MAX_DEPTH:
            raise ManifestError(
                f"{at} is an index with more than {MAX_ENTRIES} entries or {_MAX_DEPTH} levels"
            )
        read = [entry for entry in entries if self._is_read(entry)]
        self._reader.reserve(at, read)
        found = await gather(self._entry(at, entry, depth) for entry in read)
        by_entry = {id(entry): images for entry, images in zip(read, found, strict=True)}
        return [
            image
            for entry in entries
            for image in by_entry.get(id(entry), [(_platform(entry), None)])
        ]

    def _is_read(self, entry: Descriptor) -> bool:
        return (
            bool(self._safety.only_newer)
            or entry.media_type in INDEXES
            or not _platform(entry).is_known
        )

    async def _entry(
        self, index: Reference, entry: Descriptor, depth: int
    ) -> list[tuple[Platform, ImageLabels | None]]:
        """Return the images of an entry; of one that a clean-up took, what the index says."""
        try:
            manifest = await self._reader.get_listed(index, entry)
            images = await self._images(listed_at(index, entry), manifest, depth + 1)
        except NotFoundError:
            return [(_platform(entry), None)]
        if entry.media_type in INDEXES or not _platform(entry).is_known:
            return images
        return [(_platform(entry), labels) for _, labels in images]

    async def _image(
        self, at: Reference, document: ImageManifest
    ) -> tuple[Platform, ImageLabels | None]:
        """Return what an image's config says; nothing where it is no container image."""
        content = await image_config(self._registry, at.repository, document, what=str(at))
        if not content:
            return Platform("", ""), None
        what = str(at)
        labels = parse_labels(content, what=what) if self._safety.only_newer else None
        return parse_config(content, what=what), labels


def _platform(entry: Descriptor) -> Platform:
    return entry.platform.to_platform() if entry.platform else Platform("", "")


def _way_out(safety: Safety) -> str:
    """Return the hint for a tag that cannot be read."""
    asked = ["--no-shrink"] if safety.no_shrink else []
    asked += [f"--only-newer {safety.only_newer}"] if safety.only_newer else []
    return (
        "look at it with oci-merge inspect; to move the tag in any case, "
        f"leave out {listed(asked)} once"
    )
