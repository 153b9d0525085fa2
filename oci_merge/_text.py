"""Reads text of files, and makes text from registries and images safe to show.

Names, annotations and messages from outside are untrusted. Shown as escapes are the characters that
a terminal would act on, and one character of each marker by which a line of output commands the CI
system that runs the program.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

#: Unicode categories that a terminal may act on: controls, formats (bidi marks), surrogates,
#: private use, and line and paragraph separators.
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

# A marker is broken wherever it stands, not only at the start of a line where some systems look for
# it: texts are joined, aligned and wrapped after they came through here. IPv6 addresses stay.
_COMMANDS = re.compile(
    r"#(?=#)"  # ##vso[ and ##[ of Azure and GitHub, ##teamcity[, ##octopus[
    r"|:(?=:[A-Za-z_][\w-]*(?:::|\s))"  # ::set-output name=x:: of GitHub and Gitea
    r"|(?<!\S):(?=:)"  # the same, with a name that stop-commands made up
    r"|(?<=section_start):|(?<=section_end):"  # GitLab
    r"|(?<=travis_fold):|(?<=travis_time):"
    r"|(?<!\S)(?:-(?=--(?:\s|$))|\+(?=\+\+(?:\s|$))"  # Buildkite, and the next line
    r"|~(?=~~(?:\s|$))|\^(?=\^\^(?:\s|$)))"
)

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(content: bytes) -> str:
    """Decode the text of a file: UTF-8, with or without a byte order mark, or UTF-16 with one.

    PowerShell writes UTF-16 into pipes and where its output is redirected into a file.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    return content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8-sig")


def printable(text: str, *, limit: int = 500) -> str:
    r"""Return a text as one line that is safe to print, on a terminal and in a CI system's log.

    Args:
        text: any text, trusted or not.
        limit: how many characters of ``text`` are kept; a cut is marked with an ellipsis.

    Returns:
        The text, with the characters that a terminal would act on written as Python writes them in
        a string, and so is one of each marker that a CI system obeys: ``##vso[`` is shown as
        ``\x23#vso[``.
    """
    # Cut first: escaping makes it longer, and the text may be megabytes.
    shown = text[:limit]
    if not (shown.isascii() and shown.isprintable()):  # most texts are, and need no closer look
        shown = "".join(
            char.encode("unicode_escape").decode("ascii")
            if unicodedata.category(char) in _ESCAPED
            else char
            for char in shown
        )
    shown = _COMMANDS.sub(lambda marker: f"\\x{ord(marker[0]):02x}", shown)
    return shown + "…" if len(text) > limit else shown


def printable_json(document: object, *, indent: int | None = 2) -> str:
    r"""Return a document as JSON that is safe to print.

    Args:
        document: what ``json.dumps`` takes.
        indent: by how many spaces its levels are indented; None for a single line.

    Returns:
        JSON in ASCII, which parses to an equal document. Of each marker that a CI system obeys, a
        character is written as an escape: ``##vso[`` as ``\u0023#vso[``.
    """
    import json  # not needed by --help

    # JSON itself has none of the markers: they stand within its strings.
    text = json.dumps(document, indent=indent)
    return _COMMANDS.sub(lambda marker: f"\\u{ord(marker[0]):04x}", text)


def has_controls(text: str) -> bool:
    """Say whether a text has characters that a terminal would act on, or that are none."""
    return any(unicodedata.category(char) in _ESCAPED for char in text)


def listed(items: list[str] | tuple[str, ...]) -> str:
    """Join words into a list in words: ``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shown_path(url: str) -> str:
    """Return a URL's path for messages; without the query, which may hold a signature."""
    from urllib.parse import urlsplit  # not needed by --help

    return printable(urlsplit(url).path)


def shown_host(url: str) -> str:
    """Return a URL's host and port for messages; without a user name and password."""
    from urllib.parse import urlsplit

    return printable(urlsplit(url).netloc.rpartition("@")[2])
