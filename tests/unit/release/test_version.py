"""A release has one version, wherever it is named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import oci_merge
from tools.release.version import (
    ROOT,
    named_versions,
    newest,
    problems,
    read_version,
    sections,
)

CHANGELOG = """# Changelog

Of no version.

## [1.1.0] - 2026-03-01

### Added

- A thing.

## [1.0.0] - 2026-01-31

- The first.
"""

# What was measured with one version was not measured with the next one.
_RECORDS = {"CHANGELOG.md", "docs/benchmarks/results.md", "docs/benchmarks/cold.md"}


def _documents() -> list[Path]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("action.y*ml"), ROOT / "Containerfile"]
    for folder in ("docs", "templates"):
        found += (ROOT / folder).rglob("*.md")
        found += (ROOT / folder).rglob("*.y*ml")
    return [
        path for path in found if path.is_file() and str(path.relative_to(ROOT)) not in _RECORDS
    ]


def test_the_program_has_the_version_that_the_build_reads() -> None:
    assert read_version() == oci_merge.__version__


def test_the_command_prints_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oci_merge_cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"oci-merge version {read_version()}\n"


def test_the_man_page_has_it() -> None:
    page = (ROOT / "docs" / "oci-merge.1").read_text(encoding="utf-8")

    assert f'"oci\\-merge {read_version()}"' in page


def test_the_build_takes_it_from_the_one_place() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert '[tool.hatch.version]\npath = "oci_merge/_version.py"\n' in project
    assert not re.search(r"^version = ", project, re.MULTILINE)


def test_the_newest_section_of_the_changelog_is_about_it() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    section = newest(changelog)

    assert section.version == read_version()
    assert section.date == "Unreleased" or re.fullmatch(r"\d{4}-\d{2}-\d{2}", section.date)


def test_documents_name_no_other_version() -> None:
    named = {
        (str(path.relative_to(ROOT)), version)
        for path in _documents()
        for version in named_versions(path.read_text(encoding="utf-8"))
    }

    assert {version for _, version in named} == {read_version()}, named


@pytest.mark.parametrize(
    "text",
    [
        "take oci-merge-1.2.3-cp312-linux_x86_64.pyz.",
        "pip install oci-merge==1.2.3",
        "OWNER/oci-merge@v1.2.3",
        "image: registry.example/tools/oci-merge:1.2.3",
        "oci_merge-1.2.3.tar.gz",
        "oci-merge version 1.2.3",
    ],
)
def test_a_version_is_found_where_a_document_names_it(text: str) -> None:
    assert list(named_versions(text)) == ["1.2.3"]


def test_a_pre_release_is_named_whole() -> None:
    assert list(named_versions("oci-merge==1.2.3rc1, oci-merge-1.2.3.pyz")) == ["1.2.3rc1", "1.2.3"]


def test_a_tag_that_is_the_version_is_released() -> None:
    assert problems("v1.1.0", "1.1.0", CHANGELOG) == []


@pytest.mark.parametrize("tag", ["v1.1.1", "1.1.0", "v1.1.0-rc1", "v1.1.0\n", ""])
def test_another_tag_is_refused(tag: str) -> None:
    (problem,) = problems(tag, "1.1.0", CHANGELOG)

    assert "oci_merge/_version.py is 1.1.0" in problem


def test_a_version_that_the_changelog_does_not_know_is_refused() -> None:
    (problem,) = problems("v1.2.0", "1.2.0", CHANGELOG)

    assert problem == "the newest section of CHANGELOG.md is 1.1.0, not 1.2.0"


@pytest.mark.parametrize("heading", ["[1.1.0] - Unreleased", "[1.1.0]", "[1.1.0] - soon"])
def test_a_version_without_its_day_is_refused(heading: str) -> None:
    (problem,) = problems("v1.1.0", "1.1.0", CHANGELOG.replace("[1.1.0] - 2026-03-01", heading))

    assert "has no date" in problem


def test_entries_that_no_version_has_are_refused() -> None:
    left = CHANGELOG.replace("## [1.1.0]", "## [Unreleased]\n\n- Left behind.\n\n## [1.1.0]")

    (problem,) = problems("v1.1.0", "1.1.0", left)

    assert "[Unreleased]" in problem


def test_an_empty_section_for_what_comes_next_does_not_matter() -> None:
    prepared = CHANGELOG.replace("## [1.1.0]", "## [Unreleased]\n\n## [1.1.0]")

    assert problems("v1.1.0", "1.1.0", prepared) == []


def test_a_changelog_without_versions_is_refused() -> None:
    (problem,) = problems("v1.1.0", "1.1.0", "# Changelog\n\n## [Unreleased]\n\n- A thing.\n")

    assert "no section for a version" in problem


def test_the_sections_of_a_changelog_end_where_the_next_begins() -> None:
    first, second = sections(CHANGELOG)

    assert first.text == "### Added\n\n- A thing."
    assert (second.version, second.date, second.text) == ("1.0.0", "2026-01-31", "- The first.")
