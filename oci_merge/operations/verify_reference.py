"""The verb ``verify``: looks whether an image is complete in its registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from oci_merge._text import listed, printable
from oci_merge.errors import InvalidReferenceError, NotFoundError, VerificationError
from oci_merge.events import OnEvent
from oci_merge.http.deadline import Deadline
from oci_merge.model.digest import check_digest
from oci_merge.model.index import IndexDocument
from oci_merge.model.manifest import ImageIndex, Manifest, parse_config, parse_manifest
from oci_merge.model.platform import Platform, agrees
from oci_merge.model.reference import Reference
from oci_merge.operations.inspect import check_inspected
from oci_merge.operations.platforms import image_config
from oci_merge.operations.verify import (
    Absent,
    Mismatch,
    Published,
    Verifier,
    in_short,
    until_there,
)
from oci_merge.planning.result import Verification
from oci_merge.registry.client import Registries
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.types import RawManifest

if TYPE_CHECKING:
    from oci_merge.planning.signing import VerifiedSignature
    from oci_merge.trust.keys import PublicKey


def check_verified(text: str, digest: str | None) -> Reference:
    """Parse a reference to verify.

    Args:
        text: the reference, with a tag or a digest.
        digest: the digest that the tag has to stand at, or None.

    Returns:
        The reference, with the digest if one is known.

    Raises:
        InvalidReferenceError: it is none, the digest is none, or there are two digests.
    """
    reference = check_inspected(text)
    if digest is None:
        return reference
    if reference.digest not in (None, check_digest(digest)):
        raise InvalidReferenceError(
            f"{text!r} has another digest than {digest}", hint="give one of the two"
        )
    return replace(reference, digest=digest)


async def verify_reference(
    registries: Registries,
    reference: Reference,
    platforms: Sequence[Platform],
    deadline: Deadline,
    emit: OnEvent,
    keys: Sequence[PublicKey] = (),
) -> Verification:
    """Read an image or an index with all that it lists, until the registry shows it.

    Args:
        registries: its registry, by ``host[:port]``.
        reference: with a tag, a digest or both; the tag has to stand at the digest.
        platforms: the platforms that it must have.
        deadline: when the run has to be over.
        emit: called with progress events.
        keys: the keys by one of which it must be signed, if any.

    Raises:
        SignatureError: it is not signed by one of the keys.
        VerificationError: something is not there, or an image is for another platform.
        ManifestError, RegistryError, TransportError: the registry could not be read.
    """
    raw = await _read(registries, reference, deadline)
    index = IndexDocument(raw.media_type, raw.content)
    manifest = parse_manifest(
        raw.content, content_type=raw.media_type, digest=raw.digest, what=str(reference)
    )
    index = replace(index, media_type=manifest.media_type)
    signatures: tuple[VerifiedSignature, ...] = ()
    if keys:
        from oci_merge.operations.check_signed import check_reference  # few runs name keys

        registry = registries[reference.registry]
        at = Reference(reference.registry, reference.repository, digest=raw.digest)
        signatures = await check_reference(registry, at, manifest, keys, emit, name=str(reference))
    verifier = Verifier(registries, deadline, emit)
    tags = (reference.tag,) if reference.tag else ()
    absent = await verifier.run([Published(reference, tags, index)])
    if absent:
        raise _incomplete(reference, absent)
    found = await _platforms(registries, reference, manifest)
    _check_platforms(reference, found, verifier.mismatches, platforms)
    return Verification(
        reference=str(replace(reference, digest=raw.digest)),
        digest=raw.digest,
        media_type=manifest.media_type,
        platforms=found,
        manifests=len(verifier.manifests),
        blobs=len(verifier.blobs),
        signatures=signatures,
    )


async def _read(registries: Registries, reference: Reference, deadline: Deadline) -> RawManifest:
    """Read what is verified: what the digest names, else what the tag points to now."""
    registry = registries[reference.registry]
    found: list[RawManifest] = []

    async def look() -> list[Absent]:
        try:
            found.append(await ManifestClient(registry).get_raw(reference))
        except NotFoundError:
            return [Absent(str(reference))]
        return []

    if absent := await until_there([look], registry.timings, deadline):
        raise _incomplete(reference, absent)
    return found[0]


def _check_platforms(
    reference: Reference,
    found: Sequence[Platform],
    mismatches: Sequence[Mismatch],
    platforms: Sequence[Platform],
) -> None:
    """Check that the images are for what they are listed as, and for what is asked for.

    Raises:
        VerificationError: one is not.
    """
    if mismatches:
        raise VerificationError(
            f"{reference} has images of other platforms than it lists: {in_short(mismatches)}",
            hint="join the right images, or build the wrong ones anew",
        )
    missing = [one for one in platforms if not any(agrees(one, other) for other in found)]
    if missing:
        raise VerificationError(
            f"{reference} has no image for {listed([str(one) for one in missing])}; "
            f"it has {listed([printable(str(one)) for one in found]) or 'none'}",
            hint="publish it with these platforms",
        )


def _incomplete(reference: Reference, absent: Sequence[Absent]) -> VerificationError:
    return VerificationError(
        f"{reference} is not complete: {in_short(absent)}",
        missing=[one.name for one in absent],
        hint="publish it again; if it was published a moment ago, look again later",
    )


async def _platforms(
    registries: Registries, reference: Reference, manifest: Manifest
) -> tuple[Platform, ...]:
    document = manifest.document
    if isinstance(document, ImageIndex):
        entries = [entry for entry in document.manifests if not entry.is_companion]
        return tuple(entry.platform.to_platform() for entry in entries if entry.platform)
    content = await image_config(
        registries[reference.registry], reference.repository, document, what=str(reference)
    )
    return (parse_config(content, what=str(reference)),) if content else ()
