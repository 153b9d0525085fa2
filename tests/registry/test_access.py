"""Who may do what, on real distributions: passwords, tokens, read-only accounts, TLS."""

from __future__ import annotations

import pytest

import oci_merge
from fixtures.distribution import Distribution, TokenRegistry
from fixtures.network.delay_proxy import DelayProxy
from fixtures.tokens import Account
from tests.registry.team import THREE_PLATFORMS, push_team, seeder


@pytest.fixture(params=["http2", "http1"])
def any_tls_registry(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Distribution:
    """A TLS registry that speaks HTTP/2, and one that speaks HTTP/1.1 alone."""
    name = "tls_registry" if request.param == "http2" else "tls_http1_registry"
    registry: Distribution = request.getfixturevalue(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(registry.ca_pem))
    return registry


def merge_team(
    team: str, auth: tuple[str, str] | None, *, insecure: bool = False
) -> oci_merge.MergeResult:
    username, password = auth or (None, None)
    return oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        tags=["latest"],
        username=username,
        password=password,
        insecure=insecure,
    )


def test_a_tls_registry_is_spoken_to_in_the_protocol_that_it_chooses(
    any_tls_registry: Distribution,
) -> None:
    team = push_team(any_tls_registry)

    with any_tls_registry.watch() as records:
        merge_team(team, any_tls_registry.credentials)

    protocols = {record.protocol for record in records}
    assert protocols == {"HTTP/2.0" if any_tls_registry.http2 else "HTTP/1.1"}


def test_an_unknown_authority_is_refused_and_insecure_accepts_it(
    tls_registry: Distribution,
) -> None:
    team = push_team(tls_registry)

    with pytest.raises(oci_merge.TransportError, match=r"certificate of .* is not trusted"):
        merge_team(team, tls_registry.credentials)

    assert merge_team(team, tls_registry.credentials, insecure=True).tags[0].changed


def test_a_wrong_password_is_refused_and_does_not_appear(
    tls_registry: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca_pem))
    team = push_team(tls_registry)

    with pytest.raises(oci_merge.AuthenticationError, match=r"refused ci") as caught:
        merge_team(team, ("ci", "not-the-secret"))

    assert "docker login" in caught.value.hint
    assert "not-the-secret" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


def test_one_token_covers_the_run(token_registry: TokenRegistry) -> None:
    auth = ("ci", "registry-password")
    registry = token_registry.distribution
    team = push_team(registry, auth=auth)
    name = team.partition("/")[2]
    token_registry.tokens.requests.clear()

    merge_team(team, auth)

    (request,) = token_registry.tokens.requests
    assert request.scopes == (
        f"repository:{name}/img:pull,push",
        f"repository:{name}/img-amd64:pull",
        f"repository:{name}/img-arm64:pull",
        f"repository:{name}/img-armv7:pull",
    )


def test_a_wrong_password_at_the_token_server_is_tried_twice_at_most(
    token_registry: TokenRegistry,
) -> None:
    registry = token_registry.distribution
    team = push_team(registry, auth=("ci", "registry-password"))
    token_registry.tokens.requests.clear()

    with pytest.raises(oci_merge.AuthenticationError):
        merge_team(team, ("ci", "not-the-secret"))

    assert len(token_registry.tokens.requests) <= 2


def test_a_token_server_that_refuses_many_scopes_is_asked_for_fewer(
    token_registry: TokenRegistry,
) -> None:
    auth = ("ci", "registry-password")
    team = push_team(token_registry.distribution, auth=auth)
    token_registry.tokens.max_scopes = 2

    assert merge_team(team, auth).tags[0].changed


def test_a_run_goes_on_when_its_token_ends(token_registry: TokenRegistry) -> None:
    auth = ("ci", "registry-password")
    registry = token_registry.distribution
    name = push_team(registry, auth=auth).partition("/")[2]
    token_registry.tokens.requests.clear()
    token_registry.tokens.life = 1

    with DelayProxy("127.0.0.1", registry.port, rtt=0.8) as slow:
        result = merge_team(f"127.0.0.1:{slow.port}/{name}", auth)

    assert [tag.changed for tag in result.tags] == [True, True]
    assert len(token_registry.tokens.requests) > 1, "no token had to be renewed"
    with seeder(registry, auth) as reader:
        assert reader.get_manifest(f"{name}/img", "latest").digest == result.digest


def test_a_read_only_account_moves_no_tag(token_registry: TokenRegistry) -> None:
    writer = ("ci", "registry-password")
    registry, tokens = token_registry.distribution, token_registry.tokens
    team = push_team(registry, auth=writer)
    name = team.partition("/")[2]
    before = oci_merge.merge(
        f"{team}/img:1.0",
        sources=[f"{team}/img-amd64:1.0"],
        username=writer[0],
        password=writer[1],
    )
    tokens.accounts["reader"] = Account("reader", "reads", {"*": frozenset({"pull"})})

    with pytest.raises(oci_merge.OciMergeError) as caught:
        merge_team(team, ("reader", "reads"))

    assert "reader" in str(caught.value)
    with seeder(registry, writer) as look:
        assert look.get_manifest(f"{name}/img", "1.0").digest == before.digest
        assert look.get_manifest(f"{name}/img", "latest").status == 404


def test_public_images_need_no_credentials(token_registry: TokenRegistry) -> None:
    registry, tokens = token_registry.distribution, token_registry.tokens
    team = push_team(registry, auth=("ci", "registry-password"), name="public/sample")
    tokens.anonymous = {"public/*": frozenset({"pull", "push"})}

    assert merge_team(team, None).tags[0].changed
