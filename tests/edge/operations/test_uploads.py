"""Uploads of signatures: sessions that fail, break off, lead elsewhere, or are not needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.embedded.faults import Answer, BreakOff, Hang, On, Refuse
from fixtures.server import RunningServer, serve
from oci_merge import (
    AccessDeniedError,
    MountRefusedError,
    OciMergeError,
    RateLimitedError,
    ServerError,
    SigningError,
    TransportError,
)
from tests.edge.operations.signing import BOTH, all_formats
from tests.edge.support import (
    REPOSITORY,
    merge,
    paths,
    sources,
    stocked,
    tags,
    target,
    until,
)

#: Closing an upload, which sends the blob.
_CLOSE = "*/blobs/uploads/*digest=*"
#: Opening one; a mount has a query.
_OPEN = f"/v2/{REPOSITORY}/blobs/uploads/"


def test_no_session_stays_open(server: RunningServer, registry: EmbeddedRegistry, key: str) -> None:
    merge(server.host, sign_key=key)
    assert registry.open_uploads == []
    # A blob is uploaded once, also where every signature has it.
    bodies = [path.partition("digest=")[2] for path in paths(registry.requests, "PUT", "digest=")]
    assert len(bodies) == len(set(bodies)) > 4


def test_sessions_that_are_not_needed_are_cancelled(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.refuse_mounts = True
    with pytest.raises(MountRefusedError):
        merge(server.host, sign_key=key)
    assert paths(registry.requests, "DELETE", "/blobs/uploads/")
    assert registry.open_uploads == []
    assert not paths(registry.requests, "PUT", "/manifests/")


def test_a_repository_that_has_lost_its_tag_is_signed_again_without_open_sessions(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    digest = merge(server.host, sign_key=key).digest
    del registry.storage.repositories[REPOSITORY].tags["latest"]
    assert merge(server.host, sign_key=key).digest == digest
    assert set(all_formats(registry, "latest").values()) == {BOTH}
    assert registry.open_uploads == []


@pytest.mark.parametrize(
    "fault",
    [
        lambda: Refuse("UNAVAILABLE"),
        lambda: Refuse("TOOMANYREQUESTS"),
        lambda: Refuse("BLOB_UPLOAD_UNKNOWN"),
        lambda: Refuse("RANGE_INVALID", status=416),
        lambda: BreakOff(),
        lambda: BreakOff(done=True),
        lambda: Answer(500),
    ],
    ids=["503", "429", "404", "416", "broken before", "broken after", "500"],
)
@pytest.mark.parametrize("times", [1, 3, 4])
def test_an_upload_that_fails_is_begun_anew(
    fault: Callable[[], Hook],
    times: int,
    server: RunningServer,
    registry: EmbeddedRegistry,
    key: str,
    waits: list[float],
) -> None:
    registry.hooks.append(On("PUT", _CLOSE, fault(), times=times))
    result = merge(server.host, sign_key=key, retries=1)
    assert result.warnings == ()
    assert set(all_formats(registry, "latest").values()) == {BOTH}
    assert registry.open_uploads == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (lambda: Refuse("UNAVAILABLE"), ServerError),
        (lambda: Refuse("TOOMANYREQUESTS"), RateLimitedError),
        (lambda: BreakOff(), TransportError),
        (lambda: Answer(400), SigningError),
        (lambda: Refuse("DENIED"), AccessDeniedError),
    ],
    ids=["503", "429", "broken", "400", "403"],
)
def test_an_upload_that_always_fails_is_an_error_before_the_tag_moves(
    fault: Callable[[], Hook],
    kind: type[OciMergeError],
    server: RunningServer,
    registry: EmbeddedRegistry,
    key: str,
    waits: list[float],
) -> None:
    registry.hooks.append(On("PUT", _CLOSE, fault()))
    with pytest.raises(kind):
        merge(server.host, sign_key=key, retries=1)
    assert "latest" not in tags(registry)
    assert registry.open_uploads == []
    registry.hooks.clear()
    merge(server.host, sign_key=key)
    assert set(all_formats(registry, "latest").values()) == {BOTH}
    assert registry.open_uploads == []


def test_a_session_that_cannot_be_opened_is_asked_for_once(
    server: RunningServer, registry: EmbeddedRegistry, key: str, waits: list[float]
) -> None:
    oci_merge.merge(target(server.host), sources=sources(server.host))
    registry.requests.clear()
    registry.hooks.append(On("POST", _OPEN, Refuse("DENIED")))
    with pytest.raises(OciMergeError):
        oci_merge.sign(target(server.host), key=key, sign_format="bundle", sign_index_only=True)
    # One for the bundle, and one for the empty config of all bundles.
    assert len(paths(registry.requests, "POST", _OPEN)) == 2


def test_an_upload_elsewhere_is_refused_unless_blobs_may_leave(
    registry: EmbeddedRegistry, key: str
) -> None:
    elsewhere = stocked()

    class Leaves(Hook):
        """Names another host where uploads go on."""

        async def after(self, request: Request, response: Response) -> Response:
            if request.url.path == _OPEN and response.status_code == 202:
                location = response.headers["location"].partition("/v2/")[2]
                response.headers["location"] = f"http://{other.host}/v2/{location}"
            return response

    class Takes(Hook):
        """Keeps what is uploaded, as storage that the registry shares."""

        async def before(self, request: Request) -> Response | None:
            if request.method != "PUT":
                return None
            digest = request.query_params["digest"]
            registry.storage.put_blob(REPOSITORY, digest, await request.body())
            return Response(status_code=201)

    elsewhere.hooks.append(Takes())
    registry.hooks.append(Leaves())
    with serve(registry.app) as server, serve(elsewhere.app) as other:
        with pytest.raises((SigningError, TransportError)) as caught:
            merge(server.host, sign_key=key)
        assert "another host" in caught.value.message
        assert "latest" not in tags(registry)
        assert elsewhere.requests == []
        merge(server.host, sign_key=key, copy_layers=True)
        assert set(all_formats(registry, "latest").values()) == {BOTH}
        assert {record.method for record in elsewhere.requests} == {"PUT"}
        assert not [r for r in elsewhere.requests if "authorization" in r.headers]


@pytest.mark.anyio
@pytest.mark.parametrize("at", [_OPEN, _CLOSE, "*/manifests/*.sig"])
async def test_a_run_that_is_cancelled_leaves_no_session_open(
    at: str, registry: EmbeddedRegistry, key: str
) -> None:
    on = On("P*T", at, Slow(), times=None)
    registry.hooks.append(on)
    with serve(registry.app) as server:
        run = asyncio.ensure_future(
            oci_merge.merge_async(target(server.host), sources=sources(server.host), sign_key=key)
        )
        assert await until(lambda: on.struck > 0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        registry.hooks.clear()
        assert await until(lambda: not registry.open_uploads)
        assert "latest" not in tags(registry)


class Slow(Hook):
    """Does what is asked, and answers late."""

    async def after(self, request: Request, response: Response) -> Response:
        await asyncio.sleep(0.2)
        return response


def test_a_registry_that_is_silent_to_an_upload_ends_the_run_at_its_deadline(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.hooks.append(On("PUT", _CLOSE, Hang()))
    with pytest.raises(OciMergeError):
        merge(server.host, sign_key=key, deadline=1)
    assert "latest" not in tags(registry)
