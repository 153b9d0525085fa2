"""Which source decides if several have a credential."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from oci_merge.credentials import Credential, CredentialSearch, given_credential
from oci_merge.errors import CredentialError, UsageError
from tests.unit.credentials.support import PASSWORD, auths, find, user, write


@pytest.fixture
def everywhere(environ: dict[str, str], tmp_path: Path, kaniko_config: Path) -> dict[str, str]:
    """An environment in which every source has a user of its own."""
    home, run = tmp_path / "home", tmp_path / "run"
    write(run / "containers" / "auth.json", auths(reg_example="containers-run"))
    write(home / ".config" / "containers" / "auth.json", auths(reg_example="containers-home"))
    write(home / ".docker" / "config.json", auths(reg_example="docker"))
    write(home / ".dockercfg", auths(reg_example="dockercfg")["auths"])
    write(kaniko_config, auths(reg_example="kaniko"))
    return environ | {
        "OCI_MERGE_USERNAME": "own",
        "OCI_MERGE_PASSWORD": PASSWORD,
        "DOCKER_AUTH_CONFIG": json.dumps(auths(reg_example="docker-auth-config")),
        "CI_REGISTRY": "reg.example",
        "CI_REGISTRY_USER": "gitlab",
        "CI_REGISTRY_PASSWORD": PASSWORD,
        "CI_JOB_TOKEN": PASSWORD,
        "CI_DEPLOY_USER": "gitlab-deploy",
        "CI_DEPLOY_PASSWORD": PASSWORD,
    }


def test_sources_are_looked_at_in_the_documented_order(
    everywhere: dict[str, str], tmp_path: Path, kaniko_config: Path
) -> None:
    found = []
    for gone in (
        "OCI_MERGE_USERNAME OCI_MERGE_PASSWORD",
        "DOCKER_AUTH_CONFIG",
        tmp_path / "run" / "containers" / "auth.json",
        tmp_path / "home" / ".config" / "containers" / "auth.json",
        tmp_path / "home" / ".docker" / "config.json",
        tmp_path / "home" / ".dockercfg",
        kaniko_config,
        "CI_REGISTRY_USER",
        "CI_JOB_TOKEN",
        "CI_DEPLOY_USER",
    ):
        found.append(user(everywhere))
        if isinstance(gone, Path):
            gone.unlink()
        else:
            for name in gone.split():
                del everywhere[name]
    assert found == [
        "own",
        "docker-auth-config",
        "containers-run",
        "containers-home",
        "docker",
        "dockercfg",
        "kaniko",
        "gitlab",
        "gitlab-ci-token",
        "gitlab-deploy",
    ]
    assert find(everywhere) is None


def test_what_the_caller_gives_comes_before_all(everywhere: dict[str, str]) -> None:
    given = Credential("caller", PASSWORD)
    assert find(everywhere | {"DOCKER_AUTH_CONFIG": "{"}, given=given) is given


def test_a_docker_config_that_the_caller_names_replaces_every_other_file(
    everywhere: dict[str, str], tmp_path: Path
) -> None:
    named = write(tmp_path / "named.json", auths(reg_example="named"))
    everywhere["REGISTRY_AUTH_FILE"] = str(tmp_path / "not-there.json")
    assert user(everywhere, docker_config=named) == "named"
    for name in ("OCI_MERGE_USERNAME", "OCI_MERGE_PASSWORD", "DOCKER_AUTH_CONFIG"):
        del everywhere[name]
    write(named, auths(other_example="x"))
    assert user(everywhere, docker_config=named) == "gitlab"


def test_a_docker_config_that_the_caller_names_comes_before_the_variables(
    everywhere: dict[str, str], tmp_path: Path
) -> None:
    named = write(tmp_path / "named.json", auths(reg_example="named"))
    assert user(everywhere, docker_config=named) == "named"
    write(named, auths(other_example="x"))
    assert user(everywhere, docker_config=named) == "own"
    del everywhere["OCI_MERGE_USERNAME"], everywhere["OCI_MERGE_PASSWORD"]
    assert user(everywhere, docker_config=named) == "docker-auth-config"


def test_where_docker_comes_first_its_files_go_before_those_of_the_containers_tools(
    everywhere: dict[str, str], tmp_path: Path
) -> None:
    found = [user(everywhere, docker_first=True)]
    del everywhere["OCI_MERGE_USERNAME"], everywhere["OCI_MERGE_PASSWORD"]
    found.append(user(everywhere, docker_first=True))
    del everywhere["DOCKER_AUTH_CONFIG"]
    for gone in (".docker/config.json", ".dockercfg", ".config/containers/auth.json"):
        found.append(user(everywhere, docker_first=True))
        if gone == ".config/containers/auth.json":
            (tmp_path / "run" / "containers" / "auth.json").unlink()
            found.append(user(everywhere, docker_first=True))
        (tmp_path / "home" / gone).unlink()
    found.append(user(everywhere, docker_first=True))
    assert found == [
        "own",
        "docker-auth-config",
        "docker",
        "dockercfg",
        "containers-run",
        "containers-home",
        "kaniko",
    ]


def test_registry_auth_file_replaces_every_other_file(
    everywhere: dict[str, str], tmp_path: Path
) -> None:
    named = write(tmp_path / "auth.json", auths(reg_example="exclusive"))
    everywhere["REGISTRY_AUTH_FILE"] = str(named)
    del everywhere["OCI_MERGE_USERNAME"], everywhere["OCI_MERGE_PASSWORD"]
    assert user(everywhere) == "docker-auth-config"
    del everywhere["DOCKER_AUTH_CONFIG"]
    assert user(everywhere) == "exclusive"
    write(named, {})
    assert user(everywhere) == "gitlab"


def test_a_source_that_has_nothing_for_this_registry_is_passed_over(
    everywhere: dict[str, str], tmp_path: Path
) -> None:
    del everywhere["OCI_MERGE_USERNAME"], everywhere["OCI_MERGE_PASSWORD"]
    everywhere["DOCKER_AUTH_CONFIG"] = json.dumps(auths(other_example="x"))
    write(tmp_path / "run" / "containers" / "auth.json", auths(other_example="x"))
    assert user(everywhere) == "containers-home"


def test_a_broken_source_is_an_error_where_the_search_comes_to_it(
    everywhere: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path / "home" / ".docker" / "config.json", b"{")
    del everywhere["OCI_MERGE_USERNAME"], everywhere["OCI_MERGE_PASSWORD"]
    assert user(everywhere) == "docker-auth-config"
    del everywhere["DOCKER_AUTH_CONFIG"]
    assert user(everywhere) == "containers-run"
    (tmp_path / "run" / "containers" / "auth.json").unlink()
    (tmp_path / "home" / ".config" / "containers" / "auth.json").unlink()
    with pytest.raises(CredentialError, match=r"\.docker/config\.json cannot be read"):
        find(everywhere)


def test_a_file_is_read_once_for_all_the_repositories_of_a_run(
    environ: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path / "home" / ".docker" / "config.json", auths(reg_example="docker"))
    search = CredentialSearch("reg.example", environ=environ)
    first = search.find("team/app")
    path.unlink()
    assert search.find("team/other") == first is not None


def test_a_pipe_is_read_once_though_several_threads_search(
    environ: dict[str, str], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    search = CredentialSearch("reg.example", docker_config=pipe, environ=environ)
    with ThreadPoolExecutor(3) as threads:
        may_find = threads.submit(search.may_find, "a")
        found = threads.submit(search.find, "a")
        write(pipe, auths(reg_example="piped"))  # it waits for a reader
        assert may_find.result(timeout=20)
        assert found.result(timeout=20) == Credential("piped", PASSWORD)


def test_the_processs_own_environment_is_read_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", "env")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", PASSWORD)
    found = CredentialSearch("reg.example").find("team/app")
    assert found is not None
    assert found.username == "env"


def test_what_the_caller_gives_has_two_halves_or_none() -> None:
    assert given_credential(None, None) is None
    assert given_credential("ci", "x") == Credential("ci", "x")
    for username, password, missing in (
        ("ci", None, "username is given without a password"),
        ("ci", "", "username is given without a password"),
        (None, PASSWORD, "password is given without a username"),
        ("", PASSWORD, "password is given without a username"),
    ):
        with pytest.raises(UsageError, match=missing):
            given_credential(username, password)
    with pytest.raises(UsageError, match="not valid UTF-8"):
        given_credential("ci", "\udcff")
