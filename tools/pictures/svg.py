"""Writes SVG by hand: shapes and texts, with colours for light and dark screens.

A text says how much room it has. One that needs more is an error, so that nothing reaches over an
edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'
SANS = 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif'

#: The width of a character in parts of the font's size: the widest of the fonts above, on average.
_MONO_WIDTH = 0.61
_SANS_WIDTH = 0.56

_LIGHT = {
    "page": "#ffffff",
    "box": "#f6f8fa",
    "line": "#8c959f",
    "text": "#1f2328",
    "quiet": "#57606a",
    "blue": "#0969da",
    "orange": "#bc4c00",
    "green": "#1a7f37",
    "purple": "#8250df",
}
_DARK = {
    "page": "#0d1117",
    "box": "#161b22",
    "line": "#6e7681",
    "text": "#e6edf3",
    "quiet": "#9da7b3",
    "blue": "#58a6ff",
    "orange": "#f0883e",
    "green": "#3fb950",
    "purple": "#bc8cff",
}


class Drawing:
    """An SVG that scales, says what it shows, and loads nothing.

    Args:
        width: its width.
        height: its height.
        title: what it is, in a few words.
        description: what there is to see, for whoever does not see it.
    """

    def __init__(self, width: float, height: float, title: str, description: str) -> None:
        size = number(width), number(height)
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}"'
            f' viewBox="0 0 {size[0]} {size[1]}" role="img" aria-labelledby="title desc">\n'
            f'<title id="title">{escape(title)}</title>\n'
            f'<desc id="desc">{escape(description)}</desc>\n'
        )
        self._style: list[str] = []
        self._body: list[str] = []

    def style(self, *rules: str) -> None:
        """Add rules of CSS."""
        self._style += rules

    def put(self, name: str, attributes: Mapping[str, object], content: str = "") -> None:
        """Add an element.

        Args:
            name: its name.
            attributes: its attributes; floats are written short.
            content: the text in it.
        """
        text = escape(content, quote=False)
        begin = f"<{name}{_written(attributes)}"
        self._body.append(f"{begin}>{text}</{name}>" if text else f"{begin}/>")

    def open(self, name: str, attributes: Mapping[str, object]) -> None:
        """Begin an element that has others in it; `close` ends it."""
        self._body.append(f"<{name}{_written(attributes)}>")

    def close(self, name: str) -> None:
        """End an element that `open` has begun."""
        self._body.append(f"</{name}>")

    def render(self) -> str:
        """Return the SVG."""
        lines = ["<style>", *self._style, "</style>", *self._body, "</svg>"]
        return self._head + "".join(f"{line}\n" for line in lines)


class Diagram(Drawing):
    """A drawing of boxes, arrows and texts, on a page of its own colour.

    Colours are called `text`, `quiet`, `line`, `box`, `page`, `blue`, `orange`, `green`, `purple`.
    They are others where the reader's screen is dark.
    """

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        super().__init__(width, height, title, description)
        self.style(
            f"text {{ font-family: {SANS}; }}",
            f".mono {{ font-family: {MONO}; }}",
            ".bold { font-weight: 600; }",
            *_colours(_LIGHT),
            "@media (prefers-color-scheme: dark) {",
            *_colours(_DARK),
            "}",
        )
        self.put("rect", {"class": "page", "width": width, "height": height, "rx": 8})

    def box(self, x: float, y: float, width: float, height: float, *, line: str = "line") -> None:
        """Draw a box.

        Args:
            x: its left side.
            y: its upper side.
            width: its width.
            height: its height.
            line: the colour of its border.
        """
        place = {"x": float(x), "y": float(y), "width": float(width), "height": float(height)}
        self.put("rect", {"class": f"box s-{line}", **place, "rx": 6, "stroke-width": 1.5})

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """Draw a broken line around things that are in one place."""
        place = {"x": float(x), "y": float(y), "width": float(width), "height": float(height)}
        look = {"rx": 10, "stroke-width": 1.5, "stroke-dasharray": "5 4"}
        self.put("rect", {"class": "s-line", "fill": "none", **place, **look})

    def mark(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Draw a filled bar."""
        place = {"x": float(x), "y": float(y), "width": float(width), "height": float(height)}
        self.put("rect", {"class": colour, **place, "rx": 2})

    def text(
        self,
        x: float,
        y: float,
        content: str,
        room: float,
        *,
        size: float = 14,
        colour: str = "text",
        anchor: str = "start",
        mono: bool = False,
        bold: bool = False,
    ) -> None:
        """Write a line of text.

        Args:
            x: where it begins, or its middle, or its end.
            y: its base line.
            content: the text.
            room: the width that there is.
            size: the size of the font.
            colour: its colour.
            anchor: what `x` is: `start`, `middle` or `end`.
            mono: take a font whose characters have one width.
            bold: take a bold font.

        Raises:
            ValueError: the text is wider than its room.
        """
        needed = len(content) * size * (_MONO_WIDTH if mono else _SANS_WIDTH)
        if needed > room:
            raise ValueError(f"{content!r} needs {needed:.0f} and has {room:.0f}")
        names = " ".join([colour, *["mono"] * mono, *["bold"] * bold])
        place = {"x": float(x), "y": float(y), "font-size": float(size)}
        self.put("text", {"class": names, **place, "text-anchor": anchor}, content)

    def arrow(self, *points: tuple[float, float], colour: str = "line") -> None:
        """Draw a line along points whose last part, with a head, goes to the right or down."""
        *_, (before_x, _), (x, y) = points
        ends_down = before_x == x
        end = (x, y - 6) if ends_down else (x - 6, y)
        path = " L".join(f"{number(a)} {number(b)}" for a, b in (*points[:-1], end))
        look = {"fill": "none", "stroke-width": 1.8, "stroke-linejoin": "round"}
        self.put("path", {"class": f"s-{colour}", "d": f"M{path}", **look})
        wings = (
            [(x - 4.5, y - 8), (x + 4.5, y - 8)]
            if ends_down
            else [(x - 8, y - 4.5), (x - 8, y + 4.5)]
        )
        head = " L".join(f"{number(a)} {number(b)}" for a, b in [(x, y), *wings])
        self.put("path", {"class": colour, "d": f"M{head} Z"})


def number(value: float) -> str:
    """Return a number as it is written in an SVG: short, and the same on every machine."""
    return f"{round(value, 2):g}"


def _written(attributes: Mapping[str, object]) -> str:
    return "".join(
        f' {key}="{number(value) if isinstance(value, float) else escape(str(value))}"'
        for key, value in attributes.items()
    )


def _colours(palette: Mapping[str, str]) -> list[str]:
    return [
        f".{name} {{ fill: {colour}; }} .s-{name} {{ stroke: {colour}; }}"
        for name, colour in palette.items()
    ]
