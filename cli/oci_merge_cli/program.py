"""The program: its arguments in, its exit status out."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from typer.main import get_command

from oci_merge_cli.app import app
from oci_merge_cli.argv import command_word
from oci_merge_cli.failures import reported
from oci_merge_cli.output import stdout_error

_NAME = "oci-merge"


def run(arguments: Sequence[str]) -> int:
    """Run the program.

    Args:
        arguments: the process's arguments, without the program's name.

    Returns:
        0 done, 1 failed, 2 wrong usage of a merge; the other commands keep manifest-tool's
        1 for wrong usage, and 3 is for an unknown word.
    """
    program = get_command(app)
    valued = {
        option
        for parameter in program.params
        if not getattr(parameter, "is_flag", False)
        for option in parameter.opts
    }
    word = command_word(arguments, valued)
    try:
        with reported(usage_status=1 if word else 2, debug="--debug" in arguments):
            try:
                context = program.make_context(_NAME, list(arguments))
                with context:
                    program.invoke(context)
            except OSError as error:
                # Commands report their own: this is typer, printing help.
                raise stdout_error(error) from error
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0
