"""Manifests and configs: what is asked for, and what is believed of the answers."""

from __future__ import annotations

import hashlib

import httpx
import pytest
import respx

from fixtures.images import BuiltImage, build_image, build_index, digest_of
from oci_merge import (
    AccessDeniedError,
    AuthenticationError,
    DigestMismatchError,
    ManifestError,
    NotFoundError,
    OciMergeError,
    RegistryError,
    ServerError,
    UnsupportedMediaTypeError,
)
from oci_merge.model.manifest import Blob, ImageIndex, Manifest
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.manifests import ManifestClient
from tests.edge.support import AMD64, ARM64, found, opened, reference

pytestmark = pytest.mark.anyio

_TAG = "http://reg.test/v2/team/app/manifests/1.0"
_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
_OTHER = digest_of(b"something else")


async def _get(name: str = "team/app:1.0") -> Manifest:
    async with opened("reg.test", plain_http=True) as registry:
        return await ManifestClient(registry).get(reference(name))


async def _head(name: str = "team/app:1.0") -> str:
    async with opened("reg.test", plain_http=True) as registry:
        return await ManifestClient(registry).head(reference(name))


async def _config(image: BuiltImage, size: int | None = None) -> bytes:
    config = Blob(
        mediaType=image.config.media_type,
        digest=image.config.digest,
        size=image.config.size if size is None else size,
    )
    async with opened("reg.test", plain_http=True) as registry:
        blobs = BlobClient(registry, "team/app")
        return await blobs.get_config(config, what="reg.test/team/app:1.0")


def _by_digest(image: BuiltImage) -> str:
    return f"http://reg.test/v2/team/app/manifests/{image.digest}"


async def test_all_four_kinds_of_manifest_are_accepted_in_one_header(
    web: respx.MockRouter,
) -> None:
    web.get(_TAG).mock(return_value=found(AMD64))
    await _get()
    accept = web.calls.last.request.headers.get_list("accept", split_commas=True)
    assert sorted(accept) == [
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
    ]


async def test_the_exact_bytes_of_a_manifest_are_kept(web: respx.MockRouter) -> None:
    web.get(_TAG).mock(return_value=found(AMD64))
    manifest = await _get()
    assert (manifest.content, manifest.digest) == (AMD64.manifest, AMD64.digest)


async def test_a_reference_with_tag_and_digest_is_fetched_by_its_digest(
    web: respx.MockRouter,
) -> None:
    web.get(_by_digest(AMD64)).mock(return_value=found(AMD64))
    assert (await _get(f"team/app:1.0@{AMD64.digest}")).digest == AMD64.digest


async def test_a_manifest_that_is_not_what_its_digest_names_is_refused(
    web: respx.MockRouter,
) -> None:
    web.get(_by_digest(AMD64)).mock(return_value=found(ARM64))
    with pytest.raises(DigestMismatchError, match=AMD64.digest) as caught:
        await _get(f"team/app@{AMD64.digest}")
    assert ARM64.digest in str(caught.value)
    assert "reg.test/team/app" in str(caught.value)
    assert caught.value.hint


async def test_by_digest_the_registry_s_own_word_for_it_does_not_count(
    web: respx.MockRouter,
) -> None:
    lies = found(ARM64, docker_content_digest=ARM64.digest)
    web.get(_by_digest(AMD64)).mock(return_value=lies)
    with pytest.raises(DigestMismatchError):
        await _get(f"team/app@{AMD64.digest}")


async def test_a_tag_s_manifest_that_is_not_what_the_registry_calls_it_is_refused(
    web: respx.MockRouter,
) -> None:
    web.get(_TAG).mock(return_value=found(AMD64, docker_content_digest=_OTHER))
    with pytest.raises(DigestMismatchError, match=rf"reg\.test/team/app:1\.0 should be {_OTHER}"):
        await _get()


@pytest.mark.parametrize("header", ["", "md5:abc", "sha256:short", "\u00fc", "sha256:" + "Z" * 64])
async def test_a_digest_header_that_cannot_be_checked_is_passed_over(
    header: str, web: respx.MockRouter
) -> None:
    headers = [(b"content-type", AMD64.media_type.encode())]
    headers += [(b"docker-content-digest", header.encode())] if header else []
    reply = httpx.Response(200, headers=headers, content=AMD64.manifest)
    web.get(_TAG).mock(return_value=reply)
    assert (await _get()).digest == AMD64.digest


async def test_a_sha512_of_the_registry_is_checked_too(web: respx.MockRouter) -> None:
    right = "sha512:" + hashlib.sha512(AMD64.manifest).hexdigest()
    wrong = "sha512:" + "0" * 128
    replies = [found(AMD64, docker_content_digest=digest) for digest in (right, wrong)]
    web.get(_TAG).mock(side_effect=replies)
    assert (await _get()).digest == AMD64.digest
    with pytest.raises(DigestMismatchError):
        await _get()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (_SCHEMA1, b'{"schemaVersion":1}'),
        ("application/vnd.docker.distribution.manifest.v1+json; charset=utf-8", b"{}"),
        ("application/json", b'{"schemaVersion":1,"fsLayers":[]}'),
    ],
)
async def test_schema_1_is_refused_with_what_to_do(
    kind: str, content: bytes, web: respx.MockRouter
) -> None:
    reply = httpx.Response(200, headers={"content-type": kind}, content=content)
    web.get(_TAG).mock(return_value=reply)
    with pytest.raises(
        UnsupportedMediaTypeError, match=r"reg\.test/team/app:1\.0.* schema 1"
    ) as got:
        await _get()
    assert "current builder" in got.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"7",
        b"<html><body>Sign in</body></html>",
        b"\x00\xff\xfe binary",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schemaVersion":2,"config":{},"layers":[]}',
        b'{"schemaVersion":2,"config":null,"layers":null}',
        b'{"schemaVersion":2,"manifests":{}}',
        b'{"schemaVersion":2,"manifests":[7]}',
        b'{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}',
        b'{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}',
        b'{"schemaVersion":1e999}',
        b'{"schemaVersion":' + b"9" * 5000 + b"}",
    ],
)
@pytest.mark.parametrize("kind", [AMD64.media_type, "application/json", "text/html", ""])
async def test_what_is_no_manifest_is_a_manifest_error_that_names_the_image(
    content: bytes, kind: str, web: respx.MockRouter
) -> None:
    headers = {"content-type": kind} if kind else {}
    web.get(_TAG).mock(return_value=httpx.Response(200, headers=headers, content=content))
    with pytest.raises(ManifestError, match=r"reg\.test/team/app:1\.0") as caught:
        await _get()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


