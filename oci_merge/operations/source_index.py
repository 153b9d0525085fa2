"""Reads one source: a single image, or the entries of its index that are wanted.

OCI distribution spec, "Pulling manifests"; OCI image spec, "Image Index".
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from oci_merge._concurrency import gather
from oci_merge._text import printable
from oci_merge.errors import ManifestError, NotFoundError, UnsupportedMediaTypeError
from oci_merge.events import OnEvent, Warned
from oci_merge.model import media_types
from oci_merge.model.manifest import (
    Descriptor,
    ImageIndex,
    ImageManifest,
    Manifest,
    parse_config,
)
from oci_merge.model.platform import Platform, fill_gaps
from oci_merge.operations.manifest_reader import MAX_ENTRIES, ManifestReader
from oci_merge.operations.platforms import read_image_config, read_labels
from oci_merge.planning.component import Component, Entry
from oci_merge.planning.job import Source
from oci_merge.planning.platform_selection import (
    companions_of,
    images_to_read,
    may_list,
    select,
    takes_whole,
)

#: How deep indexes may be nested. An index is untrusted; without limits a small one could ask for
#: millions of requests.
_MAX_DEPTH = 4


@dataclass(slots=True)
class SourceReader:
    """Reads the images of one source and their companions.

    ``expand``, ``read`` and ``components`` are called in this order. Nothing is fetched that is not
    needed: each manifest counts as a pull where a registry limits them.

    Attributes:
        source: the source.
        manifest: what its reference points to.
        reader: reads the manifests.
        emit: called with warnings.
        ignore_missing: leave out, with a warning, entries that are not there.
        drop_attestations: leave out attestations, which are not even fetched then.
        keep_labels: keep the labels of configs that are read here.
        entries: what its index lists, with what indexes within it list.
    """

    source: Source
    manifest: Manifest
    reader: ManifestReader
    emit: OnEvent
    ignore_missing: bool = False
    drop_attestations: bool = False
    keep_labels: bool = False
    entries: list[Entry] = field(default_factory=list)
    _images: list[Entry] = field(default_factory=list)
    _unsure: list[Entry] = field(default_factory=list)
    _components: list[Component] = field(default_factory=list)
    _count: int = 0

    async def expand(self) -> frozenset[str]:
        """Read the indexes within the index, and choose the images whose manifests are needed.

        Returns:
            The digests of these images, or of the single image.

        Raises:
            PlatformNotFoundError: the index does not list the requested platform.
            ManifestError: it lists no image, or the source is no image.
            RegistryError, TransportError: an index within the index could not be read.
        """
        if not isinstance(self.manifest.document, ImageIndex):
            refuse_attestation(self.source, self.manifest)
            self._components = [Component(self.source, self.manifest)]
            return frozenset({self.manifest.digest})
        entries = await self._expanded(self.manifest.document, Platform("", ""), 1)
        self.entries = [
            entry
            for entry in entries
            if not (self.drop_attestations and entry.descriptor.is_attestation)
        ]
        self._images, self._unsure = images_to_read(self.source, self.entries)
        return frozenset(image.digest for image in self._images)

    async def read(self, images: AbstractSet[str]) -> None:
        """Fetch the manifests of the chosen images, and of what accompanies the run's images.

        Args:
            images: the digests of the images that all sources give.

        Raises:
            NotFoundError: a manifest is not there, and missing ones are not to be left out.
            ManifestError, RegistryError, TransportError: a manifest or config could not be read.
        """
        if not self.entries:
            return
        if takes_whole(self.source, self.entries):
            wanted = self.entries
        else:
            accompanying = companions_of(images, self.entries)
            wanted = [
                entry
                for entry in self.entries
                if any(entry is other for other in (*self._images, *accompanying))
            ]
        self.reader.reserve(self.source.reference, [entry.descriptor for entry in wanted])
        read = await gather(self._read_entry(entry) for entry in wanted)
        self._components = [component for component in read if component is not None]

    def components(self, published: AbstractSet[str]) -> tuple[Component, ...]:
        """Return the components: the single image, or the selected entries of the index.

        Args:
            published: the digests of the images that the other sources give.

        Raises:
            PlatformNotFoundError, ManifestError: as ``expand`` does.
        """
        if not isinstance(self.manifest.document, ImageIndex):
            return tuple(self._components)
        return select(self.source, self._components, among=self.entries, published=published)

    async def _expanded(self, index: ImageIndex, outer: Platform, depth: int) -> list[Entry]:
        """Return the entries of an index, those of indexes within it in their place."""
        entries = [_entry(descriptor, outer) for descriptor in index.manifests]
        self._check_limits(len(entries), depth)
        nested = [
            entry
            for entry in entries
            if entry.descriptor.media_type in media_types.INDEXES
            and (may_list(self.source, entry.declared) or len(entries) == 1)
        ]
        self.reader.reserve(self.source.reference, [entry.descriptor for entry in nested])
        read = await gather(self._read_nested(entry, depth) for entry in nested)
        lists = dict(zip(nested, read, strict=True))
        return [
            listed
            for entry in entries
            if entry in lists or entry.descriptor.media_type not in media_types.INDEXES
            for listed in lists.get(entry, [entry])
        ]

    def _check_limits(self, count: int, depth: int) -> None:
        self._count += count
        if depth > _MAX_DEPTH or self._count > MAX_ENTRIES:
            raise ManifestError(
                f"{self.source.reference} is an index with more than {MAX_ENTRIES} entries "
                f"or {_MAX_DEPTH} levels",
                hint="name its images one by one, with --source",
            )

    async def _read_nested(self, entry: Entry, depth: int) -> list[Entry]:
        manifest = await self._get(entry)
        if manifest is None:
            return []
        if not isinstance(manifest.document, ImageIndex):
            return [entry]
        return await self._expanded(manifest.document, entry.declared, depth + 1)

    async def _read_entry(self, entry: Entry) -> Component | None:
        """Fetch an entry's manifest, and its config where its platform is needed to choose."""
        manifest = await self._get(entry)
        if manifest is None:
            return None
        document = manifest.document
        if not isinstance(document, ImageManifest):
            raise ManifestError(
                f"{self.source.reference} lists {entry.digest} as an image, but it is an index",
                hint="push the image again",
            )
        component = Component(self.source, manifest, entry.descriptor, entry.declared)
        if not component.is_image:
            return component
        if self._is_artifact(document, entry):
            return replace(component, is_artifact=True)
        if any(entry is unsure for unsure in self._unsure):
            return await self._declared(component)
        # The config of an entry without a platform is read later, beside the mounts.
        return component if entry.declared.is_known else replace(component, declared=None)

    async def _declared(self, component: Component) -> Component:
        """Return an entry with its platform, whose gaps are filled from its config."""
        registry = self.reader.registries[self.source.reference.registry]
        content = await read_image_config(registry, component)
        found = parse_config(content, what=component.name) if content else Platform("", "")
        declared = component.declared or Platform("", "")
        return replace(
            component,
            declared=fill_gaps(declared, found) if declared.is_known else found,
            labels=read_labels(component, content) if self.keep_labels else None,
        )

    def _is_artifact(self, document: ImageManifest, entry: Entry) -> bool:
        """Say whether an entry's manifest is no image's, by its artifact type or config."""
        config_type = document.config.media_type if document.config else ""
        kind = (document.artifact_type or config_type).lower()
        if not media_types.is_artifact(kind):
            return False
        # A WebAssembly module, say, is run for a platform of its own; whatever has the platform of
        # an image beside it accompanies that image.
        return not entry.declared.is_known or any(
            other.declared == entry.declared and other.digest != entry.digest and other.is_image
            for other in self.entries
        )

    async def _get(self, entry: Entry) -> Manifest | None:
        """Fetch an entry's manifest; None where it is missing and is to be left out.

        Raises:
            NotFoundError: it is missing. An index without an image or an attestation that its
                author listed would be a wrong one, so it is left out only on request.
        """
        index = self.source.reference
        try:
            return await self.reader.get_listed(index, entry.descriptor)
        except NotFoundError as error:
            what = printable(entry.kind)
            if entry.about:
                what = f"the {what} of {printable(entry.about)}"
            message = f"{index} lists {what}, but {error.message}"
            if self.ignore_missing:
                self.emit(Warned(f"{message}; it is left out"))
                return None
            raise NotFoundError(
                message,
                status=error.status,
                method=error.method,
                url=error.url,
                details=error.details,
                hint="push the image again, or name the images that are there by their digests",
            ) from error


def refuse_attestation(source: Source, manifest: Manifest) -> None:
    """Refuse an attestation that is named as if it was an image.

    Raises:
        UnsupportedMediaTypeError: it is an attestation.
    """
    document = manifest.document
    if not isinstance(document, ImageManifest):
        return
    statements = [media_types.is_statement(layer.media_type) for layer in document.layers]
    is_typed = document.artifact_type == media_types.ATTESTATION_ARTIFACT
    if is_typed or (statements and all(statements)):
        raise UnsupportedMediaTypeError(
            f"{source.reference} is an attestation (provenance or SBOM) and no image",
            hint="name the image, by its tag or the index that lists both: its attestations come "
            "with it",
        )


def _entry(descriptor: Descriptor, outer: Platform) -> Entry:
    platform = descriptor.platform.to_platform() if descriptor.platform else Platform("", "")
    # Of companions the platform says nothing, so that they need none.
    takes_own = platform.is_known or descriptor.is_companion
    return Entry(descriptor, platform if takes_own else outer)
