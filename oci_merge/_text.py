"""Making text from outside safe to show.

Names, annotations and messages come from registries and images that nobody vouches for. What a
terminal would obey is shown as an escape instead.
"""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

#: Unicode categories that a terminal may act on: controls, formats (bidi marks), surrogates,
#: private use, and line and paragraph separators.
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(text: str, *, limit: int = 500) -> str:
    """Return ``text`` with control characters escaped, cut after ``limit`` characters.

    Args:
        text: any text, trusted or not.
        limit: how many characters of ``text`` to keep at most; a cut is marked with an ellipsis.

    Returns:
        One line that is safe to print.
    """
    kept = text[:limit]
    shown = "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _UNSHOWN
        else char
        for char in kept
    )
    return shown + "…" if len(text) > limit else shown


def listed(items: list[str] | tuple[str, ...]) -> str:
    """Join words as a sentence does: ``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shown_path(url: str) -> str:
    """Return a URL's path, to be shown: a query may hold a signature."""
    return printable(urlsplit(url).path)


def shown_host(url: str) -> str:
    """Return a URL's host and port, to be shown."""
    return printable(urlsplit(url).netloc)
