"""Draws terminals as SVG: the command that was typed, and below it what the screen showed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tools.pictures.screen import Look, Row, text_of
from tools.pictures.svg import MONO, Drawing

_SIZE = 14
_WIDTH = 8.4  # of a character
_HEIGHT = 19.0  # of a line
_MARGIN = 16.0
_TOP = 30.0  # the bar with the three dots
_GROUND = "#161b22"
_EDGE = "#484f58"
_TEXT = "#d3dae3"
_TYPED = Look("#ffffff", bold=True)
_PROMPT = Look("#3fb950", bold=True)
_BARS = {"━": (0.0, 1.0), "╸": (0.0, 0.5), "╺": (0.5, 0.5)}
"""The characters of progress bars: where each begins and how long it is, in characters."""

_TYPING_SECONDS = 0.7
_FRAME_SECONDS = 0.85


@dataclass(frozen=True)
class Recording:
    """A command and what a terminal showed of it.

    Args:
        title: what the picture is, in a few words.
        command: what was typed; lines behind the first belong to the same command.
        columns: how wide the terminal was, in characters.
        frames: the screens that are shown one after the other; the last one stays.
    """

    title: str
    command: str
    columns: int
    frames: Sequence[tuple[Row, ...]]


def draw(recording: Recording) -> str:
    """Return a recording as SVG.

    One with several frames moves once, for less than five seconds, and then shows the last frame.
    Where a reader wants no motion, or a program shows none, the last frame is there at once.
    """
    typed = list(_typed(recording.command))
    *moving, last = recording.frames
    rows = len(typed) + max(map(len, recording.frames))
    width = recording.columns * _WIDTH + 2 * _MARGIN
    height = _TOP + rows * _HEIGHT + _MARGIN
    shown = "\n".join(text_of(row).rstrip() for row in (*typed, *last))
    drawing = Drawing(width, height, recording.title, shown)
    drawing.style(f"text {{ font-family: {MONO}; font-size: {_SIZE}px; fill: {_TEXT}; }}")
    _window(drawing, width, height)
    for number, row in enumerate(typed):
        _row(drawing, row, number)
    if moving:
        drawing.style(*_motion(len(moving)))
    for number, frame in enumerate(recording.frames):
        name = "last" if frame is last else f"frame f{number}"
        drawing.open("g", {"class": name})
        for line, row in enumerate(frame):
            _row(drawing, row, len(typed) + line)
        drawing.close("g")
    return drawing.render()


def _typed(command: str) -> Iterator[Row]:
    for number, line in enumerate(command.splitlines()):
        prompt = "$ " if number == 0 else ""
        yield (*((character, _PROMPT) for character in prompt), *((each, _TYPED) for each in line))


def _window(drawing: Drawing, width: float, height: float) -> None:
    place = {"x": 0.5, "y": 0.5, "width": width - 1, "height": height - 1, "rx": 8}
    drawing.put("rect", {**place, "fill": _GROUND, "stroke": _EDGE})
    for number in range(3):
        drawing.put("circle", {"cx": _MARGIN + 4 + 16 * number, "cy": 16, "r": 5, "fill": _EDGE})


def _motion(count: int) -> Iterator[str]:
    yield ".frame { visibility: hidden; }"
    yield "@media (prefers-reduced-motion: no-preference) {"
    for number in range(count):
        begin = _TYPING_SECONDS + number * _FRAME_SECONDS
        yield f".f{number} {{ animation: shown {_FRAME_SECONDS:g}s {begin:g}s; }}"
    end = _TYPING_SECONDS + count * _FRAME_SECONDS
    yield f".last {{ animation: hidden {end:g}s; }}"
    yield "}"
    yield "@keyframes shown { from, to { visibility: visible; } }"
    yield "@keyframes hidden { from, to { visibility: hidden; } }"


def _row(drawing: Drawing, row: Row, number: int) -> None:
    top = _TOP + number * _HEIGHT
    column = 0
    for (look, kind), group in groupby(row, lambda cell: (cell[1], _BARS.get(cell[0]))):
        text = "".join(character for character, _ in group)
        if kind is not None:
            start, length = kind
            drawing.put(
                "rect",
                {
                    "x": _MARGIN + (column + start) * _WIDTH,
                    "y": top + 8,
                    "width": (len(text) - 1 + length) * _WIDTH,
                    "height": 3,
                    "fill": look.colour or _TEXT,
                },
            )
        else:
            _words(drawing, text, look, column, top)
        column += len(text)


def _words(drawing: Drawing, text: str, look: Look, column: int, top: float) -> None:
    """Write each word at its own place, so that columns stand whatever font the reader has."""
    rules = [*[f"fill: {look.colour}"] * bool(look.colour), *["font-weight: bold"] * look.bold]
    styled = {"style": "; ".join(rules)} if rules else {}
    place = column
    for word in text.split(" "):
        if word:
            where = {"x": _MARGIN + place * _WIDTH, "y": top + 14}
            length = {"textLength": len(word) * _WIDTH, "lengthAdjust": "spacingAndGlyphs"}
            drawing.put("text", {**where, **length, **styled}, word)
        place += len(word) + 1
