"""Reads everything that was published again, until the registry shows it.

OCI distribution spec, "Pulling manifests" and "Checking if content exists".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from oci_merge._concurrency import SingleFlight, gather
from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.errors import ManifestError, NotFoundError, VerificationError
from oci_merge.events import OnEvent, StageAdvanced, StageStarted
from oci_merge.http.deadline import Deadline
from oci_merge.http.timings import Timings
from oci_merge.model.digest import sha256_digest
from oci_merge.model.index import IndexDocument
from oci_merge.model.manifest import (
    Descriptor,
    ImageManifest,
    Manifest,
    parse_config,
    parse_manifest,
)
from oci_merge.model.platform import Platform, agrees, says_variant
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import MAX_ENTRIES, ManifestReader, listed_at
from oci_merge.operations.platforms import image_config
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import Registries, RegistryClient
from oci_merge.registry.manifests import ManifestClient

#: How many findings a message names.
_MOST_NAMED = 3
#: How deep indexes may be nested where a foreign one is verified.
_MAX_DEPTH = 4
#: Content types that do not contradict a manifest's own.
_VAGUE_TYPES = frozenset({"", "application/json", "application/octet-stream", "text/plain"})


@frozen
class Published:
    """What has to be found in one repository.

    Attributes:
        target: the repository.
        tags: the tags that have to point to the index.
        index: the index, or a single image.
        before: the digests that the tags pointed to before, where that is known.
    """

    target: Reference
    tags: tuple[str, ...]
    index: IndexDocument
    before: Mapping[str, str] = field(default_factory=dict)


@frozen
class Mismatch:
    """An image whose config says another platform than the index that lists it.

    Attributes:
        name: the image, for messages.
        digest: the digest of its manifest.
        listed: the platform of its entry.
        config: the platform of its config.
    """

    name: str
    digest: str
    listed: Platform
    config: Platform

    def __str__(self) -> str:
        return (
            f"{self.name} is listed as {printable(str(self.listed))}, "
            f"but its config says {printable(str(self.config))}"
        )


@frozen
class Absent:
    """Something that is not there, or not yet.

    Attributes:
        name: its reference.
        said: what is found in its place, to follow the name.
    """

    name: str
    said: str = "is not there"

    def __str__(self) -> str:
        return f"{self.name} {self.said}"


#: Looks for something; returns what is not there.
Check = Callable[[], Coroutine[Any, Any, list[Absent]]]


class Verifier:
    """Looks for what was published, again and again until it is all there.

    Args:
        registries: the registries, by ``host[:port]``; their connections have to be new, so that
            nothing is answered from what a run remembers.
        deadline: when the run has to be over.
        emit: called with progress events.

    Attributes:
        mismatches: the images of the wrong platform.
        blobs: the blobs that are there.
        manifests: the manifests that are there and an index lists.
    """

    def __init__(self, registries: Registries, deadline: Deadline, emit: OnEvent) -> None:
        self._registries = registries
        self._deadline = deadline
        self._emit = emit
        #: One for each repository, since a merge to many reads no more in each than it joined.
        self._readers: dict[str, ManifestReader] = {}
        self._flights: SingleFlight[tuple[str, str], bool] = SingleFlight()
        self.mismatches: list[Mismatch] = []
        self.blobs: set[tuple[str, str]] = set()
        self.manifests: set[Reference] = set()

    async def run(self, published: Sequence[Published]) -> list[Absent]:
        """Look for everything until it is there, or the time is over.

        Returns:
            What is not there in the end.

        Raises:
            ManifestError: something else is there than the digest names.
            RegistryError, TransportError: a registry could not be read.
        """
        checks = [check for one in published for check in self._checks(one)]
        self._emit(StageStarted("verify", len(checks)))
        timings = self._registries[published[0].target.registry].timings
        return await until_there(checks, timings, self._deadline)

    def _checks(self, one: Published) -> list[Check]:
        at = replace(one.target, tag=None, digest=one.index.digest)
        manifest = parse_manifest(
            one.index.content,
            content_type=one.index.media_type,
            digest=one.index.digest,
            what=str(at),
        )
        return [
            *(self._counted(_TagCheck(self._registries, one, tag)) for tag in one.tags),
            *self._parts(at, manifest, None, 1),
        ]

    def _parts(
        self, at: Reference, manifest: Manifest, entry: Descriptor | None, depth: int
    ) -> list[Check]:
        """Return the checks of what a manifest names.

        Raises:
            ManifestError: there is too much of it.
        """
        if isinstance(manifest.document, ImageManifest):
            return [_ImageCheck(self, at, manifest.document, entry).look]
        entries = manifest.document.manifests
        if depth > _MAX_DEPTH or len(entries) > MAX_ENTRIES:
            raise ManifestError(f"{at} lists too much to be verified")
        self._reader(at).reserve(at, entries)
        return [self._counted(_ChildCheck(self, at, child, depth)) for child in entries]

    def _counted(self, check: _TagCheck | _ChildCheck) -> Check:
        """Return a check that tells when it has found everything."""

        async def look() -> list[Absent]:
            absent = await check.look()
            if not absent:
                self._emit(StageAdvanced("verify", check.subject))
            return absent

        return look

    async def read_child(self, index: Reference, entry: Descriptor) -> Manifest:
        """Read a manifest that an index lists, once."""
        return await self._reader(index).get_listed(index, entry)

    def _reader(self, at: Reference) -> ManifestReader:
        return self._readers.setdefault(at.name, ManifestReader(self._registries))

    def registry(self, at: Reference) -> RegistryClient:
        """Return the registry of a reference."""
        return self._registries[at.registry]

    def parts(
        self, at: Reference, manifest: Manifest, entry: Descriptor, depth: int
    ) -> list[Check]:
        """Return the checks of what a manifest names that was found by an index."""
        self.manifests.add(at)
        return self._parts(at, manifest, entry, depth + 1)

    async def has_blob(self, at: Reference, digest: str) -> bool:
        """Say whether a repository has a blob; what is there is not asked for twice."""
        key = at.name, digest
        if key in self.blobs:
            return True
        client = BlobClient(self.registry(at), at.repository)
        found = await self._flights.run(key, lambda: client.is_stored(digest))
        if found:
            self.blobs.add(key)
        return found


class _TagCheck:
    """Reads a tag by its name, and compares what comes with what was pushed."""

    def __init__(self, registries: Registries, one: Published, tag: str) -> None:
        self._at = one.target.with_tag(tag)
        self._client = ManifestClient(registries[one.target.registry])
        self._index = one.index
        self._before = one.before.get(tag, "")
        self.subject = str(self._at)

    async def look(self) -> list[Absent]:
        try:
            raw = await self._client.get_raw(self._at)
        except NotFoundError:
            return [Absent(self.subject)]
        found = sha256_digest(raw.content)
        if raw.content != self._index.content:
            still = "still " if found == self._before else ""
            return [Absent(self.subject, f"{still}points to {found}")]
        kind = raw.media_type.partition(";")[0].strip().lower()
        if kind not in _VAGUE_TYPES | {self._index.media_type}:
            return [Absent(self.subject, f"is sent as {printable(kind)}")]
        return []


class _ChildCheck:
    """Reads a manifest that an index lists by its digest, and looks for all that it names."""

    def __init__(self, run: Verifier, index: Reference, entry: Descriptor, depth: int) -> None:
        self._run = run
        self._index = index
        self._entry = entry
        self._depth = depth
        self._parts: list[Check] | None = None
        self.subject = str(listed_at(index, entry))

    async def look(self) -> list[Absent]:
        at = listed_at(self._index, self._entry)
        if self._parts is None:
            try:
                manifest = await self._run.read_child(self._index, self._entry)
            except NotFoundError:
                return [Absent(self.subject)]
            if manifest.size != self._entry.size:
                raise ManifestError(
                    f"{at} has {manifest.size} bytes, but the index that lists it says "
                    f"{self._entry.size}",
                    hint="clients refuse such an image: join it anew",
                )
            self._parts = self._run.parts(at, manifest, self._entry, self._depth)
        found = await gather(look() for look in self._parts)
        return [absent for absents in found for absent in absents]


class _ImageCheck:
    """Looks for the blobs of an image, and compares its config with the entry that lists it."""

    def __init__(
        self, run: Verifier, at: Reference, document: ImageManifest, entry: Descriptor | None
    ) -> None:
        self._run = run
        self._at = at
        self._document = document
        self._entry = entry
        self._is_compared = entry is None or entry.is_companion or entry.platform is None

    async def look(self) -> list[Absent]:
        document = self._document
        blobs = [*([document.config] if document.config else []), *document.layers]
        # An image does without a foreign layer: its clients fetch that from its URLs.
        digests = list(dict.fromkeys(blob.digest for blob in blobs if not blob.is_foreign))
        are_there = await gather(self._run.has_blob(self._at, digest) for digest in digests)
        absent = [digest for digest, there in zip(digests, are_there, strict=True) if not there]
        if not absent and not self._is_compared:
            await self._compare()
        return [Absent(f"the blob {digest} of {self._at}") for digest in absent]

    async def _compare(self) -> None:
        assert self._entry is not None
        assert self._entry.platform is not None
        what = str(self._at)
        content = await image_config(
            self._run.registry(self._at), self._at.repository, self._document, what=what
        )
        self._is_compared = True
        listed_as = self._entry.platform.to_platform()
        config = parse_config(content, what=what) if content else Platform("", "")
        if config.is_known and contradicts(listed_as, config):
            self._run.mismatches.append(Mismatch(what, self._entry.digest, listed_as, config))


def contradicts(listed_as: Platform, config: Platform) -> bool:
    """Say whether an image's config says another platform than the index that lists it.

    A config without a variant contradicts none: builders of Go's images often leave it out.
    """
    if listed_as.os_version and config.os_version and listed_as.os_version != config.os_version:
        return True
    if not says_variant(config):
        listed_as = replace(listed_as, variant="")
    return not agrees(listed_as, config)


async def until_there(
    checks: Sequence[Check], timings: Timings, deadline: Deadline
) -> list[Absent]:
    """Look again, at growing intervals, for what is not there yet.

    Args:
        checks: what to look for.
        timings: how long to wait.
        deadline: when the run has to be over.

    Returns:
        What is not there when the time is over.
    """
    ends = time.monotonic() + timings.verify
    wait, waited = timings.first_look, 0.0
    pending = list(checks)
    while True:
        found = await gather(look() for look in pending)
        pending = [look for look, absent in zip(pending, found, strict=True) if absent]
        waited += wait
        is_over = waited > timings.verify or time.monotonic() + wait > ends
        if not pending or is_over or not deadline.allows(wait):
            return [one for absent in found for one in absent]
        await timings.sleep(wait)
        wait = min(2 * wait, timings.longest_look)


def not_shown(absent: Sequence[Absent], name: str, digest: str) -> VerificationError:
    """Return the error for what was published and is not there.

    Args:
        absent: what is not there.
        name: the target.
        digest: the digest of what was published.
    """
    return VerificationError(
        f"{name} is published as {digest}, but the registry does not show all of it: "
        f"{in_short(absent)}",
        digest=digest,
        missing=[one.name for one in absent],
        hint="the tags have moved already; caches may be behind, or somebody has moved a tag or "
        "deleted an image since: look again later, and run the same command again if it stays so",
    )


def in_short(absent: Sequence[object]) -> str:
    """Return what is not there in words, or the first and how many more."""
    more = len(absent) - _MOST_NAMED
    return listed([*map(str, absent[:_MOST_NAMED]), *([f"{more} more"] if more > 0 else [])])
