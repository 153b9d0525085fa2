"""Extends the commands of typer: grouped help, and command words as in manifest-tool."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from oci_merge_cli.output.stdout import write

_HELP_WORDS = ("help", "h")
_HELP_OPTION = "--help"
#: Words of other tools, and what to do here.
_OTHER_WORDS = {
    "merge": "joining images has no command: give --template or --source, and --target",
    "create": "joining images has no command: give --template or --source, and --target",
    "append": "adding images has no command: give --append, with --source and --target",
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
        self.format_commands(ctx, formatter)
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


def _write_groups(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            name = getattr(parameter, "rich_help_panel", None) or "Help"
            groups.setdefault(name, []).append(record)
    for name, records in groups.items():
        with formatter.section(name):
            formatter.write_dl(records)


def _write_examples(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    if command.epilog:
        name = ctx.find_root().info_name
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(cleandoc(command.epilog).replace(_PROGRAM, f"{name} "))


def _unknown_word_hint(word: str, ctx: Any) -> str:
    """Return what the user may have meant by a word that is no command, or an empty string."""
    from difflib import get_close_matches  # not needed where every word is known

    if close := get_close_matches(word.lower(), ctx.command.commands, n=1):
        return f"did you mean {close[0]}?"
    if word in _OTHER_WORDS:
        return _OTHER_WORDS[word]
    if not any(is_given(ctx, name) for name in ctx.params):
        return ""
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
