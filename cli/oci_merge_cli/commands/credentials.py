"""``credentials``: show where the credential of an image is looked for, and what comes of it."""

from __future__ import annotations

import json

from oci_merge import (
    CredentialError,
    CredentialExplanation,
    CredentialSource,
    explain_credentials,
)
from oci_merge_cli.options.connection import Connection
from oci_merge_cli.options.declarations import MergeOutput
from oci_merge_cli.output.render import aligned
from oci_merge_cli.output.stdout import say, write
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged


def run(reference: str, output: MergeOutput, connection: Connection) -> None:
    """Explain the search for the credential of a reference, without asking its registry.

    Raises:
        typer.Exit: a run would fail at a source that cannot be read, or this did; the reason was
            reported.
    """
    with (
        reported(usage_status=1, as_json=output == "json", debug=connection.debug),
        logged(debug=connection.debug),
    ):
        for warning in connection.warnings():
            say(f"warning: {warning}")
        access = connection.access()
        explained = explain_credentials(
            reference,
            username=access.get("username"),
            password=access.get("password"),
            docker_config=access.get("docker_config"),
        )
        write(_json(explained) if output == "json" else _text(explained))
    with reported(debug=connection.debug):
        if explained.broken:
            raise CredentialError(explained.broken.reason, hint=explained.broken.hint)


def _json(explained: CredentialExplanation) -> str:
    return json.dumps(explained.to_dict(), indent=2) + "\n"


def _text(explained: CredentialExplanation) -> str:
    nothing = "as a run ends at what is broken" if explained.broken else "there is no credential"
    facts = [
        ("image", f"{explained.registry}/{explained.repository}"),
        ("user", explained.username or "-"),
        ("sent", explained.kind or f"nothing, {nothing}"),
        ("from", explained.origin or "-"),
    ]
    sources = [(source.status, _words(source)) for source in explained.sources]
    lines = [*aligned(facts), "", "looked for, in this order:"]
    return "\n".join([*lines, *(f"  {line}" for line in aligned(sources))]) + "\n"


def _words(source: CredentialSource) -> str:
    """Return what to show of a source: its name, and why it is not used where that says more."""
    match source.status:
        case "used" | "skipped":
            return source.name
        case "broken":
            return source.reason  # it names the source itself
    return f"{source.name}: {source.reason}"
