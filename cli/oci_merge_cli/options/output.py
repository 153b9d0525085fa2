"""The options that say what a command writes, and the arguments of those that only show."""

# Types are read as they are when the program starts, so no annotations from __future__ here.

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

Form = Literal["text", "json"]
InspectForm = Literal["text", "table", "json", "manifest"]

_OUTPUT = "Output"


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value:
        from oci_merge_cli.output.version import print_version

        raise typer.Exit(print_version(str(ctx.find_root().info_name)))


MergeFormOption = Annotated[
    Form,
    typer.Option(
        "--output",
        help="What stdout gets: the line 'Digest: sha256:... SIZE', or all of the outcome, errors "
        "included, as JSON.",
        rich_help_panel=_OUTPUT,
    ),
]
DigestFileOption = Annotated[
    Path | None,
    typer.Option(
        "--digest-file",
        metavar="FILE",
        help="Write the digest into a file once the image is published.",
        rich_help_panel=_OUTPUT,
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        help="Leave everything but errors out of stderr.",
        rich_help_panel=_OUTPUT,
    ),
]
VersionOption = Annotated[
    bool,
    typer.Option(
        "--version", "-v", help="Print the version.", is_eager=True, callback=_show_version
    ),
]
ReferenceArgument = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        rich_help_panel="What to inspect",
        help="An image or an index, with its tag or digest.",
    ),
]
CredentialsReferenceArgument = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="The image or the repository that a credential is wanted for.",
        rich_help_panel="What to explain",
    ),
]
CredentialsFormOption = Annotated[
    Form,
    typer.Option(
        "--output",
        help="Text, or all of it as JSON; no secret is shown.",
        rich_help_panel=_OUTPUT,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectOptions:
    """What ``inspect`` shows, as the command line says it."""

    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Print JSON with the manifests of all images, as manifest-tool does. The "
            "manifest's own bytes are --output manifest.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    expand_config: Annotated[
        bool,
        typer.Option(
            "--expand-config",
            help="With --raw, print an image's whole config.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    output: Annotated[
        InspectForm,
        typer.Option(
            "--output",
            help="manifest-tool's text, a table, JSON, or the exact bytes of the manifest.",
            rich_help_panel=_OUTPUT,
        ),
    ] = "text"
