"""Reads ``Warning`` headers (OCI distribution spec, "Warnings"). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from oci_merge._text import printable
from oci_merge.http.masking import masked

#: ``299 - "text"``; a proxy may have put a date behind it (RFC 7234, section 5.5).
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_MOST = 10


def parse_warnings(
    headers: Iterable[str], secrets: Callable[[], Iterable[str]] = tuple
) -> list[str]:
    """Parse ``Warning`` headers.

    Args:
        headers: their values; one may hold several warnings. Codes other than 299 are about
            caches and are left out.
        secrets: returns the secrets that are masked; asked only if there is a warning.

    Returns:
        The sentences, safe to print, each once; no more than ten.
    """
    found: dict[str, None] = {}
    for header in headers:
        for match in _WARNING.finditer(header):
            text = re.sub(r"\\(.)", r"\1", match[1]).strip()
            if text:
                found[printable(masked(text, secrets()))] = None
    return list(found)[:_MOST]


class WarningsOnce:
    """Passes on each warning of a registry once.

    Args:
        registry: its name.
        tell: called with each warning, as a sentence; None ignores warnings.
        secrets: returns what the registry was sent, to be masked should it repeat it.
    """

    def __init__(
        self,
        registry: str,
        tell: Callable[[str], object] | None,
        secrets: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._registry = registry
        self._tell = tell
        self._secrets = secrets
        self._told: set[str] = set()

    def note(self, headers: Iterable[str]) -> None:
        """Pass on what is new in a response's ``Warning`` headers."""
        for warning in parse_warnings(headers, self._secrets):
            if self._tell is None or warning in self._told or len(self._told) == _MOST:
                continue
            self._told.add(warning)
            self._tell(f"{self._registry} warns: {warning}")
