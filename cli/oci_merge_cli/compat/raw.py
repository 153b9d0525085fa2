"""Renders ``inspect --raw``: manifests and configs as manifest-tool shows them. Pure.

manifest-tool reads them into Go structs and writes these, so the output has the fields of the
structs in their order (OCI image spec: manifest, descriptor, image configuration).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from oci_merge import InspectedImage, Inspection, ManifestError
from oci_merge_cli.compat.go_json import (
    BYTES,
    NOTHING,
    NUMBER,
    SWITCH,
    TEXT,
    TIME,
    Field,
    Kind,
    dumps,
    list_of,
    map_of,
    optional,
    structure,
)
from oci_merge_cli.output.escape import printable
from oci_merge_cli.output.render import IMAGE_TYPES

_HINT = "leave out --raw, or use --output manifest, which shows the exact bytes of the manifest"

_PLATFORM_FIELDS = (
    Field("architecture", TEXT, kept=True),
    Field("os", TEXT, kept=True),
    Field("os.version", TEXT),
    Field("os.features", list_of(TEXT)),
    Field("variant", TEXT),
)
_DESCRIPTOR = structure(
    Field("mediaType", TEXT, kept=True),
    Field("digest", TEXT, kept=True),
    Field("size", NUMBER, kept=True),
    Field("urls", list_of(TEXT)),
    Field("annotations", map_of(TEXT)),
    Field("data", BYTES),
    Field("platform", optional(structure(*_PLATFORM_FIELDS))),
    Field("artifactType", TEXT),
)
_MANIFEST = structure(
    Field("schemaVersion", NUMBER, kept=True),
    Field("mediaType", TEXT),
    Field("artifactType", TEXT),
    Field("config", _DESCRIPTOR, kept=True),
    Field("layers", list_of(_DESCRIPTOR), kept=True),
    Field("subject", optional(_DESCRIPTOR)),
    Field("annotations", map_of(TEXT)),
)
_INDEX = structure(
    Field("schemaVersion", NUMBER, kept=True),
    Field("mediaType", TEXT),
    Field("annotations", map_of(TEXT)),
)
_RUN_CONFIG = structure(
    Field("User", TEXT),
    Field("ExposedPorts", map_of(NOTHING)),
    Field("Env", list_of(TEXT)),
    Field("Entrypoint", list_of(TEXT)),
    Field("Cmd", list_of(TEXT)),
    Field("Volumes", map_of(NOTHING)),
    Field("WorkingDir", TEXT),
    Field("Labels", map_of(TEXT)),
    Field("StopSignal", TEXT),
    Field("ArgsEscaped", SWITCH),
)
_ROOT_FILE_SYSTEM = structure(
    Field("type", TEXT, kept=True),
    Field("diff_ids", list_of(TEXT), kept=True),
)
_HISTORY = structure(
    Field("created", TIME),
    Field("created_by", TEXT),
    Field("author", TEXT),
    Field("comment", TEXT),
    Field("empty_layer", SWITCH),
)
_CONFIG = structure(
    Field("created", TIME),
    Field("author", TEXT),
    *_PLATFORM_FIELDS,
    Field("config", _RUN_CONFIG, kept=True),
    Field("rootfs", _ROOT_FILE_SYSTEM, kept=True),
    Field("history", list_of(_HISTORY)),
)


def raw_json(found: Inspection, *, expand_config: bool = False) -> str:
    """Return the output of ``inspect --raw``, byte for byte.

    Args:
        found: the image or the index.
        expand_config: show an image's config in place of its descriptor.

    Raises:
        ManifestError: an index lists something other than images, or a field has another type
            than in the spec.
    """
    manifest = _read(_INDEX if found.is_index else _MANIFEST, found.content, found.reference)
    if found.is_index:
        document = _index(found, manifest)
    elif expand_config:
        document = _expanded(found, manifest)
    else:
        document = _named(found) | _platform(found) | manifest
    return dumps(document, indent=4) + "\n"


def _index(found: Inspection, index: Mapping[str, Any]) -> dict[str, Any]:
    children = [_child(found, image) for image in found.images]
    return {
        **_named(found),
        **_some(index, "schemaVersion", "mediaType"),
        "manifests": children or None,
        **_some(index, "annotations"),
    }


def _child(found: Inspection, image: InspectedImage) -> Any:
    if image.is_missing:
        raise ManifestError(
            f"--raw cannot show {found.reference}: it lists {image.digest}, "
            "which the registry does not have",
            hint=_HINT,
        )
    if image.media_type not in IMAGE_TYPES:
        raise ManifestError(
            f"--raw cannot show {found.reference}: it lists {image.digest}, which is "
            f"{printable(image.media_type)} and not an image",
            hint=_HINT,
        )
    return _read(_MANIFEST, image.content, image.digest)


def _expanded(found: Inspection, manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_some(manifest, "schemaVersion"),
        **_named(found),
        **_platform(found),
        **_some(manifest, "mediaType"),
        "config": _read(_CONFIG, found.config or b"{}", f"the config of {found.reference}"),
        **_some(manifest, "layers", "subject", "annotations"),
    }


def _named(found: Inspection) -> dict[str, Any]:
    return {"name": found.reference, "digest": found.digest}


def _platform(found: Inspection) -> dict[str, Any]:
    platform = found.images[0].platform
    said = {"os": platform.os, "architecture": platform.architecture}
    return {name: word for name, word in said.items() if word}


def _some(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _read(kind: Kind, content: bytes, what: str) -> Any:
    try:
        return kind.of(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ManifestError(
            f"--raw cannot show {what}: {printable(str(error))}", hint=_HINT
        ) from None
