"""The explanation of a search for credentials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import oci_merge
from oci_merge import CredentialError, CredentialExplanation, InvalidReferenceError, UsageError
from tests.unit.credentials.support import PASSWORD, auth, auths, keyed, write

_IMAGE = "reg.example/team/app:1.0"


@pytest.fixture(autouse=True)
def _environment(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Search in the tests' environment."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def _statuses(explained: CredentialExplanation) -> list[str]:
    return [source.status for source in explained.sources]


def _reasons(explained: CredentialExplanation) -> dict[str, str]:
    return {source.name: source.reason for source in explained.sources}


def test_the_source_that_is_used_is_named_and_those_around_it_say_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(auths(other_example="x")))
    config = write(tmp_path / "home" / ".docker" / "config.json", auths(reg_example="ci"))
    explained = oci_merge.explain_credentials(_IMAGE)
    assert (explained.registry, explained.repository) == ("reg.example", "team/app")
    assert (explained.username, explained.kind) == ("ci", "password")
    assert explained.origin == f"the docker config {config}"
    assert [(source.status, source.reason) for source in explained.sources[:6]] == [
        ("absent", "it gives no user name and password"),
        ("absent", "neither is set"),
        ("unsuitable", "it has entries only for other.example"),
        ("absent", "there is no such file"),
        ("absent", "there is no such file"),
        ("used", ""),
    ]
    assert set(_statuses(explained)[6:]) == {"skipped"}


def test_an_anonymous_run_is_explained_source_by_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "home" / ".docker" / "config.json", {"auths": {"reg.example": {}}})
    write(tmp_path / "run" / "containers" / "auth.json", {})
    monkeypatch.setenv("CI_REGISTRY", "registry.gitlab.example")
    monkeypatch.setenv("CI_JOB_TOKEN", PASSWORD)
    monkeypatch.setenv("GITHUB_TOKEN", PASSWORD)
    explained = oci_merge.explain_credentials(_IMAGE)
    assert (explained.kind, explained.username, explained.origin) == (None, "", "")
    reasons = _reasons(explained)
    docker = f"the docker config {tmp_path}/home/.docker/config.json"
    assert reasons[docker] == "its entry for reg.example has no secret"
    assert reasons[f"the containers auth file {tmp_path}/run/containers/auth.json"] == (
        "it has no entries"
    )
    assert reasons["GitLab's CI_JOB_TOKEN"] == "it is only for registry.gitlab.example"
    assert reasons["GitLab's CI_REGISTRY_USER and CI_REGISTRY_PASSWORD"] == (
        "CI_REGISTRY_USER is not set"
    )
    assert reasons["GitHub's GITHUB_TOKEN"] == "it is only for ghcr.io"


def test_a_broken_source_is_part_of_the_explanation_and_ends_it(
    tmp_path: Path,
) -> None:
    write(tmp_path / "home" / ".docker" / "config.json", b"{" + PASSWORD.encode())
    explained = oci_merge.explain_credentials(_IMAGE)
    assert explained.kind is None
    assert explained.broken is not None
    assert "config.json cannot be read" in explained.broken.reason
    assert explained.broken.hint
    assert PASSWORD not in repr(explained)
    after = explained.sources[explained.sources.index(explained.broken) + 1 :]
    assert {source.status for source in after} == {"skipped"}


def test_a_helper_without_an_answer_is_named(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-none"
    helper.write_text("#!/bin/sh\necho credentials not found in native keychain; exit 1\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{environ['PATH']}")
    config = tmp_path / "home" / ".docker" / "config.json"
    write(config, {"credsStore": "none"})
    reasons = _reasons(oci_merge.explain_credentials(_IMAGE))
    assert reasons[f"the docker config {config}"] == (
        "its helper docker-credential-none has no credential for it, and it has no entries"
    )
    write(
        config, {"credHelpers": {"reg.example": "none"}, "auths": auths(reg_example="x")["auths"]}
    )
    reasons = _reasons(oci_merge.explain_credentials(_IMAGE))
    assert reasons[f"the docker config {config}"] == (
        "its helper docker-credential-none has no credential for it"
    )


def test_what_the_caller_gives_is_explained_too(tmp_path: Path) -> None:
    named = write(tmp_path / "named.json", {"auths": {"reg.example": {"identitytoken": PASSWORD}}})
    explained = oci_merge.explain_credentials(_IMAGE, docker_config=str(named))
    assert (explained.kind, explained.username) == ("identity token", "")
    assert explained.origin == f"the docker config {named}"
    explained = oci_merge.explain_credentials(_IMAGE, username="ci", password=PASSWORD)
    assert (explained.username, explained.origin) == ("ci", "the caller")
    assert _statuses(explained)[0] == "used"
    assert set(_statuses(explained)[1:]) == {"skipped"}


def test_the_credential_is_that_of_the_repository(tmp_path: Path) -> None:
    keys = {"reg.example": "host", "reg.example/team": "team"}
    write(tmp_path / "run" / "containers" / "auth.json", keyed(keys))
    for image, username in ((_IMAGE, "team"), ("reg.example/other/app", "host")):
        assert oci_merge.explain_credentials(image).username == username


def test_many_entries_are_named_up_to_a_number(tmp_path: Path) -> None:
    keys = {f"https://user:{PASSWORD}@r{number}.example": "x" for number in range(12)}
    path = write(tmp_path / "home" / ".docker" / "config.json", keyed(keys))
    reason = _reasons(oci_merge.explain_credentials(_IMAGE))[f"the docker config {path}"]
    assert reason.startswith("it has entries only for r0.example, r1.example, ")
    assert reason.endswith(", r7.example and 4 more")


def test_an_explanation_has_no_secret_in_it_and_is_json_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", PASSWORD)
    write(tmp_path / "home" / ".docker" / "config.json", auths(reg_example="ci"))
    explained = oci_merge.explain_credentials(_IMAGE)
    document = json.dumps(explained.to_dict())
    for secret in (PASSWORD, auth("ci")):
        assert secret not in document
        assert secret not in repr(explained)
    assert json.loads(document)["sources"][5]["status"] == "used"


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("ghcr.io", "ghcr.io"),
        ("ghcr.io/", "ghcr.io"),
        ("registry.example", "registry.example"),
        ("registry.example:5000", "registry.example:5000"),
        ("localhost", "localhost"),
        ("localhost:5000", "localhost:5000"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com",) * 2,
    ],
)
def test_a_bare_host_is_explained_as_a_registry(text: str, registry: str, tmp_path: Path) -> None:
    keys = {registry: "ci", f"{registry}/team": "team"}
    write(tmp_path / "home" / ".docker" / "config.json", keyed(keys))
    explained = oci_merge.explain_credentials(text)
    assert (explained.registry, explained.repository) == (registry, "")
    assert explained.username == "ci"


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("alpine", "library/alpine"),
        ("alpine:3.18", "library/alpine"),
        ("registry:2", "library/registry"),
        ("acme/app", "acme/app"),
        ("docker.io/alpine", "library/alpine"),
        ("node.js:latest", "library/node.js"),
    ],
)
def test_what_docker_takes_for_an_image_otherwise_is_explained_as_one(
    text: str, repository: str
) -> None:
    explained = oci_merge.explain_credentials(text)
    assert (explained.registry, explained.repository) == ("docker.io", repository)


def test_what_a_run_would_warn_of_is_part_of_the_explanation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", f"{PASSWORD}\n")
    explained = oci_merge.explain_credentials(_IMAGE)
    assert explained.warning.startswith("the password of ci ")
    assert explained.to_dict()["warning"] == explained.warning


def test_wrong_usage_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidReferenceError):
        oci_merge.explain_credentials("https://reg.example/app")
    with pytest.raises(UsageError, match="without a password"):
        oci_merge.explain_credentials(_IMAGE, username="ci")
    with pytest.raises(CredentialError, match="cannot be read"):
        oci_merge.explain_credentials(_IMAGE, docker_config=str(tmp_path / "missing"))


def test_a_helper_is_ended_at_the_deadline(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-slow"
    helper.write_text("#!/bin/sh\nsleep 20\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{environ['PATH']}")
    write(tmp_path / "home" / ".docker" / "config.json", {"credsStore": "slow"})
    explained = oci_merge.explain_credentials(_IMAGE, deadline=0.1)
    assert explained.broken is not None
    assert explained.broken.reason.endswith("was ended with the run")
