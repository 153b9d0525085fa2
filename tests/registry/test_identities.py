"""Credentials as other tools leave them, on a real distribution with a real token flow."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

import oci_merge
from fixtures.distribution import TokenRegistry
from fixtures.tokens import Account
from oci_merge import MergeResult, MountRefusedError
from tests.registry.team import THREE_PLATFORMS, push_team, seeder

_SEEDER = ("ci", "registry-password")
_PULL, _BOTH = frozenset({"pull"}), frozenset({"pull", "push"})


@pytest.fixture
def base(token_registry: TokenRegistry) -> str:
    """Images in a folder of their own, ``HOST/NAME``, which ``reader`` may pull alone."""
    base = push_team(token_registry.distribution, auth=_SEEDER, name=f"base-{uuid4().hex[:8]}")
    reader = Account("reader", "reads", {f"{base.partition('/')[2]}/*": _PULL})
    token_registry.tokens.accounts["reader"] = reader
    token_registry.tokens.requests.clear()
    return base


def add_writer(registry: TokenRegistry, *, may_pull: str = "") -> str:
    """Add an account that may write to ``HOST/NAME``, and return that name."""
    name = f"team-{uuid4().hex[:8]}"
    grants = {f"{name}/*": _BOTH} | ({f"{may_pull}/*": _PULL} if may_pull else {})
    registry.tokens.accounts["writer"] = Account("writer", "writes", grants)
    return f"{registry.distribution.host}/{name}"


def containers_file() -> Path:
    """Return where podman, buildah and skopeo log in."""
    path = Path(os.environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    path.parent.mkdir(exist_ok=True)
    return path


def log_in(**users: str) -> None:
    """Log users in, ``HOST/NAME`` to user name, as the containers tools do."""
    passwords = {"reader": "reads", "writer": "writes"}
    entries = {
        place: {"username": user, "password": passwords[user]} for place, user in users.items()
    }
    containers_file().write_text(json.dumps({"auths": entries}))


def merge(base: str, team: str) -> MergeResult:
    return oci_merge.merge(
        f"{team}/img:1.0", template=f"{base}/img-ARCHVARIANT:1.0", platforms=THREE_PLATFORMS
    )


def test_an_identity_token_gets_one_token_for_the_run(
    token_registry: TokenRegistry, home: Path
) -> None:
    registry, tokens = token_registry.distribution, token_registry.tokens
    team = push_team(registry, auth=_SEEDER)
    tokens.requests.clear()
    entry = {"auth": "Y2k6", "identitytoken": tokens.refresh_token("ci")}
    (home / ".docker").mkdir()
    config = home / ".docker" / "config.json"
    config.write_text(json.dumps({"auths": {registry.host: entry}}))

    assert merge(team, team).tags[0].changed

    (request,) = tokens.requests
    assert (request.method, request.grant_type, request.account) == ("POST", "refresh_token", "ci")


def test_a_registry_token_needs_no_token_server(token_registry: TokenRegistry, home: Path) -> None:
    registry, tokens = token_registry.distribution, token_registry.tokens
    team = push_team(registry, auth=_SEEDER)
    name = team.partition("/")[2]
    scopes = [f"repository:{name}/img-{suffix}:pull" for suffix in ("amd64", "arm64", "armv7")]
    token = tokens.issue(
        [f"repository:{name}/img:pull,push", *scopes], account=tokens.accounts["ci"]
    )
    tokens.requests.clear()
    (home / ".docker").mkdir()
    config = home / ".docker" / "config.json"
    config.write_text(json.dumps({"auths": {registry.host: {"registrytoken": token}}}))

    assert merge(team, team).tags[0].changed

    assert tokens.requests == []


def test_sources_are_read_as_their_user_and_mounted_as_the_targets(
    token_registry: TokenRegistry, base: str
) -> None:
    registry, tokens = token_registry.distribution, token_registry.tokens
    team = add_writer(token_registry, may_pull=base.partition("/")[2])
    log_in(**{base: "reader", team: "writer"})

    with registry.watch() as records:
        assert merge(base, team).tags[0].changed

    mounts = [record for record in records if "mount=" in record.query and record.status != 401]
    assert mounts
    assert {record.status for record in mounts} == {201}
    assert sorted(str(request.account) for request in tokens.requests) == ["reader", "writer"]


def test_a_target_whose_user_may_not_read_the_sources_stays_as_it_is(
    token_registry: TokenRegistry, base: str
) -> None:
    team = add_writer(token_registry)
    log_in(**{base: "reader", team: "writer"})

    with pytest.raises(MountRefusedError, match=r"does not allow writer \(from the containers"):
        merge(base, team)

    with seeder(token_registry.distribution, _SEEDER) as look:
        assert look.get_manifest(f"{team.partition('/')[2]}/img", "1.0").status == 404


def test_what_skopeo_login_writes_is_found(
    skopeo: Path, token_registry: TokenRegistry, base: str
) -> None:
    team = add_writer(token_registry, may_pull=base.partition("/")[2])
    for place, user, password in ((base, "reader", "reads"), (team, "writer", "writes")):
        command = [str(skopeo), "login", "--tls-verify=false", "--username", user]
        command += ["--authfile", str(containers_file()), "--password-stdin", place]
        subprocess.run(command, input=password, text=True, check=True, capture_output=True)

    assert oci_merge.explain_credentials(f"{base}/img-amd64:1.0").username == "reader"
    assert merge(base, team).tags[0].changed
