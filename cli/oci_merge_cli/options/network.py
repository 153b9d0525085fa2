"""The options of the network: certificates, patience and rates, each defined once."""

from __future__ import annotations

from typing import Annotated

import typer

_NETWORK = "Network"

CaFileOption = Annotated[
    str | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="Authorities to trust for the registry beside the system's own, in PEM; certs.d of "
        "docker and podman is read anyway.",
        rich_help_panel=_NETWORK,
    ),
]
ClientCertOption = Annotated[
    str | None,
    typer.Option(
        "--client-cert",
        metavar="FILE",
        help="The certificate to show to the registry, with its chain, in PEM.",
        rich_help_panel=_NETWORK,
    ),
]
ClientKeyOption = Annotated[
    str | None,
    typer.Option(
        "--client-key",
        metavar="FILE",
        help="The private key of --client-cert, where that file does not have it.",
        rich_help_panel=_NETWORK,
    ),
]
RetriesOption = Annotated[
    int | None,
    typer.Option(
        "--retries",
        metavar="N",
        help="How often a request is sent again after the connection broke, or the registry was "
        "busy or failed: 4 times, unless this says otherwise, and 0 for never.",
        rich_help_panel=_NETWORK,
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="How long to wait for a connection, and for the next byte of an answer: 15 and 30 "
        "seconds, unless this says otherwise.",
        rich_help_panel=_NETWORK,
    ),
]
DeadlineOption = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        metavar="SECONDS",
        help="How long the whole run may take, waiting for retries included; without it, there is "
        "no limit.",
        rich_help_panel=_NETWORK,
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="N",
        help="How many requests a second may go to one registry, fractions allowed; without it, "
        "as many as there are.",
        rich_help_panel=_NETWORK,
    ),
]
