"""``sign``: sign what is in a registry."""

from __future__ import annotations

from oci_merge import SignResult, sign_async
from oci_merge_cli.commands.looking import run_and_show
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import ResultOptions, SignatureFormat, password_keywords
from oci_merge_cli.output.render import aligned


def run(
    reference: str,
    key: str | None,
    sign_format: SignatureFormat,
    sign_index_only: bool,
    options: ResultOptions,
    access: RegistryAccess,
) -> None:
    """Sign an image or an index, and write what was signed.

    Args:
        reference: the image or the index.
        key: where the private key is.
        sign_format: the formats to store.
        sign_index_only: sign nothing that an index lists.
        options: how to show it.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    run_and_show(
        sign_async,
        reference,
        lambda: {
            "key": key,
            "sign_format": sign_format,
            "sign_index_only": sign_index_only,
            **password_keywords(),
        },
        _text,
        options,
        access,
    )


def _text(signed: SignResult) -> str:
    rows = [(each.digest, each.format, each.outcome, each.reference) for each in signed.signatures]
    return "\n".join(aligned(rows)) + "\n"
