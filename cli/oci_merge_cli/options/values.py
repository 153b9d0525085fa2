"""Option values that hold several things: lists with commas, and key=value pairs. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from oci_merge import UsageError
from oci_merge_cli.output.escape import printable


def split_list(values: Iterable[str] | None) -> list[str]:
    """Split the values of a repeated option at their commas.

    Args:
        values: the values as they were given; None if the option was not.

    Returns:
        The words, without spaces around them. An empty word is kept, so that the check of the
        words refuses it: it often comes from a variable that is not set.
    """
    return [word.strip() for value in values or () for word in value.split(",")]


def split_pairs(text: str) -> list[str]:
    """Split ``key=value`` words at commas; a comma divides only if a ``=`` follows it.

    ``a=hello, world,b=2`` is ``a=hello, world`` and ``b=2``.
    """
    words: list[str] = []
    for piece in text.split(","):
        if words and "=" not in piece:
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
