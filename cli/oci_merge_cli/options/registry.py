"""The options that say how to reach a registry, and as whom."""

# No annotations from __future__: expand_options reads the types as objects.

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Self

import typer

from oci_merge_cli.options.expand import option_names

_REGISTRY = "Registry"
_NETWORK = "Network"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """The options of every command: how to reach the registry, and as whom."""

    username: Annotated[
        str | None,
        typer.Option(
            "--username",
            metavar="NAME",
            help="The registry's user. Without it, OCI_MERGE_USERNAME and "
            "OCI_MERGE_PASSWORD are used, or the credentials of docker, podman, kaniko "
            "and CI systems; the command credentials shows which.",
            rich_help_panel=_REGISTRY,
        ),
    ] = None
    password: Annotated[
        str | None,
        typer.Option(
            "--password",
            metavar="PASSWORD",
            help="The user's password or token. Others can read it in the process list.",
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
            help="The docker config to read, or the folder that holds its config.json. It goes "
            "before the variables, and no other file is read.",
            rich_help_panel=_REGISTRY,
        ),
    ] = None
    plain_http: Annotated[
        bool,
        typer.Option(
            "--plain-http",
            help="Use plain HTTP. For a registry on this machine, it is tried by default.",
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
    # Options in SourcesAccess alone. They are declared here because help lists options in the order
    # of the fields, and --debug comes last.
    source_plain_http: bool = False
    source_insecure: bool = False
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file",
            metavar="FILE",
            help="CA certificates to trust for the registry beside the system's, in PEM. "
            "The certs.d folders of docker and podman are always read.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    client_cert: Annotated[
        str | None,
        typer.Option(
            "--client-cert",
            metavar="FILE",
            help="The client certificate for the registry, with its chain, in PEM.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    client_key: Annotated[
        str | None,
        typer.Option(
            "--client-key",
            metavar="FILE",
            help="The private key of --client-cert, in PEM, if that file does not hold it.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries",
            metavar="N",
            help="How often to send a request again after the connection broke, or the "
            "registry was busy or failed. Default: 4; 0 for never.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="How long to wait for a connection, and for the next byte of a response. "
            "Default: 15 and 30 seconds.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    deadline: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            help="How long the whole run may take, waits between retries included. Default: "
            "no limit.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="How many requests to send to one registry in a second, such as 10 or 0.5. "
            "Default: no limit.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Write a line for each request to stderr, without secrets.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False

    def after(self, before: "RegistryAccess") -> Self:
        """Fill the options that are not given with those of ``before``.

        Args:
            before: the options that stand before the name of the command.
        """
        missing = [
            name
            for name in ACCESS_NAMES
            if (value := getattr(self, name)) is None or value is False
        ]
        return replace(self, **{name: getattr(before, name) for name in missing})

    def with_empty_left_out(self) -> Self:
        """Return the options without a username and a password that are both empty.

        Scripts for manifest-tool pass variables that are set for some registries only.
        """
        if self.username == "" and self.password == "" and not self.password_stdin:
            return replace(self, username=None, password=None)
        return self

    def warn(self, show: Callable[[str], None]) -> None:
        """Show a warning if the password is on the command line.

        Args:
            show: shows a warning.
        """
        if self.password is not None:
            show(
                "others can read --password in the process list; use --password-stdin, "
                "or OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD"
            )


ACCESS_NAMES = option_names(RegistryAccess)
"""The names of these options; they may also stand before the name of the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesAccess(RegistryAccess):
    """The same with the options for the other registries that images come from."""

    source_plain_http: Annotated[
        bool,
        typer.Option(
            "--source-plain-http",
            help="--plain-http for the other registries that images come from.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False
    source_insecure: Annotated[
        bool,
        typer.Option(
            "--source-insecure",
            help="--insecure for the other registries that images come from.",
            rich_help_panel=_REGISTRY,
        ),
    ] = False
