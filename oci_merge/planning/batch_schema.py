"""The JSON schema of batch files, made of the keys themselves. Pure.

Editors show it while a batch file is written; it is draft 7 of JSON Schema, which they all know.
"""

from __future__ import annotations

from typing import Any

from oci_merge.planning.batch_keys import MERGE_KEYS, PUSH_KEYS, Key

#: A variable may stand wherever a value does.
_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_TEXT = {"type": ["string", "number"]}
_NAME = {
    "description": "A name for messages and results, which ${name} stands for in values.",
    "type": ["string", "number"],
}
_PLATFORM_PARTS = (
    *("os", "architecture", "variant", "osversion", "os.version", "version"),
    *("osfeatures", "os.features", "features"),
)
_LISTS = ("osfeatures", "os.features", "features")


def batch_schema() -> dict[str, Any]:
    """Return the JSON schema of batch files, as JSON values."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "oci-merge batch",
        "description": "Images that `oci-merge batch` merges, each into one for all platforms.",
        "oneOf": [{"$ref": "#/definitions/batch"}, {"$ref": "#/definitions/spec"}],
        "definitions": {
            "batch": _batch(),
            "defaults": _object(
                {**_properties(MERGE_KEYS), **_properties(PUSH_KEYS)},
                "What each image has, unless it says otherwise.",
            ),
            "image": _image(),
            "spec": _spec(),
            "source": _source(),
            "platform": _platform(),
        },
    }


def _object(
    properties: dict[str, Any], description: str, *, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    document = {
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return document | ({"required": list(required)} if required else {})


def _batch() -> dict[str, Any]:
    image = {"oneOf": [{"$ref": "#/definitions/image"}, {"$ref": "#/definitions/spec"}]}
    document = _object(
        {
            "$schema": {"type": "string"},
            "defaults": {"$ref": "#/definitions/defaults"},
            "images": {
                "description": "The images to merge.",
                "type": "array",
                "minItems": 1,
                "items": image,
            },
        },
        "Many images.",
        required=("images",),
    )
    # For people and for anchors, as in compose files.
    return document | {"patternProperties": {"^x-": {}}}


def _image() -> dict[str, Any]:
    document = _object({"name": _NAME, **_properties(MERGE_KEYS)}, "An image to merge.")
    return document | {"not": {"required": ["sources", "manifests"]}}


def _spec() -> dict[str, Any]:
    shared = {key: _property(MERGE_KEYS[key]) for key in ("tags", "annotations")}
    return _object(
        {
            "name": _NAME,
            "image": {"description": MERGE_KEYS["target"].meaning, "type": "string"},
            "manifests": {
                "description": "The images to join.",
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/definitions/source"},
            },
            **shared,
            **_properties(PUSH_KEYS),
        },
        "A spec of manifest-tool, which is pushed by its rules.",
        required=("image", "manifests"),
    )


def _source() -> dict[str, Any]:
    platform = {"$ref": "#/definitions/platform"}
    return _object(
        {"image": {"type": "string"}, "platform": {"anyOf": [platform, {"type": "string"}]}},
        "An image to join, and its platform where the image does not say it.",
        required=("image",),
    )


def _platform() -> dict[str, Any]:
    texts = {"type": "array", "items": _TEXT}
    parts = {part: texts if part in _LISTS else _TEXT for part in _PLATFORM_PARTS}
    return _object(parts, "A platform, as manifest-tool writes it.")


def _properties(keys: Any) -> dict[str, Any]:
    return {name: _property(key) for name, key in keys.items()}


def _property(key: Key) -> dict[str, Any]:
    document: dict[str, Any] = {"description": key.meaning}
    match key.kind:
        case "text":
            document["type"] = "string"
        case "texts":
            document["anyOf"] = [{"type": "array", "items": _TEXT}, _TEXT]
        case "pairs":
            texts = {"type": ["string", "number", "boolean"]}
            document |= {"type": "object", "additionalProperties": texts}
        case "images":
            item = {"anyOf": [{"type": "string"}, {"$ref": "#/definitions/source"}]}
            document |= {"type": "array", "items": item}
        case "seconds":
            document["type"] = ["string", "number"]
        case "flag":
            document["anyOf"] = [{"type": "boolean"}, _VARIABLE]
        case "choice":
            document["anyOf"] = [{"enum": list(key.choices)}, _VARIABLE]
    return document