async def test_a_manifest_whose_content_type_contradicts_it_is_refused(
    web: respx.MockRouter,
) -> None:
    index = build_index([AMD64])
    web.get(_TAG).mock(return_value=found(index, content_type=AMD64.media_type))
    with pytest.raises(ManifestError, match="but the manifest itself says"):
        await _get()


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "APPLICATION/JSON; q=1"])
async def test_a_vague_content_type_leaves_it_to_the_manifest(
    kind: str, web: respx.MockRouter
) -> None:
    web.get(_TAG).mock(return_value=found(build_index([AMD64]), content_type=kind))
    assert isinstance((await _get()).document, ImageIndex)


async def test_control_characters_of_a_content_type_are_escaped(web: respx.MockRouter) -> None:
    kind = "application/x\x1b[31m\u202e".encode()
    reply = httpx.Response(200, headers=[(b"content-type", kind)], content=b'{"schemaVersion":2}')
    web.get(_TAG).mock(return_value=reply)
    with pytest.raises(UnsupportedMediaTypeError, match=r"\\x1b") as caught:
        await _get()
    assert str(caught.value).isprintable()


async def test_a_config_is_checked_against_its_digest(web: respx.MockRouter) -> None:
    url = f"http://reg.test/v2/team/app/blobs/{AMD64.config.digest}"
    replies = [httpx.Response(200, content=content) for content in (AMD64.config.content, b"{}")]
    web.get(url).mock(side_effect=replies)
    assert await _config(AMD64) == AMD64.config.content
    with pytest.raises(DigestMismatchError, match=r"the config of reg\.test/team/app:1\.0 should"):
        await _config(AMD64)


async def test_a_config_that_says_it_is_larger_than_4_mib_is_not_asked_for(
    web: respx.MockRouter,
) -> None:
    with pytest.raises(ManifestError, match=r"the config of reg\.test/team/app:1\.0 has 5000000"):
        await _config(AMD64, size=5_000_000)
    assert web.calls.call_count == 0


async def test_a_missing_config_names_the_image(web: respx.MockRouter) -> None:
    web.get(path__startswith="/v2/team/app/blobs/").mock(return_value=httpx.Response(404))
    with pytest.raises(NotFoundError, match=r"the config of reg\.test/team/app:1\.0 was not found"):
        await _config(AMD64)


async def test_a_head_that_says_the_digest_is_all_there_is_to_ask(web: respx.MockRouter) -> None:
    headers = {"docker-content-digest": AMD64.digest}
    web.head(_TAG).mock(return_value=httpx.Response(200, headers=headers))
    assert await _head() == AMD64.digest
    assert [call.request.method for call in web.calls] == ["HEAD"]


async def test_a_head_that_finds_nothing_is_all_there_is_to_ask(web: respx.MockRouter) -> None:
    web.head(_TAG).mock(return_value=httpx.Response(404))
    with pytest.raises(NotFoundError, match=r"reg\.test/team/app:1\.0 was not found on reg\.test"):
        await _head()
    assert [call.request.method for call in web.calls] == ["HEAD"]


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200),
        httpx.Response(200, headers={"docker-content-digest": "no digest"}),
        httpx.Response(204, headers={"docker-content-digest": AMD64.digest}),
        httpx.Response(400),
        httpx.Response(405),
        httpx.Response(501),
    ],
)
async def test_a_head_that_says_no_digest_is_repeated_as_a_get(
    reply: httpx.Response, web: respx.MockRouter
) -> None:
    web.head(_TAG).mock(return_value=reply)
    web.get(_TAG).mock(return_value=found(AMD64))
    assert await _head() == AMD64.digest


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RegistryError),
        (401, AuthenticationError),
        (403, AccessDeniedError),
        (500, ServerError),
    ],
)
async def test_a_head_that_fails_is_repeated_as_a_get_for_its_reason(
    status: int, kind: type[OciMergeError], web: respx.MockRouter
) -> None:
    document = {"errors": [{"code": "SOME", "message": "the very reason"}]}
    web.head(_TAG).mock(return_value=httpx.Response(status))
    web.get(_TAG).mock(return_value=httpx.Response(status, json=document))
    with pytest.raises(kind, match="the very reason"):
        await _head()


async def test_an_image_s_own_fields_beyond_the_spec_do_no_harm(web: respx.MockRouter) -> None:
    image = build_image()
    content = image.manifest.replace(b'"schemaVersion"', b'"x-more": [1, {}], "schemaVersion"')
    reply = httpx.Response(200, headers={"content-type": image.media_type}, content=content)
    web.get(_TAG).mock(return_value=reply)
    assert (await _get()).content == content
