"""What goes to another origin than the registry, and what comes back from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook, Settings
from fixtures.server import RunningServer, serve
from fixtures.tokens import Account
from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    DigestMismatchError,
    MountRefusedError,
    RegistryError,
    ServerError,
    TransportError,
)
from tests.edge.support import (
    CI,
    IMAGES,
    PASSWORD,
    Answers,
    asks,
    merge,
    reply,
    stocked,
    tags,
    with_tokens,
)

_CI = {"username": "ci", "password": PASSWORD}
_CONFIGS = {image.config.digest: image.config.content for image in IMAGES.values()}


@dataclass
class _Store:
    """An object store on another origin that has the configs.

    Attributes:
        status: what it answers where that is not 200.
        headers: headers of its answers.
        seen: the headers of the requests that came.
        methods: their methods.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        every = ["GET", "HEAD", "POST", "PUT", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=every)])

    async def _answer(self, request: Request) -> Response:
        self.seen.append(dict(request.headers))
        self.methods.append(request.method)
        content = _CONFIGS.get(request.url.path.rpartition("/")[2], b"")
        return Response(content if self.status == 200 else b"{}", self.status, self.headers)


class _Redirects(Hook):
    """Redirects requests for configs to the store, and sets a cookie with every answer."""

    def __init__(self, store: str) -> None:
        self._store = store

    async def after(self, request: Request, response: Response) -> Response:
        digest = request.url.path.rpartition("/")[2]
        if request.method == "GET" and digest in _CONFIGS and response.status_code == 200:
            location = f"{self._store}/bucket/{digest}?X-Amz-Signature=s1gned"
            response = Response(status_code=307, headers={"location": location})
        response.headers["set-cookie"] = "session=c00kie; Path=/"
        return response


@contextmanager
def _with_store(store: _Store, settings: Settings) -> Iterator[tuple[EmbeddedRegistry, str]]:
    registry = stocked(settings)
    with serve(store.app()) as elsewhere, serve(registry.app) as server:
        registry.hooks.append(_Redirects(elsewhere.url))
        yield registry, server.host


@pytest.mark.parametrize("auth", [BasicAuth([CI]), with_tokens()], ids=["basic", "bearer"])
def test_a_redirected_config_is_fetched_without_authorization_and_cookie(auth: BasicAuth) -> None:
    store = _Store(headers={"set-cookie": "theirs=1"})
    with _with_store(store, Settings(auth=auth)) as (registry, host):
        result = merge(host, **_CI)
    assert tags(registry) == {"latest": result.digest}
    assert len(store.seen) == len(IMAGES)
    for headers in store.seen:
        assert not {"authorization", "cookie", "proxy-authorization"} & headers.keys()
    assert not [seen for seen in registry.requests if "cookie" in seen.headers]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_at_another_origin_is_no_challenge_of_the_registry(status: int) -> None:
    tokens = with_tokens()
    store = _Store(status, {"www-authenticate": 'Basic realm="give me the password"'})
    with (
        _with_store(store, Settings(auth=tokens)) as (registry, host),
        pytest.raises(
            RegistryError, match=f"redirected to 127.0.0.1:.* answered {status}"
        ) as caught,
    ):
        merge(host, **_CI)
    assert not isinstance(caught.value, AuthenticationError | AccessDeniedError)
    assert caught.value.hint
    assert "s1gned" not in f"{caught.value} {caught.value.url}"
    assert not [headers for headers in store.seen if "authorization" in headers]
    assert len(tokens.requests) == 1
    assert tags(registry) == {}


def test_a_store_that_fails_is_a_server_error_that_names_it() -> None:
    with (
        _with_store(_Store(503), Settings()) as (_, host),
        pytest.raises(ServerError, match=r"redirected to 127\.0\.0\.1:.* which answered 503"),
    ):
        merge(host)


def test_what_a_store_sends_is_checked_against_its_digest() -> None:
    class _Lies(_Store):
        async def _answer(self, request: Request) -> Response:
            return Response(b'{"os":"linux","architecture":"amd64"}')

    with (
        _with_store(_Lies(), Settings()) as (registry, host),
        pytest.raises(DigestMismatchError, match="the config of"),
    ):
        merge(host)
    assert tags(registry) == {}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_upload_that_a_refused_mount_opens_elsewhere_is_left_alone(scheme: str) -> None:
    store = _Store(204)
    account = Account("ci", PASSWORD, {"*": frozenset({"pull", "push", "delete"})})
    registry = stocked(Settings(auth=BasicAuth([account])))
    with serve(store.app()) as elsewhere, serve(registry.app) as server:
        location = f"{scheme}://{elsewhere.host}/uploads/1"
        registry.hooks.append(Answers(asks("POST"), reply(202, location=location)))
        with pytest.raises(MountRefusedError):
            merge(server.host, **_CI)
    assert store.seen == []


@pytest.mark.parametrize(
    "location",
    [
        "http://[bad",
        "file:///etc/passwd",
        "http:///nowhere",
        "http://user:pw@127.0.0.1:1/x",
        "//",
        "\u00fc",
        "",
        "http://127.0.0.1:99999/",
        "gopher://x",
    ],
)
def test_an_upload_without_a_usable_url_is_left_alone(location: str) -> None:
    registry = stocked()
    with serve(registry.app) as server:
        registry.hooks.append(Answers(asks("POST"), reply(202, location=location)))
        with pytest.raises(MountRefusedError):
            merge(server.host)
    assert tags(registry) == {}


@pytest.mark.parametrize(
    "location",
    ["http://[bad", "file:///etc/passwd", "https:///x", "ftp://x/y", "http://127.0.0.1:99999/"],
)
def test_a_redirect_that_leads_nowhere_is_a_transport_error(
    location: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.hooks.append(Answers(asks("GET", "/blobs/"), reply(307, location=location)))
    with pytest.raises(TransportError) as caught:
        merge(server.host)
    assert caught.value.hint
    assert tags(registry) == {}
