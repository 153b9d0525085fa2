"""Writes the reference page of the documentation, in Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from oci_merge_cli.reference.pages import Page, Parameter, panels, told_before

_WIDTH = 105
#: Characters that Markdown would obey in the midst of a sentence.
_SPECIAL = re.compile(r"([\\`*<])")


def reference_page(root: Page) -> str:
    """Return the reference of all commands and options.

    Args:
        root: the page of the program.
    """
    lines = [
        "# Commands and options",
        "",
        *wrapped(
            "Made by `make reference` from the parameters of the commands. The man page "
            f"(`{root.program} man`) and `--help` say the same."
        ),
        "",
    ]
    for page in root.walk():
        lines += _command(page, root)
    return "\n".join(lines).rstrip("\n") + "\n"


def _command(page: Page, root: Page) -> Iterator[str]:
    yield from (f"## {page.title}", "", "```", f"{page.title} {page.usage}", "```", "")
    for paragraph in page.description:
        yield from (*wrapped(_safe(paragraph)), "")
    told = told_before(page, root)
    own = tuple(each for each in page.parameters if each not in told)
    for panel, listed in panels(own).items():
        yield from (f"**{panel}**", "")
        for parameter in listed:
            yield from _item(parameter)
        yield ""
    if told:
        names = ", ".join(f"`{each.spellings[-1]}`" for each in told)
        anchor = root.title.replace(" ", "-")
        yield from (*wrapped(f"As described [above](#{anchor}): {names}."), "")
    for note in page.notes:
        yield from (*wrapped(_safe(note.text)), "")
        if note.lines:
            yield from ("```", *note.lines, "```", "")


def _item(parameter: Parameter) -> list[str]:
    return wrapped(f"* `{parameter.label}`: {_safe(parameter.text)}", indent="  ")


def wrapped(text: str, *, indent: str = "") -> list[str]:
    """Return the lines of a paragraph or an item of a list.

    Args:
        text: its Markdown.
        indent: what the lines after the first begin with.
    """
    return textwrap.wrap(
        text,
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _safe(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
