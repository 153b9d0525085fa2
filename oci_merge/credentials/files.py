"""Which files hold credentials, in which order, and reading them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from oci_merge._text import printable
from oci_merge.credentials.documents import AuthFile, parse_auth_file, parse_dockercfg
from oci_merge.errors import CredentialError

AUTH_FILE_VARIABLE = "REGISTRY_AUTH_FILE"
#: Where kaniko's image has its docker config.
KANIKO_CONFIG = Path("/kaniko/.docker/config.json")
_MAX_FILE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file that may hold credentials.

    Attributes:
        path: where it would be.
        kind: what it is, in words.
        must_exist: whether somebody named this very file.
        is_dockercfg: whether it has docker's old form.
    """

    path: Path
    kind: str = "the docker config"
    must_exist: bool = False
    is_dockercfg: bool = False

    @property
    def name(self) -> str:
        """The file in words."""
        return f"{self.kind} {printable(str(self.path))}"

    def read(self) -> AuthFile | None:
        """Read the file.

        Returns:
            What it holds, or None if it is not there.

        Raises:
            CredentialError: it cannot be read, or has to be there and is not.
        """
        try:
            with self.path.open("rb") as file:
                content = file.read(_MAX_FILE)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self.must_exist:
                return None
            raise self._unreadable(error) from error
        except OSError as error:
            raise self._unreadable(error) from error
        parse = parse_dockercfg if self.is_dockercfg else parse_auth_file
        return parse(content, what=self.name, hint="mend the file, or log in again")

    def _unreadable(self, error: OSError) -> CredentialError:
        return CredentialError(
            f"{self.name} cannot be read: {error.strerror}",
            hint="mend its name or its permissions, or name another file",
        )


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
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CredentialError(
            f"the docker config {printable(path)} cannot be read: {reason}",
            hint="name a docker config, or the folder that it is in",
        ) from error
    return file


def file_places(
    environ: Mapping[str, str], docker_config: Path | None = None
) -> tuple[FilePlace, ...]:
    """Return the files to look into, in order.

    Args:
        environ: the environment.
        docker_config: the only one, if the caller names it.
    """
    if docker_config is not None:
        return (FilePlace(docker_config),)
    if named := environ.get(AUTH_FILE_VARIABLE):
        kind = f"{AUTH_FILE_VARIABLE}'s file"
        return (FilePlace(Path(named), kind, must_exist=True),)
    places: dict[Path, FilePlace] = {}
    for place in _usual_places(environ):
        places.setdefault(place.path, place)
    return tuple(places.values())


def _usual_places(environ: Mapping[str, str]) -> Iterator[FilePlace]:
    home = environ.get("HOME") or environ.get("USERPROFILE")
    for path in _containers_files(environ, home):
        yield FilePlace(path, "the containers auth file")
    if folder := environ.get("DOCKER_CONFIG"):
        yield FilePlace(Path(folder, "config.json"))
    elif home:
        yield FilePlace(Path(home, ".docker", "config.json"))
    if home:
        yield FilePlace(Path(home, ".dockercfg"), is_dockercfg=True)
    yield FilePlace(KANIKO_CONFIG, "kaniko's docker config")


def _containers_files(environ: Mapping[str, str], home: str | None) -> Iterator[Path]:
    """Yield where podman and its kin log in: until the machine restarts, and for good."""
    if run := environ.get("XDG_RUNTIME_DIR"):
        yield Path(run, "containers", "auth.json")
    elif sys.platform == "linux":
        yield Path("/run/containers", str(os.getuid()), "auth.json")
    if config := environ.get("XDG_CONFIG_HOME"):
        yield Path(config, "containers", "auth.json")
    elif home:
        yield Path(home, ".config", "containers", "auth.json")
