"""Escapes what goes to stdout and stderr, so that neither a terminal nor a CI system obeys it."""

from __future__ import annotations

from oci_merge import printable as printable
from oci_merge import printable_json as printable_json


def printable_lines(text: str) -> str:
    """Return text with each of its lines made safe to print.

    What came through ``printable`` before stays as it is, but a marker that joining made of two
    harmless pieces is broken here.
    """
    return "\n".join(printable(line, limit=len(line)) for line in text.split("\n"))
