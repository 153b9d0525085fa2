"""What the commands share that change an index."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from oci_merge import MergeResult
from oci_merge_cli.commands.publishing import Start, publish
from oci_merge_cli.options.edit import EditOptions
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import SignOptions, sign_keywords


def run_edit(
    verb: Callable[..., Coroutine[Any, Any, MergeResult]],
    reference: str,
    keywords: Callable[[], dict[str, Any]],
    options: EditOptions,
    sign: SignOptions,
    files: FileOptions,
    access: RegistryAccess,
) -> None:
    """Change an index, and write the result.

    Args:
        verb: the library's verb.
        reference: the index's tag.
        keywords: returns the verb's own keywords; its errors are reported.
        options: how to write the result.
        sign: whether to sign the index that is put.
        files: where to write what the next job needs.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """

    def prepare() -> Start:
        given = {
            **keywords(),
            **sign_keywords(sign),
            **registry_keywords(access),
            "dry_run": options.dry_run,
        }
        return lambda on_event: verb(reference, on_event=on_event, **given)

    publish(prepare, options, files, access, dry_run=options.dry_run)
