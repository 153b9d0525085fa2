"""How the registry is reached: credentials, docker configs, plain HTTP and TLS."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path

import pytest
import trustme

from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.server import ServerTLS, serve
from fixtures.tokens import Account
from tests.cli.running import Outcome, run_process
from tests.parity.cases import check_stderr, from_args
from tests.parity.running import run_here

USER, SECRET = "ci", "s3cret-pa:ss"
WITH_PASSWORD = ["--username", USER, "--password", SECRET]
PASSWORD_WARNING = (
    "warning: others can read --password in the process list; use --password-stdin, "
    "or OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD"
)


@pytest.fixture
def push(registry: EmbeddedRegistry, host: str) -> list[str]:
    """A push to a registry that only one account may use."""
    account = Account(USER, SECRET, {"*": frozenset({"pull", "push"})})
    registry.settings.auth = BasicAuth([account])
    return shlex.split(from_args("linux/amd64", "team/app-ARCH:1.0").replace("$REG", host))


@pytest.fixture
def spec(push: list[str], host: str, tmp_path: Path) -> list[str]:
    """The same push, from a spec."""
    file = tmp_path / "spec.yml"
    image = f"{host}/team/app-amd64:1.0"
    file.write_text(f"image: {host}/team/out:1.0\nmanifests: [{{image: '{image}'}}]\n")
    return ["push", "from-spec", str(file)]


def docker_config(file: Path, host: str, password: str = SECRET) -> Path:
    """Write a docker config with the account, and return its file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return file


def test_a_password_on_the_command_line_works_and_is_warned_of_once(
    push: list[str], spec: list[str]
) -> None:
    """Observed: there, it is in the process list, and there is no other way."""
    for arguments in (
        [*WITH_PASSWORD, *push],
        [*push, *WITH_PASSWORD],
        [*WITH_PASSWORD, *spec],
        ["push", "-username", USER, "-password", SECRET, *spec[1:]],
    ):
        outcome = run_here(*arguments)
        assert outcome.status == 0
        assert outcome.errors == [PASSWORD_WARNING]
        assert SECRET not in outcome.stdout + outcome.stderr


def test_the_password_may_come_on_stdin(push: list[str]) -> None:
    outcome = run_process("--username", USER, "--password-stdin", *push, stdin=SECRET.encode())
    assert outcome.status == 0
    assert outcome.stderr == ""


def test_the_environment_may_have_user_and_password(
    push: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", USER)
    monkeypatch.setenv("OCI_MERGE_PASSWORD", SECRET)
    outcome = run_here(*push)
    assert outcome.status == 0
    assert outcome.stderr == ""


@pytest.mark.parametrize("where", ["before", "behind push", "behind"])
@pytest.mark.parametrize("named", ["the folder", "the file", "a file of any name"])
def test_docker_cfg_is_a_folder_or_a_file(
    push: list[str], host: str, tmp_path: Path, where: str, named: str
) -> None:
    """Observed: a folder has a config.json, a file may have any name."""
    name = "auth.txt" if named == "a file of any name" else "config.json"
    file = docker_config(tmp_path / "docker" / name, host)
    option = ["-docker-cfg", str(file.parent if named == "the folder" else file)]
    arguments = {
        "before": [*option, *push],
        "behind push": ["push", *option, *push[1:]],
        "behind": [*push, *option],
    }
    outcome = run_here(*arguments[where])
    assert outcome.status == 0, outcome.stderr
    assert outcome.stderr == ""


def test_docker_cfg_goes_with_every_command(
    push: list[str], spec: list[str], host: str, tmp_path: Path
) -> None:
    file = str(docker_config(tmp_path / "config.json", host))
    merge = ["--source", f"{host}/team/app-amd64:1.0", "--target", f"{host}/team/out:2"]
    for command in (push, spec, ["inspect", f"{host}/team/app-amd64:1.0"], merge):
        assert run_here("--docker-cfg", file, *command).status == 0


@pytest.mark.parametrize("path", ["none", "none/config.json", ""])
def test_a_docker_cfg_that_is_not_there_is_an_error_before_any_request(
    registry: EmbeddedRegistry, push: list[str], tmp_path: Path, path: str
) -> None:
    """Observed: its state cannot be checked, which is an error."""
    outcome = run_here("--docker-cfg", str(tmp_path / path) if path else "", *push)
    assert outcome.status == 1
    check_stderr(outcome, ["docker"])
    assert not registry.requests


def test_without_docker_cfg_the_usual_config_is_read(
    push: list[str], host: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Observed: DOCKER_CONFIG names its folder, else it is in .docker of the home folder."""
    docker_config(home / ".docker" / "config.json", host)
    assert run_here(*push).status == 0
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "empty"))
    assert run_here(*push).status == 1


def test_username_and_password_win_over_the_docker_config(
    push: list[str], host: str, home: Path
) -> None:
    """Observed: they override everything."""
    docker_config(home / ".docker" / "config.json", host, "wrong")
    assert run_here(*push).status == 1
    assert run_here(*WITH_PASSWORD, *push).status == 0


def test_an_empty_username_and_password_are_as_if_they_were_not_given(
    push: list[str], spec: list[str], host: str, home: Path
) -> None:
    """Code: there, credentials count where one of the two is not empty."""
    docker_config(home / ".docker" / "config.json", host)
    for arguments in (push, spec, ["inspect", f"{host}/team/app-amd64:1.0"]):
        outcome = run_here("--username", "", "--password", "", *arguments)
        assert outcome.status == 0
        assert outcome.stderr == ""


@pytest.mark.parametrize(
    "options",
    [
        ["--username", USER],
        ["--username", USER, "--password", ""],
        ["--password", SECRET],
        ["--username", "", *WITH_PASSWORD[2:]],
    ],
)
def test_half_a_credential_is_an_error_before_any_request(
    registry: EmbeddedRegistry, push: list[str], options: list[str]
) -> None:
    """Code: there, one without the other is sent as it is."""
    outcome = run_here(*options, *push)
    assert outcome.status == 1
    check_stderr(outcome, ["is given without a"])
    assert not registry.requests


def test_debug_shows_the_requests_on_stderr_alone(host: str) -> None:
    arguments = shlex.split(from_args("linux/amd64", "team/app-ARCH:1.0").replace("$REG", host))
    quiet = run_here(*arguments)
    loud = run_here("-debug", *arguments)
    assert loud.stdout == quiet.stdout
    assert quiet.stderr == ""
    assert loud.errors
    assert {line.partition(": ")[0] for line in loud.errors} == {"debug"}


def over_tls(registry: EmbeddedRegistry, *options: str) -> Outcome:
    """Push to the registry where it is served with a certificate that nobody knows."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    with serve(registry.app, tls=ServerTLS(chain, certificate.private_key_pem.bytes())) as server:
        line = from_args("linux/amd64", "team/app-ARCH:1.0").replace("$REG", server.host)
        return run_here(*options, *shlex.split(line))


def test_insecure_takes_any_certificate(registry: EmbeddedRegistry) -> None:
    """Observed: it skips the verification of certificates."""
    refused = over_tls(registry)
    assert refused.status == 1
    check_stderr(refused, ["certificate"])
    assert over_tls(registry, "-insecure").status == 0


def test_insecure_and_plain_http_together_are_plain_http(host: str) -> None:
    """Observed: both together mean HTTP."""
    arguments = shlex.split(from_args("linux/amd64", "team/app-ARCH:1.0").replace("$REG", host))
    assert run_here("--insecure", "--plain-http", *arguments).status == 0
