"""Turns the registry options of the command line into the library's keywords."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

from oci_merge import RegistryOptions, UsageError
from oci_merge_cli.options.registry import RegistryAccess, SourcesAccess

_ALIKE = (
    *("username", "plain_http", "insecure", "ca_file", "client_cert", "client_key"),
    *("retries", "timeout", "deadline", "rate"),
)


def registry_keywords(access: RegistryAccess) -> dict[str, Any]:
    """Return the keywords of ``inspect_async`` that say how to reach the registry.

    Args:
        access: the options. With ``password_stdin``, the password is read from stdin.

    Raises:
        UsageError: the options contradict each other, a value is out of range, or stdin has no
            password.
    """
    options = _registry_options(access)
    return {field.name: getattr(options, field.name) for field in fields(options)}


def merge_keywords(access: SourcesAccess) -> dict[str, Any]:
    """Return the keywords that ``merge_async`` and ``push_async`` share.

    Args:
        access: see ``registry_keywords``.

    Raises:
        UsageError: see there.
    """
    keywords = registry_keywords(access)
    if access.source_plain_http or access.source_insecure:
        # The credential and the certificates of the target are not for other registries.
        shared = {name: keywords[name] for name in ("docker_config", "retries", "timeout", "rate")}
        keywords["source_registry"] = RegistryOptions(
            plain_http=access.source_plain_http, insecure=access.source_insecure, **shared
        )
    return keywords


def _registry_options(access: RegistryAccess) -> RegistryOptions:
    _check(access)
    given: dict[str, Any] = {
        "password": _read_password() if access.password_stdin else access.password,
        "docker_config": access.docker_cfg,
        **{name: getattr(access, name) for name in _ALIKE},
    }
    return RegistryOptions(**{name: value for name, value in given.items() if value is not None})


def _check(access: RegistryAccess) -> None:
    if access.password_stdin and access.password is not None:
        raise UsageError(
            "--password and --password-stdin are both given",
            hint="leave out --password, which others can read in the process list",
        )
    if access.password_stdin and access.username is None:
        raise UsageError(
            "--password-stdin is given without --username",
            hint="add --username with the name of the user",
        )
    if access.docker_cfg == "":
        raise UsageError(
            "--docker-cfg is empty",
            hint="name a folder that holds a config.json, or the file itself, or leave it out",
        )


def _read_password() -> str:
    """Read stdin to its end and drop one line end after the password."""
    try:
        content = b"" if sys.stdin is None else sys.stdin.buffer.read()
        password = content.decode()
    except UnicodeDecodeError:
        raise UsageError(
            "the password on stdin is not UTF-8 text", hint="write it to stdin as UTF-8 text"
        ) from None
    except OSError as error:
        raise UsageError(
            f"the password cannot be read from stdin: {error.strerror}",
            hint="connect stdin to a pipe or to a file",
        ) from error
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        raise UsageError(
            "--password-stdin is given, but stdin is empty",
            hint='pipe the password in, for example: printf %s "$TOKEN" | oci-merge …',
        )
    return password
