"""Reads manifests within the limits of a run, each once.

An index is untrusted: without limits, a small one could ask for gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from oci_merge._concurrency import SingleFlight
from oci_merge.errors import ManifestError
from oci_merge.model import media_types
from oci_merge.model.manifest import MAX_DOCUMENT, Descriptor, ImageIndex, Manifest
from oci_merge.model.reference import Reference
from oci_merge.registry.client import Registries
from oci_merge.registry.manifests import ManifestClient

#: How many entries an index may have, those of indexes within it included.
MAX_ENTRIES = 1000
#: Limits for a run: bytes of manifests, and blobs that they name. A usual manifest has 2 KiB.
_MAX_BYTES = 32 * 1024 * 1024
_MAX_BLOBS = 10_000
#: An index counts as so many times its bytes, since its entries stay in memory with what they say.
_INDEX_WEIGHT = 8
#: How large a manifest may be whose descriptor says less. Only what is larger has to be announced,
#: so that wrong sizes of usual manifests do no harm.
_UNANNOUNCED = 64 * 1024


@dataclass(slots=True)
class ManifestReader:
    """Reads manifests by digest or tag, and keeps them for the run.

    Attributes:
        registries: the registries, by ``host[:port]``.
        bytes_left: how many bytes of manifests may still be read.
        blobs_left: how many blobs they may still name.
    """

    registries: Registries
    bytes_left: int = _MAX_BYTES
    blobs_left: int = _MAX_BLOBS
    _read: dict[Reference, Manifest] = field(default_factory=dict)
    _flights: SingleFlight[Reference, Manifest] = field(default_factory=SingleFlight)

    async def get(self, reference: Reference) -> Manifest:
        """Fetch a manifest that the user named; it is called once for each.

        Raises:
            ManifestError: it, or it together with those read before, is too large.
            RegistryError, TransportError: it could not be read.
        """
        # Not by a flight, whose task would start a turn of the event loop later: the requests for
        # the images go ahead of those for the target, whose failure need not end the run.
        self._read[reference] = await self._fetch(reference, MAX_DOCUMENT, 0)
        return self._read[reference]

    async def get_listed(self, index: Reference, descriptor: Descriptor) -> Manifest:
        """Fetch a manifest that an index lists; ``reserve`` was called with its descriptor.

        Args:
            index: where the index is.
            descriptor: the entry.

        Raises:
            ManifestError, RegistryError, TransportError: as ``get`` does.
        """
        reference = listed_at(index, descriptor)
        limit = min(MAX_DOCUMENT, max(descriptor.size, _UNANNOUNCED))
        return await self._get(reference, limit, announced=_cost(descriptor))

    def reserve(self, index: Reference, descriptors: Iterable[Descriptor]) -> None:
        """Refuse entries of an index that are too large together, before any of them is fetched.

        Raises:
            ManifestError: they are too large.
        """
        sizes = {
            descriptor.digest: _cost(descriptor)
            for descriptor in descriptors
            if listed_at(index, descriptor) not in self._read
        }
        self._take(sum(sizes.values()), 0, index)

    async def _get(self, reference: Reference, limit: int, *, announced: int) -> Manifest:
        if reference not in self._read:
            self._read[reference] = await self._flights.run(
                reference, lambda: self._fetch(reference, limit, announced)
            )
        return self._read[reference]

    async def _fetch(self, reference: Reference, limit: int, announced: int) -> Manifest:
        client = ManifestClient(self.registries[reference.registry])
        manifest = await client.get(reference, limit=limit)
        self.count(reference, manifest, announced=announced)
        return manifest

    def count(self, reference: Reference, manifest: Manifest, *, announced: int = 0) -> None:
        """Count a manifest that was read towards the limits of the run.

        Args:
            reference: where it is.
            manifest: the manifest.
            announced: what ``reserve`` has counted for it already.

        Raises:
            ManifestError: it, together with those read before, is too large.
        """
        if isinstance(manifest.document, ImageIndex):
            self._take(max(0, manifest.size * _INDEX_WEIGHT - announced), 0, reference)
        else:
            blobs = 1 + len(manifest.document.layers)
            self._take(max(0, manifest.size - announced), blobs, reference)

    def _take(self, count: int, blobs: int, what: Reference) -> None:
        self.bytes_left -= count
        self.blobs_left -= blobs
        if self.bytes_left < 0:
            raise ManifestError(
                f"with {what} the manifests to read have more than "
                f"{_MAX_BYTES // 2**20} MiB together",
                hint="ask for the platforms that you need, or join fewer images at once",
            )
        if self.blobs_left < 0:
            raise ManifestError(
                f"with {what} the images name more than {_MAX_BLOBS} blobs together",
                hint="ask for the platforms that you need, or join fewer images at once",
            )


def _cost(descriptor: Descriptor) -> int:
    is_index = descriptor.media_type in media_types.INDEXES
    return descriptor.size * (_INDEX_WEIGHT if is_index else 1)


def listed_at(index: Reference, descriptor: Descriptor) -> Reference:
    """Return where an entry of an index is: in the index's own repository, by digest."""
    return Reference(index.registry, index.repository, digest=descriptor.digest)
