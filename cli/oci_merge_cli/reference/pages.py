"""What can be said of a command: its options, arguments, commands and examples.

One walk over the commands of typer makes a tree of pages. The writers of this package turn the tree
into documents and scripts, so that none of them names an option of its own.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any

from oci_merge_cli.compat.groups import examples_of

#: Words of a metavar for which a shell completes the names of files.
_FILES = frozenset({"FILE", "FOLDER", "PATH", "path"})
#: A word of a metavar that is given as it stands, such as ``auto`` in ``<auto|oci|docker>``.
_CHOICE = re.compile(r"[a-z][a-z0-9.-]*")
#: Where the first sentence of a help text ends.
_SENTENCE = re.compile(r"(?<=[^.][.;])\s+(?=[A-Z])")
_DEFAULT = re.compile(r"\s*\[[^\]]*\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An option or an argument of a command.

    Attributes:
        spellings: an option as it is written, short forms first; empty for an argument.
        value: what stands for the value, such as ``FILE`` or ``<text|json>``; empty for a flag.
        text: what it does, with its default.
        choices: the words that may be its value.
        takes_files: whether the name of a file may be its value.
        panel: the heading that it stands under.
        is_repeatable: whether its values add up.
    """

    spellings: tuple[str, ...]
    value: str
    text: str
    choices: tuple[str, ...] = ()
    takes_files: bool = False
    panel: str
    is_repeatable: bool = False

    @property
    def is_option(self) -> bool:
        """Whether it has a name on the command line."""
        return bool(self.spellings)

    @property
    def label(self) -> str:
        """How it is written, with its value: ``-o, --output <text|json>``."""
        return " ".join(filter(None, [", ".join(self.spellings), self.value]))

    @property
    def summary(self) -> str:
        """The first sentence of what it does, without the default and the period."""
        first, *_ = _SENTENCE.split(_DEFAULT.sub("", self.text))
        return first.rstrip(".;")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What can be said of a command.

    Attributes:
        program: the name of the program.
        words: the words that name it, after the name of the program.
        usage: what follows these words, such as ``[OPTIONS] REFERENCE``.
        summary: one sentence without a period.
        description: paragraphs.
        parameters: its own options and arguments, in the order of the help.
        inherited: options of the commands before it that may also stand after it.
        shared: the options among all of them that may also stand after its commands.
        notes: examples and exit statuses: paragraphs, and lines to be kept as they are.
        commands: the commands that may follow.
    """

    program: str
    words: tuple[str, ...]
    usage: str
    summary: str
    description: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    inherited: tuple[Parameter, ...] = ()
    shared: tuple[Parameter, ...] = ()
    notes: tuple[Note, ...] = ()
    commands: tuple[Page, ...] = ()

    @property
    def path(self) -> str:
        """The words that name it, as one text."""
        return " ".join(self.words)

    @property
    def options(self) -> tuple[Parameter, ...]:
        """All options that may stand after its words."""
        own = tuple(each for each in self.parameters if each.is_option)
        return own + self.inherited

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        """Its arguments, in order."""
        return tuple(each for each in self.parameters if not each.is_option)

    @property
    def title(self) -> str:
        """The name of the program and the words."""
        return " ".join((self.program, *self.words))

    def walk(self) -> Iterator[Page]:
        """Yield this page and all below it, each before its commands."""
        yield self
        for page in self.commands:
            yield from page.walk()


@dataclass(frozen=True, slots=True)
class Note:
    """A paragraph behind the options.

    Attributes:
        text: the paragraph, or the heading of the lines.
        lines: lines to be kept as they are, without the indentation that all have.
    """

    text: str
    lines: tuple[str, ...] = field(default=())


def page_of(context: Any, shared: Container[str]) -> Page:
    """Return the page of the command of a context, with those of the commands below it.

    Args:
        context: typer's context of the command, whose type is private to typer.
        shared: the options of groups that may also stand after the commands of the group.
    """
    return _page(context, shared, ())


def panels(parameters: tuple[Parameter, ...]) -> dict[str, list[Parameter]]:
    """Return parameters by the heading that they stand under, in order."""
    found: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        found.setdefault(parameter.panel, []).append(parameter)
    return found


def told_before(page: Page, root: Page) -> tuple[Parameter, ...]:
    """Return the parameters of a page that the root's page describes in the same words."""
    if page is root:
        return ()
    return tuple(each for each in page.options if each in root.parameters)


def _page(context: Any, shared: Container[str], before: tuple[Parameter, ...]) -> Page:
    command = context.command
    parameters = tuple(
        _parameter(each, context) for each in command.get_params(context) if not each.hidden
    )
    own = {spelling for each in parameters for spelling in each.spellings}
    inherited = tuple(each for each in before if own.isdisjoint(each.spellings))
    if inherited == before and not hasattr(command, "commands"):
        inherited = ()  # it has no use for them, such as ``man`` for those of registries
    handed_on = inherited + tuple(
        each for each in parameters if any(one in shared for one in each.spellings)
    )
    inner = [
        each.context_class(each, info_name=name, parent=context)
        for name, each in getattr(command, "commands", {}).items()
        if not each.hidden
    ]
    program, *words = context.command_path.split()
    return Page(
        program=program,
        words=tuple(words),
        usage=" ".join(word.strip("{}") for word in command.collect_usage_pieces(context)),
        summary=command.get_short_help_str(1000).rstrip("."),
        description=_paragraphs(command.help or ""),
        parameters=parameters,
        inherited=inherited,
        shared=handed_on if inner else (),
        notes=tuple(_notes(examples_of(command, program))),
        commands=tuple(_page(each, shared, handed_on) for each in inner),
    )


def _parameter(parameter: Any, context: Any) -> Parameter:
    # The record of the help is typer's public account of a parameter: what else it knows of the
    # type of a value changes from version to version.
    label, text = parameter.get_help_record(context)
    is_option = parameter.param_type_name == "option"
    spellings = tuple(sorted(parameter.opts, key=len)) if is_option else ()
    *names, kind = label.split()
    value = names[0] if names and not is_option else "" if kind in spellings else kind
    words = kind.strip("<>[]").split("|")
    return Parameter(
        spellings=spellings,
        value=value,
        text=" ".join(text.split()),
        # <int> alone is the name of a type.
        choices=tuple(filter(_CHOICE.fullmatch, words)) if len(words) > 1 else (),
        takes_files=not _FILES.isdisjoint([*names, *words]),
        panel=getattr(parameter, "rich_help_panel", None) or "Help",
        is_repeatable=bool(parameter.multiple),
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(each.split()) for each in cleandoc(text).split("\n\n") if each.strip())


def _notes(epilog: str) -> Iterator[Note]:
    """Yield the paragraphs of an epilog; click's ``\\b`` marks one whose lines are kept."""
    for paragraph in epilog.split("\n\n"):
        if paragraph.startswith("\b"):
            heading, *lines = paragraph.removeprefix("\b").strip("\n").splitlines()
            yield Note(heading, tuple(cleandoc("\n" + "\n".join(lines)).splitlines()))
        elif paragraph:
            yield Note(" ".join(paragraph.split()))
