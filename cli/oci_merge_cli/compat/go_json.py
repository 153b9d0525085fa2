"""JSON as Go programs read it into structures and write it from them. Pure.

A ``Kind`` is a type of Go's: what it makes of a JSON value, and what it holds where there is none.
"""

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
    """A type.

    Args:
        read: makes of a JSON value, other than null, what is written; raises ValueError where the
            value is of another type.
        zero: what is written where there is no value.
    """

    read: Callable[[Any], Any]
    zero: Any

    def of(self, value: Any) -> Any:
        """Return what is written of a JSON value."""
        return self.zero if value is None else self.read(value)


class Field(NamedTuple):
    """A field of a structure.

    Args:
        name: its name in JSON.
        kind: its type.
        kept: whether it is written even if it is empty.
    """

    name: str
    kind: Kind
    kept: bool = False


def list_of(kind: Kind) -> Kind:
    """Return the type of a list; null and an empty list are not the same."""
    return Kind(lambda value: [kind.of(item) for item in _check(value, list, "a list")], None)


def map_of(kind: Kind) -> Kind:
    """Return the type of a map from text; it is written with its keys in order."""

    def read(value: Any) -> dict[str, Any]:
        pairs = _check(value, dict, "an object").items()
        return {key: kind.of(inner) for key, inner in sorted(pairs, key=lambda pair: pair[0])}

    return Kind(read, None)


def structure(*fields: Field) -> Kind:
    """Return the type of a structure, which forgets all other fields.

    A field's name may be written in capitals or not.
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
    """Return a type that may also have no value at all."""
    return Kind(kind.read, None)


def dumps(document: Any, *, indent: int) -> str:
    """Write a document as Go does, but never a character that a terminal might obey."""
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
        raise ValueError(f"this is not {what}")
    return value


def _base64(value: Any) -> str:
    text = TEXT.read(value).replace("\r", "").replace("\n", "")
    return base64.b64encode(base64.b64decode(text, validate=True)).decode()


def _time(value: Any) -> str:
    """Write a time without the last noughts of its fraction, and in nanoseconds at most."""
    found = _TIME.fullmatch(TEXT.read(value))
    if not found:
        raise ValueError("this is not a time of RFC 3339")
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
"""The type of a value that says by being there all that it says."""
