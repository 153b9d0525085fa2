"""What is said of other logins where one is denied, and of near misses where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oci_merge.credentials import CredentialSearch, given_credential
from oci_merge.credentials.advice import near_misses, other_logins
from tests.unit.credentials.support import PASSWORD, auths, keyed, write

Write = Callable[[Any], str]


@pytest.fixture
def docker(tmp_path: Path) -> Write:
    """Writes the docker config; returns what messages call it."""
    path = tmp_path / "home" / ".docker" / "config.json"

    def docker(content: Any) -> str:
        return f"the docker config {write(path, content)}"

    return docker


def _others(environ: Mapping[str, str], registry: str = "reg.example", **options: Any) -> str:
    search = CredentialSearch(registry, environ=environ, **options)
    denied = search.find("team/app")
    assert denied is not None
    return other_logins(search, "team/app", denied)


def _near(environ: Mapping[str, str], registry: str = "reg.example") -> str:
    search = CredentialSearch(registry, environ=environ)
    assert search.find("team/app") is None
    return near_misses(search, "team/app")


def test_a_job_s_own_login_behind_a_docker_auth_config_is_named(
    docker: Write, environ: dict[str, str]
) -> None:
    config = docker(auths(reg_example="ci"))
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(auths(reg_example="reader"))
    assert _others(environ) == (
        f"{config} has ci for reg.example, but DOCKER_AUTH_CONFIG comes first: "
        "unset it, or name the file to use by --docker-cfg"
    )


def test_the_remedy_is_that_of_the_source_that_decides(
    docker: Write, environ: dict[str, str], tmp_path: Path
) -> None:
    config = docker(auths(reg_example="ci"))
    given = given_credential("me", "x")
    assert _others(environ, given=given) == (
        f"{config} has ci for reg.example, but the user name and password that were given come "
        "first: leave them out"
    )
    own = {"OCI_MERGE_USERNAME": "own", "OCI_MERGE_PASSWORD": "x"}
    assert _others(environ | own) == (
        f"{config} has ci for reg.example, but OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD come "
        "first: unset them"
    )
    containers = write(tmp_path / "run" / "containers" / "auth.json", auths(reg_example="pod"))
    assert _others(environ) == (
        f"{config} has ci for reg.example, but the containers auth file {containers} comes first: "
        "remove its entry, or name the file to use by --docker-cfg"
    )


def test_an_entry_that_leads_to_a_helper_is_named_and_the_helper_is_not_asked(
    docker: Write, environ: dict[str, str]
) -> None:
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(auths(reg_example="reader"))
    config = docker({"credHelpers": {"reg.example": "not-there"}})
    assert _others(environ).startswith(
        f"{config} leaves reg.example to docker-credential-not-there, but"
    )
    config = docker({"credsStore": "not-there", "auths": {"reg.example": {}}})
    assert _others(environ).startswith(
        f"{config} has an entry for reg.example without a secret, but"
    )


def test_the_same_login_elsewhere_another_registry_s_and_a_broken_file_are_not_named(
    docker: Write, environ: dict[str, str]
) -> None:
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(auths(reg_example="ci"))
    for content in (auths(reg_example="ci"), auths(other_example="x"), {}, b"{"):
        docker(content)
        assert _others(environ) == ""


def test_no_secret_and_no_terminal_code_is_named(docker: Write, environ: dict[str, str]) -> None:
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(auths(reg_example="reader"))
    docker(keyed({"reg.example": "c\x1b[1mi"}))
    advice = _others(environ)
    assert "c\\x1b[1mi" in advice
    assert PASSWORD not in advice


@pytest.mark.parametrize(
    ("registry", "content", "words"),
    [
        ("reg.example:5000", keyed({"reg.example": "ci"}), "has an entry for reg.example, none "
         "for reg.example:5000"),
        ("reg.example", keyed({"https://reg.example:8443": "ci"}), "has an entry for "
         "reg.example:8443, none for reg.example"),
        ("reg.example", {"auths": {"reg.example": {}}}, "has an entry for reg.example without a "
         "secret"),
        ("docker.io", keyed({"hub.docker.com": "ci"}), "has an entry for hub.docker.com, none for "
         "docker.io"),
        ("registry.gitlab.example", keyed({"gitlab.example": "ci"}), "has an entry for "
         "gitlab.example, none for registry.gitlab.example"),
    ],
)  # fmt: skip
def test_what_was_probably_meant_for_the_registry_is_named(
    registry: str, content: Any, words: str, docker: Write, environ: dict[str, str]
) -> None:
    config = docker(content)
    assert _near(environ, registry) == f"{config} {words}"


@pytest.mark.parametrize(
    "content", [{}, keyed({"other.example": "ci"}), b"", keyed({"notreg.example": "x"})]
)
def test_nothing_is_named_where_nothing_is_near(
    content: Any, docker: Write, environ: dict[str, str]
) -> None:
    docker(content)
    assert _near(environ) == ""


def test_a_token_of_another_system_is_a_near_miss(environ: dict[str, str]) -> None:
    environ |= {"GITHUB_TOKEN": PASSWORD, "GITHUB_SERVER_URL": "https://gitea.example"}
    assert _near(environ, "ghcr.io") == (
        "GitHub's GITHUB_TOKEN is not github.com's: GITHUB_SERVER_URL is https://gitea.example"
    )
