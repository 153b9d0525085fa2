"""Reads signed JSON documents strictly, so that no two readers see different contents in one."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any


class UnreadableError(ValueError):
    """A signed document cannot be read; the text says why."""


def parse(content: bytes) -> dict[str, Any]:
    """Return the object that a JSON document holds.

    Args:
        content: the document, UTF-8.

    Raises:
        UnreadableError: it is no JSON, no object, or names a key twice: readers differ in which of
            the two they take, and so in what was signed. They also differ in half of a surrogate
            pair, and in a number that is too large.
    """
    try:
        document = json.loads(
            content.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except UnreadableError:
        raise
    except (ValueError, RecursionError) as error:
        raise UnreadableError("it is not JSON") from error
    if not isinstance(document, dict):
        raise UnreadableError("it is no JSON object")
    try:
        encode(document)  # it may have to be written again, and half a pair cannot be
    except UnicodeEncodeError as error:
        raise UnreadableError("it has half of a surrogate pair in it") from error
    except RecursionError as error:  # writing goes deeper than reading
        raise UnreadableError("it is nested too deep") from error
    return document


def field(document: dict[str, Any], *names: str) -> Any:
    """Return the value at a path of keys; None where the document has none there."""
    value: Any = document
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def decode_base64(value: object, what: str) -> bytes:
    """Return the bytes of a base64 text (RFC 4648, section 4).

    Args:
        value: the text.
        what: names it in the error.

    Raises:
        UnreadableError: it is no such text.
    """
    if isinstance(value, str):
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            content = b""
        # Python's decoder takes one "=" too many, and bits behind the last byte that are not zero.
        if base64.b64encode(content).decode() == value:
            return content
    raise UnreadableError(f"its {what} is not base64")


def encode(document: object) -> bytes:
    """Return a document as JSON without spaces, UTF-8, keys in their order."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise UnreadableError("it has a key twice")
    return document


def _no_number(text: str) -> Any:
    raise UnreadableError(f"it has {text} in it, which is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableError("it has a number in it that is too large")
    return number
