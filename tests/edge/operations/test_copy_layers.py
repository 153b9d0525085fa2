"""Blobs that cannot be mounted are copied: documents always, layers with `copy_layers`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.embedded.calls import Call, Endpoint
from fixtures.embedded.faults import BreakOff, On, OtherBytes, Redirect, Refuse
from fixtures.embedded.quirks.answers import PatchCreates
from fixtures.embedded.quirks.mounts import RefuseMounts
from fixtures.embedded.settings import BasicAuth, Settings
from fixtures.images import BuiltImage, build_attestation, build_image, build_index
from fixtures.server import ServerTLS, serve
from fixtures.tokens import Account
from oci_merge.http.timings import Timings
from oci_merge.operations.copy_blob import Copier
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.types import Upload

AMD64, ARM64 = build_image("linux", "amd64"), build_image("linux", "arm64")
EVERYTHING = {"*": frozenset({"pull", "push"})}
UPLOADS = "*/team/app/blobs/uploads/*"


class ChunkLength(Hook):
    """Asks for chunks of some length at least."""

    def __init__(self, length: int) -> None:
        self._length = length

    async def after(self, request: Request, response: Response) -> Response:
        if response.status_code == 202:
            response.headers["OCI-Chunk-Min-Length"] = str(self._length)
        return response


class Elsewhere(Hook):
    """Sends uploads to this server's other name, and notes who came there with a password."""

    def __init__(self) -> None:
        self.authorized: list[bool] = []

    async def before(self, request: Request) -> Response | None:
        if request.headers["host"].startswith("localhost"):
            self.authorized.append("authorization" in request.headers)
        return None

    async def after(self, request: Request, response: Response) -> Response:
        if response.status_code == 202 and "location" in response.headers:
            host = f"http://localhost:{request.url.port}"
            path = response.headers["location"].partition("/v2/")[2]
            response.headers["location"] = f"{host}/v2/{path}"
        return response


class HalfChunk(Hook):
    """Keeps half of a chunk and then fails, as a proxy that breaks off does."""

    def __init__(self) -> None:
        self.struck = False

    async def around(self, call: Call, endpoint: Endpoint) -> Response:
        if call.request.method != "PATCH" or self.struck:
            return await endpoint(call)
        self.struck = True
        body = await call.request.body()
        half = len(body) // 2
        scope = dict(call.request.scope)
        scope["headers"] = [
            (name, value) for name, value in scope["headers"] if name != b"content-range"
        ]
        shortened = Request(scope)
        shortened._body = body[:half]
        await endpoint(replace(call, request=shortened))
        return Response(status_code=502)


def registry_with(*hooks: Hook, settings: Settings | None = None) -> EmbeddedRegistry:
    registry = EmbeddedRegistry(settings, hooks=hooks)
    registry.add_image("team/app-amd64", "1.0", AMD64)
    registry.add_image("team/app-arm64", "1.0", ARM64)
    return registry


def merge(host: str, *, at: str = "", **options: Any) -> oci_merge.MergeResult:
    return oci_merge.merge(
        f"{host}/team/app:1.0",
        sources=[f"{at or host}/team/app-amd64:1.0", f"{at or host}/team/app-arm64:1.0"],
        **options,
    )


def server_tls(authority: trustme.CA) -> ServerTLS:
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    return ServerTLS(chain, leaf.private_key_pem.bytes())


def layers(*images: BuiltImage) -> set[str]:
    return {layer.digest for image in images for layer in image.layers}


def blob_reads(registry: EmbeddedRegistry) -> set[str]:
    return {
        request.path.rpartition("/")[2]
        for request in registry.requests
        if request.method == "GET" and "/blobs/sha256:" in request.path
    }


def assert_published(registry: EmbeddedRegistry, result: oci_merge.MergeResult) -> None:
    held = registry.storage.manifest("team/app", "1.0")
    assert held is not None
    assert held.digest == result.digest
    blobs = registry.storage.repositories["team/app"].blobs
    for image in (AMD64, ARM64):
        assert registry.storage.manifest("team/app", image.digest) is not None
        assert {blob.digest for blob in image.blobs} <= set(blobs)
    assert registry.open_uploads == []


