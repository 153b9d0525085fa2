"""Drawings: what they contain, and that no text reaches over its edge."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tools.pictures.screen import PLAIN, Look
from tools.pictures.svg import Diagram, Drawing, number
from tools.pictures.terminal import Recording, draw

SVG = "{http://www.w3.org/2000/svg}"


def test_texts_and_attributes_are_escaped() -> None:
    drawing = Drawing(10, 20, "a < b", 'say "&"')
    drawing.put("text", {"class": 'x"<'}, "1 < 2 & 3")
    title, description, _, text = ElementTree.fromstring(drawing.render())
    assert (title.text, description.text) == ("a < b", 'say "&"')
    assert (text.text, text.get("class")) == ("1 < 2 & 3", 'x"<')


def test_a_text_that_is_wider_than_its_room_is_an_error() -> None:
    drawing = Diagram(100, 100, "title", "description")
    drawing.text(0, 0, "short", 50)
    with pytest.raises(ValueError, match="'rather long' needs"):
        drawing.text(0, 0, "rather long", 50)


def test_a_diagram_has_every_colour_for_light_and_for_dark_screens() -> None:
    light, dark = Diagram(1, 1, "t", "d").render().split("@media (prefers-color-scheme: dark)")
    for name in ("page", "box", "line", "text", "quiet", "blue", "orange", "green", "purple"):
        assert f".{name} {{ fill:" in light
        assert f".{name} {{ fill:" in dark


def test_numbers_are_short() -> None:
    assert [number(value) for value in (8.4 * 3, 20.0, 0.1 + 0.2, 1234.5)] == [
        "25.2",
        "20",
        "0.3",
        "1234.5",
    ]


def _recording(*frames: str) -> Recording:
    rows = [tuple((character, PLAIN) for character in frame) for frame in frames]
    return Recording("title", "run me", 20, [(row,) for row in rows])


def test_a_recording_shows_what_was_typed_and_then_the_screen() -> None:
    root = ElementTree.fromstring(draw(_recording("one  two")))
    texts = list(root.iter(f"{SVG}text"))
    assert [text.text for text in texts] == ["$", "run", "me", "one", "two"]
    assert root[1].text == "$ run me\none  two"
    # Each word stands in its column: the prompt and both lines begin at the same place.
    places = [float(text.attrib["x"]) for text in texts]
    assert places[3] == places[0]
    assert places[4] - places[3] == pytest.approx(5 * (places[1] - places[0]) / 2)


def test_a_bar_is_as_long_as_its_characters() -> None:
    bar = Look("#5faf00")
    row = (("x", PLAIN), (" ", PLAIN), ("━", bar), ("━", bar), ("╸", bar))
    root = ElementTree.fromstring(draw(Recording("title", "run", 20, [(row,)])))
    whole, half = [found for found in root.iter(f"{SVG}rect") if found.get("fill") == bar.colour]
    assert float(whole.attrib["width"]) == pytest.approx(4 * float(half.attrib["width"]))


def test_a_recording_of_several_frames_ends_with_the_last_within_five_seconds() -> None:
    still, moving = draw(_recording("end")), draw(_recording("1", "2", "3", "4", "end"))
    assert "animation" not in still
    assert "infinite" not in moving
    assert (
        ".frame { visibility: hidden; }\n@media (prefers-reduced-motion: no-preference)" in moving
    )
    assert ".last { animation: hidden 4.1s; }" in moving
