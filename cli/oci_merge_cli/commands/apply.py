"""``apply``: publish what a dry run has planned."""

from __future__ import annotations

import sys
from pathlib import Path

from oci_merge import UsageError, apply_async
from oci_merge_cli.commands.publishing import Start, publish
from oci_merge_cli.options.library import merge_keywords
from oci_merge_cli.options.merge import ApplyOptions
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import SourcesAccess
from oci_merge_cli.options.values import decode

#: More than the largest plan has; the library refuses what is larger.
_MOST_BYTES = 128 << 20


def run(plan: str, options: ApplyOptions, files: FileOptions, access: SourcesAccess) -> None:
    """Carry out a plan, and write the result.

    Args:
        plan: the plan's file, or ``-``.
        options: how to carry it out.
        files: where to write what the next job needs.
        access: how to reach the registries.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """

    def prepare() -> Start:
        given = _read_stdin(access) if plan == "-" else Path(plan)
        keywords = merge_keywords(access)
        return lambda on_event: apply_async(
            given,
            verify=options.verify,
            delete_sources=options.delete_sources,
            on_event=on_event,
            **keywords,
        )

    # Only the plan says how many targets it has.
    publish(prepare, options, files, access, several_targets=True)


def _read_stdin(access: SourcesAccess) -> str:
    """Return the plan that stdin has.

    Raises:
        UsageError: stdin has no plan, or is asked for the password as well.
    """
    if access.password_stdin:
        raise UsageError(
            "the plan and the password are both read from stdin",
            hint="name the plan's file, or give the password in OCI_MERGE_PASSWORD",
        )
    try:
        content = b"" if sys.stdin is None else sys.stdin.buffer.read(_MOST_BYTES + 1)
        text = decode(content)
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text.lstrip().startswith("{"):
        raise UsageError(
            "stdin has no plan", hint="pipe the output of --dry-run --output json into it"
        )
    return text
