"""Runs the program: takes its arguments, returns its exit status."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import typer
from typer.main import get_command

from oci_merge_cli.app import SHARED_OPTIONS, app
from oci_merge_cli.compat.argv import level_of, names_command, normalize
from oci_merge_cli.output.stdout import stdout_error
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
    is_command = names_command(words, level)
    as_json = "--output=json" in words or ("--output", "json") in pairwise(words)
    try:
        with reported(
            usage_status=1 if is_command else 2, as_json=as_json, debug="--debug" in words
        ):
            try:
                context = program.make_context(name, list(words))
                with context:
                    program.invoke(context)
            except OSError as error:
                # Commands report their own errors, so this one came while typer printed help.
                raise stdout_error(error) from error
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0
