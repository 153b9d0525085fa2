"""Makes text from outside safe to show on a terminal."""

from __future__ import annotations

import unicodedata

#: Unicode categories that a terminal may obey: controls, formats (bidi marks), surrogates,
#: private use, and line and paragraph separators.
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(text: str, *, limit: int = 500) -> str:
    """Return text as one line that is safe to print.

    Args:
        text: any text, trusted or not.
        limit: the number of characters of ``text`` to keep; a longer text ends with an ellipsis.

    Returns:
        The text, with every character that a terminal may obey written as a Python escape.
    """
    shown = "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _OBEYED
        else char
        for char in text[:limit]
    )
    return shown + "…" if len(text) > limit else shown
