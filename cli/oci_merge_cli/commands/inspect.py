"""``inspect``: show what a reference stands for."""

from __future__ import annotations

import json
from dataclasses import dataclass

from oci_merge import Event, Inspection, Retrying, UsageError, inspect_async
from oci_merge_cli.compat.raw import raw_json
from oci_merge_cli.options.connection import Connection
from oci_merge_cli.options.declarations import InspectOutput
from oci_merge_cli.output.lines import retry_line
from oci_merge_cli.output.render import inspection_table, inspection_text
from oci_merge_cli.output.stdout import say, write
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectOptions:
    """What to show of it; ``options`` says what each means."""

    output: InspectOutput
    raw: bool
    expand_config: bool


def run(reference: str, options: InspectOptions, connection: Connection) -> None:
    """Look the reference up, and write what was found.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    connection = connection.with_empty_left_out()
    with (
        reported(usage_status=1, as_json=options.output == "json", debug=connection.debug),
        logged(debug=connection.debug),
    ):
        for warning in connection.warnings():
            say(f"warning: {warning}")
        _check(options)
        access = connection.access()
        shallow = options.output == "manifest"
        found = runner.run(
            lambda: inspect_async(reference, shallow=shallow, on_event=_note, **access)
        )
        write(_form(found, options))


def _note(event: Event) -> None:
    if isinstance(event, Retrying):
        say(retry_line(event))


def _check(options: InspectOptions) -> None:
    if options.expand_config and not options.raw:
        raise UsageError(
            "--expand-config goes with --raw", hint="add --raw, or leave --expand-config out"
        )
    if options.raw and options.output != "text":
        raise UsageError(
            f"--raw and --output {options.output} are both given",
            hint="choose one: --raw prints JSON as manifest-tool does",
        )


def _form(found: Inspection, options: InspectOptions) -> str | bytes:
    if options.raw:
        return raw_json(found, expand_config=options.expand_config)
    match options.output:
        case "manifest":
            return found.content
        case "json":
            return json.dumps(found.to_dict(), indent=2) + "\n"
        case "table":
            return inspection_table(found)
        case "text":
            return inspection_text(found)
