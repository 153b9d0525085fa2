"""``sign``: sign what is in a registry."""

from __future__ import annotations

from oci_merge import SignResult, sign_async
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import ResultOptions, SignatureFormat, password_keywords
from oci_merge_cli.output.lines import Lines, Progress
from oci_merge_cli.output.render import aligned
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged


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
    with (
        reported(usage_status=1, as_json=options.output == "json", debug=access.debug),
        logged(debug=access.debug),
    ):
        progress = Progress() if options.quiet else Lines()
        access.warn(progress.warn)
        keywords = {**registry_keywords(access), **password_keywords()}
        signed = runner.run(
            lambda: sign_async(
                reference,
                key=key,
                sign_format=sign_format,
                sign_index_only=sign_index_only,
                on_event=progress.show,
                **keywords,
            )
        )
        if options.output == "json":
            write_json(signed.to_dict())
        else:
            write(_text(signed))


def _text(signed: SignResult) -> str:
    rows = [(each.digest, each.format, each.outcome, each.reference) for each in signed.signatures]
    return "\n".join(aligned(rows)) + "\n"
