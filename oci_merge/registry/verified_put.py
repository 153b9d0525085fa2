"""Putting a manifest, and looking again where the answer leaves it open whether it was taken."""

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
from oci_merge.registry.hints import Refusal, is_immutable, registry_hint
from oci_merge.registry.manifests import ManifestClient

#: What registries say of an index whose children, or children whose blobs, they do not have.
_CHILD_UNKNOWN = frozenset({"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"})


async def put_manifest(
    registry: RegistryClient, at: Reference, media_type: str, content: bytes
) -> bool:
    """Put a manifest under a tag or its digest.

    Where that fails, what stands there is read: an answer may get lost after the manifest was
    taken, and some registries refuse to write to an immutable tag what stands on it already.

    Args:
        registry: the registry.
        at: the tag, or the digest.
        media_type: the manifest's media type.
        content: its bytes.

    Returns:
        Whether this put it there; False where the registry refused, but it stands there.

    Raises:
        DigestMismatchError: the registry stored something else, or nothing.
        ImmutableTagError: the tag stands on another manifest and may not move.
        RegistryError: the registry refused; the hint says what helps there.
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
        raise
    return True


def misses_content(error: OciMergeError) -> bool:
    """Say whether a registry refused a manifest for want of what it names."""
    return isinstance(error, RegistryError) and not _CHILD_UNKNOWN.isdisjoint(error.codes)


def add_hint(error: RegistryError, registry: str, repository: str) -> None:
    """Put into an error's hint what helps at this registry against a refused write."""
    found = registry_hint(Refusal(registry, repository, error.status, error.codes, error.message))
    error.hint = found or error.hint


async def _check_stored(registry: RegistryClient, at: Reference, digest: str) -> None:
    """Check that a manifest stands there, as its push got an answer that no registry gives."""
    stored = await ManifestClient(registry).head(at)
    if stored != digest and stored.startswith("sha256:"):
        raise DigestMismatchError(
            f"{at.registry} was sent {digest} for {at} and said nothing against it, "
            f"but {stored} stands there",
            hint="a proxy before the registry may have answered in its place",
        )


async def _read_digest(registry: RegistryClient, at: Reference, error: OciMergeError) -> str:
    """Return the digest that stands there now; empty if nothing does, or nobody can say."""
    if isinstance(error, RegistryError) and error.status in (404, 413, 429):
        return ""
    if misses_content(error):
        return ""
    try:
        return await ManifestClient(registry).head(at)
    except OciMergeError:
        return ""


def _immutable(error: RegistryError, at: Reference, stored: str) -> ImmutableTagError:
    place = f" and stands on {stored}" if stored else ""  # which may not be readable
    return ImmutableTagError(
        f"the tag {at.tag} of {at.name} is immutable{place}: {error.message}",
        status=error.status,
        method=error.method,
        url=error.url,
        details=error.details,
        hint="publish under another tag, or let the registry's administrator delete this one or "
        "exempt it from the rule",
    )