def test_without_the_flag_refused_layers_are_an_error_that_names_it_and_none_is_read() -> None:
    registry = registry_with(settings=Settings(refuse_mounts=True))
    with serve(registry.app) as server, pytest.raises(oci_merge.MountRefusedError) as caught:
        merge(server.host)
    assert set(caught.value.digests) == layers(AMD64, ARM64)
    assert "--copy-layers" in caught.value.hint
    assert "copy_layers=True" in caught.value.hint
    assert not blob_reads(registry) & layers(AMD64, ARM64)
    assert registry.open_uploads == []
    assert registry.storage.manifest("team/app", "1.0") is None


def test_without_the_flag_a_refused_config_is_copied() -> None:
    image = build_image("linux", "amd64", layers=1)  # whose layer stands in the target already
    registry = EmbeddedRegistry(Settings(refuse_mounts=True))
    registry.add_image("team/app-amd64", "1.0", image)
    for layer in image.layers:
        registry.storage.put_blob("team/app", layer.digest, layer.content)
    with serve(registry.app) as server:
        result = oci_merge.merge(
            f"{server.host}/team/app:1.0", sources=[f"{server.host}/team/app-amd64:1.0"]
        )
    held = registry.storage.manifest("team/app", "1.0")
    assert held is not None
    assert held.digest == result.digest
    assert blob_reads(registry) == {image.config.digest}
    assert registry.open_uploads == []


def test_without_the_flag_statements_of_attestations_are_copied() -> None:
    attestation = build_attestation(AMD64)
    registry = EmbeddedRegistry(Settings(refuse_mounts=True))
    registry.add_image("team/app-amd64", "1.0", build_index([AMD64, attestation]))
    for layer in AMD64.layers:
        registry.storage.put_blob("team/app", layer.digest, layer.content)
    with serve(registry.app) as server:
        oci_merge.merge(
            f"{server.host}/team/app:1.0", sources=[f"{server.host}/team/app-amd64:1.0"]
        )
    assert registry.storage.manifest("team/app", attestation.digest) is not None
    assert not blob_reads(registry) & layers(AMD64)


@pytest.mark.parametrize("status", [202, 400, 401, 403, 404, 405])
def test_with_the_flag_every_blob_that_is_not_mounted_is_copied(status: int) -> None:
    registry = registry_with(RefuseMounts(status))
    events: list[oci_merge.Event] = []
    with serve(registry.app) as server:
        result = merge(server.host, copy_layers=True, on_event=events.append)
    assert_published(registry, result)
    copied = {event.digest: event for event in events if isinstance(event, oci_merge.BlobCopied)}
    assert set(copied) >= layers(AMD64, ARM64)
    for digest, event in copied.items():
        steps = [
            step.count
            for step in events
            if isinstance(step, oci_merge.CopyAdvanced) and step.digest == digest
        ]
        assert sum(steps) == event.size


def test_the_upload_that_a_refused_mount_opened_is_the_one_that_is_used() -> None:
    registry = registry_with(settings=Settings(refuse_mounts=True))
    with serve(registry.app) as server:
        merge(server.host, copy_layers=True)
    posts = [request.path for request in registry.requests if request.method == "POST"]
    assert posts
    assert all("mount=" in path for path in posts)


def test_a_blob_is_sent_as_one_body_with_its_length() -> None:
    registry = registry_with(settings=Settings(refuse_mounts=True))
    with serve(registry.app) as server:
        merge(server.host, copy_layers=True)
    puts = [r for r in registry.requests if r.method == "PUT" and "/uploads/" in r.path]
    sizes = {blob.size for image in (AMD64, ARM64) for blob in image.blobs}
    assert {int(request.headers["content-length"]) for request in puts} == sizes
    assert not [request for request in puts if "transfer-encoding" in request.headers]
    assert not [request for request in registry.requests if request.method == "PATCH"]


