"""``annotate``: set and remove annotations of an index."""

from __future__ import annotations

from typing import Any

from oci_merge import annotate_async
from oci_merge_cli.commands.edit import run_edit
from oci_merge_cli.options.edit import EditOptions
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import SignOptions
from oci_merge_cli.options.values import parse_pairs, split_lines


def run(
    reference: str,
    annotations: list[str] | None,
    removed: list[str] | None,
    options: EditOptions,
    sign: SignOptions,
    files: FileOptions,
    access: RegistryAccess,
) -> None:
    """Set and remove annotations of an index, and write the result.

    Args:
        reference: the index's tag.
        annotations: the values of ``--annotation``.
        removed: the values of ``--remove-annotation``.
        options: how to write the result.
        sign: whether to sign the index that is put.
        files: where to write what the next job needs.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """

    def keywords() -> dict[str, Any]:
        return {
            "annotations": parse_pairs(split_lines(annotations), what="annotation"),
            # An empty value is kept, since the library says what is wrong with it.
            "remove_annotations": [
                key
                for text in removed or ()
                for key in [line.strip() for line in text.splitlines() if line.strip()] or [""]
            ],
        }

    run_edit(annotate_async, reference, keywords, options, sign, files, access)
