"""``oci-merge credentials``: what a user sees who was answered with 401."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from oci_merge_cli.commands.credentials import run
from oci_merge_cli.options.registry import RegistryAccess
from tests.cli.running import Outcome

_SECRET = "s3cret-pa:ss"
_ENTRY = {"username": "ci", "password": _SECRET}
_IMAGE = "reg.example/team/app:1.0"

Explain = Callable[..., Outcome]


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Explain:
    """The command, with its reference, its output and its registry options."""

    def explain(reference: str = _IMAGE, output: Any = "text", **options: Any) -> Outcome:
        status = 0
        try:
            run(reference, output, RegistryAccess(**options))
        except typer.Exit as leaving:
            status = leaving.exit_code
        return Outcome(status, *capsys.readouterr())

    return explain


@pytest.fixture
def config(home: Path) -> Path:
    """A docker config with an entry for the image's registry."""
    (home / ".docker").mkdir()
    path = home / ".docker" / "config.json"
    path.write_text(json.dumps({"auths": {"reg.example": _ENTRY}}))
    return path


def test_the_source_that_is_used_comes_first_and_then_all_of_them_in_order(
    explain: Explain, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", '{"auths": {"other.example": {"auth": "eDp5"}}}')
    outcome = explain()
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[:6] == [
        "image  reg.example/team/app",
        "user   ci",
        "sent   password",
        f"from   the docker config {config}",
        "",
        "sources, in the order of the search:",
    ]
    assert lines[6:9] == [
        "  absent      the caller: it gives no user name and password",
        "  absent      OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD: neither is set",
        "  unsuitable  DOCKER_AUTH_CONFIG: it has entries only for other.example",
    ]
    assert f"  used        the docker config {config}" in lines
    assert lines[-1] == "  skipped     GitHub's GITHUB_TOKEN"


def test_a_registry_is_explained_by_its_bare_name(explain: Explain, config: Path) -> None:
    outcome = explain("reg.example")
    assert outcome.stdout.startswith("registry  reg.example\nuser      ci\nsent      password\n")
    hub = explain("docker.io", output="json")
    assert json.loads(hub.stdout)["registry"] == "docker.io"
    assert json.loads(hub.stdout)["repository"] == ""


def test_an_anonymous_run_is_said_to_be_one(explain: Explain) -> None:
    outcome = explain()
    assert outcome.status == 0
    assert "user   -\nsent   nothing: there is no credential\nfrom   -\n" in outcome.stdout


def test_json_has_the_same_for_a_script(explain: Explain, config: Path) -> None:
    outcome = explain(output="json")
    document = json.loads(outcome.stdout)
    assert (document["username"], document["kind"]) == ("ci", "password")
    assert document["origin"] == f"the docker config {config}"
    assert {"used", "absent", "skipped"} == {source["status"] for source in document["sources"]}


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_broken_source_is_shown_and_makes_the_status_that_of_a_run(
    output: str, explain: Explain, config: Path
) -> None:
    config.write_text('{"auths": ' + _SECRET)
    outcome = explain(output=output)
    assert outcome.status == 1
    assert "broken" in outcome.stdout
    assert outcome.stdout.count(str(config)) <= 2  # in JSON, the name and the reason
    assert outcome.errors[0].startswith(f"error: the docker config {config} cannot be read")
    assert outcome.errors[1].startswith("hint: ")
    if output == "json":
        json.loads(outcome.stdout)  # one document, not two


def test_no_output_has_a_secret_in_it(explain: Explain, config: Path) -> None:
    config.write_text(json.dumps({"auths": {"reg.example": _ENTRY | {"identitytoken": _SECRET}}}))
    given = {"username": "ci", "password": _SECRET}
    for options in ({}, {"output": "json"}, given, given | {"debug": True}):
        outcome = explain(**options)
        assert outcome.status == 0
        assert _SECRET not in outcome.stdout + outcome.stderr


def test_what_the_options_give_is_used(explain: Explain, config: Path, tmp_path: Path) -> None:
    given = explain(username="me", password=_SECRET)
    assert "user   me\nsent   password\nfrom   the caller\n" in given.stdout
    assert given.errors[0].startswith("warning: others can read --password")
    named = tmp_path / "config.json"
    named.write_text(json.dumps({"auths": {"reg.example": {"identitytoken": _SECRET}}}))
    cloud = explain(docker_cfg=str(tmp_path))
    assert f"sent   identity token\nfrom   the docker config {named}\n" in cloud.stdout


def test_wrong_usage_is_an_error(explain: Explain) -> None:
    for options in ({"reference": "https://reg.example/app"}, {"username": "ci"}):
        outcome = explain(**options)
        assert outcome.status == 1
        assert outcome.stdout == ""
        assert outcome.errors[0].startswith("error: ")


def test_terminal_codes_in_a_users_name_are_escaped(explain: Explain, config: Path) -> None:
    entry = {"username": "c\x1b[31mi", "password": _SECRET}
    config.write_text(json.dumps({"auths": {"reg.example": entry}}))
    assert "user   c\\x1b[31mi\n" in explain().stdout