def test_a_blob_that_the_target_has_already_is_not_copied_again() -> None:
    registry = registry_with(settings=Settings(refuse_mounts=True))
    for layer in (*AMD64.layers, *ARM64.layers):
        registry.storage.put_blob("team/app", layer.digest, layer.content)
    with serve(registry.app) as server:
        result = merge(server.host)
    assert_published(registry, result)
    assert not blob_reads(registry) & layers(AMD64, ARM64)


@pytest.mark.parametrize("content", [b"", b"something else", AMD64.layers[1].content + b"."])
def test_a_layer_with_another_digest_is_never_stored(content: bytes) -> None:
    wrong = AMD64.layers[1].digest
    registry = registry_with(
        On("GET", f"*/blobs/{wrong}", OtherBytes(content)), settings=Settings(refuse_mounts=True)
    )
    with serve(registry.app) as server, pytest.raises(oci_merge.OciMergeError) as caught:
        merge(server.host, copy_layers=True)
    assert isinstance(caught.value, oci_merge.DigestMismatchError | oci_merge.TransportError)
    target = registry.storage.repositories.get("team/app")
    assert target is None or wrong not in target.blobs
    assert registry.open_uploads == []
    assert registry.storage.manifest("team/app", "1.0") is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: ChunkLength(1000),
        lambda: On("PUT", UPLOADS, Refuse("SIZE_INVALID", status=413), times=1),
        lambda: On("PUT", UPLOADS, Refuse("UNKNOWN", status=502), times=1),
        lambda: On("PUT", UPLOADS, BreakOff(), times=1),
        lambda: On("PUT", UPLOADS, Redirect("http://127.0.0.1:1"), times=1),
    ],
    ids=["asked for", "too large", "failed", "broken off", "redirected"],
)
@pytest.mark.parametrize("patch", [202, 201])
def test_chunks_are_sent_if_the_registry_asks_for_them_or_one_body_fails(
    make: Callable[[], Hook], patch: int
) -> None:
    others = [PatchCreates()] if patch == 201 else []
    registry = registry_with(make(), *others, settings=Settings(refuse_mounts=True))
    with serve(registry.app) as server:
        result = merge(server.host, copy_layers=True)
    assert_published(registry, result)
    patches = [request for request in registry.requests if request.method == "PATCH"]
    assert patches
    assert all(request.headers["content-range"][:2] == "0-" for request in patches)


def test_a_chunk_that_arrived_in_part_is_continued_where_it_ended() -> None:
    half = HalfChunk()
    registry = registry_with(ChunkLength(1), half, settings=Settings(refuse_mounts=True))
    with serve(registry.app) as server:
        result = merge(server.host, copy_layers=True)
    assert half.struck
    assert_published(registry, result)


def test_a_chunk_whose_answer_got_lost_is_not_sent_again() -> None:
    lost = On("PATCH", UPLOADS, BreakOff(done=True), times=1)
    registry = registry_with(ChunkLength(1), lost, settings=Settings(refuse_mounts=True))
    with serve(registry.app) as server:
        result = merge(server.host, copy_layers=True)
    assert lost.struck == 1
    assert_published(registry, result)
    statuses = [request.status for request in registry.requests if request.method == "PATCH"]
    assert 416 not in statuses


def test_an_upload_at_another_host_goes_there_without_credentials() -> None:
    elsewhere = Elsewhere()
    settings = Settings(refuse_mounts=True, auth=None)
    registry = registry_with(elsewhere, settings=settings)
    with serve(registry.app) as server:
        result = merge(server.host, copy_layers=True, username="ci", password="secret")
    assert_published(registry, result)
    assert elsewhere.authorized
    assert not any(elsewhere.authorized)


class FailsAfterwards(Hook):
    """Does what it is asked, and says that it failed."""

    async def after(self, request: Request, response: Response) -> Response:
        return Response(status_code=502)


