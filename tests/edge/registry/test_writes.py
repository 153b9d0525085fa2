"""Mounts, cancelled uploads and pushed manifests, one request at a time."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import respx

from fixtures.images import digest_of
from oci_merge import (
    AccessDeniedError,
    DigestMismatchError,
    NotFoundError,
    RateLimitedError,
    RegistryError,
    ServerError,
    TransportError,
)
from oci_merge.http.retry import PASSING_STATUSES
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.types import RefusedMount, Upload
from tests.edge.support import AMD64, PASSWORD, opened, reference

pytestmark = pytest.mark.anyio

_BLOB = AMD64.config.digest
_UPLOADS = "http://reg.test/v2/team/app/blobs/uploads/"
_UPLOAD = f"{_UPLOADS}1234?_state=a%2Bb%3D"


async def _mount(web: respx.MockRouter, reply: httpx.Response) -> RefusedMount | None:
    web.post(url__startswith=_UPLOADS).mock(return_value=reply)
    async with opened("reg.test", plain_http=True) as registry:
        return await BlobClient(registry, "team/app").mount(_BLOB, "team/app-amd64")


async def _put(reply: httpx.Response, web: respx.MockRouter, identifier: str = "latest") -> None:
    at = reference(f"team/app{'@' if ':' in identifier else ':'}{identifier}")
    web.put(f"http://reg.test/v2/team/app/manifests/{identifier}").mock(return_value=reply)
    async with opened("reg.test", plain_http=True) as registry:
        await ManifestClient(registry).put(at, AMD64.media_type, AMD64.manifest)


async def test_a_mount_names_blob_and_source_and_has_no_body(web: respx.MockRouter) -> None:
    assert await _mount(web, httpx.Response(201)) is None
    request = web.calls.last.request
    asked = urlsplit(str(request.url))
    assert asked.path == "/v2/team/app/blobs/uploads/"
    assert parse_qsl(asked.query) == [("mount", _BLOB), ("from", "team/app-amd64")]
    assert (request.headers["content-length"], request.content) == ("0", b"")


async def test_a_mount_that_opens_an_upload_is_refused_and_says_where_it_is(
    web: respx.MockRouter,
) -> None:
    refused = await _mount(web, httpx.Response(202, headers={"location": _UPLOAD}))
    assert refused == RefusedMount("it offered an upload instead", _UPLOAD)


async def test_a_mount_that_opens_an_upload_nowhere_is_refused(web: respx.MockRouter) -> None:
    assert await _mount(web, httpx.Response(202)) == RefusedMount("it offered an upload instead")


@pytest.mark.parametrize("status", [200, 204, 301, 307, 400, 401, 403, 404, 405, 415])
async def test_whatever_a_registry_has_against_a_mount_is_a_refusal(
    status: int, web: respx.MockRouter
) -> None:
    document = {"errors": [{"code": "UNSUPPORTED", "message": "no mounts here"}]}
    refused = await _mount(web, httpx.Response(status, json=document))
    assert refused is not None
    assert "no mounts here" in refused.reason
    assert _BLOB in refused.reason
    assert "reg.test/team/app-amd64" in refused.reason
    assert refused.upload == ""


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitedError), (500, ServerError), (503, ServerError)]
)
async def test_a_registry_that_fails_to_mount_has_not_refused(
    status: int, kind: type[RegistryError], web: respx.MockRouter
) -> None:
    with pytest.raises(kind, match="mount"):
        await _mount(web, httpx.Response(status))


@pytest.mark.parametrize(
    "upload",
    [_UPLOAD, _UPLOAD.removeprefix("http://reg.test"), "HTTP://REG.test:80" + _UPLOAD[15:]],
)
async def test_an_upload_is_cancelled_at_its_own_url(upload: str, web: respx.MockRouter) -> None:
    web.delete(url__startswith=_UPLOADS).mock(return_value=httpx.Response(204))
    async with opened("reg.test", plain_http=True) as registry:
        await BlobClient(registry, "team/app").cancel(Upload(upload))
    assert [str(call.request.url) for call in web.calls] == [_UPLOAD]


@pytest.mark.parametrize("status", [202, 400, 401, 403, 404, 405, 429, 500])
async def test_a_registry_that_cancels_no_upload_is_not_blamed(
    status: int, web: respx.MockRouter
) -> None:
    web.delete(url__startswith=_UPLOADS).mock(return_value=httpx.Response(status))
    async with opened("reg.test", plain_http=True) as registry:
        await BlobClient(registry, "team/app").cancel(Upload(_UPLOAD))
    assert web.calls.call_count == (5 if status in PASSING_STATUSES else 1)


async def test_an_upload_that_cannot_be_cancelled_for_lack_of_an_answer_is_an_error(
    web: respx.MockRouter,
) -> None:
    web.delete(url__startswith=_UPLOADS).mock(side_effect=httpx.ReadError)
    async with opened("reg.test", plain_http=True) as registry:
        with pytest.raises(TransportError):
            await BlobClient(registry, "team/app").cancel(Upload(_UPLOAD))


@pytest.mark.parametrize("upload", ["https://reg.test/x", "http://other.test/x", "http://[bad"])
async def test_no_other_origin_is_asked_to_cancel_an_upload(
    upload: str, web: respx.MockRouter
) -> None:
    async with opened("reg.test", plain_http=True, username="ci", password=PASSWORD) as registry:
        await BlobClient(registry, "team/app").cancel(Upload(upload))
    assert web.calls.call_count == 0


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_manifest_is_pushed_as_its_exact_bytes_and_type(
    status: int, web: respx.MockRouter
) -> None:
    await _put(httpx.Response(status, headers={"docker-content-digest": AMD64.digest}), web)
    request = web.calls.last.request
    assert request.content == AMD64.manifest
    assert request.headers["content-type"] == AMD64.media_type
    assert request.headers["content-length"] == str(AMD64.size)


async def test_a_registry_that_stores_something_else_is_found_out(web: respx.MockRouter) -> None:
    other = digest_of(b"reformatted")
    reply = httpx.Response(201, headers={"docker-content-digest": other})
    with pytest.raises(DigestMismatchError, match=rf"reg\.test/team/app:latest.* stored {other}"):
        await _put(reply, web)


@pytest.mark.parametrize("said", [AMD64.digest, "sha512:" + "0" * 128, "", "nonsense"])
async def test_a_registry_s_other_words_for_what_it_stores_are_passed_over(
    said: str, web: respx.MockRouter
) -> None:
    await _put(httpx.Response(201, headers={"docker-content-digest": said}), web)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RegistryError),
        (403, AccessDeniedError),
        (404, NotFoundError),
        (413, RegistryError),
        (429, RateLimitedError),
        (503, ServerError),
        (204, RegistryError),
        (302, RegistryError),
    ],
)
async def test_a_manifest_that_is_refused_is_an_error_that_names_the_tag(
    status: int, kind: type[RegistryError], web: respx.MockRouter
) -> None:
    with pytest.raises(RegistryError, match=r"reg\.test/team/app:latest") as caught:
        await _put(httpx.Response(status, headers={"location": "/elsewhere"}), web)
    assert type(caught.value) is kind
    assert caught.value.method == "PUT"
    assert web.calls.call_count == (5 if status in PASSING_STATUSES else 1)


async def test_a_child_that_is_refused_is_named_by_its_digest(web: respx.MockRouter) -> None:
    with pytest.raises(RegistryError, match=f"reg.test/team/app@{AMD64.digest}"):
        await _put(httpx.Response(400), web, AMD64.digest)
