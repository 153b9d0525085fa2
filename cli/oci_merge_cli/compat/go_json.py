"""Reads JSON into the types of a Go program and writes it as Go does. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from oci_merge_cli.output.escape import printable

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_NANOSECOND_DIGITS = 9
_PERHAPS_ESCAPED = re.compile(r"[<>&]|[^\x20-\x7e\n]")


class Kind(NamedTuple):
    """A Go type.

    Args:
        read: converts a JSON value other than null to the value that Go writes; raises ValueError
            if the value is of another type.
        zero: the value that Go writes if there is none.
    """

    read: Callable[[Any], Any]
    zero: Any

    def of(self, value: Any) -> Any:
        """Return the value that Go writes for a JSON value."""
        return self.zero if value is None else self.read(value)


class Field(NamedTuple):
    """A field of a Go struct.

    Args:
        name: its name in JSON.
        kind: its type.
        kept: write it even if it is empty (no ``omitempty``).
    """

    name: str
    kind: Kind
    kept: bool = False


def list_of(kind: Kind) -> Kind:
    """Return the type of a slice; null and an empty list are distinct."""
    return Kind(lambda value: [kind.of(item) for item in _check(value, list, "a list")], None)


def map_of(kind: Kind) -> Kind:
    """Return the type of a map with text keys; Go writes it sorted by key."""

    def read(value: Any) -> dict[str, Any]:
        pairs = _check(value, dict, "an object").items()
        return {key: kind.of(inner) for key, inner in sorted(pairs, key=lambda pair: pair[0])}

    return Kind(read, None)


def structure(*fields: Field) -> Kind:
    """Return the type of a struct, which drops unknown fields.

    As in Go, the case of a field's name does not matter.
    """
    names = {field.name.lower(): field.name for field in fields}

    def read(value: Any) -> dict[str, Any]:
        given = {
            names.get(key.lower()): inner
            for key, inner in _check(value, dict, "an object").items()
            if inner is not None
        }
        held = [(field, _field(field, given.get(field.name))) for field in fields]
        return {field.name: inner for field, inner in held if inner or field.kept}

    return Kind(read, read({}))


def optional(kind: Kind) -> Kind:
    """Return the type of a pointer, which may be null."""
    return Kind(kind.read, None)


def dumps(document: Any, *, indent: int) -> str:
    """Return a document as Go writes it, with characters that a terminal obeys escaped."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return _PERHAPS_ESCAPED.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    if char in "<>&":
        return f"\\u{ord(char):04x}"
    return char if printable(char) == char else json.dumps(char)[1:-1]


def _field(field: Field, value: Any) -> Any:
    try:
        return field.kind.of(value)
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from None


def _check(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"must be {what}")
    return value


def _base64(value: Any) -> str:
    text = TEXT.read(value).replace("\r", "").replace("\n", "")
    return base64.b64encode(base64.b64decode(text, validate=True)).decode()


def _time(value: Any) -> str:
    """Return a time as Go writes it: no zeros at the end of the fraction, at most nanoseconds."""
    found = _TIME.fullmatch(TEXT.read(value))
    if not found:
        raise ValueError("must be a time as in RFC 3339")
    moment, fraction, zone = found.groups(default="")
    datetime.fromisoformat(moment)
    fraction = fraction[:_NANOSECOND_DIGITS].rstrip("0")
    return moment + (f".{fraction}" if fraction else "") + ("Z" if zone[1:] == "00:00" else zone)


TEXT = Kind(lambda value: _check(value, str, "text"), "")
NUMBER = Kind(lambda value: _check(value, int, "a whole number"), 0)
SWITCH = Kind(lambda value: _check(value, bool, "true or false"), False)
BYTES = Kind(_base64, "")
TIME = Kind(_time, "")
NOTHING = structure()
"""The type of ``struct{}``, the value of a set's entries."""
