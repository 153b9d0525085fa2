"""Reads the files that hold credentials: docker configs, ``auth.json``, ``.dockercfg``."""

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
#: The docker config of kaniko's image.
KANIKO_CONFIG = Path("/kaniko/.docker/config.json")
#: Bytes. The path may come from a variable, and name a device that never ends.
_MAX_FILE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file that may hold credentials.

    Attributes:
        path: its path.
        kind: names the kind of file in messages.
        must_exist: whether it is an error if the file does not exist, because the user named it.
        is_dockercfg: whether it has the format of docker's old ``.dockercfg``.
    """

    path: Path
    kind: str = "the docker config"
    must_exist: bool = False
    is_dockercfg: bool = False

    @property
    def name(self) -> str:
        """The file's kind and path, for messages."""
        return f"{self.kind} {printable(str(self.path))}"

    def read(self) -> AuthFile | None:
        """Read and parse the file.

        Returns:
            Its content, or None if the file does not exist.

        Raises:
            CredentialError: it cannot be read or parsed, or does not exist although it has to.
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
        return parse(content, what=self.name, hint="correct the file, or log in again")

    def _unreadable(self, error: OSError) -> CredentialError:
        return CredentialError(
            f"{self.name} cannot be read: {error.strerror}",
            hint="check its path and permissions, or name another file",
        )


def docker_config_file(path: str) -> Path:
    """Return the docker config at a path: the file itself, or ``config.json`` in a folder.

    Args:
        path: a file or a folder.

    Raises:
        CredentialError: there is no such file or folder.
    """
    file = Path(path)
    try:
        if file.is_dir():
            # It need not exist: docker's own folder may be without one, too.
            return file / "config.json"
        file.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CredentialError(
            f"the docker config {printable(path)} cannot be read: {reason}",
            hint="give the path of a docker config, or of the folder that contains it",
        ) from error
    return file


def file_places(
    environ: Mapping[str, str], docker_config: Path | None = None
) -> tuple[FilePlace, ...]:
    """Return the files to search, in order.

    Args:
        environ: the environment.
        docker_config: the only file to search, if the user named one.
    """
    if docker_config is not None:
        return (FilePlace(docker_config),)
    if named := environ.get(AUTH_FILE_VARIABLE):
        kind = f"{AUTH_FILE_VARIABLE}'s file"
        return (FilePlace(Path(named), kind, must_exist=True),)
    # Two variables may name the same folder; each file is searched once.
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
    """Yield the auth files of podman, buildah and skopeo (containers-auth.json(5))."""
    if run := environ.get("XDG_RUNTIME_DIR"):
        yield Path(run, "containers", "auth.json")
    elif sys.platform == "linux":
        yield Path("/run/containers", str(os.getuid()), "auth.json")
    if config := environ.get("XDG_CONFIG_HOME"):
        yield Path(config, "containers", "auth.json")
    elif home:
        yield Path(home, ".config", "containers", "auth.json")
