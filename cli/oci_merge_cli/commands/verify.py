"""``verify``: look whether an image is complete in its registry, and signed."""

from __future__ import annotations

from oci_merge import Verification, verify_async
from oci_merge_cli.commands.looking import run_and_show
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import ResultOptions
from oci_merge_cli.options.values import split_list
from oci_merge_cli.output.render import aligned


def run(
    reference: str,
    keys: list[str] | None,
    digest: str | None,
    platforms: list[str] | None,
    options: ResultOptions,
    access: RegistryAccess,
) -> None:
    """Verify an image or an index, and write what was found.

    Args:
        reference: the image or the index.
        keys: where the public keys are.
        digest: the digest that the tag has to stand at.
        platforms: the values of ``--platforms``.
        options: how to show it.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    run_and_show(
        verify_async,
        reference,
        lambda: {"keys": keys or (), "digest": digest, "platforms": split_list(platforms)},
        _text,
        options,
        access,
    )


def _text(found: Verification) -> str:
    lines = [
        f"{found.reference} is complete: "
        f"{found.manifests} manifests and {found.blobs} blobs are there"
    ]
    rows = [
        (each.digest, each.format, f"by {each.key}", each.reference) for each in found.signatures
    ]
    return "\n".join([*lines, *aligned(rows)]) + "\n"
