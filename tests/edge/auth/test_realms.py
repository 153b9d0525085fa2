"""Where a credential may be taken to get a token, and what the token server is asked there."""

from __future__ import annotations

import base64
import contextlib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import respx

from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    ManifestError,
    OciMergeError,
    TransportError,
    parse_reference,
)
from oci_merge.http.message import Request
from oci_merge.http.retry import PASSING_STATUSES
from oci_merge.registry.manifests import ManifestClient
from tests.edge.fake import FakeNetwork
from tests.edge.support import AMD64, PASSWORD, challenged, found, opened, reference

pytestmark = pytest.mark.anyio

_CI: dict[str, Any] = {"username": "ci", "password": PASSWORD}
_BASIC = "Basic " + base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
_MANIFEST = "https://reg.test/v2/team/app/manifests/1.0"


def _bearer(realm: str) -> httpx.Response:
    return challenged(f'Bearer realm="{realm}",service="reg.test"')


def _token(**document: object) -> httpx.Response:
    return httpx.Response(200, json=document or {"token": "t0ken"})


def _network(challenge: httpx.Response, token: httpx.Response | None = None) -> FakeNetwork:
    """Return a registry that sends a challenge and then the image, and a token server."""
    network = FakeNetwork()
    network.add(_MANIFEST, challenge, found(AMD64))
    network.add("", token or _token())
    return network


async def _read(network: FakeNetwork) -> None:
    async with network.opened(**_CI) as registry:
        await ManifestClient(registry).get(reference())


async def _read_over_http() -> None:
    """Read through the real transport, whose requests ``web`` answers."""
    async with opened("reg.test", reads=["team/app"], **_CI) as registry:
        await ManifestClient(registry).get(reference())


def _asked(web: respx.MockRouter, host: str) -> list[httpx.Request]:
    return [call.request for call in web.calls if call.request.url.host == host]


def _query(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(request.url).query)


async def test_a_token_server_on_another_host_gets_the_credential_over_https() -> None:
    network = _network(_bearer("https://auth.test/token"))
    await _read(network)
    (asked,) = network.requests("https://auth.test/")
    assert (asked.method, asked.authorization) == ("GET", _BASIC)
    assert _query(asked) == [
        ("service", "reg.test"),
        ("scope", "repository:team/app:pull"),
        ("client_id", "oci-merge"),
        ("account", "ci"),
    ]
    first, second = network.requests("https://reg.test/v2/")
    assert first.authorization is None
    assert second.authorization == "Bearer t0ken"


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.test/token",
        "https://ci:secret@auth.test/token",
        "https://ci@auth.test/token",
        "https://127.0.0.1/token",
        "https://10.1.2.3/token",
        "https://192.168.0.1:8443/token",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/token",
        "https://[::1]/token",
        "https://[fe80::1]/token",
        "https://[::ffff:10.0.0.1]/token",
        "https://[fd00::1]/token",
        "https://2130706433/token",
        "ftp://auth.test/token",
        "file:///etc/passwd",
        "https://[bad/token",
    ],
)
async def test_a_credential_goes_to_no_token_server_that_others_may_listen_to_or_name(
    realm: str,
) -> None:
    network = _network(_bearer(realm))
    with pytest.raises(TransportError, match="token server"):
        await _read(network)
    (asked,) = network.requests()
    assert asked.authorization is None


@pytest.mark.parametrize("option", ["plain_http", "insecure"])
async def test_a_plain_token_server_will_do_where_the_registry_is_spoken_to_no_better(
    option: str, web: respx.MockRouter
) -> None:
    url = _MANIFEST.replace("https:", "http:") if option == "plain_http" else _MANIFEST
    web.get(url).mock(side_effect=[_bearer("http://auth.test/token"), found(AMD64)])
    web.get(url__startswith="http://auth.test/").mock(return_value=_token())
    async with opened("reg.test", reads=["team/app"], **_CI | {option: True}) as registry:
        await ManifestClient(registry).get(reference())
    assert [asked.headers["authorization"] for asked in _asked(web, "auth.test")] == [_BASIC]


async def test_a_relative_realm_is_the_registry_s_own() -> None:
    network = _network(_bearer("/service/token"))
    await _read(network)
    assert network.requests()[1].url.startswith("https://reg.test/service/token?")


