"""``inspect``: show the contents of an image or an index."""

from __future__ import annotations

import sys

from oci_merge import Event, Inspection, Retrying, UsageError, Warned, inspect_async
from oci_merge_cli.compat.raw import raw_json
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.output import InspectOptions
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.output.lines import Lines
from oci_merge_cli.output.render import inspection_table, inspection_text
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.output.terminal import columns
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged


def run(reference: str, options: InspectOptions, access: RegistryAccess) -> None:
    """Look a reference up and write what it names.

    Args:
        reference: the image or the index.
        options: what to show of it.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    access = access.with_empty_left_out()
    with (
        reported(usage_status=1, as_json=options.output == "json", debug=access.debug),
        logged(debug=access.debug),
    ):
        lines = Lines()
        access.warn(lines.warn)
        _check(options)
        keywords = registry_keywords(access)

        def note(event: Event) -> None:
            if isinstance(event, (Retrying, Warned)):
                lines.show(event)

        shallow = options.output == "manifest"
        found = runner.run(
            lambda: inspect_async(reference, shallow=shallow, on_event=note, **keywords)
        )
        _write(found, options)


def _check(options: InspectOptions) -> None:
    if options.expand_config and not options.raw:
        raise UsageError(
            "--expand-config is given without --raw",
            hint="add --raw, or leave --expand-config out",
        )
    if options.raw and options.output != "text":
        raise UsageError(
            f"--raw and --output {options.output} are both given",
            hint="choose one: --raw prints JSON as manifest-tool does",
        )


def _write(found: Inspection, options: InspectOptions) -> None:
    if options.raw:
        # The bytes of manifest-tool: whoever asks for them gets them as they are.
        write(raw_json(found, expand_config=options.expand_config).encode())
        return
    match options.output:
        case "manifest":
            write(found.content)
        case "json":
            write_json(found.to_dict())
        case "table":
            write(inspection_table(found, columns(sys.stdout)))
        case "text":
            write(inspection_text(found))
