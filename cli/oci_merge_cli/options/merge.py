"""The options that name the images to join and what to publish."""

# No annotations from __future__: expand_options reads the types as objects.

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from oci_merge_cli.options.output import MergeFormOption, ProgressOption, QuietOption

Format = Literal["auto", "oci", "docker"]
PlatformCheck = Literal["warn", "error", "off"]
ListType = Literal["docker", "oci"]
Attestations = Literal["keep", "drop"]

_IMAGES = "The images to join"
_RESULT = "What to publish"

TagsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tags",
        metavar="LIST",
        help="More tags for the index, as latest,1, repeated or by lines. References with the "
        "target's repository work, too.",
        rich_help_panel=_RESULT,
    ),
]
PlatformCheckOption = Annotated[
    PlatformCheck,
    typer.Option(
        "--platform-check",
        help="What to do if an image's config names another platform than the one asked for.",
        rich_help_panel=_RESULT,
    ),
]
CopyLayersOption = Annotated[
    bool,
    typer.Option(
        "--copy-layers",
        help="If the registry does not mount a blob, copy it through this machine, in chunks. The "
        "images may then be in other registries than the target.",
        rich_help_panel=_RESULT,
    ),
]
VerifyOption = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Read everything again after it is published, by new connections, until the registry "
        "shows it; at most for a minute.",
        rich_help_panel=_RESULT,
    ),
]
DeleteSourcesOption = Annotated[
    bool,
    typer.Option(
        "--delete-sources",
        help="Delete the tags of the images after a verified publish, where the "
        "registry keeps their manifests.",
        rich_help_panel=_RESULT,
    ),
]
TypeOption = Annotated[
    ListType,
    typer.Option(
        "--type",
        help="The kind of index: a Docker manifest list, or an OCI index. It may also stand after "
        "from-args and from-spec.",
        rich_help_panel=_RESULT,
    ),
]
SpecArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        rich_help_panel=_IMAGES,
        help="A YAML file that names the target and its images.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOptions:
    """The options of a merge."""

    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="REFERENCE",
            help="The reference of the images. ARCH, OS and VARIANT in it are replaced for each "
            "platform: reg.example/app-ARCHVARIANT:1.0 names app-amd64, app-armv7 and so on.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    platforms: Annotated[
        list[str] | None,
        typer.Option(
            "--platforms",
            metavar="LIST",
            help="The platforms to join, as linux/amd64,linux/arm/v7 or repeated. Default: every "
            "known platform that has an image; with --source or --source-file, all that the "
            "images are for.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    arch_alias: Annotated[
        list[str] | None,
        typer.Option(
            "--arch-alias",
            metavar="LIST",
            help="Other architecture names that the images' references use, as "
            "amd64=x86_64,arm64=aarch64 or repeated.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="REFERENCE[=PLATFORM]",
            help="An image by tag or digest, instead of a template. Repeat it for each image. With "
            "=linux/arm64 behind it, it is published as that, whatever the image says. A digest "
            "alone needs --source-repository.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    source_file: Annotated[
        list[str] | None,
        typer.Option(
            "--source-file",
            metavar="FILE|FOLDER|GLOB|-",
            help="A file in which kaniko, buildx, buildah or another builder wrote what it pushed, "
            "a folder or a quoted pattern of such files, or - for stdin. Repeat it for each. The "
            "images are joined whatever their tags point to now.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    source_repository: Annotated[
        str | None,
        typer.Option(
            "--source-repository",
            metavar="REPOSITORY",
            help="The repository of images of which --source or a file has the digest alone.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    optional: Annotated[
        list[str] | None,
        typer.Option(
            "--optional",
            metavar="LIST",
            help="Those of the platforms that are left out, with a warning, where their "
            "images are not there.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            metavar="TIME",
            help="How long to wait for images that are not there yet, as 10m, 90s or a "
            "number of seconds. Default: not at all.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    attestations: Annotated[
        Attestations,
        typer.Option(
            "--attestations",
            help="Whether to keep the attestations that source indexes list.",
            rich_help_panel=_IMAGES,
        ),
    ] = "keep"
    referrers: Annotated[
        bool,
        typer.Option(
            "--referrers",
            help="Bring along what refers to the images, such as signatures and SBOMs.",
            rich_help_panel=_IMAGES,
        ),
    ] = False
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            metavar="REFERENCE",
            help="The tag to publish, such as reg.example/app:1.0. Repeat it for other "
            "repositories; in other registries with --copy-layers.",
            rich_help_panel=_RESULT,
        ),
    ] = None
    tags: TagsOption = None
    annotation: Annotated[
        list[str] | None,
        typer.Option(
            "--annotation",
            metavar="KEY=VALUE",
            help="An annotation of the index. Repeat it for each, or give them by lines. Only an "
            "OCI index has any. Before the key, manifest-descriptor: stands for every image that "
            "the index lists, and manifest-descriptor[linux/amd64]: for one.",
            rich_help_panel=_RESULT,
        ),
    ] = None
    annotations_from_labels: Annotated[
        bool,
        typer.Option(
            "--annotations-from-labels",
            help="Annotate the index with the labels org.opencontainers.image.* on which "
            "all images agree.",
            rich_help_panel=_RESULT,
        ),
    ] = False
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="The kind of index: OCI, Docker, or auto, which makes a Docker manifest list if "
            "every image is Docker's and there are no annotations, else an OCI index.",
            rich_help_panel=_RESULT,
        ),
    ] = "auto"
    artifact_type: Annotated[
        str | None,
        typer.Option(
            "--artifact-type",
            metavar="TYPE",
            help="The artifact type of the index. Only an OCI index has one.",
            rich_help_panel=_RESULT,
        ),
    ] = None
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject",
            metavar="REFERENCE",
            help="The image in the target's repository that the index refers to. Only an "
            "OCI index has one.",
            rich_help_panel=_RESULT,
        ),
    ] = None
    append: Annotated[
        bool,
        typer.Option(
            "--append",
            help="Keep what the target lists now, but for the platforms of the images to join.",
            rich_help_panel=_RESULT,
        ),
    ] = False
    platform_check: PlatformCheckOption = "warn"
    copy_layers: CopyLayersOption = False
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Read the images and print the plan, but write nothing to the registry.",
            rich_help_panel=_RESULT,
        ),
    ] = False
    verify: VerifyOption = False
    delete_sources: DeleteSourcesOption = False
    output: MergeFormOption = "text"
    progress: ProgressOption = "auto"
    quiet: QuietOption = False


