"""``credentials``: show which credential a run would use for an image, and why."""

from __future__ import annotations

from oci_merge import (
    CredentialError,
    CredentialExplanation,
    CredentialSource,
    explain_credentials,
)
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.output import Form
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.output.lines import Lines
from oci_merge_cli.output.render import aligned
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged


def run(reference: str, output: Form, access: RegistryAccess) -> None:
    """Explain the search for the credential of an image, without a request to its registry.

    Args:
        reference: the image, the repository or the registry.
        output: how to write the explanation.
        access: the registry options.

    Raises:
        typer.Exit: it failed, or a run would fail at a source; the reason was reported.
    """
    with (
        reported(usage_status=1, as_json=output == "json", debug=access.debug),
        logged(debug=access.debug),
    ):
        lines = Lines()
        access.warn(lines.warn)
        keywords = registry_keywords(access)
        explained = explain_credentials(
            reference,
            **{
                name: keywords[name]
                for name in ("username", "password", "docker_config", "deadline")
            },
        )
        if explained.warning:
            lines.warn(explained.warning)
        if output == "json":
            write_json(explained.to_dict())
        else:
            write(_text(explained))
    with reported(debug=access.debug):
        if explained.broken:
            raise CredentialError(explained.broken.reason, hint=explained.broken.hint)


def _text(explained: CredentialExplanation) -> str:
    nothing = "a run stops at the broken source" if explained.broken else "there is no credential"
    place = ("registry", explained.registry)
    if explained.repository:
        place = ("image", f"{explained.registry}/{explained.repository}")
    facts = [
        place,
        ("user", explained.username or "-"),
        ("sent", explained.kind or f"nothing: {nothing}"),
        ("from", explained.origin or "-"),
    ]
    sources = [(source.status, _words(source)) for source in explained.sources]
    lines = [*aligned(facts), "", "sources, in the order of the search:"]
    return "\n".join([*lines, *(f"  {line}" for line in aligned(sources))]) + "\n"


def _words(source: CredentialSource) -> str:
    """Return the name of a source, with the reason if the status does not say it all."""
    match source.status:
        case "used" | "skipped":
            return source.name
        case "broken":
            return source.reason  # the reason names the source
    return f"{source.name}: {source.reason}"
