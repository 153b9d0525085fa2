"""What the formats of signatures share: what is signed, and what is stored for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oci_merge._frozen import frozen
from oci_merge.model import media_types
from oci_merge.model.digest import sha256_digest
from oci_merge.trust.strict_json import encode


@frozen
class Signed:
    """A manifest that is signed, as a descriptor names it.

    Attributes:
        media_type: its media type.
        digest: its sha256 digest.
        size: its size in bytes.
    """

    media_type: str
    digest: str
    size: int


@frozen
class StoredBlob:
    """A blob to upload.

    Attributes:
        content: its bytes.
        media_type: its media type.
    """

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Its sha256 digest."""
        return sha256_digest(self.content)

    def descriptor(self, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return its descriptor as JSON values (OCI image spec, "Content Descriptors")."""
        described: dict[str, Any] = {
            "mediaType": self.media_type,
            "size": len(self.content),
            "digest": self.digest,
        }
        return described | {"annotations": dict(annotations)} if annotations else described


@frozen
class StoredManifest:
    """An image manifest to push once its blobs are there.

    Attributes:
        content: its bytes.
        blobs: the blobs that it names and that have to be uploaded.
    """

    content: bytes
    blobs: tuple[StoredBlob, ...]

    @property
    def digest(self) -> str:
        """Its sha256 digest."""
        return sha256_digest(self.content)


def image_manifest(**fields: object) -> bytes:
    """Return an image manifest with these fields (OCI image spec, "Image Manifest")."""
    return encode({"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, **fields})
