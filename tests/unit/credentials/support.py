"""Files with credentials for tests, and a search that reads no others."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oci_merge.credentials import Credential, CredentialSearch
from oci_merge.errors import CredentialError

PASSWORD = "s3cret-pa55"


def auth(username: str = "ci", password: str = PASSWORD) -> str:
    """Return a pair as the field ``auth`` has it."""
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def auths(**users: str) -> dict[str, Any]:
    """Return a config with an entry for each server; ``reg_example`` is ``reg.example``."""
    return keyed({key.replace("_", "."): user for key, user in users.items()})


def keyed(users: Mapping[str, str]) -> dict[str, Any]:
    """Return a config with an entry for each key."""
    return {"auths": {key: {"auth": auth(user)} for key, user in users.items()}}


def write(path: Path, content: Any) -> Path:
    """Write a file, JSON unless it is bytes, and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def find(
    environ: Mapping[str, str],
    registry: str = "reg.example",
    repository: str = "team/app",
    **options: Any,
) -> Credential | None:
    """Look for a credential in an environment that the test gives."""
    return CredentialSearch(registry, environ=environ, **options).find(repository)


def user(environ: Mapping[str, str], *where: str, **options: Any) -> str | None:
    """Return the name of the user whose credential is found."""
    found = find(environ, *where, **options)
    return found.username if found else None


def assert_silent(error: CredentialError, *secrets: str) -> None:
    """Check that neither the error nor its traceback shows a secret."""
    shown = "".join(traceback.format_exception(error)) + error.message + error.hint + repr(error)
    lines = [line for line in shown.splitlines() if not line.startswith("    ")]
    for secret in (PASSWORD, *secrets):
        assert secret not in "\n".join(lines)
