"""The options of the commands that change an index."""

# No annotations from __future__: expand_options reads the types as objects.

from dataclasses import dataclass
from typing import Annotated

import typer

from oci_merge_cli.options.output import MergeFormOption, ProgressOption, QuietOption

_CHANGE = "What to change"

IndexArgument = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        rich_help_panel=_CHANGE,
        help="The tag of the index, such as reg.example/app:1.0.",
    ),
]
RemovedPlatformsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        metavar="LIST",
        help="Required: the platforms to remove, as linux/s390x,linux/arm/v6 or repeated. One "
        "without a variant stands for every variant.",
        rich_help_panel=_CHANGE,
    ),
]
SetAnnotationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--annotation",
        metavar="KEY=VALUE",
        help="An annotation to set. Repeat it for each, or give them by lines. Before the key, "
        "manifest-descriptor: stands for every image that the index lists, and "
        "manifest-descriptor[linux/amd64]: for one.",
        rich_help_panel=_CHANGE,
    ),
]
RemoveAnnotationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--remove-annotation",
        metavar="KEY",
        help="The key of an annotation to remove, with the same prefixes. Repeat it for each.",
        rich_help_panel=_CHANGE,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions:
    """The options that the commands share which change an index."""

    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Read the index and print what would come of it, but write nothing.",
            rich_help_panel=_CHANGE,
        ),
    ] = False
    output: MergeFormOption = "text"
    progress: ProgressOption = "auto"
    quiet: QuietOption = False
