"""The options, each with its help; ``app`` puts them into signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Format = Literal["auto", "oci", "docker"]
PlatformCheck = Literal["warn", "error", "off"]
MergeOutput = Literal["text", "json"]
ListType = Literal["docker", "oci"]
InspectOutput = Literal["text", "table", "json", "manifest"]

_IMAGES = "The images to join"
_RESULT = "What to publish"
_OUTPUT = "Output"
_REGISTRY = "Registry"


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value:
        from oci_merge_cli.output.version import print_version

        raise typer.Exit(print_version(str(ctx.find_root().info_name)))


TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="REFERENCE",
        help="Where the images are, with ARCH, OS and VARIANT to be replaced for each platform: "
        "reg.example/app-ARCHVARIANT:1.0 means app-amd64, app-armv7 and so on.",
        rich_help_panel=_IMAGES,
    ),
]
PlatformsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--platforms",
        metavar="LIST",
        help="The platforms to put into the template, as linux/amd64,linux/arm/v7 or repeated. "
        "Without it, the known platforms are looked for, and those that are there are joined.",
        rich_help_panel=_IMAGES,
    ),
]
ArchAliasOption = Annotated[
    list[str] | None,
    typer.Option(
        "--arch-alias",
        metavar="LIST",
        help="Architectures that the images' names write otherwise, as "
        "amd64=x86_64,arm64=aarch64 or repeated.",
        rich_help_panel=_IMAGES,
    ),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="REFERENCE",
        help="Instead of a template, an image by tag or digest; once for each image.",
        rich_help_panel=_IMAGES,
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="REFERENCE",
        help="The tag to publish, such as reg.example/app:1.0.",
        rich_help_panel=_RESULT,
    ),
]
TagsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tags",
        metavar="LIST",
        help="More tags beside the target's own, as latest,1 or repeated.",
        rich_help_panel=_RESULT,
    ),
]
AnnotationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--annotation",
        metavar="KEY=VALUE",
        help="An annotation of the index; once for each. It makes no Docker list.",
        rich_help_panel=_RESULT,
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="An OCI index, or a Docker manifest list; auto makes a Docker list where every "
        "image is Docker's, else an OCI index.",
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
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Read the images and print what would be written, but write nothing.",
        rich_help_panel=_RESULT,
    ),
]
MergeOutputOption = Annotated[
    MergeOutput,
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
TypeOption = Annotated[
    ListType,
    typer.Option(
        "--type",
        help="A Docker manifest list, or an OCI index; it may also stand behind from-args and "
        "from-spec.",
        rich_help_panel=_RESULT,
    ),
]
PushPlatformsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--platforms",
        metavar="LIST",
        help="Required: the platforms to put into the template, as linux/amd64,linux/arm/v7 or "
        "repeated.",
        rich_help_panel=_IMAGES,
    ),
]
PushTemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="REFERENCE",
        help="Required: where the images are. In it the first ARCH, the first OS and the first "
        "VARIANT are replaced for each platform.",
        rich_help_panel=_IMAGES,
    ),
]
IgnoreMissingOption = Annotated[
    bool,
    typer.Option(
        "--ignore-missing",
        help="Leave out, with a warning, the images that are not there. Whatever else goes wrong "
        "is an error all the same.",
        rich_help_panel=_IMAGES,
    ),
]
PushTargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="REFERENCE",
        help="Required: the tag to publish, such as reg.example/app:1.0.",
        rich_help_panel=_RESULT,
    ),
]
AnnotationsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--annotations",
        metavar="LIST",
        help="Annotations of the index, as key=value,key=value or repeated. Only an OCI index has "
        "them.",
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
RawOption = Annotated[
    bool,
    typer.Option(
        "--raw",
        help="Print JSON with the manifests of all images, as manifest-tool does. The manifest's "
        "own bytes are --output manifest.",
        rich_help_panel=_OUTPUT,
    ),
]
ExpandConfigOption = Annotated[
    bool,
    typer.Option(
        "--expand-config",
        help="With --raw, print an image's whole config.",
        rich_help_panel=_OUTPUT,
    ),
]
InspectOutputOption = Annotated[
    InspectOutput,
    typer.Option(
        "--output",
        help="manifest-tool's text, a table, JSON, or the exact bytes of the manifest.",
        rich_help_panel=_OUTPUT,
    ),
]
UsernameOption = Annotated[
    str | None,
    typer.Option(
        "--username",
        metavar="NAME",
        help="The registry's user. Without it, OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD are "
        "used, or what docker, podman, kaniko and CI systems keep; the command credentials shows "
        "which.",
        rich_help_panel=_REGISTRY,
    ),
]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        "--password",
        metavar="PASSWORD",
        help="The user's password or token; others can read it in the process list.",
        rich_help_panel=_REGISTRY,
    ),
]
PasswordStdinOption = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from stdin.", rich_help_panel=_REGISTRY
    ),
]
DockerCfgOption = Annotated[
    str | None,
    typer.Option(
        "--docker-cfg",
        metavar="PATH",
        help="A docker config, or the folder that has its config.json, to read instead of the "
        "usual one in DOCKER_CONFIG or ~/.docker.",
        rich_help_panel=_REGISTRY,
    ),
]
PlainHttpOption = Annotated[
    bool,
    typer.Option(
        "--plain-http",
        help="Speak plain HTTP; a registry on this machine is tried so anyway.",
        rich_help_panel=_REGISTRY,
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Do not verify the registry's certificate.",
        rich_help_panel=_REGISTRY,
    ),
]
SourcePlainHttpOption = Annotated[
    bool,
    typer.Option(
        "--source-plain-http",
        help="--plain-http for registries of images other than the target's.",
        rich_help_panel=_REGISTRY,
    ),
]
SourceInsecureOption = Annotated[
    bool,
    typer.Option(
        "--source-insecure",
        help="--insecure for registries of images other than the target's.",
        rich_help_panel=_REGISTRY,
    ),
]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show a line for each request on stderr; none has a secret in it.",
        rich_help_panel=_REGISTRY,
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
CredentialsOutputOption = Annotated[
    MergeOutput,
    typer.Option(
        "--output",
        help="Text, or all of it as JSON; no secret is shown.",
        rich_help_panel=_OUTPUT,
    ),
]
