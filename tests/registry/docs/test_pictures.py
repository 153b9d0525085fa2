"""The pictures: they are what the program shows today, and a browser loads nothing for them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.registry.docs.console import ROOT, pages
from tools.pictures.__main__ import PICTURES, PLOT, pictures

FILES = [*sorted(PICTURES.glob("*.svg")), PLOT]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def made(docker_registry: Path) -> dict[Path, str]:
    """The pictures of today's program."""
    return pictures()


def test_the_pictures_are_what_the_program_shows_today(made: dict[Path, str]) -> None:
    committed = {file: file.read_text(encoding="utf-8") for file in FILES}
    stale = [file.name for file, text in made.items() if committed.get(file) != text]
    assert not stale, "run make pictures"
    assert committed.keys() == made.keys()


def test_every_picture_stands_on_a_page() -> None:
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in pages())
    assert not [file.name for file in FILES if file.name not in text]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_picture_says_what_it_shows_and_loads_nothing(file: Path) -> None:
    root = ElementTree.parse(file).getroot()
    title, description, *_ = root
    assert (root.tag, title.tag, description.tag) == (f"{SVG}svg", f"{SVG}title", f"{SVG}desc")
    assert title.text
    assert description.text
    known = {
        f"{SVG}{name}" for name in ("style", "g", "rect", "circle", "line", "polyline", "path")
    }
    for element in list(root)[2:]:
        for part in element.iter():
            assert part.tag in known | {f"{SVG}text"}
            assert not [name for name in part.attrib if name.startswith("on") or "href" in name]
    text = file.read_text(encoding="utf-8")
    assert "url(" not in text
    assert "@import" not in text
    assert text.count("http") == 1  # the namespace
