"""Checks a document against a JSON schema: the keywords that our schemas use, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "object": dict,
    "string": str,
}
_DESCRIBING = frozenset({"$defs", "$schema", "default", "description", "examples", "title"})
_CHECKED = frozenset(
    {
        *("$ref", "additionalProperties", "allOf", "anyOf", "const", "enum", "items", "minimum"),
        *("oneOf", "pattern", "properties", "required", "type"),
    }
)


def violations(document: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return what in a document is not as its schema says, each with its place.

    Raises:
        AssertionError: the schema has a keyword that is not known here.
    """
    return list(_violations(document, schema, schema, "$"))


def unknown_properties(document: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return the places in a document that its schema does not describe."""
    return list(_unknown(document, [schema], schema, "$"))


def _violations(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str
) -> Iterator[str]:
    assert schema.keys() <= _DESCRIBING | _CHECKED, schema.keys() - _DESCRIBING - _CHECKED
    yield from _value_violations(value, schema, place)
    if isinstance(value, dict):
        yield from _object_violations(value, schema, root, place)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _violations(item, schema.get("items", {}), root, f"{place}[{number}]")
    parts = [_referred(schema["$ref"], root)] if "$ref" in schema else []
    for part in [*parts, *schema.get("allOf", ())]:
        yield from _violations(value, part, root, place)
    for keyword, allowed in (("anyOf", range(1, 100)), ("oneOf", (1,))):
        if keyword in schema:
            found = [list(_violations(value, part, root, place)) for part in schema[keyword]]
            if found.count([]) not in allowed:
                yield f"{place} fits {found.count([])} of {keyword}: {found}"


def _value_violations(value: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    if "type" in schema and not _is_of_type(value, schema["type"]):
        yield f"{place} is no {schema['type']}: {value!r}"
    if "const" in schema and value != schema["const"]:
        yield f"{place} is not {schema['const']!r}: {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is none of {schema['enum']}: {value!r}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{place} does not match {schema['pattern']}: {value!r}"
    if "minimum" in schema and isinstance(value, int) and value < schema["minimum"]:
        yield f"{place} is less than {schema['minimum']}: {value}"


def _object_violations(
    value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], place: str
) -> Iterator[str]:
    yield from (
        f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value
    )
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    for name, item in value.items():
        if name in known:
            yield from _violations(item, known[name], root, f"{place}.{name}")
        elif others is False:
            yield f"{place}.{name} is not allowed"
        elif others is not True:
            yield from _violations(item, others, root, f"{place}.{name}")


def _unknown(
    value: Any, schemas: list[Mapping[str, Any]], root: Mapping[str, Any], place: str
) -> Iterator[str]:
    parts = [part for schema in schemas for part in _parts(schema, root)]
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        for number, item in enumerate(value):
            yield from _unknown(item, items, root, f"{place}[{number}]")
    if isinstance(value, dict):
        for name, item in value.items():
            found = [
                part["properties"][name] for part in parts if name in part.get("properties", {})
            ]
            # A map describes its values by one schema, whatever their names.
            others = (part.get("additionalProperties") for part in parts)
            if found := found or [each for each in others if isinstance(each, dict)]:
                yield from _unknown(item, found, root, f"{place}.{name}")
            else:
                yield f"{place}.{name}"


def _parts(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all that it refers to or combines."""
    yield schema
    if "$ref" in schema:
        yield from _parts(_referred(schema["$ref"], root), root)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            yield from _parts(part, root)


def _referred(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def _is_of_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])
