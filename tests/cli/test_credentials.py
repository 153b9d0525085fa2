"""Credentials and the way to the registry: where the options may stand, and what is kept secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trustme

from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.server import ServerTLS, serve
from fixtures.tokens import Account, TokenService
from tests.cli.running import Program, run_on_terminal, run_process

USER, SECRET = "ci", "s3cret-pa:ss"
PULL_PUSH = frozenset({"pull", "push"})
ACCOUNT = Account(USER, SECRET, {"team/*": PULL_PUSH})
PASSWORD_WARNING = (
    "warning: others can read --password in the process list; use --password-stdin, "
    "or OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD"
)
#: The password, its user's Basic credential, and how headers and tokens begin.
NEVER_SHOWN = [SECRET, "Y2k6czNjcmV0", "Basic ", "Bearer ", "eyJ"]
WITH_PASSWORD = ["--username", USER, "--password", SECRET]
FROM_STDIN = ["--username", USER, "--password-stdin"]


@pytest.fixture
def image(registry: EmbeddedRegistry, host: str) -> str:
    """An image that only one account may see."""
    registry.settings.auth = BasicAuth([ACCOUNT])
    return f"{host}/team/img-amd64:1.0"


@pytest.mark.parametrize(
    "arguments",
    [
        [*WITH_PASSWORD, "inspect", "IMAGE"],
        ["inspect", *WITH_PASSWORD, "IMAGE"],
        ["inspect", "IMAGE", *WITH_PASSWORD],
        ["--username", USER, "inspect", "IMAGE", "--password", SECRET],
        ["--username", "another", "--password", "x", "inspect", *WITH_PASSWORD, "IMAGE"],
    ],
)
def test_credentials_stand_before_or_after_the_command_and_after_wins(
    program: Program, image: str, arguments: list[str]
) -> None:
    outcome = program(*(image if argument == "IMAGE" else argument for argument in arguments))
    assert outcome.status == 0
    assert outcome.errors == [PASSWORD_WARNING]


def test_wrong_credentials_are_not_taken(program: Program, image: str) -> None:
    outcome = program("inspect", "--username", USER, "--password", "wrong", image)
    assert outcome.status == 1
    assert "wrong" not in outcome.stderr.replace(PASSWORD_WARNING, "").replace("is wrong", "")


def test_a_password_on_the_command_line_is_warned_of_once(
    program: Program, image: str, merge_arguments: list[str]
) -> None:
    outcome = program(*WITH_PASSWORD, *merge_arguments, "--tags", "latest")
    assert outcome.status == 0
    assert outcome.errors.count(PASSWORD_WARNING) == 1


@pytest.mark.parametrize("stdin", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n"])
def test_the_password_can_come_on_stdin_with_one_line_end(image: str, stdin: str) -> None:
    outcome = run_process(*FROM_STDIN, "inspect", image, stdin=stdin.encode())
    assert outcome.status == 0
    assert outcome.stderr == ""


def test_a_merge_takes_the_password_from_stdin(image: str, merge_arguments: list[str]) -> None:
    outcome = run_process(*FROM_STDIN, *merge_arguments, stdin=SECRET.encode())
    assert outcome.status == 0
    assert outcome.errors == ["tag 1.0 moved"]


def test_the_environment_is_asked_where_there_are_no_options(image: str) -> None:
    environment = {"OCI_MERGE_USERNAME": USER, "OCI_MERGE_PASSWORD": SECRET}
    assert run_process("inspect", image, environment=environment).status == 0
    assert run_process("inspect", image).status == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--password-stdin"], "error: --password-stdin is given without --username"),
        (
            [*WITH_PASSWORD, "--password-stdin"],
            "error: --password and --password-stdin are both given",
        ),
        (FROM_STDIN, "error: --password-stdin is given, but stdin is empty"),
        (["--username", USER], "error: a username is given without a password"),
        (["--username", USER, "--password", ""], "error: a username is given without a password"),
        (["--password", SECRET], "error: a password is given without a username"),
    ],
)
def test_half_or_doubled_credentials_are_wrong_usage(
    registry: EmbeddedRegistry, merge_arguments: list[str], options: list[str], error: str
) -> None:
    merge = run_process(*options, *merge_arguments)
    inspect = run_process(*options, "inspect", "reg.example/a:1")
    assert (merge.status, inspect.status) == (2, 1)
    assert error in merge.errors
    assert error in inspect.errors
    assert not registry.requests


def test_both_forms_of_the_password_are_an_error_wherever_they_stand(program: Program) -> None:
    outcome = program("--password-stdin", "inspect", *WITH_PASSWORD, "reg.example/a:1")
    assert outcome.status == 1
    assert outcome.errors[1] == "error: --password and --password-stdin are both given"


def test_debug_shows_a_line_for_each_request_on_stderr_alone(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    plain = program("inspect", f"{host}/team/img-amd64:1.0")
    registry.requests.clear()
    for arguments in (["--debug", "inspect"], ["inspect", "--debug"]):
        outcome = program(*arguments, f"{host}/team/img-amd64:1.0")
        shown = [line for line in outcome.errors if line.startswith("debug: GET /v2/team/")]
        assert outcome.stdout == plain.stdout
        assert len(shown) == len(registry.requests) == 2
        registry.requests.clear()
    assert program("inspect", f"{host}/team/img-amd64:1.0").stderr == ""


@pytest.fixture(params=["options", "environment"])
def given(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that give the password, or none where the environment gives it."""
    if request.param == "options":
        return WITH_PASSWORD
    monkeypatch.setenv("OCI_MERGE_USERNAME", USER)
    monkeypatch.setenv("OCI_MERGE_PASSWORD", SECRET)
    return []


