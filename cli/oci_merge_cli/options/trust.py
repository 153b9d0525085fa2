"""The options about signatures and keys."""

# No annotations from __future__: expand_options reads the types as objects.

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from oci_merge import UsageError
from oci_merge_cli.options.output import MergeFormOption, QuietOption

SignatureFormat = Literal["both", "bundle", "classic"]

_SIGNATURES = "Signatures"
_STDIN = 0
_KEY_HELP = "a file, env://VARIABLE, or NAME://... for the program sigstore-kms-NAME"

FormatOption = Annotated[
    SignatureFormat,
    typer.Option(
        "--sign-format",
        help="How to store signatures: as bundles that refer to the image, which cosign 3 reads; "
        "in classic sha256-....sig tags, which podman, CRI-O and older tools read; or both.",
        rich_help_panel=_SIGNATURES,
    ),
]
IndexOnlyOption = Annotated[
    bool,
    typer.Option(
        "--sign-index-only",
        help="Sign the index, and none of the images that it lists. podman and CRI-O look at the "
        "images alone.",
        rich_help_panel=_SIGNATURES,
    ),
]
SignedArgument = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        rich_help_panel="What to sign",
        help="An image or an index, by tag or digest.",
    ),
]
VerifiedArgument = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        rich_help_panel="What to verify",
        help="An image or an index, by tag or digest.",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help=f"The private key: {_KEY_HELP}. Default: env://COSIGN_PRIVATE_KEY. The password of an "
        "encrypted one is taken from COSIGN_PASSWORD, or asked for on a terminal.",
        rich_help_panel=_SIGNATURES,
    ),
]
KeysOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help=f"A public key: {_KEY_HELP}. The image must be signed by it. Repeat it for each, of "
        "which one is enough.",
        rich_help_panel=_SIGNATURES,
    ),
]
DigestOption = Annotated[
    str | None,
    typer.Option(
        "--digest",
        metavar="DIGEST",
        help="The digest that the tag has to stand at. Default: any.",
        rich_help_panel="What to verify",
    ),
]
VerifiedPlatformsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--platforms",
        metavar="LIST",
        help="Platforms that it must have images for, as linux/amd64,linux/arm64 or repeated.",
        rich_help_panel="What to verify",
    ),
]
PrefixOption = Annotated[
    Path,
    typer.Option(
        "--output-key-prefix",
        metavar="PREFIX",
        help="What the files are called, before .key and .pub.",
        rich_help_panel="Output",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOptions:
    """Whether to sign what is published, and how."""

    sign: Annotated[
        bool,
        typer.Option(
            "--sign",
            help="Sign the index and every image that it lists, before a tag moves. Without "
            "--sign-key, by the key in COSIGN_PRIVATE_KEY.",
            rich_help_panel=_SIGNATURES,
        ),
    ] = False
    sign_key: Annotated[
        str | None,
        typer.Option(
            "--sign-key",
            metavar="KEY",
            help=f"Sign by this private key: {_KEY_HELP}. The password of an encrypted one is "
            "taken from COSIGN_PASSWORD, or asked for on a terminal.",
            rich_help_panel=_SIGNATURES,
        ),
    ] = None
    sign_format: FormatOption = "both"
    sign_index_only: IndexOnlyOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustOptions(SignOptions):
    """What is signed, and whose signatures the images must have."""

    verify_key: Annotated[
        list[str] | None,
        typer.Option(
            "--verify-key",
            metavar="KEY",
            help=f"A public key: {_KEY_HELP}. Each image, or the index that it comes from, must be "
            "signed by it, else nothing is written. Repeat it for each, of which one is enough.",
            rich_help_panel=_SIGNATURES,
        ),
    ] = None
    carry_signatures: Annotated[
        bool,
        typer.Option(
            "--carry-signatures",
            help="Bring along signatures, attestations and SBOMs of the images: what --referrers "
            "brings, and their tags sha256-....sig, .att and .sbom.",
            rich_help_panel=_SIGNATURES,
        ),
    ] = False
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance",
            help="Attach a statement to the index that says which images it was made of; signed "
            "where the index is.",
            rich_help_panel=_SIGNATURES,
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """How ``sign`` and ``verify`` show their result."""

    output: MergeFormOption = "text"
    quiet: QuietOption = False


def trust_keywords(options: TrustOptions) -> dict[str, Any]:
    """Return the keywords of ``merge_async`` and ``push_async`` about signatures.

    Args:
        options: the options.
    """
    return {
        **sign_keywords(options),
        "verify_keys": options.verify_key or (),
        "carry_signatures": options.carry_signatures,
        "provenance": options.provenance,
    }


def sign_keywords(options: SignOptions) -> dict[str, Any]:
    """Return the keywords of every verb that publishes about signing what it publishes.

    Args:
        options: the options.
    """
    return {
        "sign": options.sign,
        "sign_key": options.sign_key,
        "sign_format": options.sign_format,
        "sign_index_only": options.sign_index_only,
        **password_keywords(),
    }


def password_keywords() -> dict[str, Any]:
    """Return the keyword for the password of a key; none where nobody is there to be asked."""
    if "COSIGN_PASSWORD" in os.environ or not os.isatty(_STDIN):
        return {}
    return {"key_password": ask_password}


def ask_password(prompt: str) -> str:
    """Ask for the password of a key on the terminal.

    Args:
        prompt: what to ask, safe to print.
    """
    from getpass import getpass

    try:
        return getpass(prompt, stream=sys.stderr)
    except (EOFError, UnicodeError):
        pass
    # Outside of "except": the error above may have the password.
    raise UsageError(
        "no password was typed, or one that is no text", hint="set COSIGN_PASSWORD, or try again"
    )
