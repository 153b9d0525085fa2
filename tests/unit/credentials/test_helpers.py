"""Credential helpers: real programs on the PATH that speak docker's protocol, or fail to."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oci_merge._programs import Stop
from oci_merge.credentials import Credential, CredentialSearch
from oci_merge.credentials.helpers import Helpers
from oci_merge.errors import CredentialError
from tests.unit.credentials.support import PASSWORD, assert_silent, auth, find, user, write

_NOT_FOUND = "echo credentials not found in native keychain; exit 1"

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, environ: dict[str, str]) -> Install:
    """Puts a helper on the PATH: a shell script that has the server in ``$server``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    environ["PATH"] = f"{folder}{os.pathsep}{environ['PATH']}"
    log = tmp_path / "calls"

    def install(name: str, script: str) -> Path:
        program = folder / f"docker-credential-{name}"
        program.write_text(
            f"#!/bin/sh\nserver=$(cat)\n"
            f'printf "%s %s %s\\n" {name} "$*" "$server" >> {log}\n{script}\n'
        )
        program.chmod(0o755)
        return log

    return install


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., None]:
    """Writes the docker config."""

    def configure(**config: Any) -> None:
        write(tmp_path / "home" / ".docker" / "config.json", config)

    return configure


Configure = Callable[..., None]


def _answers(username: str, secret: str = PASSWORD) -> str:
    reply = {"ServerURL": "ignored", "Username": username, "Secret": secret}
    return f"cat <<'END'\n{json.dumps(reply)}\nEND"


def test_a_helper_of_all_registries_is_asked_with_get_and_the_server_on_stdin(
    install: Install, configure: Configure, environ: dict[str, str], tmp_path: Path
) -> None:
    calls = install("store", _answers("ci"))
    configure(credsStore="store")
    found = find(environ, "reg.example:5000")
    assert found == Credential("ci", PASSWORD)
    config = tmp_path / "home" / ".docker" / "config.json"
    assert found.origin == f"docker-credential-store, which the docker config {config} names"
    assert calls.read_text() == "store get reg.example:5000\n"


