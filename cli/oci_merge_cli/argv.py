"""What is read of the arguments before typer reads them."""

from __future__ import annotations

from collections.abc import Container, Sequence


def command_word(arguments: Sequence[str], valued: Container[str]) -> str | None:
    """Return the first argument that is neither an option nor an option's value.

    Args:
        arguments: the program's arguments.
        valued: the options that take a value.

    Returns:
        The word where a command is expected, or None where there is none.
    """
    words = iter(arguments)
    for word in words:
        if word == "--":
            return next(words, None)
        if not word.startswith("-") or word == "-":
            return word
        if word in valued:
            next(words, None)
    return None
