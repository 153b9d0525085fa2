"""The options that say what a command writes, and the arguments of the commands that only read."""

# No annotations from __future__: expand_options reads the types as objects.

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from oci_merge_cli.output.terminal import ProgressForm

Form = Literal["text", "json"]
Shell = Literal["bash", "zsh", "fish"]
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
        "-o",
        help="What to write to stdout: the line 'Digest: sha256:... SIZE', or the whole result or "
        "error as JSON.",
        rich_help_panel=_OUTPUT,
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Write nothing but errors to stderr.",
        rich_help_panel=_OUTPUT,
    ),
]
ProgressOption = Annotated[
    ProgressForm,
    typer.Option(
        "--progress",
        help="How to show progress on stderr: lines, JSON with one object a line, or none, which "
        "leaves warnings and errors; auto draws bars on a terminal, and else writes lines.",
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
        help="An image or an index, by tag or digest.",
    ),
]
CredentialsReferenceArgument = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="The image, the repository or the registry to find a credential for.",
        rich_help_panel="What to explain",
    ),
]
ShellArgument = Annotated[
    Shell,
    typer.Argument(metavar="SHELL", help="bash, zsh or fish.", rich_help_panel="What to print"),
]
CredentialsFormOption = Annotated[
    Form,
    typer.Option(
        "--output",
        "-o",
        help="Text or JSON, without secrets.",
        rich_help_panel=_OUTPUT,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """The files, for the next job, that every command that publishes writes."""

    digest_file: Annotated[
        Path | None,
        typer.Option(
            "--digest-file",
            metavar="FILE",
            help="Write the digest to this file after the image is published.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    metadata_file: Annotated[
        Path | None,
        typer.Option(
            "--metadata-file",
            metavar="FILE",
            help="Write digest, size and names to this file after the image is published, as "
            "buildx does: JSON with containerimage.digest and image.name.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    dotenv: Annotated[
        Path | None,
        typer.Option(
            "--dotenv",
            metavar="FILE",
            help="Write OCI_MERGE_DIGEST and other variables to this file after the image is "
            "published, for GitLab's artifacts:reports:dotenv. Other variables in it stay.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    no_github: Annotated[
        bool,
        typer.Option(
            "--no-github",
            help="Set no outputs and write no summary of the step on a runner of GitHub, Gitea "
            "or Forgejo.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectOptions:
    """The options of ``inspect`` alone."""

    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Print the manifests of all images as JSON, as manifest-tool does. For the "
            "manifest's own bytes, use --output manifest.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    expand_config: Annotated[
        bool,
        typer.Option(
            "--expand-config",
            help="With --raw, print the whole config of an image.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    output: Annotated[
        InspectForm,
        typer.Option(
            "--output",
            "-o",
            help="manifest-tool's text, a table, JSON, or the exact bytes of the manifest.",
            rich_help_panel=_OUTPUT,
        ),
    ] = "text"