@pytest.mark.parametrize("fault", [BreakOff(done=True), FailsAfterwards()], ids=["reset", "502"])
@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunks"])
def test_a_blob_is_looked_for_when_the_end_of_its_upload_got_no_answer(
    chunked: bool, fault: Hook
) -> None:
    lost = On("PUT", UPLOADS, fault, times=1)
    hooks = [ChunkLength(1), lost] if chunked else [lost]
    registry = registry_with(*hooks, settings=Settings(refuse_mounts=True))
    with serve(registry.app) as server:
        result = merge(server.host, copy_layers=True)
    assert lost.struck == 1
    assert_published(registry, result)
    ends = [r.path for r in registry.requests if r.method == "PUT" and "/uploads/" in r.path]
    assert len(ends) == len({blob.digest for image in (AMD64, ARM64) for blob in image.blobs})
    assert chunked or not [r for r in registry.requests if r.method == "PATCH"]
    assert not [r for r in registry.requests if r.method == "DELETE"]


@pytest.mark.parametrize("fault", [BreakOff(), Refuse("UNKNOWN", status=502)], ids=["reset", "502"])
def test_an_upload_whose_end_did_not_arrive_is_an_error_and_is_cancelled(fault: Hook) -> None:
    registry = registry_with(
        ChunkLength(1), On("PUT", UPLOADS, fault), settings=Settings(refuse_mounts=True)
    )
    failures = (oci_merge.TransportError, oci_merge.ServerError)
    with serve(registry.app) as server, pytest.raises(failures):
        merge(server.host, copy_layers=True)
    assert registry.storage.manifest("team/app", "1.0") is None
    assert registry.open_uploads == []


class _HeldTarget(BlobClient):
    """Takes no blob, and holds the first request that gives an upload up."""

    def __init__(self) -> None:
        self.given_up = 0
        self.held = asyncio.Event()

    async def exists(self, digest: str, *, no_redirect: bool = False) -> bool:
        return False

    async def start(self, digest: str) -> Upload:
        return Upload("/upload")

    async def put(self, *_: Any) -> None:
        raise oci_merge.TransportError("it broke off")

    async def cancel(self, upload: Upload) -> None:
        if not self.held.is_set():
            self.held.set()
            await asyncio.Event().wait()
        self.given_up += 1


class _EndlessSource(BlobClient):
    """A blob that never comes."""

    name = "reg.test/team/app-amd64"

    def __init__(self) -> None:
        pass

    async def read(self, *_: Any) -> None:
        await asyncio.Event().wait()


class _KeepsOneByte(BlobClient):
    """Keeps one byte of each chunk, and says so."""

    name = "reg.test/team/app"

    def __init__(self) -> None:
        self.sent = 0

    async def exists(self, digest: str, *, no_redirect: bool = False) -> bool:
        return False

    async def start(self, digest: str) -> Upload:
        return Upload("/upload", least_chunk=1)

    async def append(self, upload: Upload, digest: str, offset: int, chunk: bytes) -> Upload:
        self.sent += 1
        return Upload("/upload", arrived=offset + 1)

    async def cancel(self, upload: Upload) -> None:
        pass


