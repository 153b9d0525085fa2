"""Which files are searched, and files that cannot be read."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from oci_merge.credentials import CredentialSearch, docker_config_file, files
from oci_merge.credentials.credential import Nothing
from oci_merge.credentials.files import file_places
from oci_merge.credentials.keys import Place
from oci_merge.errors import CredentialError
from tests.unit.credentials.support import auths, find, user, write


def _paths(environ: dict[str, str], docker_config: Path | None = None) -> list[str]:
    return [str(place.path) for place in file_places(environ, docker_config)]


def test_the_usual_files_are_the_containers_tools_then_dockers_then_kanikos(
    kaniko_config: Path,
) -> None:
    assert _paths({"HOME": "/home/ci", "XDG_RUNTIME_DIR": "/run/user/7"}) == [
        "/run/user/7/containers/auth.json",
        "/home/ci/.config/containers/auth.json",
        "/home/ci/.docker/config.json",
        "/home/ci/.dockercfg",
        str(kaniko_config),
    ]


def test_variables_move_the_files(kaniko_config: Path) -> None:
    environ = {"HOME": "/home/ci", "XDG_RUNTIME_DIR": "/run/user/7"}
    moved = {"XDG_CONFIG_HOME": "/etc/ci", "DOCKER_CONFIG": "/etc/docker-of-ci"}
    assert _paths(environ | moved) == [
        "/run/user/7/containers/auth.json",
        "/etc/ci/containers/auth.json",
        "/etc/docker-of-ci/config.json",
        "/home/ci/.dockercfg",
        str(kaniko_config),
    ]


def test_without_a_folder_of_the_session_linux_has_one_for_each_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert _paths({"HOME": "/home/ci"})[0] == f"/run/containers/{os.getuid()}/auth.json"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert _paths({"HOME": "/Users/ci"})[0] == "/Users/ci/.config/containers/auth.json"


def test_without_a_home_only_files_that_variables_name_are_left(
    kaniko_config: Path,
) -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/7", "DOCKER_CONFIG": "/etc/docker-of-ci"}
    assert _paths(environ) == [
        "/run/user/7/containers/auth.json",
        "/etc/docker-of-ci/config.json",
        str(kaniko_config),
    ]


def test_a_file_that_two_rules_name_is_looked_into_once(kaniko_config: Path) -> None:
    paths = _paths({"HOME": "/home/ci", "DOCKER_CONFIG": str(kaniko_config.parent)})
    assert paths.count(str(kaniko_config)) == 1
    assert paths.index(str(kaniko_config)) < paths.index("/home/ci/.dockercfg")


def test_kanikos_config_is_where_its_image_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert Path("/kaniko/.docker/config.json") == files.KANIKO_CONFIG


def test_a_file_that_is_named_is_the_only_one() -> None:
    environ = {"HOME": "/home/ci", "REGISTRY_AUTH_FILE": "/etc/auth.json"}
    assert _paths(environ) == ["/etc/auth.json"]
    assert _paths(environ, Path("/etc/docker.json")) == ["/etc/docker.json"]


@pytest.mark.parametrize("folder", ["missing", "file/below"])
def test_a_usual_file_that_is_not_there_is_passed_over(
    folder: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "file").write_text("")
    assert find(environ | {"DOCKER_CONFIG": str(tmp_path / folder)}) is None


def test_registry_auth_file_has_to_be_there(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["REGISTRY_AUTH_FILE"] = str(tmp_path / "missing.json")
    with pytest.raises(
        CredentialError, match=r"REGISTRY_AUTH_FILE's file .*missing\.json cannot be read: No such"
    ):
        find(environ)


def test_a_folder_in_a_files_place_is_an_error(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(CredentialError, match=r"config\.json cannot be read: Is a directory"):
        find(environ | {"DOCKER_CONFIG": str(tmp_path)})


def test_a_file_that_may_not_be_read_is_an_error(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "home" / ".docker" / "config.json", auths(reg_example="ci"))

    opens = Path.open

    def refuse(opened: Path, *args: Any, **keywords: Any) -> Any:
        if opened == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opens(opened, *args, **keywords)

    # root may read every file, whatever its permissions say.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CredentialError, match=r"config\.json cannot be read: Permission denied"):
        find(environ)


def test_a_path_may_name_the_file_or_its_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "auth").write_text("{}")
    assert _paths({}, docker_config_file(str(tmp_path))) == [str(tmp_path / "config.json")]
    named = docker_config_file(str(tmp_path / "auth"))
    assert _paths({}, named) == [str(tmp_path / "auth")]


@pytest.mark.parametrize("by", ["argument", "DOCKER_CONFIG"])
def test_a_named_folder_may_hold_the_secrets_of_kubernetes(
    by: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    folder = tmp_path / "secret"
    write(folder / ".dockercfg", auths(reg_example="old", b_example="b")["auths"])
    options: dict[str, Any] = {}
    if by == "argument":
        options["docker_config"] = docker_config_file(str(folder))
    else:
        environ["DOCKER_CONFIG"] = str(folder)
    assert user(environ, **options) == "old"
    write(folder / ".dockerconfigjson", auths(reg_example="new"))
    assert user(environ, **options) == "new"
    assert user(environ, "b.example", **options) == "b"
    write(folder / "config.json", auths(reg_example="config"))
    assert user(environ, **options) == "config"


def test_docker_config_may_name_a_file(tmp_path: Path, environ: dict[str, str]) -> None:
    for name in ("config.json", ".dockerconfigjson", "any"):
        named = write(tmp_path / "named" / name, auths(reg_example=name))
        assert user(environ | {"DOCKER_CONFIG": str(named)}) == name


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that this user may not search; root may search every folder."""
    folder = tmp_path / "hidden"
    write(folder / "containers" / "auth.json", auths(reg_example="hidden"))
    write(folder / ".docker" / "config.json", auths(reg_example="hidden"))
    opens, stats = Path.open, Path.stat

    def refuse(path: Path) -> None:
        if path.is_relative_to(folder) and path != folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def opened(path: Path, *args: Any, **keywords: Any) -> Any:
        refuse(path)
        return opens(path, *args, **keywords)

    def stat(path: Path, **keywords: Any) -> Any:
        refuse(path)
        return stats(path, **keywords)

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(Path, "stat", stat)
    return folder


