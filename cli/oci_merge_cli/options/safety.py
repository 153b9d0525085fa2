"""The options that say what has to hold before a tag moves."""

# No annotations from __future__: expand_options reads the types as objects.

from dataclasses import dataclass
from typing import Annotated

import typer

_SAFETY = "Before a tag moves"


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyOptions:
    """What has to hold before a tag moves."""

    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require",
            metavar="LIST",
            help="Platforms that the index must have, as linux/amd64,linux/arm64 or repeated. "
            "Without one of them nothing is published.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    require_same: Annotated[
        list[str] | None,
        typer.Option(
            "--require-same",
            metavar="LABEL",
            help="A label on whose value all images must agree, such as "
            "org.opencontainers.image.revision. Repeat it for each.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    no_shrink: Annotated[
        bool,
        typer.Option(
            "--no-shrink",
            help="Publish nothing if a tag would lose a platform that it has now. Otherwise a "
            "warning says what the target's own tag loses.",
            rich_help_panel=_SAFETY,
        ),
    ] = False
    only_newer: Annotated[
        str | None,
        typer.Option(
            "--only-newer",
            metavar="version|created|LABEL",
            help="Move a tag only if the images are not older than what it points to: by version, "
            "or time where there is none; by when they were created; or by a label. Other tags "
            "are kept, and the run succeeds.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Put a tag even if it points to this very index, so that the registry tells its "
            "webhooks.",
            rich_help_panel=_SAFETY,
        ),
    ] = False
