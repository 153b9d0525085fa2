"""``inspect``: show what a reference stands for."""

from __future__ import annotations

import json

from oci_merge import Event, Inspection, Retrying, inspect_async
from oci_merge_cli import runner
from oci_merge_cli.connection import Connection
from oci_merge_cli.failures import reported
from oci_merge_cli.logs import logged
from oci_merge_cli.options import InspectOutput
from oci_merge_cli.output import say, write
from oci_merge_cli.progress import retry_line
from oci_merge_cli.render import inspection_table, inspection_text


def run(reference: str, output: InspectOutput, connection: Connection) -> None:
    """Look the reference up, and write what was found.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    with (
        reported(usage_status=1, as_json=output == "json", debug=connection.debug),
        logged(debug=connection.debug),
    ):
        for warning in connection.warnings():
            say(f"warning: {warning}")
        access = connection.access()
        found = runner.run(lambda: inspect_async(reference, on_event=_note, **access))
        write(_form(found, output))


def _note(event: Event) -> None:
    if isinstance(event, Retrying):
        say(retry_line(event))


def _form(found: Inspection, output: InspectOutput) -> str | bytes:
    match output:
        case "manifest":
            return found.content
        case "json":
            return json.dumps(found.to_dict(), indent=2) + "\n"
        case "table":
            return inspection_table(found)
        case "text":
            return inspection_text(found)
