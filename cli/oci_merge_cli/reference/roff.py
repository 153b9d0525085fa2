"""Writes the man page, in the macros of man(7)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from oci_merge_cli.reference.pages import Note, Page, Parameter, panels, told_before


def man_page(root: Page, version: str) -> str:
    """Return the man page of the program in roff.

    Args:
        root: the page of the program.
        version: the version of the program.
    """
    # It has no date, so that the same version makes the same page.
    title = f'.TH {_safe(root.program.upper())} 1 "" "{_safe(root.program)} {version}"'
    lines = [
        f'.\\" Made by: {root.program} man',
        f'{title} "User Commands"',
        ".SH NAME",
        *_filled(f"{_safe(root.program)} \\- {_safe(root.summary[:1].lower() + root.summary[1:])}"),
        ".SH SYNOPSIS",
        *_synopsis(root),
        ".SH DESCRIPTION",
        *_paragraphs(root.description[1:] or root.description),
        ".SH OPTIONS",
        *_options(root.parameters),
        ".SH COMMANDS",
        *(line for page in root.walk() if page is not root for line in _command(page, root)),
    ]
    for note in root.notes:
        heading, _, text = note.text.partition(":")
        lines.append(f'.SH "{_safe(heading.upper())}"')
        lines += _kept(note.lines) if note.lines else _text(text.strip() or note.text)
    return "\n".join(lines) + "\n"


def _synopsis(root: Page) -> Iterator[str]:
    for number, page in enumerate(root.walk()):
        if number:
            yield ".br"
        yield f".B {_safe(page.title)}"
        yield f".I {_safe(page.usage)}"


def _command(page: Page, root: Page) -> Iterator[str]:
    yield f'.SS "{_safe(page.title)}"'
    yield from _paragraphs(page.description)
    told = told_before(page, root)
    yield from _listed(each for each in page.parameters if each not in told)
    if told:
        yield ".PP"
        names = ", ".join(_bold(each.spellings[-1]) for each in told)
        yield from _filled(f"As described above: {names}.")
    for note in page.notes:
        yield from _note(note)


def _note(note: Note) -> Iterator[str]:
    yield ".PP"
    yield from _text(note.text)
    if note.lines:
        yield ".PP"
        yield from _kept(note.lines)


def _options(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for panel, listed in panels(parameters).items():
        yield f'.SS "{_safe(panel)}"'
        yield from _listed(listed)


def _listed(parameters: Iterable[Parameter]) -> Iterator[str]:
    for parameter in parameters:
        yield ".TP"
        bold = ", ".join(map(_bold, parameter.spellings))
        value = f"\\fI{_safe(parameter.value)}\\fR" if parameter.value else ""
        yield " ".join(filter(None, [bold, value]))
        yield from _text(parameter.text)


def _paragraphs(paragraphs: tuple[str, ...]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ".PP"
        yield from _text(paragraph)


def _kept(lines: tuple[str, ...]) -> list[str]:
    return [".RS 4", ".nf", *map(_safe, lines), ".fi", ".RE"]


def _bold(text: str) -> str:
    return f"\\fB{_safe(text)}\\fR"


def _text(text: str) -> list[str]:
    """Return a paragraph, as lines that are short enough for the source of a page."""
    return _filled(_safe(text))


def _filled(escaped: str) -> list[str]:
    lines = textwrap.wrap(escaped, 78, break_long_words=False, break_on_hyphens=False)
    return [_guarded(line) for line in lines]


def _safe(text: str) -> str:
    """Return text with the characters escaped that roff would obey."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return _guarded(escaped)


def _guarded(line: str) -> str:
    """Return a line that is no request, which a period or an apostrophe at its start makes it."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
