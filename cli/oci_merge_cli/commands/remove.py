"""``remove``: take images out of an index."""

from __future__ import annotations

from oci_merge import remove_async
from oci_merge_cli.commands.edit import run_edit
from oci_merge_cli.options.edit import EditOptions
from oci_merge_cli.options.output import FileOptions
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import SignOptions
from oci_merge_cli.options.values import split_list


def run(
    reference: str,
    platforms: list[str] | None,
    options: EditOptions,
    sign: SignOptions,
    files: FileOptions,
    access: RegistryAccess,
) -> None:
    """Take images out of an index, and write the result.

    Args:
        reference: the index's tag.
        platforms: the values of ``--platform``.
        options: how to write the result.
        sign: whether to sign the index that is put.
        files: where to write what the next job needs.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    run_edit(
        remove_async,
        reference,
        lambda: {"platforms": split_list(platforms)},
        options,
        sign,
        files,
        access,
    )
