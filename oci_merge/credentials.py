"""Where a registry's user name and password come from.

The order is: what the caller gives, the environment, then the docker config. A source is asked
only for the registry at hand, and nothing is read before a registry asks for credentials.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from oci_merge.errors import CredentialError
from oci_merge.reference import DOCKER_HUB
from oci_merge.text import printable

USERNAME_VARIABLE = "OCI_MERGE_USERNAME"
PASSWORD_VARIABLE = "OCI_MERGE_PASSWORD"  # noqa: S105 - a variable's name

#: Keys under which docker and others store Docker Hub's credentials, the usual one first.
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_MAX_CONFIG = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and password for one registry.

    Attributes:
        username: the user's name.
        password: the password or access token; it is kept out of ``repr``.
        origin: where it was found, in words.
    """

    username: str
    password: str = field(repr=False)
    origin: str = "the caller"

    @property
    def is_text(self) -> bool:
        """Whether both can be sent: arguments and variables may hold bytes that are no text."""
        try:
            f"{self.username}{self.password}".encode()
        except UnicodeEncodeError:
            return False
        return True

    def basic(self) -> str:
        """Return the value of an ``Authorization`` header (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


def find_credential(
    registry: str,
    given: Credential | None,
    environ: Mapping[str, str] | None = None,
    docker_config: Path | None = None,
) -> Credential | None:
    """Find the credential for a registry.

    Args:
        registry: the authority, or ``docker.io``.
        given: what the caller gave; it is used for whatever registry the run is about.
        environ: the environment; the process's own where it is left out.
        docker_config: the file to read instead of the usual docker config.

    Returns:
        The credential, or None for an anonymous run.

    Raises:
        CredentialError: a source is there but cannot be read.
    """
    environ = os.environ if environ is None else environ
    if given is not None:
        return given
    path = docker_config or _docker_config_path(environ)
    return _from_environment(environ) or (_from_docker_config(registry, path) if path else None)


def docker_config_file(path: str) -> Path:
    """Return the file that a path to a docker config means: the file, or the one in that folder.

    Raises:
        CredentialError: there is no such file or folder.
    """
    file = Path(path)
    try:
        if file.is_dir():
            return file / "config.json"  # which may well not be there, as in the usual folder
        file.stat()
    except OSError as error:
        raise CredentialError(
            f"the docker config {printable(path)} cannot be read: {error.strerror}",
            hint="name a docker config, or the folder that it is in",
        ) from error
    return file


def _from_environment(environ: Mapping[str, str]) -> Credential | None:
    username, password = environ.get(USERNAME_VARIABLE), environ.get(PASSWORD_VARIABLE)
    if not username and not password:
        return None
    if not username or not password:
        missing = PASSWORD_VARIABLE if username else USERNAME_VARIABLE
        raise CredentialError(
            f"{missing} is not set, but its partner is",
            hint=f"set both {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}, or neither",
        )
    origin = f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}"
    credential = Credential(username, password, origin)
    if not credential.is_text:
        raise CredentialError(f"{origin} are not valid UTF-8", hint="set them anew")
    return credential


class _AuthEntry(BaseModel):
    """An entry of ``auths``; an empty one marks a credential helper's."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    auth: str | None = None
    username: str | None = None
    password: str | None = None


class _DockerConfig(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    auths: dict[str, _AuthEntry | None] | None = None


def _from_docker_config(registry: str, path: Path) -> Credential | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CONFIG)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CredentialError(
            f"the docker config {path} cannot be read: {error.strerror}",
            hint="mend its permissions, or point DOCKER_CONFIG at another folder",
        ) from error
    try:
        config = _DockerConfig.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise CredentialError(
            f"the docker config {path} cannot be read: {printable(first['msg'])}",
            hint="mend the file, or run docker login again",
        ) from None
    entry = _entry(config, registry)
    return _decode(entry, registry, path) if entry else None


def _docker_config_path(environ: Mapping[str, str]) -> Path | None:
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder) / "config.json"
    home = environ.get("HOME")
    return Path(home) / ".docker" / "config.json" if home else None


def _entry(config: _DockerConfig, registry: str) -> _AuthEntry | None:
    """Look up a registry: the exact key, then every key reduced to its host and port."""
    names = _HUB_KEYS if registry == DOCKER_HUB else (registry,)
    auths = {
        key: entry
        for key, entry in (config.auths or {}).items()
        if entry and (entry.auth or entry.username)
    }
    reduced = {_reduce(key): entry for key, entry in reversed(auths.items())}
    found = [auths.get(name) for name in names]
    found += [reduced.get(_reduce(name)) for name in names]
    return next((entry for entry in found if entry), None)


def _reduce(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0].lower()


def _decode(entry: _AuthEntry, registry: str, path: Path) -> Credential:
    origin = f"the docker config {path}"
    if not entry.auth:
        return Credential(entry.username or "", entry.password or "", origin)
    # As docker does, forgive the line ends that the base64 program puts in.
    encoded = entry.auth.replace("\r", "").replace("\n", "")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        pair = ""
    username, colon, password = pair.partition(":")
    if not username or not colon:
        raise CredentialError(
            f"the docker config {path} holds no user name and password for {registry}",
            hint=f"run docker login {registry} again",
        )
    return Credential(username, password.rstrip("\0"), origin)
