"""Registries that redirect what is written: where it may go, and whose word counts then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import respx

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import digest_of
from fixtures.server import RunningServer, serve
from oci_merge import NotFoundError, PublishError, TransportError
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.types import RefusedMount, Upload
from oci_merge.registry.verified_put import put_manifest
from tests.edge.support import (
    AMD64,
    PASSWORD,
    REPOSITORY,
    Answers,
    asks,
    merge,
    opened,
    reference,
    reply,
    tags,
)

_BLOB = AMD64.config.digest
_CONTENT = AMD64.config.content
_UPLOAD = Upload("https://reg.test/v2/team/app/blobs/uploads/1?_state=x")
_THERE = "https://other.test/there"
_CI: dict[str, Any] = {"username": "ci", "password": PASSWORD}

_Write = Callable[[BlobClient], Awaitable[object]]


async def _pieces() -> AsyncIterator[bytes]:
    yield _CONTENT


def _to(location: str = _THERE) -> httpx.Response:
    return httpx.Response(307, headers={"location": location})


def _other(web: respx.MockRouter, status: int = 201, **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    web.route(host="other.test").mock(return_value=httpx.Response(status, headers=named))


def _asked(web: respx.MockRouter, host: str, method: str = "") -> list[httpx.Request]:
    requests = [call.request for call in web.calls]
    return [each for each in requests if each.url.host == host and method in ("", each.method)]


async def _put(registry: RegistryClient) -> bool:
    at = reference("team/app:latest")
    return await put_manifest(registry, at, AMD64.media_type, AMD64.manifest)


@pytest.mark.parametrize(
    "location",
    [
        "https://[::1]@]/",
        "https://[::1",
        "https://]/",
        "https://a:99999/",
        "https://a:x/",
        "https://b\u00fccher.example/",
        "https://a.example\\@b.example/",
        "https://a\t.example/",
        "https://xn--a/",
        "https://-/",
        "http://[fe80::1%25lo]/",
        "https://" + "a" * 300 + ".test/",
        "https://a..test/",
    ],
)
def test_a_tag_redirected_to_no_url_fails_alone_and_the_others_are_said_to_have_moved(
    location: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    there = location.encode("utf-8").decode("latin-1")
    registry.hooks.append(Answers(asks("PUT", "/manifests/2.0"), reply(307, location=there)))
    with pytest.raises(PublishError) as caught:
        merge(server.host, tags=["2.0"], retries=0)
    assert (caught.value.moved, caught.value.failed) == (("latest",), ("2.0",))
    assert caught.value.message.isprintable()
    assert list(tags(registry)) == ["latest"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.1/x",
        "https://127.0.0.1:5000/x",
        "https://169.254.169.254/latest/api/token",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "http://other.test/x",
        "https://localhost/x",
    ],
)
@pytest.mark.parametrize("status", [307, 308])
async def test_no_manifest_goes_where_no_upload_may_go(
    location: str, status: int, web: respx.MockRouter
) -> None:
    moved = httpx.Response(status, headers={"location": location})
    web.put(host="reg.test").mock(return_value=moved)
    web.head(host="reg.test").mock(return_value=httpx.Response(404))
    web.get(host="reg.test").mock(return_value=httpx.Response(404))
    web.route().mock(return_value=httpx.Response(201))
    async with opened("reg.test", **_CI) as registry:
        with pytest.raises(TransportError, match=r"reg\.test redirects /v2/team/app/manifests/"):
            await _put(registry)
    assert {call.request.url.host for call in web.calls} == {"reg.test"}


_WRITES: list[_Write] = [
    lambda blobs: blobs.start(_BLOB),
    lambda blobs: blobs.append(_UPLOAD, _BLOB, 0, _CONTENT),
    lambda blobs: blobs.finish(_UPLOAD, _BLOB),
]


@pytest.mark.anyio
@pytest.mark.parametrize("write", _WRITES, ids=["start", "append", "finish"])
@pytest.mark.parametrize("status", [307, 308])
async def test_an_upload_is_redirected_to_another_host_only_if_blobs_may_leave(
    write: _Write, status: int, web: respx.MockRouter
) -> None:
    web.route(host="reg.test").mock(
        return_value=httpx.Response(status, headers={"location": _THERE})
    )
    _other(web, 202, location="/next")
    async with opened("reg.test", **_CI) as registry:
        with pytest.raises(TransportError, match="wants the upload to go to another host"):
            await write(BlobClient(registry, "team/app"))
        assert not _asked(web, "other.test")
        await write(BlobClient(registry, "team/app", may_leave=True))
    (there,) = _asked(web, "other.test")
    assert "authorization" not in there.headers


@pytest.mark.anyio
@pytest.mark.parametrize("write", _WRITES, ids=["start", "append", "finish"])
async def test_an_upload_is_redirected_to_no_private_address_though_blobs_may_leave(
    write: _Write, web: respx.MockRouter
) -> None:
    web.route(host="reg.test").mock(return_value=_to("https://10.0.0.1/x"))
    web.route().mock(return_value=httpx.Response(202))
    async with opened("reg.test", **_CI) as registry:
        with pytest.raises(TransportError, match="is a private address"):
            await write(BlobClient(registry, "team/app", may_leave=True))
    assert len(web.calls) == 1


@pytest.mark.anyio
async def test_a_blob_that_is_streamed_is_redirected_nowhere(web: respx.MockRouter) -> None:
    web.put(host="reg.test").mock(return_value=_to())
    _other(web)
    async with opened("reg.test") as registry:
        blobs = BlobClient(registry, "team/app", may_leave=True)
        with pytest.raises(Exception, match="307"):
            await blobs.put(_UPLOAD, _BLOB, len(_CONTENT), _pieces)
    assert not _asked(web, "other.test")


@pytest.mark.anyio
@pytest.mark.parametrize("said", [AMD64.digest, digest_of(b"another"), ""])
async def test_a_push_that_another_host_answers_is_done_if_the_registry_has_it(
    said: str, web: respx.MockRouter
) -> None:
    web.put(host="reg.test").mock(return_value=_to())
    _other(web, 201, docker_content_digest=said)
    stands = httpx.Response(200, headers={"docker-content-digest": AMD64.digest})
    web.head(host="reg.test").mock(return_value=stands)
    async with opened("reg.test") as registry:
        assert await _put(registry)
    assert len(_asked(web, "reg.test", "HEAD")) == 1


@pytest.mark.anyio
async def test_a_push_that_another_host_answers_is_not_done_if_the_registry_has_it_not(
    web: respx.MockRouter,
) -> None:
    web.put(host="reg.test").mock(return_value=_to())
    _other(web, 201, docker_content_digest=AMD64.digest)
    web.head(host="reg.test").mock(return_value=httpx.Response(404))
    async with opened("reg.test") as registry:
        with pytest.raises(NotFoundError):
            await _put(registry)


@pytest.mark.anyio
async def test_a_registry_that_redirects_everything_has_stored_nothing(
    web: respx.MockRouter,
) -> None:
    web.route(host="reg.test").mock(return_value=_to())
    _other(web, 201, docker_content_digest=AMD64.digest)
    async with opened("reg.test") as registry:
        with pytest.raises(TransportError, match="redirects what is pushed to") as caught:
            await _put(registry)
    assert caught.value.hint


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("registry_says", "is_mounted"), [(200, True), (404, False), (307, False), (403, False)]
)
async def test_a_mount_that_another_host_answers_is_made_if_the_registry_has_the_blob(
    registry_says: int, is_mounted: bool, web: respx.MockRouter
) -> None:
    web.post(host="reg.test").mock(return_value=_to())
    _other(web, 201)
    there = httpx.Response(registry_says, headers={"location": _THERE})
    web.head(host="reg.test").mock(return_value=there)
    async with opened("reg.test") as registry:
        refused = await BlobClient(registry, "team/app").mount(_BLOB, "team/app-amd64")
    expected = None if is_mounted else RefusedMount("another host answered in the registry's place")
    assert refused == expected
    assert not _asked(web, "other.test", "HEAD")


@pytest.mark.anyio
async def test_an_upload_that_another_host_opens_for_a_mount_is_not_the_registry_s(
    web: respx.MockRouter,
) -> None:
    web.post(host="reg.test").mock(return_value=_to())
    _other(web, 202, location="/uploads/1")
    async with opened("reg.test") as registry:
        refused = await BlobClient(registry, "team/app").mount(_BLOB, "team/app-amd64")
    assert refused is not None
    assert refused.upload == ""


@pytest.mark.anyio
async def test_tags_that_another_host_says_it_has_set_are_not_set(web: respx.MockRouter) -> None:
    web.put(host="reg.test").mock(return_value=_to())
    _other(web, 201, oci_tag="a, b")
    async with opened("reg.test") as registry:
        registry.host.has_put_tags = True
        asked = await ManifestClient(registry).put_tags(
            "team/app", ["a", "b"], AMD64.media_type, AMD64.manifest
        )
    assert asked == frozenset()


def test_a_run_at_a_registry_that_redirects_its_pushes_publishes_nothing(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    other = EmbeddedRegistry()
    other.hooks.append(
        Answers(asks("PUT"), reply(201, docker_content_digest=digest_of(b"whatever")))
    )
    with serve(other.app) as elsewhere:
        moved = reply(307, location=f"{elsewhere.url}/v2/{REPOSITORY}/manifests/latest")
        registry.hooks.append(Answers(asks("PUT", "/manifests/latest"), moved))
        with pytest.raises(NotFoundError):
            merge(server.host)
    assert tags(registry) == {}