class _Source(BlobClient):
    """One layer."""

    name = "reg.test/team/app-amd64"

    def __init__(self) -> None:
        pass

    async def read(
        self, digest: str, write_to: Callable[[AsyncIterator[bytes]], Awaitable[None]]
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield AMD64.layers[0].content

        await write_to(pieces())


def test_a_registry_that_keeps_a_byte_of_each_chunk_is_not_sent_every_byte() -> None:
    layer, target = AMD64.layers[0], _KeepsOneByte()
    assert len(layer.content) > 100
    copier = Copier(target, lambda event: None, Timings())
    with pytest.raises(oci_merge.TransportError, match="keeps too little of what is uploaded"):
        asyncio.run(copier.copy(layer.digest, len(layer.content), _Source()))
    assert 10 < target.sent < 100


def test_a_copy_that_is_cancelled_while_it_cancels_its_upload_cancels_it_all_the_same() -> None:
    async def scenario() -> int:
        target = _HeldTarget()
        copier = Copier(target, lambda event: None, Timings())
        copying = asyncio.create_task(copier.copy("sha256:0", 1, _EndlessSource()))
        await target.held.wait()
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        return target.given_up

    assert asyncio.run(scenario()) == 1


def test_a_blob_that_cannot_be_read_is_not_tried_again_as_other_requests_are() -> None:
    digest = AMD64.layers[0].digest
    busy = On("GET", f"*/blobs/{digest}", Refuse("UNKNOWN", "busy", status=503), times=1)
    registry = registry_with(busy, settings=Settings(refuse_mounts=True))
    events: list[oci_merge.Event] = []
    with serve(registry.app) as server:
        result = merge(server.host, copy_layers=True, on_event=events.append)
    assert busy.struck == 1
    assert_published(registry, result)
    assert not [event for event in events if isinstance(event, oci_merge.Retrying)]


def test_layers_are_copied_with_the_registry_s_own_certificates(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    registry = registry_with(settings=Settings(refuse_mounts=True))
    with serve(registry.app, tls=server_tls(authority)) as server:
        result = merge(server.host, copy_layers=True, ca_file=tmp_path / "ca.pem")
    assert_published(registry, result)


@pytest.mark.parametrize("held", [False, True])
def test_foreign_layers_are_copied_where_the_source_holds_them(held: bool) -> None:
    image = build_image("linux", "amd64", foreign_layer=True)
    foreign = image.layers[0]
    registry = EmbeddedRegistry(Settings(refuse_mounts=True))
    registry.add_image("team/app-amd64", "1.0", image)
    if held:
        registry.storage.put_blob("team/app-amd64", foreign.digest, foreign.content)
    with serve(registry.app) as server:
        oci_merge.merge(
            f"{server.host}/team/app:1.0",
            sources=[f"{server.host}/team/app-amd64:1.0"],
            copy_layers=True,
        )
    assert (foreign.digest in registry.storage.repositories["team/app"].blobs) == held
    assert registry.open_uploads == []


@contextlib.contextmanager
def two_registries() -> Iterator[tuple[EmbeddedRegistry, str, EmbeddedRegistry, str]]:
    """Two registries with passwords of their own: the one of the images, then the target's."""
    source = registry_with(
        settings=Settings(auth=BasicAuth([Account("reader", "source-password", EVERYTHING)]))
    )
    target = EmbeddedRegistry(
        Settings(auth=BasicAuth([Account("writer", "target-password", EVERYTHING)]))
    )
    with serve(source.app) as one, serve(target.app) as other:
        yield source, one.host, target, other.host


def docker_config(folder: Path, **logins: str) -> str:
    auths = {
        host: {"auth": base64.b64encode(login.encode()).decode()} for host, login in logins.items()
    }
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    return str(folder)


def test_images_of_another_registry_are_copied_with_each_side_s_own_credentials(
    tmp_path: Path,
) -> None:
    with two_registries() as (source, at, target, host):
        config = docker_config(
            tmp_path, **{at: "reader:source-password", host: "writer:target-password"}
        )
        result = merge(host, at=at, copy_layers=True, docker_config=config)
    assert_published(target, result)
    assert not [request for request in source.requests if request.method not in ("GET", "HEAD")]
    assert len(result.plan.transfers.copies) == 5  # the base layer is shared
    assert result.plan.transfers.mounts == ()


def test_the_target_s_password_is_not_shown_to_another_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", "writer")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", "target-password")
    with two_registries() as (source, at, _, host):
        config = docker_config(tmp_path)
        with pytest.raises(oci_merge.AuthenticationError):
            merge(host, at=at, copy_layers=True, docker_config=config)
        with pytest.raises(oci_merge.AuthenticationError):
            merge(
                host,
                at=at,
                copy_layers=True,
                docker_config=config,
                username="writer",
                password="target-password",
            )
    assert source.requests
    assert not [request for request in source.requests if "authorization" in request.headers]


def test_another_registry_may_be_given_a_user_of_its_own() -> None:
    reader = oci_merge.RegistryOptions(username="reader", password="source-password")
    with two_registries() as (source, at, target, host):
        result = merge(
            host,
            at=at,
            copy_layers=True,
            username="writer",
            password="target-password",
            source_registry=reader,
        )
    assert_published(target, result)
    for registry, login in ((source, b"reader:source"), (target, b"writer:target")):
        shown = {request.headers.get("authorization") for request in registry.requests} - {None}
        assert shown == {f"Basic {base64.b64encode(login + b'-password').decode()}"}


def test_options_of_another_registry_without_a_user_do_not_take_the_target_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", "writer")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", "target-password")
    config = docker_config(tmp_path)
    with two_registries() as (source, at, _, host), pytest.raises(oci_merge.AuthenticationError):
        merge(
            host,
            at=at,
            copy_layers=True,
            source_registry=oci_merge.RegistryOptions(docker_config=config),
        )
    assert source.requests
    assert not [request for request in source.requests if "authorization" in request.headers]