async def test_a_query_in_the_realm_is_kept_as_it_is_written() -> None:
    network = _network(_bearer("https://auth.test/token?tenant=a%20b&x=%2F"))
    await _read(network)
    (asked,) = network.requests("https://auth.test/")
    assert asked.url.startswith("https://auth.test/token?tenant=a%20b&x=%2F&service=reg.test&")


async def test_a_challenge_without_a_service_leaves_it_out() -> None:
    network = _network(challenged('Bearer realm="https://auth.test/token"'))
    await _read(network)
    (asked,) = network.requests("https://auth.test/")
    assert "service" not in dict(_query(asked))


async def test_a_redirected_token_request_loses_the_credential_at_another_origin(
    web: respx.MockRouter,
) -> None:
    web.get(_MANIFEST).mock(side_effect=[_bearer("https://auth.test/token"), found(AMD64)])
    moved = httpx.Response(307, headers={"location": "https://other.test/token?x=1"})
    web.get(url__startswith="https://auth.test/").mock(return_value=moved)
    web.get(url__startswith="https://other.test/").mock(return_value=_token())
    await _read_over_http()
    (asked,) = _asked(web, "other.test")
    assert "authorization" not in asked.headers


async def test_a_redirected_token_request_keeps_the_credential_at_its_own_origin(
    web: respx.MockRouter,
) -> None:
    web.get(_MANIFEST).mock(side_effect=[_bearer("https://auth.test/token"), found(AMD64)])
    moved = httpx.Response(302, headers={"location": "/v2/token?x=1"})
    web.get(url__startswith="https://auth.test/token").mock(return_value=moved)
    web.get("https://auth.test/v2/token?x=1").mock(return_value=_token())
    await _read_over_http()
    assert [asked.headers["authorization"] for asked in _asked(web, "auth.test")] == [_BASIC] * 2


@pytest.mark.parametrize(
    "location",
    [
        "http://auth.test/token",
        "https://10.0.0.1/token",
        "https://u:p@other.test/token",
        "//127.0.0.1/token",
        "file:///etc/passwd",
    ],
)
async def test_where_a_token_request_is_redirected_to_is_checked_like_the_realm(
    location: str, web: respx.MockRouter
) -> None:
    web.get(_MANIFEST).mock(return_value=_bearer("https://auth.test/token"))
    moved = httpx.Response(302, headers={"location": location})
    web.get(url__startswith="https://auth.test/token").mock(return_value=moved)
    web.route().mock(return_value=_token())
    with pytest.raises(TransportError):
        await _read_over_http()
    assert {call.request.url.host for call in web.calls} == {"reg.test", "auth.test"}
    assert {call.request.url.scheme for call in web.calls} == {"https"}


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, content=b"<html>welcome</html>"),
        httpx.Response(200, content=b""),
        _token(expires_in=300),
        _token(token=""),
        _token(token=7),
        _token(token="two words"),
        _token(token="line\r\nX-Injected: yes"),
        _token(token="umlaut-\u00fc"),
        httpx.Response(200, content=b"[" * 60_000),
        httpx.Response(200, content=b"\xff\x00binary"),
    ],
)
async def test_an_answer_without_a_usable_token_is_an_error(reply: httpx.Response) -> None:
    with pytest.raises(TransportError, match="holds no token"):
        await _read(_network(_bearer("https://auth.test/token"), reply))


async def test_a_token_of_more_than_64_kib_is_not_read(web: respx.MockRouter) -> None:
    web.get(_MANIFEST).mock(return_value=_bearer("https://auth.test/token"))
    long = _token(token="t" * 70_000)
    web.get(url__startswith="https://auth.test/").mock(return_value=long)
    with pytest.raises(ManifestError, match="more than 65536 bytes"):
        await _read_over_http()


@pytest.mark.parametrize("field", ["token", "access_token"])
async def test_a_token_may_stand_in_either_field(field: str) -> None:
    network = _network(_bearer("https://auth.test/token"), _token(**{field: "this-one"}))
    await _read(network)
    assert network.requests("https://reg.test/v2/")[-1].authorization == "Bearer this-one"


async def test_docker_hub_is_asked_under_its_own_names(web: respx.MockRouter) -> None:
    manifest = "https://registry-1.docker.io/v2/library/alpine/manifests/3"
    web.get(manifest).mock(return_value=found(AMD64))
    web.get(host="auth.docker.io").mock(return_value=_token())
    async with opened("docker.io", reads=["library/alpine"]) as registry:
        assert (
            await ManifestClient(registry).get(parse_reference("alpine:3"))
        ).digest == AMD64.digest
    (asked,) = _asked(web, "auth.docker.io")
    assert parse_qsl(asked.url.query.decode()) == [
        ("service", "registry.docker.io"),
        ("scope", "repository:library/alpine:pull"),
        ("client_id", "oci-merge"),
    ]


