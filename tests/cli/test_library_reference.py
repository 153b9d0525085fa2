"""The reference of the library names everything that is public, and is up to date."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import oci_merge
from oci_merge._keywords import keywords_of
from tools.library_page import library_page

PAGE = Path(__file__).parents[2] / "docs/library-reference.md"
VERBS = [name.removesuffix("_async") for name in dir(oci_merge) if name.endswith("_async")]


@pytest.fixture(scope="module")
def page() -> str:
    """The page as `make reference` would write it."""
    return library_page()


def section(page: str, name: str) -> str:
    """Return what stands below a heading, up to the next."""
    return page.partition(f"\n### {name}\n")[2].partition("\n##")[0]


def test_the_page_in_docs_is_up_to_date(page: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == page, "run make reference"


def test_every_public_name_is_on_it_once(page: str) -> None:
    public = {name for name in dir(oci_merge) if not name.startswith("__")}
    public -= {f"{verb}_async" for verb in VERBS}
    sections = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(sections + rows) == sorted(public)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_all_its_parameters(page: str, verb: str) -> None:
    named = set(re.findall(r"`(\w+)`", section(page, verb)))
    assert set(inspect.signature(getattr(oci_merge, verb)).parameters) <= named


@pytest.mark.parametrize("keyword", keywords_of(oci_merge.MergeCall))
def test_a_keyword_of_a_merge_is_described_once(page: str, keyword: str) -> None:
    verbs = page.partition("## Verbs")[2].partition("## Clients")[0]
    described = re.findall(rf"^\* `{keyword}` \(", verbs, re.MULTILINE)
    # What the verbs take by place, or describe in words of their own, is another parameter.
    assert len(described) - (keyword == "platforms") == 1


def test_the_tree_of_errors_has_each_with_its_code(page: str) -> None:
    tree = dict(re.findall(r"^ *\* \[(\w+)\]\(#\w+\), `(\w+)`$", page, re.MULTILINE))
    errors = {
        name: kind.code
        for name in dir(oci_merge)
        if isinstance(kind := getattr(oci_merge, name), type)
        and issubclass(kind, oci_merge.OciMergeError)
    }
    assert tree == errors


def test_every_link_leads_to_a_heading(page: str) -> None:
    headings = {title.lower() for title in re.findall(r"^#+ (\w+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= headings


def test_code_is_marked_as_markdown_has_it(page: str) -> None:
    outside = re.sub(r"^```\n.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    assert "``" not in outside
    assert [line for line in page.splitlines() if len(line) > 130] == []
