"""Puts a manifest, and reads what is stored where the answer leaves that open."""

from __future__ import annotations

from oci_merge.errors import (
    DigestMismatchError,
    ImmutableTagError,
    OciMergeError,
    RegistryError,
    TransportError,
)
from oci_merge.model.digest import sha256_digest
from oci_merge.model.reference import Reference
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.hints import Refusal, docker_hint, is_immutable, registry_hint
from oci_merge.registry.manifests import ManifestClient

#: Error codes for an index whose children are missing, or a child whose blobs are.
_CHILD_UNKNOWN = frozenset({"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"})


async def put_manifest(
    registry: RegistryClient, at: Reference, media_type: str, content: bytes
) -> bool:
    """Put a manifest under a tag or its digest.

    Where that fails, the tag or the digest is read: an answer may get lost after the manifest was
    stored, and some registries refuse to put the same manifest under an immutable tag again.

    Args:
        registry: the registry.
        at: the tag, or the digest.
        media_type: the manifest's media type.
        content: its bytes.

    Returns:
        Whether this put it there; False where the registry refused, but has it already.

    Raises:
        DigestMismatchError: the registry stored something else, or nothing.
        ImmutableTagError: the tag is on another manifest and may not move.
        RegistryError: the registry refused; the hint is the one for that registry.
        TransportError: it did not answer.
    """
    try:
        if not await ManifestClient(registry).put(at, media_type, content):
            await _check_stored(registry, at, sha256_digest(content))
    except (RegistryError, TransportError) as error:
        stored = await _read_digest(registry, at, error)
        if stored == sha256_digest(content):
            return isinstance(error, TransportError) or error.status >= 500
        if not isinstance(error, RegistryError):
            raise
        if at.tag and is_immutable(error):
            raise _immutable(error, at, stored) from error
        add_hint(error, at.registry, at.repository)
        error.hint = error.hint or docker_hint(error, media_type)
        raise
    return True


def misses_content(error: OciMergeError) -> bool:
    """Say whether a registry refused a manifest because it misses content that this names."""
    return isinstance(error, RegistryError) and not _CHILD_UNKNOWN.isdisjoint(error.codes)


def add_hint(error: RegistryError, registry: str, repository: str) -> None:
    """Set an error's hint to the one for this registry, if there is one for a refused write."""
    if error.is_about_login:  # what is known of this run helps more than what is usual there
        return
    found = registry_hint(Refusal(registry, repository, error.status, error.codes, error.message))
    error.hint = found or error.hint


async def _check_stored(registry: RegistryClient, at: Reference, digest: str) -> None:
    """Check that a manifest was stored: a proxy, or another host, answered for the registry."""
    try:
        stored = await ManifestClient(registry).head(at, no_redirect=True)
    except RegistryError as error:
        if not 300 <= error.status < 400:
            raise
        raise TransportError(
            f"{at.registry} redirects what is pushed to {at}, and does not say what stands there",
            hint="name the host that it redirects to, if the image is to be pushed there; "
            "give no --plain-http if that is the same host with https",
        ) from error
    if stored != digest and stored.startswith("sha256:"):
        raise DigestMismatchError(
            f"{at.registry} was sent {digest} for {at} and said nothing against it, "
            f"but {stored} stands there",
            hint="a proxy before the registry may have answered in its place",
        )


async def _read_digest(registry: RegistryClient, at: Reference, error: OciMergeError) -> str:
    """Return the digest of what is stored; empty if nothing is, or it cannot be read."""
    # These say that nothing was stored, or that the registry wants no more requests.
    if isinstance(error, RegistryError) and error.status in (404, 413, 429):
        return ""
    if misses_content(error):
        return ""
    try:
        return await ManifestClient(registry).head(at, no_redirect=True)
    except OciMergeError:
        return ""


def _immutable(error: RegistryError, at: Reference, stored: str) -> ImmutableTagError:
    place = f" and stands on {stored}" if stored else ""  # it may not be readable
    return ImmutableTagError(
        f"the tag {at.tag} of {at.name} is immutable{place}: {error.message}",
        status=error.status,
        method=error.method,
        url=error.url,
        details=error.details,
        hint="publish under another tag, or let the registry's administrator delete this one or "
        "exempt it from the rule",
    )