@pytest.mark.parametrize(
    ("challenges", "sent"),
    [
        (['Basic realm="r"'], _BASIC),
        (['Negotiate abc=, Basic realm="r"'], _BASIC),
        (["Negotiate", 'Basic realm="r"'], _BASIC),
        (['Bearer service="no realm"', 'Basic realm="r"'], _BASIC),
        (['Basic realm="r"', 'Bearer realm="https://auth.test/token"'], "Bearer t0ken"),
        (['bearer REALM="https://auth.test/token", basic realm="r"'], "Bearer t0ken"),
    ],
)
async def test_bearer_is_answered_before_basic_and_nothing_else_is(
    challenges: list[str], sent: str
) -> None:
    network = _network(challenged(*challenges))
    await _read(network)
    assert network.requests("https://reg.test/v2/")[-1].authorization == sent


@pytest.mark.parametrize(
    "challenges", [[], ["Negotiate"], [""], ['Bearer service="x"'], ["=,\x7f"]]
)
async def test_a_401_that_cannot_be_answered_is_an_authentication_error(
    challenges: list[str],
) -> None:
    network = _network(challenged(*challenges))
    with pytest.raises(AuthenticationError, match=r"reg\.test wants a login to read reg.test/team"):
        await _read(network)
    assert len(network.requests()) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_token_server_s_refusal_names_it_and_the_registry(
    status: int, web: respx.MockRouter
) -> None:
    web.get(_MANIFEST).mock(return_value=_bearer("https://auth.test/token"))
    reply = httpx.Response(status, json={"errors": [{"code": "DENIED", "message": "no way"}]})
    web.get(url__startswith="https://auth.test/").mock(return_value=reply)
    with pytest.raises(OciMergeError, match="no way") as caught:
        await _read_over_http()
    assert "auth.test" in str(caught.value)
    assert "reg.test" in str(caught.value)
    assert len(_asked(web, "auth.test")) == (5 if status in PASSING_STATUSES else 1)


@pytest.mark.parametrize(
    "foreign",
    [
        "repository:victim/secret:pull",
        "repository:victim/app:pull,push",
        "registry:catalog:*",
        "repository:team/app:delete",
        "repository:team/app:*",
        "repository:*:*",
        "repository:team/app:pull,delete repository:victim/x:pull registry:catalog:*",
    ],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["at once", "with a token"])
async def test_no_token_is_asked_for_what_the_run_has_nothing_to_do_with(
    foreign: str, is_first: bool
) -> None:
    more = challenged(f'Bearer realm="https://auth.test/token",scope="{foreign}",error="x"')
    network = FakeNetwork()
    before = [] if is_first else [_bearer("https://auth.test/token")]
    network.add(_MANIFEST, *before, more, found(AMD64))
    network.add("", _token())
    with contextlib.suppress(AccessDeniedError):  # where a challenge gets no other answer
        await _read(network)
    asked = [dict(_query(each)) for each in network.requests("https://auth.test/")]
    assert {each["scope"] for each in asked} == {"repository:team/app:pull"}


async def test_a_registry_s_own_name_for_a_repository_is_asked_for_beside_ours() -> None:
    own = "repository(plugin):team/app:pull"
    network = _network(challenged(f'Bearer realm="https://auth.test/token",scope="{own}"'))
    await _read(network)
    (asked,) = network.requests("https://auth.test/")
    scopes = [value for name, value in _query(asked) if name == "scope"]
    assert scopes == ["repository:team/app:pull", own]


@pytest.mark.parametrize("home", ["http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]"])
@pytest.mark.parametrize("there", ["http://auth.test/token", "http://10.0.0.1/token"])
async def test_a_plain_registry_of_this_machine_sends_no_password_elsewhere_in_the_clear(
    home: str, there: str
) -> None:
    network = FakeNetwork(home)
    network.add(home, _bearer(there), found(AMD64))
    network.add("", _token())
    async with network.opened(**_CI) as registry:
        with pytest.raises(TransportError, match="does not use https"):
            await ManifestClient(registry).get(reference(host=home.removeprefix("http://")))
    assert [asked.authorization for asked in network.requests()] == [None]
