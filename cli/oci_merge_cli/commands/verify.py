"""``verify``: look whether an image is complete in its registry, and signed."""

from __future__ import annotations

from typing import Any

from oci_merge import Verification, verify_async
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import ResultOptions
from oci_merge_cli.options.values import split_list
from oci_merge_cli.output.lines import Lines, Progress
from oci_merge_cli.output.render import aligned
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged


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
    with (
        reported(usage_status=1, as_json=options.output == "json", debug=access.debug),
        logged(debug=access.debug),
    ):
        progress = Progress() if options.quiet else Lines()
        access.warn(progress.warn)
        keywords: dict[str, Any] = {
            "keys": keys or (),
            "digest": digest,
            "platforms": split_list(platforms),
            **registry_keywords(access),
        }
        found = runner.run(lambda: verify_async(reference, on_event=progress.show, **keywords))
        if options.output == "json":
            write_json(found.to_dict())
        else:
            write(_text(found))


def _text(found: Verification) -> str:
    lines = [
        f"{found.reference} is complete: "
        f"{found.manifests} manifests and {found.blobs} blobs are there"
    ]
    rows = [
        (each.digest, each.format, f"by {each.key}", each.reference) for each in found.signatures
    ]
    return "\n".join([*lines, *aligned(rows)]) + "\n"
