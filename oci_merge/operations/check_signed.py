"""Checks that images are signed by keys that are trusted, before anything of them is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oci_merge._concurrency import gather
from oci_merge._text import listed, printable
from oci_merge.errors import SignatureError
from oci_merge.events import OnEvent, Warned
from oci_merge.model.manifest import ImageIndex, Manifest, parse_config
from oci_merge.model.platform import Platform, agrees
from oci_merge.model.reference import Reference
from oci_merge.operations.manifest_reader import listed_at
from oci_merge.operations.platforms import image_config
from oci_merge.operations.resolve import Components
from oci_merge.operations.signatures import Found, SignatureReader
from oci_merge.planning.component import Component
from oci_merge.planning.signing import VerifiedSignature
from oci_merge.registry.client import Registries, RegistryClient
from oci_merge.trust.keys import PublicKey

#: How many images a message names.
_MOST_NAMED = 3


async def check_signed(
    registries: Registries, read: Components, keys: Sequence[PublicKey]
) -> tuple[VerifiedSignature, ...]:
    """Check that every image, or the index that it comes from, is signed by one of some keys.

    Args:
        registries: the registries of the images, by ``host[:port]``.
        read: the images with their companions, and what their references pointed to.
        keys: the keys.

    Returns:
        The signatures that were found.

    Raises:
        SignatureError: an image has none; the message says which, and why. Or an index that is not
            signed lists an image for another platform than its own, or says more than that.
        ManifestError, RegistryError, TransportError: the config of such an image cannot be read.
    """
    roots = {one: _at(one, read.digests[one.source.reference]) for one in read.listed}
    found = await _verified(registries, set(roots.values()), keys)
    # A signature of an index is one of all that it lists: their digests stand in it.
    unsigned = [one for one in read.listed if not found[roots[one]].valid]
    places = {_at(one, one.digest) for one in unsigned}
    found |= await _verified(registries, places - found.keys(), keys)
    missing = [one for one in unsigned if not found[_at(one, one.digest)].valid]
    if missing:
        reasons = [_reason(found, _at(one, one.digest), roots[one]) for one in missing]
        raise _error(missing, reasons, keys)
    # Nobody has signed what these indexes say of the images.
    for one in unsigned:
        _check_says_no_more(one, read.indexes.get(str(roots[one].digest), {}))
    await gather(
        _check_platform(registries[one.source.reference.registry], one)
        for one in unsigned
        if one.is_image
    )
    return tuple(signature for each in found.values() for signature in each.valid)


async def check_kept(
    registry: RegistryClient, target: Reference, present: Manifest, keys: Sequence[PublicKey]
) -> tuple[VerifiedSignature, ...]:
    """Check that what an append keeps is signed: the index, or the image, that stands there.

    Args:
        registry: the target's registry.
        target: the target.
        present: what it points to now.
        keys: the keys.

    Returns:
        The signatures that were found.

    Raises:
        SignatureError: it has none.
    """
    at = Reference(target.registry, target.repository, digest=present.digest)
    found = (await _verified({at.registry: registry}, {at}, keys))[at]
    if not found.valid:
        names = listed([printable(key.name) for key in keys])
        raise SignatureError(
            f"what --append keeps of {target} is not signed by {names}: {found.reason}",
            missing=[str(target)],
            hint=f"sign it (oci-merge sign {target}) if you trust it, or leave out --append",
        )
    return found.valid


async def check_reference(
    registry: RegistryClient,
    at: Reference,
    manifest: Manifest,
    keys: Sequence[PublicKey],
    emit: OnEvent,
    *,
    name: str,
) -> tuple[VerifiedSignature, ...]:
    """Check that an image or an index is signed by one of some keys.

    Args:
        registry: its registry.
        at: the image, by its digest.
        manifest: its manifest.
        keys: the keys.
        emit: called with a warning that names images which an index lists and that have no
            signature of their own.
        name: names it in errors.

    Returns:
        Its signatures, and those of what it lists.

    Raises:
        SignatureError: it has none.
    """
    document = manifest.document
    entries = document.manifests if isinstance(document, ImageIndex) else []
    places = [at, *(listed_at(at, entry) for entry in entries)]
    found = await _verified({at.registry: registry}, set(places), keys)
    if not found[at].valid:
        names = listed([printable(key.name) for key in keys])
        raise SignatureError(
            f"{name} is not signed by {names}: {found[at].reason}",
            missing=[str(at)],
            hint=f"sign it (oci-merge sign {name}), or name the key that it is signed by",
        )
    # Some verifiers look at the image that they pull alone, and never at the index.
    unsigned = [
        entry.platform.to_platform() if entry.platform else entry.digest
        for entry in entries
        if not entry.is_companion and not found[listed_at(at, entry)].valid
    ]
    if unsigned:
        said = listed([printable(str(each)) for each in unsigned[:_MOST_NAMED]])
        emit(
            Warned(
                f"{name} is signed, but not each image that it lists ({said}); podman and CRI-O "
                "look at these alone"
            )
        )
    return tuple(signature for place in dict.fromkeys(places) for signature in found[place].valid)


async def _verified(
    registries: Registries, places: set[Reference], keys: Sequence[PublicKey]
) -> dict[Reference, Found]:
    ordered = sorted(places, key=str)
    found = await gather(
        SignatureReader(registries[at.registry], at.repository).verify(str(at.digest), keys)
        for at in ordered
    )
    return dict(zip(ordered, found, strict=True))


def _at(component: Component, digest: str) -> Reference:
    at = component.source.reference
    return Reference(at.registry, at.repository, digest=digest)


async def _check_platform(registry: RegistryClient, one: Component) -> None:
    """Check that an image is for the platform that its index lists it for.

    Raises:
        SignatureError: it is for another.
        ManifestError, RegistryError, TransportError: its config cannot be read.
    """
    listed_for = one.declared
    if listed_for is None or not listed_for.is_known:
        return  # it is read from the config
    repository = one.source.reference.repository
    config = await image_config(registry, repository, one.document, what=one.name)
    own = parse_config(config, what=one.name) if config else Platform("", "")
    more = listed_for.os_version not in ("", own.os_version) or not {*listed_for.os_features} <= {
        *own.os_features
    }
    if more or not agrees(listed_for, own):
        has = f"is for {printable(str(own))}" if own.is_known else "does not say its platform"
        raise SignatureError(
            f"{printable(one.name)} is listed for {printable(str(listed_for))} by an index that "
            f"is not signed, but {has}",
            missing=[one.name],
            hint="sign the index, too, or correct the platform in it",
        )


def _check_says_no_more(one: Component, annotations: Mapping[str, str]) -> None:
    """Check that an index that is not signed says nothing of an image but its platform.

    Raises:
        SignatureError: it does, and that would be published.
    """
    entry = one.descriptor
    says = bool(annotations) or (
        one.is_image and entry is not None and bool(entry.annotations or entry.urls or entry.data)
    )
    if says:
        raise SignatureError(
            f"{printable(str(one.source.reference))} is an index that is not signed, and it has "
            "annotations, which nobody has signed either",
            missing=[one.name],
            hint="sign the index, too, or name its images by their digests",
        )


def _reason(found: dict[Reference, Found], at: Reference, root: Reference) -> str:
    reason, of_index = found[at].reason, found[root].reason
    return reason if of_index == reason else f"{reason}; of its index: {of_index}"


def _error(
    missing: Sequence[Component], reasons: Sequence[str], keys: Sequence[PublicKey]
) -> SignatureError:
    named = list(zip(missing, reasons, strict=True))[:_MOST_NAMED]
    said = [f"{printable(one.name)}: {reason}" for one, reason in named]
    more = len(missing) - _MOST_NAMED
    names = listed([printable(key.name) for key in keys])
    return SignatureError(
        f"not signed by {names}: {'; '.join([*said, *([f'{more} more'] if more > 0 else [])])}",
        missing=[one.name for one in missing],
        hint="sign the images in their own jobs, or name the key that they are signed by",
    )
