"""Encodes an index (OCI image spec, "Image Index Property Descriptions"; Docker manifest list).

Fields and JSON are written as Go's tools write them, so that the same entries give the same digest
whichever tool joined them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from oci_merge._frozen import frozen
from oci_merge.errors import InvalidReferenceError
from oci_merge.model import media_types
from oci_merge.model.digest import check_digest, sha256_digest
from oci_merge.model.platform import Platform

#: Characters that Go's ``encoding/json`` escapes in strings although JSON does not require it.
_GO_ESCAPES = str.maketrans(
    {char: f"\\u{ord(char):04x}" for char in ("<", ">", "&", "\u2028", "\u2029")}
)


@frozen
class IndexEntry:
    """One entry of an index.

    Attributes:
        media_type: the manifest's media type.
        digest: the manifest's digest.
        size: the manifest's size in bytes.
        platform: the platform that the image runs on; None for an entry without one.
        annotations: the descriptor's annotations.
        artifact_type: the descriptor's artifact type, or an empty string; a Docker manifest list
            has no such field.
        features: features of the CPU, in the platform.
        urls: where else the manifest can be had.
        data: the manifest in base64, or an empty string; a Docker manifest list has no such field.
    """

    media_type: str
    digest: str
    size: int
    platform: Platform | None
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    features: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    data: str = ""


@frozen
class IndexDocument:
    """An encoded index: its media type and the exact bytes to push."""

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

    @property
    def subject(self) -> str:
        """The digest of what it refers to, or an empty string."""
        return subject_digest(self.content)


def subject_digest(content: bytes) -> str:
    """Return the digest of what a manifest refers to ("Image Manifest", ``subject``).

    Args:
        content: the manifest or index, which has been parsed before.

    Returns:
        The digest; an empty string if there is no subject, or what it says is no digest.
    """
    subject = json.loads(content).get("subject")
    digest = subject.get("digest") if isinstance(subject, dict) else None
    with contextlib.suppress(InvalidReferenceError):
        return check_digest(digest) if isinstance(digest, str) else ""
    return ""


def encode_index(
    entries: Sequence[IndexEntry],
    media_type: str,
    annotations: Mapping[str, str],
    *,
    artifact_type: str = "",
    subject: IndexEntry | None = None,
) -> IndexDocument:
    """Encode an index.

    Args:
        entries: the entries, in order.
        media_type: ``media_types.OCI_INDEX`` or ``media_types.DOCKER_LIST``.
        annotations: annotations of the index itself; empty for a Docker list.
        artifact_type: the artifact type of the index, or an empty string, as for a Docker list.
        subject: the manifest that the index refers to; none for a Docker list.

    Returns:
        The encoded index; the same arguments give the same bytes.
    """
    encode = _docker_entry if media_type == media_types.DOCKER_LIST else _oci_entry
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type}
    if artifact_type:
        document["artifactType"] = artifact_type
    document["manifests"] = [encode(entry) for entry in entries]
    if subject:
        document["subject"] = encode(subject)
    if annotations:
        document["annotations"] = sorted_annotations(annotations)
    return encode_document(document, media_type)


def encode_document(document: Mapping[str, Any], media_type: str) -> IndexDocument:
    """Encode an index that is there as JSON values, fields in their order.

    Args:
        document: the index.
        media_type: its media type.

    Raises:
        ValueError: a value has no form in JSON, such as half of a surrogate pair.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return IndexDocument(media_type, text.translate(_GO_ESCAPES).encode())


# The next two differ in the order of digest and size, as the structs of Go's libraries do.
def _docker_entry(entry: IndexEntry) -> dict[str, Any]:
    head = {"mediaType": entry.media_type, "size": entry.size, "digest": entry.digest}
    return head | _common(entry, data="")


def _oci_entry(entry: IndexEntry) -> dict[str, Any]:
    head = {"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size}
    tail = {"artifactType": entry.artifact_type} if entry.artifact_type else {}
    return head | _common(entry, data=entry.data) | tail


def _common(entry: IndexEntry, *, data: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if entry.urls:
        fields["urls"] = list(entry.urls)
    if entry.annotations:
        fields["annotations"] = sorted_annotations(entry.annotations)
    if data:
        fields["data"] = data
    if entry.platform is not None:
        fields["platform"] = encode_platform(entry.platform)
        if entry.features:
            fields["platform"]["features"] = list(entry.features)
    return fields


def encode_platform(platform: Platform) -> dict[str, Any]:
    """Return the ``platform`` object of a descriptor; empty optional fields are left out."""
    fields: dict[str, Any] = {"architecture": platform.architecture, "os": platform.os}
    if platform.os_version:
        fields["os.version"] = platform.os_version
    if platform.os_features:
        fields["os.features"] = list(platform.os_features)
    if platform.variant:
        fields["variant"] = platform.variant
    return fields


def sorted_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Sort annotations by key, as Go's encoder sorts maps: by the UTF-8 bytes of the keys."""
    return dict(sorted(annotations.items(), key=lambda item: item[0].encode()))
