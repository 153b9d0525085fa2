"""The version that a release has, and what the changelog says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_VERSION = re.compile(r'^__version__ = "(?P<version>[^"]+)"$', re.MULTILINE)
_HEADING = re.compile(
    r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>[^\n]+))?\n(?P<text>.*?)(?=^## |\Z)",
    re.MULTILINE | re.DOTALL,
)
_UNRELEASED = "Unreleased"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

# How documents name a version of the program: a file, a requirement, an image, an action.
_NAMED = re.compile(
    r"oci[-_]merge(?:-|==|@|:| version )v?(?P<version>\d+\.\d+\.\d+(?:(?:a|b|rc|\.post|\.dev)\d+)?)"
)


@dataclass(frozen=True)
class Section:
    """What the changelog says of one version.

    Attributes:
        version: the version, or ``Unreleased`` for what no version has yet.
        date: the day of the release, or ``Unreleased``; empty if the heading has none.
        text: what stands below the heading.
    """

    version: str
    date: str
    text: str


def read_version(root: Path = ROOT) -> str:
    """Return the version that the build and the program read."""
    found = _VERSION.search((root / "oci_merge" / "_version.py").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("oci_merge/_version.py has no version")
    return found["version"]


def sections(changelog: str) -> list[Section]:
    """Return the sections of a changelog, the newest first."""
    return [
        Section(found["version"], found["date"] or "", found["text"].strip())
        for found in _HEADING.finditer(changelog)
    ]


def newest(changelog: str) -> Section:
    """Return the newest section that has a version.

    Raises:
        ValueError: there is none.
    """
    for section in sections(changelog):
        if section.version != _UNRELEASED:
            return section
    raise ValueError("CHANGELOG.md has no section for a version, such as ## [0.1.0] - 2026-01-31")


def problems(tag: str, version: str, changelog: str) -> list[str]:
    """Return what forbids a release, in sentences.

    Args:
        tag: the tag of the release, such as ``v0.1.0``.
        version: the version in ``oci_merge/_version.py``.
        changelog: the text of ``CHANGELOG.md``.
    """
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, but the version in oci_merge/_version.py is {version}")
    try:
        section = newest(changelog)
    except ValueError as error:
        return [*found, str(error)]
    if section.version != version:
        found.append(f"the newest section of CHANGELOG.md is {section.version}, not {version}")
    if not _DATE.fullmatch(section.date):
        found.append(
            f"the section {section.version} of CHANGELOG.md has no date such as 2026-01-31"
        )
    for other in sections(changelog):
        if other.version == _UNRELEASED and other.text:
            found.append("CHANGELOG.md has entries under [Unreleased]: move them to the version")
    return found


def named_versions(text: str) -> Iterator[str]:
    """Yield the versions of oci-merge that a document names, in its order."""
    for found in _NAMED.finditer(text):
        yield found["version"]
