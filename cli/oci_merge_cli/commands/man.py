"""``man``: print the man page."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from oci_merge import __version__
from oci_merge_cli.output.stdout import write
from oci_merge_cli.reference.pages import page_of
from oci_merge_cli.reference.roff import man_page
from oci_merge_cli.runtime.failures import reported


def run(program: Any, shared: Container[str]) -> None:
    """Print the man page in roff.

    Args:
        program: typer's context of the program, whose type is private to typer.
        shared: the options of groups that may also stand after the commands of the group.

    Raises:
        typer.Exit: stdout cannot be written; the reason was reported.
    """
    with reported(usage_status=1):
        write(man_page(page_of(program, shared), __version__).encode())