def test_another_registry_may_be_given_patience_of_its_own() -> None:
    busy = On("GET", "*/manifests/1.0", Refuse("UNKNOWN", "busy", status=503), times=1)
    source, target = registry_with(busy), EmbeddedRegistry()
    once = oci_merge.RegistryOptions(retries=0)
    with (
        serve(source.app) as one,
        serve(target.app) as other,
        pytest.raises(oci_merge.ServerError),
    ):
        merge(other.host, at=one.host, copy_layers=True, source_registry=once)


def test_another_registry_may_be_reached_without_verifying_its_certificate() -> None:
    source, target = registry_with(), EmbeddedRegistry()
    unknown = server_tls(trustme.CA())
    with serve(source.app, tls=unknown) as one, serve(target.app) as other:
        with pytest.raises(oci_merge.TransportError, match="is not trusted"):
            merge(other.host, at=one.host, copy_layers=True, insecure=True)
        insecure = oci_merge.RegistryOptions(insecure=True)
        result = merge(other.host, at=one.host, copy_layers=True, source_registry=insecure)
    assert_published(target, result)


def test_another_registry_reports_its_retries_and_gets_none_of_the_target_s_certificates() -> None:
    busy = On("GET", "*/manifests/1.0", Refuse("UNKNOWN", "busy", status=503), times=1)
    source, target = registry_with(busy), EmbeddedRegistry()
    events: list[oci_merge.Event] = []
    with serve(source.app) as one, serve(target.app) as other:
        result = merge(
            other.host,
            at=one.host,
            copy_layers=True,
            plain_http=True,  # so that the file, which is not there, is not read for the target
            ca_file="/nonexistent/ca.pem",
            on_event=events.append,
        )
    assert_published(target, result)
    retries = [event for event in events if isinstance(event, oci_merge.Retrying)]
    assert [one.host in event.reason for event in retries] == [True]


def test_images_of_another_registry_are_refused_before_any_request_without_the_flag() -> None:
    registry = registry_with()
    with serve(registry.app) as server, pytest.raises(oci_merge.UsageError) as caught:
        merge("reg.example", at=server.host)
    assert "--copy-layers" in caught.value.hint
    assert not registry.requests


def test_a_dry_run_shows_what_would_be_copied_and_copies_nothing(tmp_path: Path) -> None:
    with two_registries() as (source, at, target, host):
        config = docker_config(
            tmp_path, **{at: "reader:source-password", host: "writer:target-password"}
        )
        result = merge(host, at=at, copy_layers=True, docker_config=config, dry_run=True)
    planned = {copy["digest"]: copy["from"] for copy in result.plan.to_dict()["copies"]}
    assert set(planned) == {blob.digest for image in (AMD64, ARM64) for blob in image.blobs}
    assert set(planned.values()) == {f"{at}/team/app-amd64", f"{at}/team/app-arm64"}
    written = [*source.requests, *target.requests]
    assert {request.method for request in written} <= {"GET", "HEAD"}
    assert not blob_reads(source) & layers(AMD64, ARM64)
