"""Brings the referrers of images along: signatures, SBOMs and whatever else refers to them.

OCI distribution spec 1.1, "Listing Referrers" and "Pushing Manifests with Subject".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from oci_merge._concurrency import gather, gather_settled
from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.events import OnEvent, Warned
from oci_merge.model.index import IndexDocument, subject_digest
from oci_merge.model.manifest import Descriptor, ImageManifest, Manifest, parse_manifest
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import ManifestReader
from oci_merge.planning.component import Component
from oci_merge.planning.job import Source
from oci_merge.registry.client import Registries, RegistryClient
from oci_merge.registry.referrers import Referrers, ReferrersClient, entry_of
from oci_merge.registry.verified_put import put_manifest

#: How deep referrers of referrers are followed, such as the signature of an SBOM.
_MAX_DEPTH = 3
#: How many images a warning names.
_MOST_NAMED = 3


@frozen
class Referrer:
    """A manifest that refers to another one, and is brought along with it.

    Attributes:
        component: the manifest, and where it is.
        subject: the digest of what it refers to.
    """

    component: Component
    subject: str


async def read_referrers(
    registries: Registries, components: Sequence[Component], emit: OnEvent
) -> tuple[Referrer, ...]:
    """Read what refers to the components, and what refers to that in turn.

    Args:
        registries: the registries of the components, by ``host[:port]``.
        components: what the index lists.
        emit: called with a warning for each referrer that cannot be brought.

    Returns:
        The referrers, each once for each manifest that it refers to, in the order of the
        components. What the index lists already is left out.

    Raises:
        ManifestError, RegistryError, TransportError: a list or a manifest could not be read.
    """
    reader = ManifestReader(registries)
    known = {component.digest for component in components}
    found: list[Referrer] = []
    level = list({component.digest: component for component in components}.values())
    for _ in range(_MAX_DEPTH):
        answers = await gather(_read_of(reader, component, known, emit) for component in level)
        fresh = {
            referrer.component.digest: referrer
            for referrers in answers
            for referrer in referrers
            if referrer.component.digest not in known
        }
        if not fresh:
            break
        found += fresh.values()
        known |= fresh.keys()
        level = [referrer.component for referrer in fresh.values()]
    return tuple(found)


async def _read_of(
    reader: ManifestReader, component: Component, known: set[str], emit: OnEvent
) -> list[Referrer]:
    """Read the referrers of one manifest, but for those that are known already."""
    at = component.source.reference
    client = ReferrersClient(reader.registries[at.registry], at.repository)
    descriptors = [
        descriptor
        for descriptor in (await client.get(component.digest)).listed
        if descriptor.digest not in known
    ]
    reader.reserve(at, descriptors)
    manifests = await gather(reader.get_listed(at, descriptor) for descriptor in descriptors)
    referrers = []
    for descriptor, manifest in zip(descriptors, manifests, strict=True):
        # A list is not believed: only what the manifest itself says makes it a referrer.
        if subject_digest(manifest.content) != component.digest:
            continue
        if not isinstance(manifest.document, ImageManifest):
            emit(
                Warned(
                    f"{manifest.digest} refers to {component.name} and stays behind: it is an index"
                )
            )
            continue
        referrers.append(Referrer(_as_component(at, manifest, descriptor), component.digest))
    return referrers


def _as_component(at: Reference, manifest: Manifest, descriptor: Descriptor) -> Component:
    reference = Reference(at.registry, at.repository, digest=manifest.digest)
    return Component(Source(reference), manifest, descriptor, is_referrer=True)


async def link_referrers(
    registry: RegistryClient, repository: str, referrers: Iterable[Referrer]
) -> None:
    """See to it that a repository lists referrers that were pushed to it.

    A registry with the referrers API does so by itself. For others, clients maintain a tag for each
    manifest that is referred to.

    Args:
        registry: the target's registry.
        repository: the target's repository.
        referrers: the referrers, which it has.

    Raises:
        ManifestError: the registry does not keep the tag.
        RegistryError, TransportError: the registry refused, or did not answer.
    """
    by_subject: dict[str, list[Manifest]] = {}
    for referrer in referrers:
        by_subject.setdefault(referrer.subject, []).append(referrer.component.manifest)
    client = ReferrersClient(registry, repository)
    await gather(_link(client, subject, manifests) for subject, manifests in by_subject.items())


async def _link(client: ReferrersClient, subject: str, manifests: Sequence[Manifest]) -> None:
    # How many there are does not matter here: only what is brought along is limited.
    if not await client.has_api(subject):
        await client.add(subject, [entry_of(each.media_type, each.content) for each in manifests])


async def put_index_with_subject(
    registry: RegistryClient, repository: str, index: IndexDocument
) -> None:
    """Put an index by its digest, and see to it that its subject's referrers have it.

    So a tag moves only to an index that is found from its subject, too. One without a subject is
    not put.

    Raises:
        ManifestError, RegistryError, TransportError: as ``link_referrers`` does.
    """
    if not index.subject:
        return
    at = Reference(registry.name, repository, digest=index.digest)
    await put_manifest(registry, at, index.media_type, index.content)
    manifest = parse_manifest(
        index.content, content_type=index.media_type, digest=index.digest, what=str(at)
    )
    await _link(ReferrersClient(registry, repository), index.subject, [manifest])


async def left_behind(
    registries: Registries, images: Sequence[Component], published: AbstractSet[str]
) -> str:
    """Return a warning that names images whose referrers are not brought, or an empty string.

    Args:
        registries: the registries of the images, by ``host[:port]``.
        images: the images that are brought into another repository.
        published: digests of what the index lists.
    """
    # One image of a registry shows whether that has the API: the others then take one request each.
    unknown = {
        image.source.reference.registry: image
        for image in images
        if registries[image.source.reference.registry].host.has_referrers is None
    }
    await gather_settled(
        _client(registries, image).has_api(image.digest, is_asked_once=True)
        for image in unknown.values()
    )
    # Nobody depends on the answers: what fails is not asked again, and says nothing.
    answers = await gather_settled(
        _client(registries, image).get(image.digest, is_asked_once=True) for image in images
    )
    leaving = [
        image
        for image, answer in zip(images, answers, strict=True)
        if isinstance(answer, Referrers) and answer.digests - published
    ]
    if not leaving:
        return ""
    names = [printable(image.name) for image in leaving[:_MOST_NAMED]]
    if len(leaving) > _MOST_NAMED:
        names.append(f"{len(leaving) - _MOST_NAMED} more")
    return f"what refers to {listed(names)} stays behind; --referrers brings it along"


def _client(registries: Mapping[str, RegistryClient], component: Component) -> ReferrersClient:
    at = component.source.reference
    return ReferrersClient(registries[at.registry], at.repository)
