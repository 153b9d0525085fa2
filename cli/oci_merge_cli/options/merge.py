"""The options that say which images are joined, and what is published."""

# Types are read as they are when the program starts, so no annotations from __future__ here.

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from oci_merge_cli.options.output import DigestFileOption, MergeFormOption, QuietOption

Format = Literal["auto", "oci", "docker"]
PlatformCheck = Literal["warn", "error", "off"]
ListType = Literal["docker", "oci"]

_IMAGES = "The images to join"
_RESULT = "What to publish"

TagsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tags",
        metavar="LIST",
        help="More tags beside the target's own, as latest,1 or repeated.",
        rich_help_panel=_RESULT,
    ),
]
PlatformCheckOption = Annotated[
    PlatformCheck,
    typer.Option(
        "--platform-check",
        help="What to do where an image's config says another platform than the one asked for.",
        rich_help_panel=_RESULT,
    ),
]
CopyLayersOption = Annotated[
    bool,
    typer.Option(
        "--copy-layers",
        help="Copy the blobs that the registry does not mount through this machine, in pieces; "
        "the images may then be in other registries than the target.",
        rich_help_panel=_RESULT,
    ),
]
TypeOption = Annotated[
    ListType,
    typer.Option(
        "--type",
        help="A Docker manifest list, or an OCI index; it may also stand behind from-args and "
        "from-spec.",
        rich_help_panel=_RESULT,
    ),
]
SpecArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        rich_help_panel=_IMAGES,
        help="A YAML file with the target and its images.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOptions:
    """What a merge joins and publishes, as the command line says it."""

    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="REFERENCE",
            help="Where the images are, with ARCH, OS and VARIANT to be replaced for each "
            "platform: reg.example/app-ARCHVARIANT:1.0 means app-amd64, app-armv7 and so on.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    platforms: Annotated[
        list[str] | None,
        typer.Option(
            "--platforms",
            metavar="LIST",
            help="The platforms to put into the template, as linux/amd64,linux/arm/v7 or repeated. "
            "Without it, the known platforms are looked for, and those that are there are joined.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    arch_alias: Annotated[
        list[str] | None,
        typer.Option(
            "--arch-alias",
            metavar="LIST",
            help="Architectures that the images' names write otherwise, as "
            "amd64=x86_64,arm64=aarch64 or repeated.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="REFERENCE",
            help="Instead of a template, an image by tag or digest; once for each image.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="REFERENCE",
            help="The tag to publish, such as reg.example/app:1.0.",
            rich_help_panel=_RESULT,
        ),
    ] = None
    tags: TagsOption = None
    annotation: Annotated[
        list[str] | None,
        typer.Option(
            "--annotation",
            metavar="KEY=VALUE",
            help="An annotation of the index; once for each. It makes no Docker list.",
            rich_help_panel=_RESULT,
        ),
    ] = None
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="An OCI index, or a Docker manifest list; auto makes a Docker list where every "
            "image is Docker's, else an OCI index.",
            rich_help_panel=_RESULT,
        ),
    ] = "auto"
    platform_check: PlatformCheckOption = "warn"
    copy_layers: CopyLayersOption = False
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Read the images and print what would be written, but write nothing.",
            rich_help_panel=_RESULT,
        ),
    ] = False
    output: MergeFormOption = "text"
    digest_file: DigestFileOption = None
    quiet: QuietOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FromArgsOptions:
    """What ``push from-args`` joins and publishes, as the command line says it."""

    platforms: Annotated[
        list[str] | None,
        typer.Option(
            "--platforms",
            metavar="LIST",
            help="Required: the platforms to put into the template, as linux/amd64,linux/arm/v7 or "
            "repeated.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="REFERENCE",
            help="Required: where the images are. In it the first ARCH, the first OS and the first "
            "VARIANT are replaced for each platform.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="REFERENCE",
            help="Required: the tag to publish, such as reg.example/app:1.0.",
            rich_help_panel=_RESULT,
        ),
    ] = None
    tags: TagsOption = None
    annotations: Annotated[
        list[str] | None,
        typer.Option(
            "--annotations",
            metavar="LIST",
            help="Annotations of the index, as key=value,key=value or repeated. Only an OCI index "
            "has them.",
            rich_help_panel=_RESULT,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """How the commands of ``push`` join images, as the command line says it."""

    ignore_missing: Annotated[
        bool,
        typer.Option(
            "--ignore-missing",
            help="Leave out, with a warning, the images that are not there. Whatever else goes "
            "wrong is an error all the same.",
            rich_help_panel=_IMAGES,
        ),
    ] = False
    platform_check: PlatformCheckOption = "warn"
    copy_layers: CopyLayersOption = False
