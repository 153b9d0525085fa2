"""What a terminal shows of the bytes that a program writes to it.

It knows what oci-merge writes: colours, and the cursor movements of its progress bars. Anything
else is an error, so that no picture shows less than a terminal would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(r"\x1b\[(?P<numbers>[?\d;]*)(?P<code>[A-Za-z])|[\r\n]|[^\x1b\r\n]+")

_BASIC = ("#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4")
_LEVELS = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True)
class Look:
    """How a character is shown.

    Args:
        colour: its colour, `#rrggbb`; empty for the terminal's own.
        bold: whether it is bold.
    """

    colour: str = ""
    bold: bool = False


PLAIN = Look()

Row = tuple[tuple[str, Look], ...]
"""The characters of a line, each with its look."""


class Screen:
    """A terminal of a certain width that is as high as it needs to be.

    Args:
        columns: its width in characters.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows: list[list[tuple[str, Look]]] = [[]]
        self._row = self._column = 0
        self._look = PLAIN

    def frames(self, written: str) -> Iterator[tuple[Row, ...]]:
        """Follow what a program writes.

        Args:
            written: the text.

        Yields:
            What is shown each time before progress bars are drawn anew, and at the end.
        """
        position = 0
        while position < len(written):
            found = _TOKEN.match(written, position)
            if found is None:
                raise ValueError(f"not known: {written[position : position + 20]!r}")
            position = found.end()
            if found[0] == "\r" and written[position : position + 1] != "\n":
                yield self._shown()
            self._take(found)
        yield self._shown()

    def _take(self, found: re.Match[str]) -> None:
        if found["code"]:
            self._control(found["code"], found["numbers"])
        elif found[0] == "\r":
            self._column = 0
        elif found[0] == "\n":
            self._go_down()
        else:
            for character in found[0]:
                self._write(character)

    def _control(self, code: str, numbers: str) -> None:
        match code, numbers:
            case "m", _:
                self._look = _look(self._look, [int(part or 0) for part in numbers.split(";")])
            case "A", _:
                self._row -= int(numbers or 1)
            case "K", "2":
                self._rows[self._row].clear()
            case (("h" | "l"), "?25"):
                pass  # shows and hides the cursor
            case _:
                raise ValueError(f"not known: ESC [{numbers}{code}")

    def _go_down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append([])

    def _write(self, character: str) -> None:
        if self._column == self._columns:
            self._column = 0
            self._go_down()
        row = self._rows[self._row]
        row += [(" ", PLAIN)] * (self._column + 1 - len(row))
        row[self._column] = (character, self._look)
        self._column += 1

    def _shown(self) -> tuple[Row, ...]:
        rows = [tuple(row) for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return tuple(rows)


def text_of(row: Row) -> str:
    """Return the characters of a line."""
    return "".join(character for character, _ in row)


def _look(look: Look, numbers: list[int]) -> Look:
    match numbers:
        case [0]:
            return PLAIN
        case [1]:
            return replace(look, bold=True)
        case [38, 5, number]:
            return replace(look, colour=_colour(number))
        case [number] if 30 <= number <= 37:
            return replace(look, colour=_BASIC[number - 30])
        case _:
            raise ValueError(f"not known: the look {numbers}")


def _colour(number: int) -> str:
    """Return one of the 256 colours of xterm."""
    if number < 8:
        return _BASIC[number]
    if 16 <= number < 232:
        number -= 16
        parts = [_LEVELS[number // 36], _LEVELS[number // 6 % 6], _LEVELS[number % 6]]
    elif number >= 232:
        parts = [8 + 10 * (number - 232)] * 3
    else:
        raise ValueError(f"not known: the colour {number}")
    return "#" + "".join(f"{part:02x}" for part in parts)
