"""``generate-key-pair``: make a key to sign with, in the files that cosign makes."""

from __future__ import annotations

import os
from pathlib import Path

from oci_merge import UsageError, generate_key_pair
from oci_merge_cli.options.trust import ask_password, password_keywords
from oci_merge_cli.output.stdout import OutputError, say
from oci_merge_cli.runtime.failures import reported


def run(prefix: Path) -> None:
    """Write ``PREFIX.key`` and ``PREFIX.pub``.

    Args:
        prefix: what the files are called before their endings.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    with reported(usage_status=1):
        private, public = (prefix.with_name(f"{prefix.name}{end}") for end in (".key", ".pub"))
        for path in (private, public):
            if os.path.lexists(path):
                raise UsageError(
                    f"{path} exists already", hint="remove it, or give --output-key-prefix"
                )
        made = generate_key_pair(_password())
        # Only its owner may read it, from its first moment on, and it replaces no other file.
        _write(private, made[0], 0o600)
        _write(public, made[1], 0o644)
        say(f"private key written to {private}")
        say(f"public key written to {public}")


def _password() -> bytes:
    if "COSIGN_PASSWORD" in os.environ:
        return os.environ["COSIGN_PASSWORD"].encode(errors="surrogateescape")
    if not password_keywords():
        raise UsageError(
            "there is no password for the private key",
            hint="set COSIGN_PASSWORD, which may be empty, or run it on a terminal",
        )
    first = ask_password("Password for the new key, which may be empty: ")
    if ask_password("The same password again: ") != first:
        raise UsageError("the passwords are not the same", hint="run the command again")
    return first.encode(errors="surrogateescape")


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
