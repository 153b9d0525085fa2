"""The consoles that README and the docs show: their commands, and what these print.

A fenced block of the language `console` has commands, which begin with `$ `, and below each what a
terminal shows of it. A command goes on in the next line behind a backslash, and in lines that begin
with `> `.

In what a command prints, `…` stands for any text of a line, a line of nothing but `…` for any
lines, and a number of seconds (`61 s`, `0.4 s`) for any other number of seconds. Tags and the
images of a batch are written side by side, so neighbouring lines that report them stand in any
order. All else is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[3]

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_PROMPT = "$ "
_MORE = "> "
_SIDE_BY_SIDE = re.compile(r"tag \S+ moved|[\w.-]+: (published|unchanged) .*|error: (.|\n)*")
_SECONDS = re.compile(r"\d+(?:\.\d+)?(?= s\b)")


@dataclass(frozen=True)
class Command:
    """A command of a console.

    Args:
        text: what is typed, without prompts.
        typed: the lines as the page has them.
        printed: the lines that the page shows below it.
    """

    text: str
    typed: tuple[str, ...]
    printed: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Args:
        page: the page below the project's folder, such as `docs/plan.md`.
        line: the number of its first line of content, from 1.
        language: the word behind the fence, perhaps empty.
        content: its lines, without the indentation of the fence.
    """

    page: str
    line: int
    language: str
    content: tuple[str, ...]

    def commands(self) -> Iterator[Command]:
        """Split a console into its commands.

        Raises:
            ValueError: it does not begin with a command.
        """
        lines = list(self.content)
        while lines:
            if not lines[0].startswith(_PROMPT):
                raise ValueError(f"{self.page}:{self.line} does not begin with a command")
            typed = [lines.pop(0)]
            while lines and (typed[-1].endswith("\\") or lines[0].startswith(_MORE)):
                typed.append(lines.pop(0))
            printed = []
            while lines and not lines[0].startswith(_PROMPT):
                printed.append(lines.pop(0))
            text = "\n".join(line.removeprefix(_PROMPT).removeprefix(_MORE) for line in typed)
            yield Command(text, tuple(typed), tuple(printed))


def pages() -> list[str]:
    """Return README and all pages of the docs, in the order of their names."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return ["README.md", *(str(page.relative_to(ROOT)) for page in found)]


def blocks(page: str, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, in their order.

    Args:
        page: the page below the project's folder.
        language: only those in this language.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, found.start(3)) + 1,
            found[2],
            tuple(line.removeprefix(found[1]) for line in found[3].splitlines()),
        )
        for found in _FENCE.finditer(text)
        if language in (None, found[2])
    ]


def is_as_shown(printed: Sequence[str], shown: Sequence[str]) -> bool:
    """Tell whether a command printed what a page shows.

    Args:
        printed: the lines that it printed.
        shown: the lines of the page.
    """
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "…" else f"{_line_pattern(line)}\\n"
        for line in _in_order(shown)
    )
    text = "".join(f"{line.rstrip()}\n" for line in _in_order(printed))
    return re.fullmatch(pattern, text) is not None


def _in_order(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines, those that may stand in any order sorted, each error with its hint."""
    reports: list[str] = []
    for line in lines:
        if line.startswith("hint: ") and reports and reports[-1].startswith("error: "):
            reports[-1] += f"\n{line}"
        else:
            reports.append(line)
    for is_any, group in groupby(reports, lambda one: _SIDE_BY_SIDE.fullmatch(one) is not None):
        for report in sorted(group) if is_any else list(group):
            yield from report.split("\n")


def _line_pattern(line: str) -> str:
    parts = (re.escape(part) for part in _SECONDS.split(line.rstrip()))
    return r"\d+(?:\.\d+)?".join(parts).replace("…", ".*")


def rewritten(block: Block, printed: Sequence[Sequence[str]]) -> list[str]:
    """Return the content of a console with what its commands printed in place of what it shows.

    What is as shown stays as it is, wildcards included, and so does a command of which nothing is
    shown.

    Args:
        block: the console.
        printed: the lines that each of its commands printed.
    """
    lines: list[str] = []
    for command, actual in zip(block.commands(), printed, strict=True):
        lines += command.typed
        is_kept = not command.printed or is_as_shown(actual, command.printed)
        lines += command.printed if is_kept else actual
    return lines
