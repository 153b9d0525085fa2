"""Decodes files and parses option values: lists and key=value pairs. Pure."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from oci_merge import UsageError
from oci_merge import parse_duration as parse_duration
from oci_merge_cli.output.escape import printable

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PAIR = re.compile(r"\s*[^\s=]+=")
# What buildx puts before a key for several kinds at once.
_PREFIX = re.compile(r"\s*(?:(?:index|manifest)(?:-descriptor)?(?:\[[^\]]*\])?,?)+\s*")


def decode(content: bytes) -> str:
    """Decode the text of a file: UTF-8, with or without a byte order mark, or UTF-16 with one.

    PowerShell writes UTF-16 into pipes and where its output is redirected into a file.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    return content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8-sig")


def split_list(values: Iterable[str] | None) -> list[str]:
    """Split the values of a repeated option at their commas and line breaks.

    Args:
        values: the values as given; None if the option is not.

    Returns:
        The words, without spaces around them. Empty lines are left out, other empty words are kept.
    """
    # An empty word often comes from a variable that is not set. The library refuses it; dropping
    # it here would publish fewer platforms or tags than meant. An empty line is none: the last one
    # of a list ends in a line break.
    return [
        word.strip()
        for value in values or ()
        for line in _lines(value) or [value]
        for word in line.split(",")
    ]


def _lines(value: str) -> list[str]:
    return [line for line in value.splitlines() if line.strip()]


def split_lines(values: Iterable[str] | None) -> list[str]:
    """Split the ``key=value`` words of a repeated option at line breaks.

    A line break divides only if a ``key=`` without spaces follows it: a value may have several
    lines.
    """
    words: list[str] = []
    for value in values or ():
        pieces: list[str] = []
        for line in value.splitlines(keepends=True):
            if pieces and not _PAIR.match(line):
                pieces[-1] += line
            elif line.strip() or not pieces:
                pieces.append(line)
        words += (_trimmed(piece) for piece in pieces or [value])
    return words


def _trimmed(piece: str) -> str:
    """Return a word without the line breaks around it."""
    return piece.strip("\r\n")


def split_pairs(text: str) -> list[str]:
    """Split ``key=value`` words at commas; a comma divides only if a ``=`` follows it.

    ``a=hello, world,b=2`` is ``a=hello, world`` and ``b=2``. In ``index,manifest:a=1`` the comma
    is a part of buildx's prefix.
    """
    words: list[str] = []
    for piece in text.split(","):
        if words and ("=" not in piece or _PREFIX.fullmatch(words[-1])):
            words[-1] += f",{piece}"
        else:
            words.append(piece)
    return words


def parse_pairs(words: Iterable[str], *, what: str) -> dict[str, str]:
    """Parse ``key=value`` words; a value may itself contain ``=``.

    Args:
        words: the words.
        what: names them in the error, for example ``annotation``.

    Returns:
        The values by their keys, in the order of the words.

    Raises:
        UsageError: a word has no ``=`` or no key, or a key comes twice with different values.
    """
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                f"the {what} {printable(word)!r} is not of the form key=value",
                hint="write the key, an equals sign and the value, such as key=value",
            )
        if pairs.setdefault(key.strip(), value) != value:
            raise UsageError(
                f"the {what} {printable(key)!r} is given twice, with different values",
                hint="keep one of the two",
            )
    return pairs