@pytest.mark.parametrize("auth", ["basic", "token", "wrong basic", "wrong token"])
def test_no_output_has_a_secret_in_it_even_under_debug(
    program: Program,
    registry: EmbeddedRegistry,
    image: str,
    merge_arguments: list[str],
    given: list[str],
    auth: str,
) -> None:
    account = ACCOUNT if "wrong" not in auth else Account(USER, "another")
    service = TokenService(accounts=[account])
    registry.settings.auth = service if "token" in auth else BasicAuth([account])
    outcomes = [
        program(*given, "--debug", *arguments)
        for arguments in (
            [*merge_arguments, "--dry-run"],
            [*merge_arguments, "--output", "json"],
            ["inspect", image],
            ["inspect", "--output", "json", image + "x"],
        )
    ]
    outcomes.append(run_on_terminal(*given, *merge_arguments))
    for outcome in outcomes:
        assert outcome.stderr
        for text in (outcome.stdout, outcome.stderr):
            assert not [word for word in NEVER_SHOWN if word in text]


def test_a_docker_config_with_secrets_is_used_and_not_shown(
    image: str, home: Path, host: str
) -> None:
    (home / ".docker").mkdir()
    entry = {"auth": "Y2k6czNjcmV0LXBhOnNz"}
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    outcome = run_process("--debug", "inspect", image)
    assert outcome.status == 0
    assert SECRET not in outcome.stderr
    assert entry["auth"] not in outcome.stderr


def test_a_docker_config_that_is_named_goes_before_the_variables(
    image: str, home: Path, host: str
) -> None:
    (home / "config.json").write_text(
        json.dumps({"auths": {host: {"auth": "Y2k6czNjcmV0LXBhOnNz"}}})
    )
    wrong = {"OCI_MERGE_USERNAME": USER, "OCI_MERGE_PASSWORD": "wrong", "DOCKER_AUTH_CONFIG": "{"}
    assert run_process("inspect", image, environment=wrong).status == 1
    named = ["--docker-cfg", str(home / "config.json")]
    assert run_process("inspect", *named, image, environment=wrong).status == 0


def test_a_line_break_in_a_password_is_warned_of(image: str, merge_arguments: list[str]) -> None:
    environment = {"OCI_MERGE_USERNAME": USER, "OCI_MERGE_PASSWORD": f"{SECRET}\r\n"}
    for arguments in (["inspect", image], merge_arguments, ["credentials", image]):
        outcome = run_process(*arguments, environment=environment)
        assert outcome.status == 0
        assert [line for line in outcome.errors if "ends in a line break" in line] == [
            "warning: the password of ci (from OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD) ends in "
            "a line break, which is not sent: printf writes none, echo does"
        ]


@pytest.mark.parametrize("before", [True, False])
def test_insecure_takes_any_certificate(
    program: Program, registry: EmbeddedRegistry, before: bool
) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    tls = ServerTLS(
        b"".join(pem.bytes() for pem in certificate.cert_chain_pems),
        certificate.private_key_pem.bytes(),
    )
    with serve(registry.app, tls=tls) as server:
        image = f"{server.host}/team/img-amd64:1.0"
        refused = program("inspect", image)
        assert refused.status == 1
        assert "certificate" in refused.errors[0]
        words = ["--insecure", "inspect"] if before else ["inspect", "--insecure"]
        assert program(*words, image).status == 0


def test_plain_http_asks_in_the_clear_alone(program: Program, host: str) -> None:
    for words in (["--plain-http", "inspect"], ["inspect", "--plain-http"]):
        assert program(*words, f"{host}/team/img-amd64:1.0").status == 0
