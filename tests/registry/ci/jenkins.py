"""Reads declarative pipelines of Jenkins: their blocks, their scripts, and what Groovy puts in.

It knows as much of Groovy as ours are written in; anything else is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
    |'''(?P<script>(?:[^\\']|\\.|'(?!''))*)'''
    |'(?P<text>(?:[^\\'\n]|\\.)*)'
    |"(?P<template>(?:[^\\"\n]|\\.)*)"
    |(?P<word>[A-Za-z_]\w*)
    |(?P<mark>[{}()\[\],:=])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"\n": "", "n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"', "$": "$"}
_CLOSES = {"}": "{", ")": "(", "]": "["}


@dataclass
class Block:
    """A name with braces behind it.

    Attributes:
        head: the words and texts before the braces, such as `stage`, `merge`.
        scripts: the scripts of the `sh` steps directly in it, as the shell gets them.
        texts: every text directly in it.
        templates: the texts in double quotes directly in it, into which Groovy puts values.
        blocks: the blocks directly in it.
    """

    head: list[str]
    scripts: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def every(self) -> Iterator[tuple[Block, ...]]:
        """Yield the way to each block: the outermost one first, the block itself last."""
        yield (self,)
        for block in self.blocks:
            for way in block.every():
                yield (self, *way)


def parse(text: str) -> Block:
    """Read a file.

    Returns:
        A block without a head that holds what stands in the file.

    Raises:
        ValueError: a bracket is without its partner, or something is not known here.
    """
    return _Reader().read(text)


class _Reader:
    """Reads a file from its beginning to its end.

    A statement ends with its line, unless a round or square bracket is open.
    """

    def __init__(self) -> None:
        self._blocks = [Block([])]
        self._brackets: list[str] = []
        self._head: list[str] = []

    def read(self, text: str) -> Block:
        position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise ValueError(f"not known here: {text[position : position + 20]!r}")
            position = found.end()
            self._take(str(found.lastgroup), found[str(found.lastgroup)])
        if self._brackets:
            raise ValueError(f"{self._brackets[-1]} without its partner")
        return self._blocks[0]

    def _take(self, kind: str, value: str) -> None:
        if kind == "mark":
            self._take_mark(value)
        elif kind == "word":
            self._head.append(value)
        elif kind != "space":
            self._take_text(kind, value)
        elif "\n" in value and self._brackets[-1:] in ([], ["{"]):
            self._head = []

    def _take_mark(self, mark: str) -> None:
        if mark == "{":
            block = Block(self._head)
            self._blocks[-1].blocks.append(block)
            self._blocks.append(block)
            self._head = []
        if mark in _CLOSES.values():
            self._brackets.append(mark)
        elif mark in _CLOSES:
            if not self._brackets or self._brackets.pop() != _CLOSES[mark]:
                raise ValueError(f"{mark} without its partner")
            if mark == "}":
                self._blocks.pop()
                self._head = []

    def _take_text(self, kind: str, text: str) -> None:
        plain, block = unescaped(text), self._blocks[-1]
        block.texts.append(plain)
        if kind == "template":
            block.templates.append(text)
        if self._head == ["sh"]:
            block.scripts.append(plain)
        self._head.append(plain)


def unescaped(text: str) -> str:
    """Return a text as Groovy reads it: a backslash at the end of a line joins two lines."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise ValueError(f"{found[0]!r} is not known here")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", value, text, flags=re.DOTALL)


def credentials(block: Block) -> dict[str, str]:
    """Return the variables of a `withCredentials`: `usernameVariable` and `passwordVariable`."""
    words = block.head
    return {name: words[words.index(name) + 1] for name in ("usernameVariable", "passwordVariable")}