def test_a_secret_of_the_user_token_is_an_identity_token(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("acr", _answers("<token>", "eyJ-identity"))
    configure(credHelpers={"reg.example": "acr"})
    found = find(environ)
    assert found is not None
    assert (found.kind, found.identity_token, found.username) == (
        "identity token",
        "eyJ-identity",
        "",
    )


def test_a_registrys_own_helper_goes_before_the_one_of_all_and_before_the_entries(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("own", _answers("own"))
    install("store", _answers("store"))
    entries = {key: {"auth": auth("entry")} for key in ("reg.example", "reg.example/team/app")}
    configure(credHelpers={"reg.example": "own"}, credsStore="store", auths=entries)
    assert user(environ) == "own"
    assert user(environ, "other.example") == "store"


def test_a_registrys_own_helper_decides_for_its_file_and_then_the_next_file_is_looked_into(
    install: Install, configure: Configure, environ: dict[str, str], tmp_path: Path
) -> None:
    install("own", _NOT_FOUND)
    install("store", _answers("store"))
    configure(
        credHelpers={"reg.example": "own"},
        credsStore="store",
        auths={"reg.example": {"auth": auth("entry")}},
    )
    assert find(environ) is None
    write(tmp_path / "home" / ".dockercfg", {"reg.example": {"auth": auth("next")}})
    assert user(environ) == "next"


def test_an_empty_name_of_a_registrys_own_helper_means_the_entries(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", _answers("store"))
    entries = {"reg.example": {"auth": auth("entry")}}
    configure(credHelpers={"reg.example": ""}, credsStore="store", auths=entries)
    assert user(environ) == "entry"


def test_entries_are_looked_at_where_the_helper_of_all_registries_has_nothing(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", _NOT_FOUND)
    configure(credsStore="store", auths={"reg.example": {"auth": auth("entry")}})
    assert user(environ) == "entry"
    assert user(environ, "other.example") is None


@pytest.mark.parametrize("key", ["https://reg.example", "https://reg.example/v2/", "REG.example"])
def test_a_registrys_own_helper_is_found_however_its_key_is_spelt(
    key: str, install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    calls = install("own", _answers("own"))
    configure(credHelpers={key: "own"})
    assert user(environ) == "own"
    assert calls.read_text() == "own get reg.example\n"


def test_a_registrys_own_helper_is_not_one_of_a_namespace(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("own", _answers("own"))
    configure(credHelpers={"reg.example/team": "own"})
    assert find(environ, "reg.example", "team/app") is None


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hubs_helper_is_tried_with_each_of_docker_hubs_names(
    key: str, install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    known = f'[ "$server" = docker.io ] || {{ {_NOT_FOUND}; }}\n'
    calls = install("hub", known + _answers("hub"))
    configure(credHelpers={key: "hub"})
    assert user(environ, "docker.io", "library/busybox") == "hub"
    assert calls.read_text().splitlines() == [
        "hub get https://index.docker.io/v1/",
        "hub get index.docker.io",
        "hub get docker.io",
    ]


def test_helpers_may_be_named_in_docker_auth_config_and_in_containers_files(
    install: Install, environ: dict[str, str], tmp_path: Path
) -> None:
    install("own", _answers("own"))
    install("store", _answers("store"))
    helper = {"credHelpers": {"reg.example": "own"}, "auths": {"reg.example": {"auth": auth()}}}
    write(tmp_path / "run" / "containers" / "auth.json", helper)
    assert user(environ) == "own"
    assert user(environ | {"DOCKER_AUTH_CONFIG": '{"credsStore": "store"}'}) == "store"


def test_a_helper_is_asked_once_for_all_the_repositories_of_a_run(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    calls = install("store", _answers("ci"))
    configure(credsStore="store")
    search = CredentialSearch("reg.example", environ=environ)
    assert search.find("team/app") == search.find("team/other")
    assert len(calls.read_text().splitlines()) == 1


def test_a_helper_is_not_asked_where_a_source_before_it_answers(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    calls = install("store", _answers("ci"))
    configure(credsStore="store")
    own = {"OCI_MERGE_USERNAME": "env", "OCI_MERGE_PASSWORD": PASSWORD}
    assert user(environ | own) == "env"
    assert not calls.exists()


@pytest.mark.parametrize("reply", ['{"Username": "ci", "Secret": ""}', "{}"])
def test_an_empty_answer_is_no_credential(
    reply: str, install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", f"echo '{reply}'")
    configure(credsStore="store")
    assert find(environ) is None


@pytest.mark.parametrize(
    "output",
    [
        "not JSON: " + PASSWORD,
        '{"Username": "ci", "Secret": ["' + PASSWORD + '"]}',
        '{"Username": "ci", "Secret": "' + PASSWORD,
        f'["{PASSWORD}"]',
        "",
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error_that_does_not_repeat_it(
    output: str, install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", f"printf '%s' '{output}'")
    configure(credsStore="store")
    with pytest.raises(
        CredentialError, match=r"answer of docker-credential-store, .* cannot be read"
    ) as caught:
        find(environ)
    assert_silent(caught.value)


def test_a_helper_that_fails_is_an_error_with_its_reason_from_stdout(
    install: Install, configure: Configure, environ: dict[str, str], tmp_path: Path
) -> None:
    install("store", "echo token expired, log in again; echo noise >&2; exit 3")
    configure(credsStore="store")
    with pytest.raises(CredentialError, match=r"failed for reg\.example, with status 3") as caught:
        find(environ)
    assert caught.value.message.endswith(": token expired, log in again")
    assert str(tmp_path / "home" / ".docker" / "config.json") in caught.value.message
    assert "docker-credential-store get" in caught.value.hint


def test_a_helper_that_fails_may_say_why_on_stderr(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", "echo no session bus >&2; exit 1")
    configure(credsStore="store")
    with pytest.raises(CredentialError, match="with status 1: no session bus"):
        find(environ)


def test_a_helper_that_fails_with_an_answer_on_stdout_does_not_see_it_repeated(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", _answers("ci") + "\nexit 1")
    configure(credsStore="store")
    with pytest.raises(CredentialError, match="with status 1: no reason") as caught:
        find(environ)
    assert_silent(caught.value)


def test_a_helper_that_fails_is_an_error_though_the_file_has_an_entry(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", "exit 1")
    configure(credsStore="store", auths={"reg.example": {"auth": auth()}})
    with pytest.raises(CredentialError, match="docker-credential-store"):
        find(environ)


def test_a_helper_that_is_slow_is_ended_and_what_it_started_is_not_waited_for(
    install: Install, environ: dict[str, str]
) -> None:
    install("store", "sleep 3")  # a process of its own, which keeps stdout open
    began = time.monotonic()
    with pytest.raises(CredentialError, match=r"did not answer .* within 0\.2 seconds"):
        Helpers(environ, time_limit=0.2).ask("store", "reg.example", named_by="a file")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("entry", ["", ".", "bin", "./bin", "../somewhere/bin"])
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_helper_in_the_working_directory_is_not_run(
    entry: str,
    where: str,
    configure: Configure,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkout = tmp_path / "somewhere"
    (checkout / "bin").mkdir(parents=True)
    for folder in (checkout, checkout / "bin"):
        program = folder / "docker-credential-store"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n{_answers('stranger')}\n")
        program.chmod(0o755)
    monkeypatch.chdir(checkout)
    usual = environ["PATH"]
    environ["PATH"] = f"{entry}:{usual}" if where == "before" else f"{usual}:{entry}"
    configure(credsStore="store")
    with pytest.raises(CredentialError, match="is not on the PATH"):
        find(environ)
    assert not (tmp_path / "was-run").exists()


def test_a_helper_is_ended_with_its_run_and_with_what_it_started(
    install: Install, configure: Configure, environ: dict[str, str], tmp_path: Path
) -> None:
    left = tmp_path / "pid"
    install("store", f"sleep 60 & echo $! > {left}; wait")
    configure(credsStore="store")
    stop = Stop()

    def end() -> None:
        while not (left.exists() and left.read_text().strip()):
            time.sleep(0.005)
        stop.end()

    ending = threading.Thread(target=end)
    ending.start()
    began = time.monotonic()
    with pytest.raises(CredentialError, match="was ended with the run"):
        CredentialSearch("reg.example", environ=environ).find("team/app", stop=stop)
    assert time.monotonic() - began < 20
    ending.join()
    assert _ends(int(left.read_text()))


def test_no_helper_begins_after_its_run_is_over(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    calls = install("store", _answers("ci"))
    configure(credsStore="store")
    stop = Stop()
    stop.end()
    search = CredentialSearch("reg.example", environ=environ)
    with pytest.raises(CredentialError, match="was ended with the run"):
        search.find("team/app", stop=stop)
    assert not calls.exists()
    found = search.find("team/app")  # a later run of the same client
    assert found == Credential("ci", PASSWORD)


def _ends(pid: int) -> bool:
    """Say whether a process ends soon; a zombie, which nobody has waited for, has ended."""
    for _ in range(400):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_helper_that_is_not_there_is_an_error_that_names_it_and_the_file(
    configure: Configure, environ: dict[str, str], tmp_path: Path
) -> None:
    configure(credsStore="desktop")
    with pytest.raises(CredentialError, match=r"docker-credential-desktop, .* PATH") as caught:
        find(environ)
    assert str(tmp_path / "home" / ".docker" / "config.json") in caught.value.message


def test_a_helper_that_cannot_be_run_is_an_error(
    install: Install, configure: Configure, environ: dict[str, str], tmp_path: Path
) -> None:
    install("store", "")
    (tmp_path / "bin" / "docker-credential-store").write_bytes(b"\x7fELF is what this is not")
    configure(credsStore="store")
    with pytest.raises(CredentialError, match=r"docker-credential-store, .* cannot be run"):
        find(environ)


@pytest.mark.parametrize("name", ["../evil", "a b", "x;touch hacked", "$(id)", "x\n", "ü"])
def test_a_helper_with_an_invalid_name_is_not_run(
    name: str, configure: Configure, environ: dict[str, str]
) -> None:
    configure(credHelpers={"reg.example": name})
    with pytest.raises(CredentialError, match="which is not a valid name"):
        find(environ)


def test_a_helper_that_does_not_read_its_stdin_may_answer_all_the_same(
    tmp_path: Path, configure: Configure, environ: dict[str, str], install: Install
) -> None:
    install("store", "")
    program = tmp_path / "bin" / "docker-credential-store"
    program.write_text(f"#!/bin/sh\n{_answers('deaf')}\n")
    configure(credsStore="store")
    assert user(environ) == "deaf"


def test_helpers_run_in_the_environment_that_is_searched(
    install: Install, configure: Configure, environ: dict[str, str]
) -> None:
    install("store", 'printf \'{"Username":"%s","Secret":"x"}\' "$AZURE_CLIENT"')
    configure(credsStore="store")
    assert user(environ | {"AZURE_CLIENT": "cloud"}) == "cloud"
