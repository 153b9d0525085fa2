"""``apply``: publish what a dry run has planned."""

from __future__ import annotations

import sys
from pathlib import Path

from oci_merge import Event, UsageError, apply_async
from oci_merge_cli.options.library import merge_keywords
from oci_merge_cli.options.merge import ApplyOptions
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import SourcesAccess
from oci_merge_cli.output.outputs import check_outputs, write_outputs
from oci_merge_cli.output.progress import progress_on_stderr
from oci_merge_cli.output.render import digest_line
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged
from oci_merge_cli.runtime.tags import TagWatch, with_repository

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
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
    tags = TagWatch()
    as_json, json_lines = options.output == "json", options.progress == "json"
    with (
        reported(
            usage_status=1, as_json=as_json, json_lines=json_lines, debug=access.debug, tags=tags
        ),
        logged(debug=access.debug, json_lines=json_lines),
    ):
        check_outputs(files)
        given = _read_stdin(access) if plan == "-" else Path(plan)
        keywords = merge_keywords(access)
        with progress_on_stderr(
            quiet=options.quiet, plain=access.debug, form=options.progress
        ) as progress:
            access.warn(progress.warn)

            def note(event: Event) -> None:
                # A plan may have several targets, whose tags are told apart by their repositories.
                named = with_repository(event)
                tags.note(named)
                progress.show(event if json_lines else named)

            result = runner.run(
                lambda: apply_async(
                    given,
                    verify=options.verify,
                    delete_sources=options.delete_sources,
                    on_event=note,
                    **keywords,
                )
            )
            progress.finish(result)
            write_outputs(result, files, progress.warn)
        if as_json:
            write_json(result.to_dict())
        else:
            write(digest_line(result))


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
        # PowerShell writes UTF-16 into pipes, too.
        text = content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8-sig")
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text.lstrip().startswith("{"):
        raise UsageError(
            "stdin has no plan", hint="pipe the output of --dry-run --output json into it"
        )
    return text
