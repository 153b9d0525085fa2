"""The program: its arguments in, its exit status out."""

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
        arguments: the process's arguments, without the program's name.
        name: the program's name, for help and the version.

    Returns:
        0 done, 1 failed, 2 wrong usage of a merge; the other commands keep manifest-tool's
        1 for wrong usage, and 3 is for an unknown word.
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
                # Commands report their own: this is typer, printing help.
                raise stdout_error(error) from error
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0
