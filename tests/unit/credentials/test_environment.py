"""Credentials in variables: oci-merge's own, docker's, GitLab's and GitHub's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oci_merge.errors import CredentialError
from tests.unit.credentials.support import PASSWORD, assert_silent, auth, auths, find, keyed, user

_OWN = {"OCI_MERGE_USERNAME": "env", "OCI_MERGE_PASSWORD": PASSWORD}
_GITLAB = {
    "CI_REGISTRY": "registry.gitlab.example:5050",
    "CI_REGISTRY_USER": "gitlab-ci-token",
    "CI_REGISTRY_PASSWORD": PASSWORD,
}
_GITLAB_REGISTRY = "registry.gitlab.example:5050"


def test_oci_merges_own_variables_are_for_every_registry(environ: dict[str, str]) -> None:
    for registry in ("reg.example", "docker.io", "localhost:5000"):
        found = find(environ | _OWN, registry)
        assert found is not None
        assert (found.username, found.password) == ("env", PASSWORD)
        assert found.origin == "OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD"


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"OCI_MERGE_USERNAME": "env"}, "OCI_MERGE_PASSWORD"),
        ({"OCI_MERGE_PASSWORD": PASSWORD}, "OCI_MERGE_USERNAME"),
        ({"OCI_MERGE_USERNAME": "", "OCI_MERGE_PASSWORD": PASSWORD}, "OCI_MERGE_USERNAME"),
    ],
)
def test_half_of_oci_merges_own_variables_is_an_error(
    variables: dict[str, str], missing: str, environ: dict[str, str]
) -> None:
    with pytest.raises(CredentialError, match=f"{missing} is not set") as caught:
        find(environ | variables)
    assert_silent(caught.value)


def test_empty_variables_count_as_not_set() -> None:
    names = (
        *("OCI_MERGE_USERNAME", "OCI_MERGE_PASSWORD", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG"),
        *("REGISTRY_AUTH_FILE", "HOME", "XDG_CONFIG_HOME", "CI_REGISTRY", "GITHUB_TOKEN"),
    )
    assert find(dict.fromkeys(names, "")) is None


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"credsStore": ""},
        {"credHelpers": {"other.example": "missing"}},
        {"HttpHeaders": {"User-Agent": "x"}, "unknown": [1]},
    ],
)
def test_docker_auth_config_may_hold_other_settings_as_well(
    more: dict[str, Any], environ: dict[str, str]
) -> None:
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(auths(reg_example="ci") | more)
    found = find(environ)
    assert found is not None
    assert (found.username, found.origin) == ("ci", "DOCKER_AUTH_CONFIG")


def test_docker_auth_config_may_hold_keys_of_namespaces(environ: dict[str, str]) -> None:
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(
        keyed({"reg.example": "host", "reg.example/team": "team"})
    )
    assert user(environ, "reg.example", "team/app") == "team"
    assert user(environ, "reg.example", "other/app") == "host"


@pytest.mark.parametrize("content", ["/builds/auth.json", "{", '{"auths": 5}', "[]", "null"])
def test_docker_auth_config_that_is_no_config_is_an_error(
    content: str, environ: dict[str, str]
) -> None:
    with pytest.raises(CredentialError, match="DOCKER_AUTH_CONFIG cannot be read") as caught:
        find(environ | {"DOCKER_AUTH_CONFIG": content})
    assert "JSON" in caught.value.hint


def test_a_broken_entry_in_docker_auth_config_is_not_repeated(environ: dict[str, str]) -> None:
    environ["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {"reg.example": {"auth": PASSWORD}}})
    with pytest.raises(
        CredentialError, match="DOCKER_AUTH_CONFIG has no valid user name"
    ) as caught:
        find(environ)
    assert_silent(caught.value, auth())


def test_gitlabs_variables_log_in_to_gitlabs_registry(environ: dict[str, str]) -> None:
    found = find(environ | _GITLAB, _GITLAB_REGISTRY)
    assert found is not None
    assert (found.username, found.password) == ("gitlab-ci-token", PASSWORD)
    assert found.origin == "GitLab's CI_REGISTRY_USER and CI_REGISTRY_PASSWORD"


@pytest.mark.parametrize(
    "registry", ["reg.example", "registry.gitlab.example", "gitlab.example:5050", "docker.io"]
)
def test_gitlabs_variables_go_to_no_other_registry(registry: str, environ: dict[str, str]) -> None:
    more = {"CI_JOB_TOKEN": PASSWORD, "CI_DEPLOY_USER": "x", "CI_DEPLOY_PASSWORD": PASSWORD}
    assert find(environ | _GITLAB | more, registry) is None


def test_gitlabs_variables_without_a_registry_are_not_used(environ: dict[str, str]) -> None:
    variables = {name: value for name, value in _GITLAB.items() if name != "CI_REGISTRY"}
    assert find(environ | variables | {"CI_JOB_TOKEN": PASSWORD}, _GITLAB_REGISTRY) is None


def test_gitlabs_variables_may_be_set_to_name_docker_hub(environ: dict[str, str]) -> None:
    for said in ("docker.io", "https://index.docker.io/v1/"):
        assert user(environ | _GITLAB | {"CI_REGISTRY": said}, "docker.io") == "gitlab-ci-token"


@pytest.mark.parametrize("said", ["REGISTRY.gitlab.example:5050", f"https://{_GITLAB_REGISTRY}/"])
def test_gitlabs_registry_may_be_spelt_in_another_way(said: str, environ: dict[str, str]) -> None:
    assert user(environ | _GITLAB | {"CI_REGISTRY": said}, _GITLAB_REGISTRY) == "gitlab-ci-token"


def test_gitlabs_job_token_is_used_where_the_registrys_own_variables_are_not_set(
    environ: dict[str, str],
) -> None:
    environ |= {"CI_REGISTRY": _GITLAB_REGISTRY, "CI_JOB_TOKEN": "job-token"}
    found = find(environ, _GITLAB_REGISTRY)
    assert found is not None
    assert (found.username, found.password) == ("gitlab-ci-token", "job-token")
    assert found.origin == "GitLab's CI_JOB_TOKEN"


def test_gitlabs_deploy_token_comes_last(environ: dict[str, str]) -> None:
    environ |= {
        "CI_REGISTRY": _GITLAB_REGISTRY,
        "CI_DEPLOY_USER": "gitlab+deploy-token-1",
        "CI_DEPLOY_PASSWORD": PASSWORD,
    }
    assert user(environ, _GITLAB_REGISTRY) == "gitlab+deploy-token-1"
    assert user(environ | {"CI_JOB_TOKEN": "x"}, _GITLAB_REGISTRY) == "gitlab-ci-token"


def test_githubs_token_is_for_ghcr_alone(environ: dict[str, str]) -> None:
    environ |= {"GITHUB_TOKEN": PASSWORD, "GITHUB_ACTOR": "octocat"}
    found = find(environ, "ghcr.io")
    assert found is not None
    assert (found.username, found.password) == ("octocat", PASSWORD)
    for registry in ("docker.pkg.github.example", "github.com", "docker.io", "ghcr.io:443"):
        assert find(environ, registry) is None


def test_githubs_token_needs_no_actor(environ: dict[str, str]) -> None:
    found = find(environ | {"GITHUB_TOKEN": PASSWORD}, "ghcr.io")
    assert found is not None
    assert found.username
    assert find(environ | {"GITHUB_ACTOR": "octocat"}, "ghcr.io") is None


@pytest.mark.parametrize(
    ("names", "registry"),
    [
        (("OCI_MERGE_USERNAME", "OCI_MERGE_PASSWORD"), "reg.example"),
        (("CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"), _GITLAB_REGISTRY),
        (("GITHUB_ACTOR", "GITHUB_TOKEN"), "ghcr.io"),
    ],
)
def test_variables_that_are_not_utf8_are_an_error_that_does_not_repeat_them(
    names: tuple[str, str], registry: str, environ: dict[str, str]
) -> None:
    environ |= {"CI_REGISTRY": _GITLAB_REGISTRY, names[0]: "ci", names[1]: f"{PASSWORD}\udcff"}
    with pytest.raises(CredentialError, match="not valid UTF-8") as caught:
        find(environ, registry)
    assert names[1] in caught.value.message
    assert_silent(caught.value)


_GITHUB = {"GITHUB_TOKEN": PASSWORD, "GITHUB_ACTOR": "octocat"}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"GITHUB_SERVER_URL": ""},
        {"GITHUB_SERVER_URL": "https://github.com"},
        {"GITHUB_SERVER_URL": "https://GitHub.com/"},
        {"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": ""},
    ],
)
def test_githubs_token_is_taken_on_github_com(
    variables: dict[str, str], environ: dict[str, str]
) -> None:
    assert user(environ | _GITHUB | variables, "ghcr.io") == "octocat"


@pytest.mark.parametrize(
    "variables",
    [
        {"GITHUB_SERVER_URL": "https://gitea.example"},
        {"GITHUB_SERVER_URL": "https://github.example.com"},
        {"GITHUB_SERVER_URL": "https://acme.ghe.com"},
        {"GITHUB_SERVER_URL": "https://github.com.evil.example"},
        {"GITHUB_SERVER_URL": "http://github.com"},
        {"GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com"},
        {"FORGEJO_ACTIONS": "true"},
    ],
)
def test_a_token_that_another_system_calls_githubs_goes_to_nobody(
    variables: dict[str, str], environ: dict[str, str]
) -> None:
    assert find(environ | _GITHUB | variables, "ghcr.io") is None


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("names", "registry"),
    [
        (("OCI_MERGE_USERNAME", "OCI_MERGE_PASSWORD"), "reg.example"),
        (("CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"), _GITLAB_REGISTRY),
        (("CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"), _GITLAB_REGISTRY),
        (("GITHUB_ACTOR", "GITHUB_TOKEN"), "ghcr.io"),
    ],
)
def test_a_line_break_at_the_end_of_a_variable_is_left_out_with_a_warning(
    names: tuple[str, str], registry: str, line_break: str, environ: dict[str, str]
) -> None:
    environ |= {"CI_REGISTRY": _GITLAB_REGISTRY, names[0]: "ci", names[1]: PASSWORD + line_break}
    found = find(environ, registry)
    assert found is not None
    assert found.password == PASSWORD
    assert found.warning.startswith("the password of ci (from ")
    assert "ends in a line break" in found.warning
    assert PASSWORD not in found.warning
    environ |= {names[0]: f"ci{line_break}", names[1]: f" {PASSWORD} {line_break}"}
    both = find(environ, registry)
    assert both is not None
    assert (both.username, both.password) == ("ci", f" {PASSWORD} ")
    assert "the user name and password of ci" in both.warning


def test_only_one_line_break_is_left_out_and_one_alone_is_no_value(
    environ: dict[str, str],
) -> None:
    found = find(environ | {"OCI_MERGE_USERNAME": "ci", "OCI_MERGE_PASSWORD": "x\n\n"})
    assert found is not None
    assert found.password == "x\n"
    with pytest.raises(CredentialError, match="OCI_MERGE_PASSWORD is not set"):
        find(environ | {"OCI_MERGE_USERNAME": "ci", "OCI_MERGE_PASSWORD": "\n"})


def test_what_a_ci_system_gives_is_known_for_it_and_nothing_else_is(
    environ: dict[str, str],
) -> None:
    for variables, registry, is_ambient in (
        (_GITHUB, "ghcr.io", True),
        (_GITLAB, _GITLAB_REGISTRY, True),
        (_OWN, "ghcr.io", False),
        ({"DOCKER_AUTH_CONFIG": json.dumps(keyed({"ghcr.io": "x"}))}, "ghcr.io", False),
    ):
        found = find(environ | variables, registry)
        assert found is not None
        assert found.is_ambient is is_ambient
