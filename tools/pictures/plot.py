"""Draws the plot of the benchmark: time over round trip, one line for each tool."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.pictures.svg import Diagram, number

_WIDTH, _HEIGHT = 860, 420
_PANEL = 360.0  # the width of one
_LEFTS = (62.0, 480.0)
_TOP, _BOTTOM = 110.0, 362.0
_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_LOOKS = (
    ("text", 3.0, ""),
    ("blue", 1.8, ""),
    ("orange", 1.8, "7 3"),
    ("green", 1.8, "2 3"),
    ("purple", 1.8, "9 3 2 3"),
    ("quiet", 1.8, "4 4"),
)
"""The colour, the width and the dashes of each tool, the first being oci-merge."""

_DATE = re.compile(r"^\| Date \| (.+) \|$", re.MULTILINE)
_SECTION = re.compile(
    r"^## Time over round trip\n\n(?P<case>.+)\.\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S
)
_TABLE = re.compile(
    r"^### (?P<wire>.+)\n\nMedian, least and most, in ms:\n\n"
    r"\| round trip \|(?P<tools>.+)\|\n\|.*\|\n(?P<rows>(?:\|.*\|\n)+)",
    re.MULTILINE,
)
_CELL = re.compile(r"(\d+) \((\d+) to (\d+)\)")


@dataclass(frozen=True)
class Point:
    """What came of one tool at one round trip.

    Args:
        rtt: the round trip, in ms.
        median: seconds, as the two below.
        least: the fastest run.
        most: the slowest run.
    """

    rtt: int
    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Panel:
    """What came of all tools in one setting.

    Args:
        wire: what is spoken, such as `Plain HTTP`.
        lines: the points of each tool, by its name.
    """

    wire: str
    lines: dict[str, list[Point]]


def plot(results: str) -> str:
    """Draw the plot.

    Args:
        results: the text of docs/benchmarks/results.md, which has the figures.

    Raises:
        ValueError: the text has no such figures.
    """
    date, section = _DATE.search(results), _SECTION.search(results)
    panels = [] if section is None else read(section["rest"])
    if date is None or section is None or not 0 < len(panels) <= len(_LEFTS):
        raise ValueError("the results have no times over round trips in the form that is known")
    drawing = Diagram(
        _WIDTH,
        _HEIGHT,
        "Seconds for one merge over the round trip time",
        f"{section['case']}, measured {date[1]}. {_told(panels)}",
    )
    heading = "Seconds for one merge (median, least to most), logarithmic, over the round trip"
    drawing.text(20, 30, heading, 820, size=15, bold=True)
    case = f"{section['case']}; {date[1]}"
    drawing.text(20, 50, case, 820, size=12, colour="quiet")
    x = 20.0
    for tool, look in zip(panels[0].lines, _LOOKS, strict=False):
        _line(drawing, [(x, 70.0), (x + 28, 70.0)], look)
        drawing.text(x + 34, 74, tool, 110, size=13)
        x += 34 + 9 * len(tool) + 18
    drawn = [point for panel in panels for line in panel.lines.values() for point in line]
    lowest = max(step for step in _SECONDS if step <= min(point.least for point in drawn))
    highest = min(step for step in _SECONDS if step >= max(point.most for point in drawn))
    for panel, left in zip(panels, _LEFTS, strict=False):
        _panel(drawing, panel, left, lowest, highest)
    return drawing.render()


def read(section: str) -> list[Panel]:
    """Read the tables of a section of the results."""
    panels = []
    for table in _TABLE.finditer(section):
        tools = [name.strip() for name in table["tools"].split("|")]
        lines: dict[str, list[Point]] = {tool: [] for tool in tools}
        for row in table["rows"].splitlines():
            first, *cells = (cell.strip() for cell in row.strip("|").split("|"))
            rtt = int(first.removesuffix(" ms"))
            for tool, cell in zip(tools, cells, strict=True):
                if (found := _CELL.fullmatch(cell)) is None:
                    raise ValueError(f"{cell!r} is no median with its least and most")
                median, least, most = (int(value) / 1000 for value in found.groups())
                lines[tool].append(Point(rtt, median, least, most))
        panels.append(Panel(table["wire"], lines))
    return panels


def _told(panels: Sequence[Panel]) -> str:
    """Say in words what the lines end at."""
    return " ".join(
        f"{panel.wire}, at {points[0][-1].rtt} ms: "
        + ", ".join(f"{tool} {line[-1].median:.2f} s" for tool, line in panel.lines.items())
        + "."
        for panel in panels
        for points in [list(panel.lines.values())]
    )


def _panel(drawing: Diagram, panel: Panel, left: float, lowest: float, highest: float) -> None:
    furthest = max(1, *(point.rtt for line in panel.lines.values() for point in line))

    def across(rtt: float) -> float:
        return left + _PANEL * rtt / furthest

    def down(seconds: float) -> float:
        part = math.log(seconds / lowest) / math.log(highest / lowest)
        return _BOTTOM - (_BOTTOM - _TOP) * part

    drawing.text(left + _PANEL / 2, 99, panel.wire, _PANEL, size=13, anchor="middle", bold=True)
    for step in _SECONDS:
        if lowest <= step <= highest:
            y = down(step)
            _grid(drawing, left, y, left + _PANEL, y)
            drawing.text(left - 8, y + 4, f"{step:g}", 36, size=12, colour="quiet", anchor="end")
    for rtt in range(0, furthest + 1, max(1, furthest // 5)):
        x = across(rtt)
        _grid(drawing, x, _BOTTOM, x, _BOTTOM + 5)
        drawing.text(x, _BOTTOM + 21, str(rtt), 40, size=12, colour="quiet", anchor="middle")
    drawing.text(
        left + _PANEL / 2, _BOTTOM + 42, "round trip in ms", 200, size=12, colour="quiet",
        anchor="middle",
    )  # fmt: skip
    for look, line in reversed(list(zip(_LOOKS, panel.lines.values(), strict=False))):
        for point in line:
            x = across(point.rtt)
            _line(drawing, [(x, down(point.least)), (x, down(point.most))], (look[0], 1.2, ""))
        _line(drawing, [(across(point.rtt), down(point.median)) for point in line], look)
        for point in line:
            place = {"cx": across(point.rtt), "cy": down(point.median), "r": 3.0}
            drawing.put("circle", {"class": look[0], **place})


def _grid(drawing: Diagram, *ends: float) -> None:
    places = dict(zip(("x1", "y1", "x2", "y2"), ends, strict=True))
    drawing.put("line", {"class": "s-line", "stroke-width": 0.6, "stroke-opacity": 0.5, **places})


def _line(
    drawing: Diagram, points: Sequence[tuple[float, float]], look: tuple[str, float, str]
) -> None:
    colour, width, dashes = look
    drawing.put(
        "polyline",
        {
            "class": f"s-{colour}",
            "fill": "none",
            "stroke-width": width,
            "points": " ".join(f"{number(x)},{number(y)}" for x, y in points),
            **({"stroke-dasharray": dashes} if dashes else {}),
        },
    )
