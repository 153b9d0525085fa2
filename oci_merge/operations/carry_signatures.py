"""Brings tags of signatures, attestations and SBOMs along: ``sha256-….sig``, ``.att``, ``.sbom``.

Clients that know no referrers look for these. What such a manifest holds has been brought into the
target's repository before, as everything else that comes with the images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from oci_merge._concurrency import gather
from oci_merge._frozen import frozen
from oci_merge.errors import ManifestError, NotFoundError
from oci_merge.events import OnEvent, Warned
from oci_merge.model import media_types
from oci_merge.model.manifest import ImageManifest
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import ManifestReader
from oci_merge.operations.signatures import SignatureReader
from oci_merge.operations.stored_signatures import Repository, open_repository
from oci_merge.planning.component import Component
from oci_merge.planning.job import Source
from oci_merge.registry.client import Registries, RegistryClient
from oci_merge.registry.verified_put import put_manifest
from oci_merge.trust import classic
from oci_merge.trust.strict_json import UnreadableError

#: How often a tag is written again because another writer's list took its place.
_ATTEMPTS = 5
#: Under this tag stands one document, and not a list of them.
_SBOM = ".sbom"


@frozen
class CarriedTag:
    """A tag that is brought along.

    Attributes:
        component: what the tag points to, and where it is.
        tag: the tag.
    """

    component: Component
    tag: str


async def read_signature_tags(
    registries: Registries, components: Sequence[Component], emit: OnEvent
) -> tuple[CarriedTag, ...]:
    """Read the signatures, attestations and SBOMs of components that stand under tags.

    Args:
        registries: the registries of the components, by ``host[:port]``.
        components: what the index lists.
        emit: called with a warning for each tag that cannot be brought.

    Raises:
        ManifestError, RegistryError, TransportError: a tag could not be read.
    """
    reader = ManifestReader(registries)
    places = {
        (one.source.reference.registry, one.source.reference.repository, one.digest, suffix)
        for one in components
        for suffix in classic.SUFFIXES
    }
    found = await gather(
        _read(reader, Reference(registry, repository, tag=classic.tag_of(digest, suffix)), emit)
        for registry, repository, digest, suffix in sorted(places)
    )
    return tuple(each for each in found if each)


async def _read(reader: ManifestReader, at: Reference, emit: OnEvent) -> CarriedTag | None:
    try:
        manifest = await reader.get(at)
    except NotFoundError:
        return None
    if not isinstance(manifest.document, ImageManifest):
        emit(Warned(f"{at} stays behind: it is an index"))
        return None
    source = Source(Reference(at.registry, at.repository, digest=manifest.digest))
    return CarriedTag(Component(source, manifest, is_referrer=True), str(at.tag))


async def find_present(
    registry: RegistryClient, repository: str, carried: Sequence[CarriedTag]
) -> frozenset[str]:
    """Return the digests of those manifests that add nothing to what stands under their tags.

    All of their layers stand there already, or another SBOM does, which stays.

    Args:
        registry: the target's registry.
        repository: the target's repository.
        carried: what is brought along.

    Raises:
        ManifestError, RegistryError, TransportError: a tag could not be read.
    """
    reader = SignatureReader(registry, repository)
    standing = await gather(
        reader.standing(Reference(registry.name, repository, tag=each.tag)) for each in carried
    )
    found = []
    for each, held in zip(carried, standing, strict=True):
        with suppress(UnreadableError):
            if held and (
                each.tag.endswith(_SBOM)
                or not classic.missing_layers(held.content, each.component.manifest.content)
            ):
                found.append(each.component.digest)
    return frozenset(found)


async def put_signature_tags(
    registry: RegistryClient,
    repository: str,
    carried: Sequence[CarriedTag],
    warn: Callable[[str], object],
    *,
    may_leave: bool,
) -> None:
    """Put tags that were brought along, beside what stands there already.

    Args:
        registry: the target's registry.
        repository: the target's repository, which has what the manifests name.
        carried: the tags.
        warn: called with a sentence for each that stays behind.
        may_leave: whether uploads may go to another host, if the registry says so.

    Raises:
        ManifestError: a tag holds something else.
        RegistryError, TransportError: the registry refused, or did not answer.
    """
    at = open_repository(registry, repository, may_leave=may_leave)
    tags: dict[str, list[Component]] = {}
    for each in carried:
        tags.setdefault(each.tag, []).append(each.component)
    try:
        await gather(_put(at, tag, each, warn) for tag, each in tags.items())
    finally:
        await at.uploads.close()


async def _put(
    at: Repository, tag: str, components: Sequence[Component], warn: Callable[[str], object]
) -> None:
    for component in components:
        if component.source.reference.name != at.name:
            await _put_one(at, at.tagged(tag), component, warn)


async def _put_one(
    at: Repository, tag: Reference, component: Component, warn: Callable[[str], object]
) -> None:
    for _ in range(_ATTEMPTS):
        held = await at.reader.standing(tag)
        if held is None:
            manifest = component.manifest
            await put_manifest(at.reader.registry, tag, manifest.media_type, manifest.content)
            continue  # to look whether another writer's stands there
        try:
            missing = classic.missing_layers(held.content, component.manifest.content)
            if not missing:
                return
            if str(tag.tag).endswith(_SBOM):
                warn(f"{component.name} stays behind: {tag} has another SBOM")
                return
            made = classic.joined(held.content, missing)
        except UnreadableError as error:
            warn(f"{component.name} stays behind: {tag} holds no signatures, since {error}")
            return
        await at.upload(made)
        await put_manifest(at.reader.registry, tag, media_types.OCI_MANIFEST, made.content)
    raise ManifestError(
        f"{tag} does not keep what is put there",
        hint="another job writes it at the same time: run the same command again",
    )
