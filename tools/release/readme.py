"""The README as an index of packages shows it, where a link to a file of the project leads nowhere.

hatch_build.py runs this at each build, so it needs Python alone.
"""

from __future__ import annotations

import posixpath
import re

# What is code stays as it is; the others are named after the method that writes them anew.
_TOKEN = re.compile(
    r"(?P<code>^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ ]*$|`[^`\n]+`)"
    r"|(?P<definition>^\[[^\]\n]+\]:[ ]*(?P<defined>\S+))"
    r"|(?P<html><picture\b.*?</picture>|<img\b[^>]*>)"
    r"|(?P<anchor><a\b[^>]*\bhref=\"(?P<href>[^\"]*)\"[^>]*>(?P<inner>.*?)</a>)"
    r"|(?P<image>!\[[^\]]*\]\((?P<source>[^)\s]+)[^)]*\))"
    r"|(?P<link>\[(?P<text>(?:!\[[^\]]*\]\([^)]*\)|`[^`\n]*`|[^\[\]`])*)\]"
    r"\((?P<target>[^)\s]+)[^)]*\))",
    re.MULTILINE | re.DOTALL,
)
_KINDS = ("definition", "html", "anchor", "image", "link")
_ATTRIBUTE = re.compile(r"\b(?P<name>src|srcset|href)=\"(?P<target>[^\"]*)\"")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#")


def for_index(readme: str, url: str = "", tag: str = "") -> str:
    """Return the README with links that work wherever it is shown.

    Args:
        readme: its Markdown.
        url: the project's address at GitHub. Links and pictures lead there. Without it, links to
            files of the project become plain text, and their pictures are left out.
        tag: the tag that links lead to.

    Raises:
        ValueError: a link cannot be made plain text, since it is defined elsewhere.
    """
    return (_Absolute(url, tag) if url else _Plain()).rewrite(readme)


class _Plain:
    """Makes links to files plain text."""

    def rewrite(self, text: str) -> str:
        return _TOKEN.sub(self._token, text)

    def _token(self, found: re.Match[str]) -> str:
        kind = next((kind for kind in _KINDS if found[kind]), None)
        if kind is None:
            return found[0]
        written: str = getattr(self, kind)(found)
        return written

    def definition(self, found: re.Match[str]) -> str:
        if _is_relative(found["defined"]):
            raise ValueError(f"write this link of the README inline: {found[0]}")
        return found[0]

    def html(self, found: re.Match[str]) -> str:
        targets = (each["target"] for each in _ATTRIBUTE.finditer(found[0]))
        return "" if any(map(_is_relative, targets)) else found[0]

    def anchor(self, found: re.Match[str]) -> str:
        inner = self.rewrite(found["inner"])
        return inner if _is_relative(found["href"]) else _replaced(found, "inner", inner)

    def image(self, found: re.Match[str]) -> str:
        return "" if _is_relative(found["source"]) else found[0]

    def link(self, found: re.Match[str]) -> str:
        text = self.rewrite(found["text"])
        return text if _is_relative(found["target"]) else _replaced(found, "text", text)


class _Absolute(_Plain):
    """Makes links to files lead to the project at GitHub."""

    def __init__(self, url: str, tag: str) -> None:
        self._url = url
        self._tag = tag

    def definition(self, found: re.Match[str]) -> str:
        return _replaced(found, "defined", self._address("blob", found["defined"]))

    def html(self, found: re.Match[str]) -> str:
        def attribute(each: re.Match[str]) -> str:
            kind = "blob" if each["name"] == "href" else "raw"
            return _replaced(each, "target", self._address(kind, each["target"]))

        return _ATTRIBUTE.sub(attribute, found[0])

    def anchor(self, found: re.Match[str]) -> str:
        opening = found[0][: found.start("inner") - found.start()]
        return f"{_ATTRIBUTE.sub(self._href, opening)}{self.rewrite(found['inner'])}</a>"

    def _href(self, each: re.Match[str]) -> str:
        return _replaced(each, "target", self._address("blob", each["target"]))

    def image(self, found: re.Match[str]) -> str:
        return _replaced(found, "source", self._address("raw", found["source"]))

    def link(self, found: re.Match[str]) -> str:
        before = found[0][: found.start("target") - found.start()]
        after = found[0][found.end("target") - found.start() :]
        before = before.replace(found["text"], self.rewrite(found["text"]))
        return f"{before}{self._address('blob', found['target'])}{after}"

    def _address(self, kind: str, target: str) -> str:
        if not _is_relative(target):
            return target
        path, mark, rest = target.partition("#")
        path = posixpath.normpath(path).lstrip("/")
        return f"{self._url}/{kind}/{self._tag}/{path}{mark}{rest}"


def _is_relative(target: str) -> bool:
    return _ABSOLUTE.match(target) is None


def _replaced(found: re.Match[str], group: str, text: str) -> str:
    """Return what was found with one group replaced."""
    start, end = found.start(group) - found.start(), found.end(group) - found.start()
    return f"{found[0][:start]}{text}{found[0][end:]}"
