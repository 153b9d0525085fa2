"""The bytes of an index (OCI image spec, "Image Index"; Docker manifest list).

The order of fields and the way of writing JSON are those of Go's tools, so that the same entries
have the same digest wherever they were joined.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oci_merge.model import media_types
from oci_merge.model.digest import sha256_digest
from oci_merge.model.platform import Platform

#: What Go's encoder escapes in strings beyond what JSON asks for.
_GO_ESCAPES = str.maketrans(
    {char: f"\\u{ord(char):04x}" for char in ("<", ">", "&", "\u2028", "\u2029")}
)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One entry of an index.

    Attributes:
        media_type: the media type of the manifest.
        digest: its digest.
        size: its size in bytes.
        platform: what it runs on.
        annotations: the descriptor's annotations.
        artifact_type: the descriptor's artifact type, or an empty string (OCI only).
    """

    media_type: str
    digest: str
    size: int
    platform: Platform
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""


@dataclass(frozen=True, slots=True)
class IndexDocument:
    """An index that is ready to be pushed: its media type and exact bytes."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The sha256 digest of the bytes."""
        return sha256_digest(self.content)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.content)


def encode_index(
    entries: Sequence[IndexEntry], media_type: str, annotations: Mapping[str, str]
) -> IndexDocument:
    """Write an index.

    Args:
        entries: the entries, in the order in which they are to stand.
        media_type: ``media_types.OCI_INDEX`` or ``media_types.DOCKER_LIST``.
        annotations: annotations of the index itself; a Docker list has none.

    Returns:
        The document; the same arguments give the same bytes.
    """
    encode = _docker_entry if media_type == media_types.DOCKER_LIST else _oci_entry
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [encode(entry) for entry in entries],
    }
    if annotations:
        document["annotations"] = _sorted(annotations)
    text = json.dumps(document, indent=2, ensure_ascii=False).translate(_GO_ESCAPES)
    return IndexDocument(media_type, text.encode())


def _docker_entry(entry: IndexEntry) -> dict[str, Any]:
    head = {"mediaType": entry.media_type, "size": entry.size, "digest": entry.digest}
    return head | _common(entry)


def _oci_entry(entry: IndexEntry) -> dict[str, Any]:
    head = {"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size}
    tail = {"artifactType": entry.artifact_type} if entry.artifact_type else {}
    return head | _common(entry) | tail


def _common(entry: IndexEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if entry.annotations:
        fields["annotations"] = _sorted(entry.annotations)
    fields["platform"] = encode_platform(entry.platform)
    return fields


def encode_platform(platform: Platform) -> dict[str, Any]:
    """Return a platform as a descriptor carries it; empty optional fields are left out."""
    fields: dict[str, Any] = {"architecture": platform.architecture, "os": platform.os}
    if platform.os_version:
        fields["os.version"] = platform.os_version
    if platform.os_features:
        fields["os.features"] = list(platform.os_features)
    if platform.variant:
        fields["variant"] = platform.variant
    return fields


def _sorted(annotations: Mapping[str, str]) -> dict[str, str]:
    """Sort keys as Go does, by their UTF-8 bytes."""
    return dict(sorted(annotations.items(), key=lambda item: item[0].encode()))
