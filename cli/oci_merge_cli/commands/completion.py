"""``completion``: print the completion script of a shell."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from oci_merge_cli.options.output import Shell
from oci_merge_cli.output.stdout import write
from oci_merge_cli.reference.pages import page_of
from oci_merge_cli.runtime.failures import reported


def run(shell: Shell, program: Any, shared: Container[str]) -> None:
    """Print the script.

    Args:
        shell: the shell.
        program: typer's context of the program, whose type is private to typer.
        shared: the options of groups that may also stand after the commands of the group.

    Raises:
        typer.Exit: stdout cannot be written; the reason was reported.
    """
    with reported(usage_status=1):
        root = page_of(program, shared)
        match shell:
            case "bash":
                from oci_merge_cli.reference.bash import bash_script as script
            case "zsh":
                from oci_merge_cli.reference.zsh import zsh_script as script
            case "fish":
                from oci_merge_cli.reference.fish import fish_script as script
        # The shell needs the bytes as they are.
        write(script(root).encode())
