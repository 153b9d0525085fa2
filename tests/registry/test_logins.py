"""Logins at real registries, by a password file and by a token server; skopeo is the witness."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.distribution import Distribution, TokenRegistry
from fixtures.tokens import Account
from oci_merge import AuthenticationError, Event, MountRefusedError, Warned
from tests.registry.team import THREE_PLATFORMS, push_team

_CI = ("ci", "registry-password")


def _entry(user: str, password: str, *hosts: str) -> dict[str, Any]:
    return {"auths": {host: {"username": user, "password": password} for host in hosts}}


def _merge(team: str, **options: Any) -> oci_merge.MergeResult:
    return oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        **options,
    )


def _skopeo_digest(skopeo: Path, image: str, registry: Distribution) -> str:
    """Return the digest that skopeo reads."""
    user = registry.credentials
    assert user is not None
    found = subprocess.run(
        [
            *(str(skopeo), "inspect", "--raw", "--tls-verify=false"),
            *("--creds", ":".join(user), f"docker://{image}"),
        ],
        check=True,
        capture_output=True,
    )
    digest = subprocess.run(
        ["sha256sum"], input=found.stdout, check=True, capture_output=True, text=False
    )
    return f"sha256:{digest.stdout.split()[0].decode()}"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_config_that_powershell_wrote_and_a_mounted_secret_log_in(
    tls_registry: Distribution,
    skopeo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca_pem))
    assert tls_registry.credentials is not None
    user, password = tls_registry.credentials
    content = _entry(user, f"{password}\r\n", f"{tls_registry.host}/some/path:1.0")
    (tmp_path / ".dockerconfigjson").write_bytes(json.dumps(content).encode(encoding))
    team = push_team(tls_registry)

    result = _merge(team, docker_config=tmp_path)

    assert result.tags[0].changed
    assert any("ends in a line break" in warning for warning in result.warnings)
    assert _skopeo_digest(skopeo, f"{team}/img:1.0", tls_registry) == result.digest


def test_a_refused_token_of_a_job_reads_what_is_public_and_writes_nothing(
    token_registry: TokenRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, tokens = token_registry.distribution, token_registry.tokens
    team = push_team(registry, auth=_CI, name="public/sample")
    tokens.anonymous = {"public/*": frozenset({"pull"})}
    tokens.requests.clear()
    for name, value in (
        ("CI_REGISTRY", registry.host),
        ("CI_REGISTRY_USER", "gitlab-ci-token"),
        ("CI_REGISTRY_PASSWORD", "ended"),
    ):
        monkeypatch.setenv(name, value)
    events: list[Event] = []

    found = oci_merge.inspect(f"{team}/img-amd64:1.0", on_event=events.append)

    assert found.digest
    (warning,) = [event.message for event in events if isinstance(event, Warned)]
    assert warning.startswith(f"{registry.host} refused gitlab-ci-token (from GitLab's CI_")
    assert sum(request.status == 401 for request in tokens.requests) <= 2
    with registry.watch() as records, pytest.raises(oci_merge.OciMergeError):
        _merge(team)
    assert not [record for record in records if record.method == "PUT"]


def test_a_read_only_docker_auth_config_is_said_to_hide_the_jobs_own_login(
    token_registry: TokenRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, tokens = token_registry.distribution, token_registry.tokens
    tokens.accounts["reader"] = Account("reader", "reads", {"*": frozenset({"pull"})})
    team = push_team(registry, auth=_CI)
    reader = json.dumps(_entry("reader", "reads", registry.host))
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", reader)
    (home / ".docker").mkdir()
    config = home / ".docker" / "config.json"
    config.write_text(json.dumps(_entry(*_CI, registry.host)))

    with pytest.raises(MountRefusedError, match="reader") as caught:
        _merge(team)

    assert caught.value.hint == (
        f"the docker config {config} has ci for {registry.host}, but DOCKER_AUTH_CONFIG comes "
        "first: unset it, or name the file to use by --docker-cfg"
    )
    assert _merge(team, docker_config=config).tags[0].changed


def test_an_entry_for_another_port_is_named_where_a_login_is_wanted(
    tls_registry: Distribution, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca_pem))
    team = push_team(tls_registry)
    (home / ".docker").mkdir()
    host = tls_registry.host.partition(":")[0]
    (home / ".docker" / "config.json").write_text(json.dumps(_entry("ci", "x", host)))

    with pytest.raises(AuthenticationError) as caught:
        _merge(team)

    assert f"has an entry for {host}, none for {tls_registry.host}" in caught.value.hint