@pytest.mark.parametrize("variable", ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"])
def test_a_folder_that_may_not_be_searched_and_that_nobody_named_is_absent(
    variable: str, hidden: Path, environ: dict[str, str]
) -> None:
    environ[variable] = str(hidden)
    assert find(environ) is None
    search = CredentialSearch("reg.example", environ=environ)
    answers = [source.look(Place("reg.example", "team/app")) for source in search.sources()]
    assert Nothing("this user may not look into its folder") in answers


@pytest.mark.parametrize("variable", ["DOCKER_CONFIG", "REGISTRY_AUTH_FILE"])
def test_a_folder_that_may_not_be_searched_is_an_error_if_the_user_named_it(
    variable: str, hidden: Path, environ: dict[str, str]
) -> None:
    with pytest.raises(CredentialError, match="cannot be read: Permission denied"):
        find(environ | {variable: str(hidden / ".docker" / "config.json")})


def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    for path in (str(tmp_path / "missing"), "nul\0"):
        with pytest.raises(CredentialError, match="cannot be read"):
            docker_config_file(path)


def test_a_folder_that_the_caller_names_may_have_no_config_as_the_usual_one_may(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    write(tmp_path / "home" / ".docker" / "config.json", auths(reg_example="usual"))
    named = docker_config_file(str(tmp_path))
    assert find(environ, docker_config=named) is None


def test_a_docker_config_that_the_caller_names_may_have_any_name(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    named = write(tmp_path / "auth", auths(reg_example="named"))
    assert user(environ, docker_config=docker_config_file(str(named))) == "named"
