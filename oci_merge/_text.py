"""Makes text from registries and images safe to show.

Names, annotations and messages from outside are untrusted. Characters that a terminal would act on
are shown as escapes.
"""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

#: Unicode categories that a terminal may act on: controls, formats (bidi marks), surrogates,
#: private use, and line and paragraph separators.
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(text: str, *, limit: int = 500) -> str:
    """Return ``text`` with control characters escaped, cut after ``limit`` characters.

    Args:
        text: any text.
        limit: how many characters of ``text`` are kept; a cut is marked with an ellipsis.

    Returns:
        One line that is safe to print.
    """
    # Cut first: escaping makes it longer, and the text may be megabytes.
    kept = text[:limit]
    shown = "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _ESCAPED
        else char
        for char in kept
    )
    return shown + "…" if len(text) > limit else shown


def listed(items: list[str] | tuple[str, ...]) -> str:
    """Join words into a list in words: ``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shown_path(url: str) -> str:
    """Return a URL's path for messages; without the query, which may hold a signature."""
    return printable(urlsplit(url).path)


def shown_host(url: str) -> str:
    """Return a URL's host and port for messages."""
    return printable(urlsplit(url).netloc)
