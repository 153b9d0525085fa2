"""The options of ``batch``."""

# No annotations from __future__: expand_options reads the types as objects.

from dataclasses import dataclass
from typing import Annotated

import typer

from oci_merge_cli.options.output import Form, ProgressOption, QuietOption

_IMAGES = "The images to merge"
_OUTPUT = "Output"

BatchFilesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE...",
        rich_help_panel=_IMAGES,
        help="YAML files that list the images, specs of manifest-tool among them; - is stdin.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options of ``batch`` alone."""

    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="N/TOTAL",
            help="Merge one part of the images, such as 3/10; auto takes it from the variables of "
            "GitLab, Kubernetes, CircleCI, Buildkite, Azure and others.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="N",
            help="How many images to merge at once. Default: 16.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Read the images and say what would change, but write nothing to a registry.",
            rich_help_panel=_IMAGES,
        ),
    ] = False
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            help="Print the JSON schema of the file, for editors, and end.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    output: Annotated[
        Form,
        typer.Option(
            "--output",
            "-o",
            help="What to write to stdout: a table with a line for each image, or all results and "
            "errors as JSON.",
            rich_help_panel=_OUTPUT,
        ),
    ] = "text"
    quiet: QuietOption = False
    progress: ProgressOption = "auto"
