"""What typer's commands lack: help in groups, and words as manifest-tool takes them."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from oci_merge_cli.output.stdout import write

_HELP_WORDS = ("help", "h")
_HELP_OPTION = "--help"
#: How examples call the program.
_PROGRAM = "oci-merge "


class UnknownWordError(typer.TyperException):
    """A word stands where a command is expected, and is none.

    Args:
        word: the word.
        hint: what may have been meant.
    """

    def __init__(self, word: str, hint: str = "") -> None:
        super().__init__(f"No help topic for '{word}'")
        self.hint = hint


class Command(TyperCommand):
    """A command whose help shows its options in groups."""

    # typer's own context and formatter are of private types.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; ``help`` as the first of them asks for help."""
        is_question = len(args) > 0 and args[0] in _HELP_WORDS
        return super().parse_args(ctx, [_HELP_OPTION] if is_question else args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, by the name of their panel."""
        _write_groups(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, with the name that the program was called by."""
        _write_examples(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands: ``help`` is one of them, and other words are unknown topics."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options, by the name of their panel."""
        self.format_commands(ctx, formatter)
        _write_groups(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, with the name that the program was called by."""
        _write_examples(self, ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the next word names.

        Raises:
            UnknownWordError: it names none.
            typer.Exit: it asks for the help of this group, which was printed.
        """
        word, *rest = args
        if self.get_command(ctx, word) is not None:
            return super().resolve_command(ctx, args)
        if word not in _HELP_WORDS:
            raise UnknownWordError(word, _missing_value_hint(word, ctx))
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


def _missing_value_hint(word: str, ctx: Any) -> str:
    """Return a hint where options came first: then the word was hardly meant as a command."""
    if not any(is_given(ctx, name) for name in ctx.params):
        return ""
    return f"{word} is no command; does an option lack its value, or a list with spaces its quotes?"


def is_given(ctx: typer.Context, name: str) -> bool:
    """Say whether a parameter stands on the command line, rather than having its default."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def require(ctx: typer.Context, *names: str) -> None:
    """Check that parameters stand on the command line.

    Raises:
        typer.TyperException: some do not; it names them all.
    """
    missing = [f"'{option_of(name)}'" for name in names if not is_given(ctx, name)]
    if missing:
        ctx.fail(f"missing option{'s' if len(missing) > 1 else ''} {', '.join(missing)}")


def option_of(name: str) -> str:
    """Return the option of a parameter's name."""
    return f"--{name.replace('_', '-')}"
