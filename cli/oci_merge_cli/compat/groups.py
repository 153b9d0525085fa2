"""Extends the commands of typer: grouped help, and command words as in manifest-tool."""

from __future__ import annotations

import sys
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from oci_merge_cli.output.stdout import write
from oci_merge_cli.output.terminal import columns

#: How wide help is where stdout is no terminal, at most and at least.
_USUAL_WIDTH, _MOST_WIDTH, _LEAST_WIDTH = 80, 100, 30
#: From which width on the meaning of a long option stands beside it.
_TWO_COLUMNS = 60
_HELP_WORDS = ("help", "h")
_HELP_OPTION = "--help"
#: Words of other tools, and what to do here.
_OTHER_WORDS = {
    "merge": "joining images has no command: give --template or --source, and --target",
    "create": "joining images has no command: give --template or --source, and --target",
    "append": "adding images has no command: give --append, with --source and --target",
    "version": "print the version with --version",
    "login": "log in with docker login; oci-merge credentials IMAGE shows what is found",
}
#: The name of the program in examples.
_PROGRAM = "oci-merge "


class UnknownWordError(typer.TyperException):
    """A word stands in the place of a command, and names none.

    Args:
        word: the word.
        hint: what the user may have meant.
    """

    code = "unknown_command"

    def __init__(self, word: str, hint: str = "") -> None:
        super().__init__(f"No help topic for '{word}'")
        self.hint = hint


class Command(TyperCommand):
    """A command that shows its options in groups, and takes ``help`` as its first argument."""

    # The types of the context and the formatter are private to typer, so they are Any here.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; ``help`` as the first one is the option ``--help``."""
        is_question = len(args) > 0 and args[0] in _HELP_WORDS
        return super().parse_args(ctx, [_HELP_OPTION] if is_question else args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, grouped by panel."""
        _write_groups(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, with the name by which the program was called."""
        _write_examples(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands that takes ``help`` as a command."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options, grouped by panel."""
        _write_list(formatter, "Commands", _commands(self))
        _write_groups(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, with the name by which the program was called."""
        _write_examples(self, ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the next word names.

        Raises:
            UnknownWordError: there is no command of that name.
            typer.Exit: the word is ``help``, and the help of this group was printed.
        """
        word, *rest = args
        if self.get_command(ctx, word) is not None:
            return super().resolve_command(ctx, args)
        if word not in _HELP_WORDS:
            raise UnknownWordError(word, _unknown_word_hint(word, ctx))
        if not rest:
            write(f"{ctx.get_help()}\n")
            raise typer.Exit(0)
        return self.resolve_command(ctx, [rest[0], _HELP_OPTION])


def help_width() -> int:
    """Return how wide help is: as the terminal, within bounds; two columns stay free."""
    width = columns(sys.stdout) or _USUAL_WIDTH
    return max(min(width, _MOST_WIDTH), _LEAST_WIDTH) - 2


def _write_groups(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            name = getattr(parameter, "rich_help_panel", None) or "Help"
            groups.setdefault(name, []).append(record)
    for name, records in groups.items():
        _write_list(formatter, name, records)


def _commands(group: TyperGroup) -> list[tuple[str, str]]:
    """Return the names of the commands with what they do, which typer would cut to one line."""
    return [
        (name, command.get_short_help_str(_MOST_WIDTH * 4))
        for name, command in group.commands.items()
        if not command.hidden
    ]


def _write_list(formatter: Any, heading: str, records: list[tuple[str, str]]) -> None:
    """Write words with their meanings: side by side, and where that is too narrow by lines."""
    with formatter.section(heading):
        formatter.write_dl(records, col_max=30 if formatter.width >= _TWO_COLUMNS else 4)


def _write_examples(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    if command.epilog:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(examples_of(command, ctx.find_root().info_name))


def examples_of(command: Any, name: str) -> str:
    """Return the examples of a command and its exit statuses, in click's form of paragraphs.

    Args:
        command: the command, whose type is private to typer.
        name: the name by which the program was called.
    """
    paragraphs = cleandoc(command.epilog or "").replace(_PROGRAM, f"{name} ").split("\n\n")
    # Lines of code are kept as they are, but one line alone is a sentence.
    return "\n\n".join(
        each.removeprefix("\b\n") if each.count("\n") == 1 else each for each in paragraphs
    )


def _unknown_word_hint(word: str, ctx: Any) -> str:
    """Return what the user may have meant by a word that is no command, or an empty string."""
    from difflib import get_close_matches  # not needed where every word is known

    if word in _OTHER_WORDS:
        return _OTHER_WORDS[word]
    if close := get_close_matches(word.lower(), ctx.command.commands, n=1):
        return f"did you mean {close[0]}?"
    if not any(is_given(ctx, name) for name in ctx.params):
        is_image = ctx.parent is None and "/" in word
        return "name each image with --source, and the tag with --target" if is_image else ""
    if ctx.params.get("source_file"):
        # The shell puts the files of a pattern behind the option, which takes the first.
        return f"{word} is not a command: quote a pattern, as in --source-file 'digests/*'"
    # Options precede the word, so it is likely a stray value.
    return f"{word} is not a command: give every option its value, and quote a list with spaces"


def is_given(ctx: typer.Context, name: str) -> bool:
    """Tell whether a parameter is given on the command line."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def require(ctx: typer.Context, *names: str) -> None:
    """Check that parameters are given on the command line.

    Raises:
        typer.TyperException: some are not; the message names them all.
    """
    missing = [f"'{option_of(name)}'" for name in names if not is_given(ctx, name)]
    if missing:
        ctx.fail(f"missing option{'s' if len(missing) > 1 else ''} {', '.join(missing)}")


def option_of(name: str) -> str:
    """Return the option for the name of a parameter."""
    return f"--{name.replace('_', '-')}"
