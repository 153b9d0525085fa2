"""Runs the program: takes its arguments, returns its exit status."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import typer
from typer.main import get_command

from oci_merge_cli.app import SHARED_OPTIONS, app
from oci_merge_cli.compat.argv import Level, command_of, level_of, normalize
from oci_merge_cli.compat.groups import help_width
from oci_merge_cli.compat.slips import check_slips, repeated_error, repeated_options
from oci_merge_cli.output.stdout import say, stdout_error
from oci_merge_cli.runtime.failures import reported


def run(arguments: Sequence[str], *, name: str = "oci-merge") -> int:
    """Run the program.

    Args:
        arguments: the arguments of the process, without the name of the program.
        name: the name of the program, for help and the version.

    Returns:
        0 done, 1 failed, 2 wrong usage of a merge, 3 no such command. The other commands return 1
        for wrong usage, as manifest-tool does.
    """
    program = get_command(app)
    level = level_of(program)
    words = normalize(arguments, level, SHARED_OPTIONS)
    command = command_of(words, level)
    as_json, json_lines = (
        f"{option}=json" in words or (option, "json") in pairwise(words)
        for option in ("--output", "--progress")
    )
    usage_status = 1 if command else 2
    debug = "--debug" in words
    try:
        with reported(
            usage_status=usage_status, as_json=as_json, json_lines=json_lines, debug=debug
        ):
            _check(words, level, is_push=command == "push")
            try:
                context = program.make_context(name, list(words), terminal_width=help_width())
                with context:
                    program.invoke(context)
            except OSError as error:
                # Commands report their own errors, so this one came while typer printed help.
                raise stdout_error(error) from error
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0


def _check(words: Sequence[str], level: Level, *, is_push: bool) -> None:
    """Refuse slips on the command line, before the parser makes something else of them."""
    check_slips(words, level)
    for option in repeated_options(words, level):
        if not is_push:
            raise repeated_error(option)
        say(f"warning: {option} is given several times; the last one counts, as in manifest-tool")
