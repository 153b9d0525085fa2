"""Reads the files that hold credentials: docker configs, ``auth.json``, ``.dockercfg``."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Literal

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.credentials.documents import AuthFile, parse_auth_file
from oci_merge.errors import CredentialError

AUTH_FILE_VARIABLE = "REGISTRY_AUTH_FILE"
#: The docker config of kaniko's image.
KANIKO_CONFIG = Path("/kaniko/.docker/config.json")
#: What Kubernetes calls the files of its secrets for registries where it mounts them.
_MOUNTED_SECRETS = (".dockerconfigjson", ".dockercfg")
#: Bytes. The path may come from a variable, and name a device that never ends.
_MAX_FILE = 4 * 1024 * 1024


@frozen
class FilePlace:
    """A file that may hold credentials.

    Attributes:
        path: its path.
        kind: names the kind of file in messages.
        must_exist: whether it is an error if the file does not exist, because the user named it.
        is_named: whether the user named it or its folder. Then it is an error if the folder may not
            be searched; other folders may be another user's, as after ``sudo``.
        is_dockers: whether it is docker's own, in which a key stands for its whole host.
    """

    path: Path
    kind: str = "the docker config"
    must_exist: bool = False
    is_named: bool = False
    is_dockers: bool = True

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
            if not self.is_named and self.is_hidden:
                return None
            raise self._unreadable(error) from error
        return parse_auth_file(content, what=self.name, hint="correct the file, or log in again")

    @property
    def is_hidden(self) -> bool:
        """Whether this user may not search its folder; of the file itself that says nothing."""
        try:
            self.path.stat()
        except PermissionError:
            return True
        except OSError:
            return False
        return False

    def _unreadable(self, error: OSError) -> CredentialError:
        return CredentialError(
            f"{self.name} cannot be read: {error.strerror}",
            hint="check its path and permissions, or name another file",
        )


def docker_config_file(path: str) -> Path:
    """Return the path of a docker config, or of the folder that holds one, if it is there.

    Args:
        path: a file or a folder.

    Raises:
        CredentialError: there is no such file or folder.
    """
    try:
        Path(path).stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CredentialError(
            f"the docker config {printable(path)} cannot be read: {reason}",
            hint="give the path of a docker config, or of the folder that contains it",
        ) from error
    return Path(path)


def file_places(
    environ: Mapping[str, str], docker_config: Path | None = None, *, docker_first: bool = False
) -> tuple[FilePlace, ...]:
    """Return the files to search, in order.

    Args:
        environ: the environment.
        docker_config: the only file or folder to search, if the user named one.
        docker_first: whether docker's own files come before those of the containers tools.
    """
    if docker_config is not None:
        if _kind_of(docker_config) == "folder":
            return tuple(_folder_places(docker_config))
        return (FilePlace(docker_config, is_named=True),)
    if named := environ.get(AUTH_FILE_VARIABLE):
        kind = f"{AUTH_FILE_VARIABLE}'s file"
        return (FilePlace(Path(named), kind, must_exist=True, is_named=True, is_dockers=False),)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    both = [_containers_places(environ, home), _docker_places(environ, home)]
    # Two variables may name the same folder; each file is searched once.
    places: dict[Path, FilePlace] = {}
    for place in chain(*(reversed(both) if docker_first else both), _kaniko_places()):
        places.setdefault(place.path, place)
    return tuple(places.values())


def _folder_places(folder: Path) -> Iterator[FilePlace]:
    """Yield the docker configs of a folder that the user named."""
    # This one need not exist: docker's own folder may be without one, too.
    yield FilePlace(folder / "config.json", is_named=True)
    for name in _MOUNTED_SECRETS:
        if _kind_of(folder / name) == "file":
            yield FilePlace(folder / name, is_named=True)


def _kind_of(path: Path) -> Literal["file", "folder", "nothing"]:
    """Say what a path names; what is no folder, as a pipe, is a file."""
    try:
        return "folder" if stat.S_ISDIR(path.stat().st_mode) else "file"
    except (OSError, ValueError):
        return "nothing"


def _containers_places(environ: Mapping[str, str], home: str | None) -> Iterator[FilePlace]:
    for path in _containers_files(environ, home):
        yield FilePlace(path, "the containers auth file", is_dockers=False)


def _docker_places(environ: Mapping[str, str], home: str | None) -> Iterator[FilePlace]:
    if named := environ.get("DOCKER_CONFIG"):
        # Docker takes a folder; people write the file as well.
        if _kind_of(Path(named)) == "file":
            yield FilePlace(Path(named), is_named=True)
        else:
            yield from _folder_places(Path(named))
    elif home:
        yield FilePlace(Path(home, ".docker", "config.json"))
    if home:
        yield FilePlace(Path(home, ".dockercfg"))


def _kaniko_places() -> Iterator[FilePlace]:
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
