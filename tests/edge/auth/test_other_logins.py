"""What a denial says about logins: those that there are, and challenges that nobody can answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.server import RunningServer
from fixtures.tokens import Account
from oci_merge import AccessDeniedError, AuthenticationError, MountRefusedError, parse_spec
from oci_merge.errors import RegistryError
from oci_merge.registry.manifests import ManifestClient
from tests.edge.fake import FakeNetwork
from tests.edge.support import (
    CI,
    IMAGES,
    PASSWORD,
    Answers,
    asks,
    challenged,
    merge,
    paths,
    reference,
    reply,
    sources,
    tags,
    target,
    with_tokens,
)

_PULL = frozenset({"pull"})
_READER = Account("reader", PASSWORD, {"*": _PULL})


def _auths(**users: str) -> str:
    """Return a config with a user for each registry, all with the right password."""
    return json.dumps(
        {"auths": {host: {"username": user, "password": PASSWORD} for host, user in users.items()}}
    )


def _docker_config(home: Path, content: str) -> str:
    path = home / ".docker" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return f"the docker config {path}"


@pytest.mark.parametrize("auth", ["tokens", "passwords"])
def test_a_read_only_docker_auth_config_beside_a_jobs_own_login_is_said_to_come_first(
    auth: str,
    server: RunningServer,
    registry: EmbeddedRegistry,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts = [_READER, CI]
    registry.settings.auth = (
        with_tokens(accounts=accounts) if auth == "tokens" else BasicAuth(accounts)
    )
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", _auths(**{server.host: "reader"}))
    config = _docker_config(home, _auths(**{server.host: "ci"}))
    with pytest.raises(MountRefusedError, match="reader") as caught:
        merge(server.host)
    assert caught.value.hint == (
        f"{config} has ci for {server.host}, but DOCKER_AUTH_CONFIG comes first: "
        "unset it, or name the file to use by --docker-cfg"
    )
    result = merge(server.host, docker_config=home / ".docker")
    assert tags(registry) == {"latest": result.digest}


def test_a_wrong_password_names_the_other_entry_and_sends_it_to_nobody(
    server: RunningServer, registry: EmbeddedRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.settings.auth = BasicAuth([CI])
    monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", "wrong")
    config = _docker_config(home, _auths(**{server.host: "ci"}))
    with pytest.raises(AuthenticationError, match="refused ci") as caught:
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")
    assert caught.value.hint == (
        f"{config} has ci for {server.host}, but OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD come "
        "first: unset them"
    )
    assert PASSWORD not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("auth", ["tokens", "passwords"])
def test_an_anonymous_user_is_told_to_log_in_with_the_near_miss(
    auth: str, server: RunningServer, registry: EmbeddedRegistry, home: Path
) -> None:
    registry.settings.auth = with_tokens() if auth == "tokens" else BasicAuth([CI])
    image = f"{server.host}/team/app-amd64:1.0"
    with pytest.raises(RegistryError) as caught:
        oci_merge.inspect(image)
    assert caught.value.hint.startswith(f"log in with docker login {server.host}, or set OCI_")
    for content, words in (
        (_auths(**{"127.0.0.1": "ci"}), f"has an entry for 127.0.0.1, none for {server.host}"),
        (
            json.dumps({"auths": {server.host: {}}}),
            f"has an entry for {server.host} without a secret",
        ),
    ):
        config = _docker_config(home, content)
        with pytest.raises(RegistryError) as caught:
            oci_merge.inspect(image)
        assert caught.value.hint == (
            f"log in with docker login {server.host}, or set OCI_MERGE_USERNAME and "
            f"OCI_MERGE_PASSWORD; {config} {words}"
        )


def test_no_other_source_is_read_by_a_run_that_succeeds(
    server: RunningServer, registry: EmbeddedRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.settings.auth = with_tokens()
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", _auths(**{server.host: "ci"}))
    _docker_config(home, "{}")
    opened: list[Path] = []
    opens = Path.open

    def noted(path: Path, *arguments: Any, **keywords: Any) -> Any:
        opened.append(path)
        return opens(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", noted)
    merge(server.host)
    assert not [path for path in opened if path.is_relative_to(home)]


def test_push_reads_dockers_own_file_before_podmans_and_merge_after_it(
    server: RunningServer, registry: EmbeddedRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = with_tokens(accounts=[CI, Account("pod", PASSWORD, CI.grants)])
    registry.settings.auth = tokens
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    (home / "containers").mkdir()
    (home / "containers" / "auth.json").write_text(_auths(**{server.host: "pod"}))
    _docker_config(home, _auths(**{server.host: "ci"}))
    listed = "".join(f"- image: {source}\n" for source in sources(server.host, IMAGES))
    spec = parse_spec(f"image: {target(server.host)}\nmanifests:\n{listed}", name="spec")
    with oci_merge.Client() as client:
        for do, user in (
            (lambda: client.push(spec), "ci"),
            (lambda: client.merge(target(server.host), sources=sources(server.host)), "pod"),
            (lambda: client.push(spec), "ci"),
            (lambda: client.inspect(sources(server.host)[0]), "pod"),
        ):
            tokens.requests.clear()
            do()
            assert {request.account for request in tokens.requests} == {user}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("challenges", "named"),
    [
        (["Negotiate"], "Negotiate"),
        (["Negotiate oRQwEqADCgEB"], "Negotiate"),
        (["NTLM", "Negotiate"], "NTLM and Negotiate"),
        (['Digest realm="x", nonce="y"'], "Digest"),
        (['Bearer realm=""'], r"Bearer without a token server \(realm\)"),
        (['Bearer service="x"'], r"Bearer without a token server \(realm\)"),
    ],
)
async def test_a_challenge_that_nobody_can_answer_is_named_and_no_user_is_said_to_be_refused(
    challenges: list[str], named: str
) -> None:
    network = FakeNetwork()
    network.add("https://reg.test/v2/", challenged(*challenges))
    async with network.opened(username="ci", password=PASSWORD) as registry:
        with pytest.raises(
            AuthenticationError, match=rf"wants a login to read \S+ by {named}, which"
        ) as caught:
            await ManifestClient(registry).get(reference())
    assert "refused" not in caught.value.message
    assert "docker login" not in caught.value.hint
    assert len(network.requests()) == 1


def test_a_403_of_a_registry_that_asks_for_no_login_says_that_none_was_sent(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("GET", "/manifests/"), reply(403, "")))
    with pytest.raises(AccessDeniedError, match="does not allow an anonymous user") as caught:
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0", username="ci", password=PASSWORD)
    assert caught.value.hint == (
        f"{server.host} asked for no login, so none was sent; a proxy or a firewall before it may "
        "have refused this"
    )


def test_a_denial_of_a_known_user_without_other_logins_keeps_its_hint(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.settings.auth = with_tokens(accounts=[Account("ci", PASSWORD, {})])
    with pytest.raises(AccessDeniedError) as caught:
        oci_merge.inspect(f"{server.host}/team/app-amd64:1.0", username="ci", password=PASSWORD)
    assert caught.value.hint.startswith("use credentials that may pull there")
    assert not paths(registry.requests, "GET", "/v2/x")
