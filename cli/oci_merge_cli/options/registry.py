"""The options that say how a registry is reached, and as whom."""

# Types are read as they are when the program starts, so no annotations from __future__ here.

from dataclasses import dataclass, field, replace
from typing import Annotated, Self

import typer

from oci_merge_cli.options.expand import option_names

_REGISTRY = "Registry"
_NETWORK = "Network"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """How a registry is reached and as whom, as the command line says it."""

    username: Annotated[
        str | None,
        typer.Option(
            "--username",
            metavar="NAME",
            help="The registry's user. Without it, OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD are "
            "used, or what docker, podman, kaniko and CI systems keep; the command credentials "
            "shows which.",
            rich_help_panel=_REGISTRY,
        ),
    ] = None
    password: Annotated[
        str | None,
        typer.Option(
            "--password",
            metavar="PASSWORD",
            help="The user's password or token; others can read it in the process list.",
            rich_help_panel=_REGISTRY,
        ),
    ] = field(default=None, repr=False)
    password_stdin: Annotated[
        bool,
        typer.Option(
            "--password-stdin", help="Read the password from stdin.", rich_help_panel=_REGISTRY
        ),
    ] = False
    docker_cfg: Annotated[
        str | None,
        typer.Option(
            "--docker-cfg",
            metavar="PATH",
            help="A docker config, or the folder that has its config.json, to read instead of the "
            "usual one in DOCKER_CONFIG or ~/.docker.",
            rich_help_panel=_REGISTRY,
        ),
    ] = None
    plain_http: Annotated[
        bool,
        typer.Option(
            "--plain-http",
            help="Speak plain HTTP; a registry on this machine is tried so anyway.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Do not verify the registry's certificate.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False
    # Only SourcesAccess makes options of these two. They stand here because help lists options in
    # the order of the fields, and --debug comes last.
    source_plain_http: bool = False
    source_insecure: bool = False
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file",
            metavar="FILE",
            help="Authorities to trust for the registry beside the system's own, in PEM; certs.d "
            "of docker and podman is read anyway.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    client_cert: Annotated[
        str | None,
        typer.Option(
            "--client-cert",
            metavar="FILE",
            help="The certificate to show to the registry, with its chain, in PEM.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    client_key: Annotated[
        str | None,
        typer.Option(
            "--client-key",
            metavar="FILE",
            help="The private key of --client-cert, where that file does not have it.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries",
            metavar="N",
            help="How often a request is sent again after the connection broke, or the registry "
            "was busy or failed: 4 times, unless this says otherwise, and 0 for never.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="How long to wait for a connection, and for the next byte of an answer: 15 and "
            "60 seconds, unless this says otherwise.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    deadline: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            help="How long the whole run may take, waiting for retries included; without it, "
            "there is no limit.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="How many requests a second may go to one registry, fractions allowed; without "
            "it, as many as there are.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Show a line for each request on stderr; none has a secret in it.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False

    def after(self, before: "RegistryAccess") -> Self:
        """Return these options, with those that are not given taken from ``before``.

        Args:
            before: the options that stood before the command's word.
        """
        missing = [
            name for name in NAMES if (value := getattr(self, name)) is None or value is False
        ]
        return replace(self, **{name: getattr(before, name) for name in missing})

    def with_empty_left_out(self) -> Self:
        """Return these options without an empty username and password, as if they were not given.

        Scripts for manifest-tool may pass variables that are set for some registries only.
        """
        if self.username == "" and self.password == "" and not self.password_stdin:
            return replace(self, username=None, password=None)
        return self

    def warnings(self) -> list[str]:
        """Return what the user should know about these options, in sentences."""
        if self.password is None:
            return []
        return [
            "others can read --password in the process list; use --password-stdin, "
            "or OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD"
        ]


NAMES = option_names(RegistryAccess)
"""The names of the options that every command has; they may also stand before its word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesAccess(RegistryAccess):
    """How the registry of the target and those of the images are reached, and as whom."""

    source_plain_http: Annotated[
        bool,
        typer.Option(
            "--source-plain-http",
            help="--plain-http for registries of images other than the target's.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False
    source_insecure: Annotated[
        bool,
        typer.Option(
            "--source-insecure",
            help="--insecure for registries of images other than the target's.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False
