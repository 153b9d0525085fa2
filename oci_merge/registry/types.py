"""What a registry's endpoints return."""

from __future__ import annotations

from dataclasses import field
from urllib.parse import urljoin

from oci_merge._frozen import frozen

#: A chunk length has no more digits; a longer number is ignored.
_MAX_DIGITS = 15


@frozen
class RawManifest:
    """A manifest's bytes, not parsed.

    Attributes:
        media_type: the response's Content-Type.
        digest: the digest of ``content``.
        content: the bytes.
    """

    media_type: str
    digest: str
    content: bytes


@frozen
class RefusedMount:
    """A blob that the registry would not mount.

    Attributes:
        reason: what the registry said.
        upload: the URL of the upload session that it opened instead, or an empty string. It may
            hold a signature, so it is kept out of ``repr``.
        least_chunk: the fewest bytes of a chunk of that upload, or 0.
        status: the response's status.
        codes: the registry's error codes.
        login_hint: what to do about the login, if that is known; else empty.
        said: the same in the registry's own words, where it gave some.
        user: who was refused, where the registry denied it to a user.
        may_not_push: whether that user may not push to the target's repository.
        hint: what to do, where more is known of it than that the mount was refused.
    """

    reason: str
    upload: str = field(default="", repr=False)
    least_chunk: int = 0
    status: int = 202
    codes: tuple[str, ...] = ()
    login_hint: str = ""
    said: str = ""
    user: str = ""
    may_not_push: bool = False
    hint: str = ""


@frozen
class Upload:
    """An upload session ("Pushing blobs").

    Attributes:
        url: where it goes on, exactly as the registry gave it. It may hold a signature, so it is
            kept out of ``repr``.
        least_chunk: the fewest bytes of a chunk but the last, or 0 where the registry says nothing.
        arrived: how many bytes the registry has, or None where it does not say.
    """

    url: str = field(repr=False)
    least_chunk: int = 0
    arrived: int | None = None


def chunk_length(header: str | None) -> int:
    """Return the number of bytes that ``OCI-Chunk-Min-Length`` states, or 0."""
    if header and header.isascii() and header.isdecimal() and len(header) <= _MAX_DIGITS:
        return int(header)
    return 0


def located(url: str, location: str | None) -> str:
    """Return the URL that a response's ``Location`` names; what is no URL stays as it is."""
    try:
        return urljoin(url, location) if location else ""
    except ValueError:
        return location or ""
