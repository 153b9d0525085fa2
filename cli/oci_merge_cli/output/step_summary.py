"""Renders a result as Markdown, for the summary of a step on GitHub, Gitea or Forgejo."""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge import MergeResult, TagResult, parse_reference
from oci_merge_cli.output.escape import printable
from oci_merge_cli.output.published import published

#: The most bytes that the rows of one table, or the warnings, take.
_MOST_BYTES = 64 * 1024
#: The most characters of a warning that are shown.
_LONGEST = 2000


def step_summary(result: MergeResult) -> str:
    """Return a summary of a published image: its platforms, its tags and the warnings.

    All text is shown literally: none of it is Markdown, HTML, a link or a mention.
    """
    names = published(result)
    platforms = [(str(image.platform), image.digest, image.source) for image in result.platforms]
    tags = [
        f"| {_code(str(parse_reference(target.reference).with_tag(tag.name)))} | {_state(tag)} |"
        for target in result.targets
        for tag in target.tags
    ]
    return "\n".join(
        [
            f"### oci-merge: {_code(result.target)}",
            "",
            f"{_code(names.reference)}",
            "",
            "| Platform | Digest | Image |",
            "| --- | --- | --- |",
            *_bounded([f"| {' | '.join(map(_code, row))} |" for row in platforms], "| {} |  |  |"),
            "",
            "| Tag | |",
            "| --- | --- |",
            *_bounded(tags, "| {} |  |"),
            "",
            *_warnings(result.warnings),
            "",  # the next line of the step is no row of ours
        ]
    )


def _state(tag: TagResult) -> str:
    if tag.kept:
        return "kept"
    return "moved" if tag.changed else "unchanged"


def _warnings(warnings: Sequence[str]) -> list[str]:
    if not warnings:
        return []
    rows = [f"- {_code(warning)}" for warning in warnings]
    return ["Warnings:", "", *_bounded(rows, "- {}"), ""]


def _code(text: str) -> str:
    # GitHub makes nothing of what looks like a mention, an issue or an emoji in code.
    return f"<code>{_literal(text)}</code>"


def _literal(text: str) -> str:
    """Return text that Markdown and HTML show as it is, in one line.

    Every character that may be a part of markup, or of a link that is made without markup, is
    written as a numeric character reference, which is text to both (CommonMark, "Entity and
    numeric character references").
    """
    return "".join(
        char if char.isascii() and (char.isalnum() or char in " /") else _reference(char)
        for char in printable(text, limit=_LONGEST)
    )


def _reference(char: str) -> str:
    # GitHub looks for mail addresses in the text that the references stand for. A comment parts it.
    return f"&#{ord(char)};{'<!-- -->' if char == '@' else ''}"


def _bounded(rows: Sequence[str], more: str) -> list[str]:
    """Return as many rows as are not too many bytes, and a last one that counts the others."""
    kept: list[str] = []
    room = _MOST_BYTES
    for row in rows:
        room -= len(row)  # each character is a byte
        if room < 0:
            return [*kept, more.format(f"and {len(rows) - len(kept)} more")]
        kept.append(row)
    return kept