PlanArgument = Annotated[
    str,
    typer.Argument(
        metavar="PLAN",
        rich_help_panel="What to publish",
        help="The file that --dry-run --output json was written to, or - for stdin.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """The options of ``apply`` alone."""

    verify: VerifyOption = False
    delete_sources: DeleteSourcesOption = False
    output: MergeFormOption = "text"
    progress: ProgressOption = "auto"
    quiet: QuietOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FromArgsOptions:
    """The options of ``push from-args`` alone."""

    platforms: Annotated[
        list[str] | None,
        typer.Option(
            "--platforms",
            metavar="LIST",
            help="Required: the platforms to join, as linux/amd64,linux/arm/v7 or repeated.",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="REFERENCE",
            help="Required: the reference of the images. The first ARCH, the first OS and the "
            "first VARIANT in it are replaced for each platform.",
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
            help="Annotations of the index, as key=value,key=value, repeated or by lines. A Docker "
            "list has none.",
            rich_help_panel=_RESULT,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """The options that ``push from-args`` and ``push from-spec`` share."""

    ignore_missing: Annotated[
        bool,
        typer.Option(
            "--ignore-missing",
            help="Leave out missing images, with a warning. Any other failure is still an error.",
            rich_help_panel=_IMAGES,
        ),
    ] = False
    platform_check: PlatformCheckOption = "warn"
    copy_layers: CopyLayersOption = False
