"""Reads an index that is to be changed, and looks whether its tag still stands there.

No registry writes a tag on condition that it is unmoved, so the tag is looked at just before the
write and after it, and whoever lost begins again from what stands there now.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable

from oci_merge._concurrency import gather
from oci_merge._text import listed, printable
from oci_merge.errors import ManifestError, NotFoundError, TagChangedError
from oci_merge.model.manifest import Descriptor, ImageIndex, ImageManifest, Manifest, parse_config
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import MAX_ENTRIES, ManifestReader, listed_at
from oci_merge.operations.platforms import image_config
from oci_merge.planning.edit import PresentEntry, PresentIndex, read_index, unplaced
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient

#: How often a change is tried where other writers move the tag meanwhile.
_ATTEMPTS = 5


async def attempts(registry: RegistryClient, tags: Iterable[Reference]) -> AsyncIterator[int]:
    """Give the numbers of the attempts of a change, from 0 on, with waits between them.

    Args:
        registry: the registry, whose timings hold.
        tags: the tags, for the error.

    Raises:
        TagChangedError: all attempts are used up.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            # Writers that have met once come back at different moments.
            longest = registry.timings.first_retry * 2.0**attempt
            await registry.timings.sleep(longest * random.uniform(0.1, 1))  # noqa: S311 - no secret
        yield attempt
    names = [str(tag) for tag in tags]
    stood = "was" if len(names) == 1 else "were"
    raise TagChangedError(
        f"{listed(names)} {stood} moved by others each of the {_ATTEMPTS} times that the change "
        "was tried, before the write or after it",
        moved=(),
        failed=names,
        hint="run the same command again when the other jobs are done; if there are none, the "
        "registry shows late what it has taken",
    )


async def read_present(registry: RegistryClient, at: Reference, manifest: Manifest) -> PresentIndex:
    """Return an index in the form in which it is changed, with the platforms of its images.

    Args:
        registry: its registry.
        at: the tag that it stands under.
        manifest: the index.

    Raises:
        ManifestError, RegistryError, TransportError: the platform of an image that the index
            does not say could not be read.
    """
    index = manifest.document
    assert isinstance(index, ImageIndex)  # callers have looked
    if len(index.manifests) > MAX_ENTRIES:
        raise ManifestError(
            f"{at} is an index with more than {MAX_ENTRIES} entries",
            hint="join the image anew from its parts",
        )
    reader = ManifestReader({at.registry: registry})
    silent = {entry.digest: entry for entry in unplaced(index)}
    reader.reserve(at, silent.values())
    platforms = await gather(_read_platform(reader, at, entry) for entry in silent.values())
    return read_index(manifest, str(at), dict(zip(silent, platforms, strict=True)))


async def _read_platform(reader: ManifestReader, at: Reference, entry: Descriptor) -> Platform:
    manifest = await reader.get_listed(at, entry)
    return await platform_of(reader.registries[at.registry], listed_at(at, entry), manifest)


async def platform_of(registry: RegistryClient, at: Reference, manifest: Manifest) -> Platform:
    """Return the platform that an image's config says; empty where it is no image.

    Raises:
        ManifestError, RegistryError, TransportError: the config could not be read.
    """
    document = manifest.document
    if not isinstance(document, ImageManifest):
        return Platform("", "")
    config = await image_config(registry, at.repository, document, what=str(at))
    return parse_config(config, what=str(at)) if config else Platform("", "")


async def check_there(
    registry: RegistryClient, at: Reference, entries: Iterable[PresentEntry]
) -> None:
    """Check that the registry has what an index goes on listing.

    Args:
        registry: the registry.
        at: the index's tag.
        entries: the entries.

    Raises:
        ManifestError: it lacks one.
    """
    kept = list({entry.digest: entry for entry in entries}.values())
    manifests = ManifestClient(registry)
    missing = await gather(manifests.is_missing(listed_at(at, entry.descriptor)) for entry in kept)
    for entry, is_missing in zip(kept, missing, strict=True):
        if is_missing:
            about = f" (about {entry.about})" if entry.about else ""
            kind = str(entry.platform) if entry.platform.is_known else "an entry"
            raise ManifestError(
                f"{at} lists {printable(kind)}{printable(about)} as {entry.digest}, "
                f"but {at.registry} does not have it",
                hint="remove its platform as well, or push the image again",
            )


async def tag_digest(registry: RegistryClient, tag: Reference) -> str:
    """Return the sha256 digest that a tag stands at, or an empty string if there is no such tag.

    Raises:
        RegistryError, TransportError: the tag could not be read.
    """
    manifests = ManifestClient(registry)
    try:
        digest = await manifests.head(tag, may_be_missing=True)
        # It is compared with digests that are made here.
        return digest if digest.startswith("sha256:") else (await manifests.get_raw(tag)).digest
    except NotFoundError:
        return ""


async def settle(registry: RegistryClient) -> None:
    """Wait after a write, before it is looked at.

    A writer that looked at the tag before this write may write after it, and only a look after
    that one shows it. Besides, some registries show what they have taken only a moment later.
    """
    await registry.timings.sleep(registry.timings.settling)
