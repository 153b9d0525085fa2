"""The headers of a request: those that httpx's client sends, in its order, and no others."""

from __future__ import annotations

import httpx
import pytest

from fixtures.server import RunningServer
from oci_merge._version import __version__
from oci_merge.http.connections import Connections
from oci_merge.http.message import Request
from tests.edge.support import session

pytestmark = pytest.mark.anyio

_REQUESTS = [
    Request("GET", "/v2/"),
    Request("HEAD", "/v2/team/app/manifests/1.0", headers={"Accept": "application/json"}),
    Request("POST", "/v2/team/app/blobs/uploads/?mount=sha256%3A00&from=team/b"),
    Request("PUT", "/v2/x", headers={"Content-Type": "application/json"}, content=b"{}"),
    Request("PATCH", "/v2/x", headers={"Content-Range": "0-1"}, content=b"ab"),
    Request("DELETE", "/v2/team/app/manifests/1.0", authorization="Basic Y2k6cHc="),
]


@pytest.mark.parametrize("request_", _REQUESTS, ids=lambda each: each.method)
async def test_a_request_has_the_headers_of_httpx_own_client_in_their_order(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, request_: Request
) -> None:
    sent: list[httpx.Request] = []
    handle = Connections.handle_async_request

    async def noted(self: Connections, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return await handle(self, request)

    monkeypatch.setattr(Connections, "handle_async_request", noted)
    made = session(server.host, plain_http=True)
    await made.send(request_)
    await made.transport.aclose()
    headers = {"User-Agent": f"oci-merge/{__version__}", "Accept-Encoding": "identity"}
    async with httpx.AsyncClient(headers=headers) as client:
        own = dict(request_.headers)
        if request_.authorization:
            own["Authorization"] = request_.authorization
        url = f"http://{server.host}{request_.url}"
        usual = client.build_request(request_.method, url, headers=own, content=request_.content)
    assert sent[0].headers.raw == usual.headers.raw
    assert sent[0].url.copy_with(raw_path=sent[0].extensions["target"]) == usual.url
    assert b"".join([part async for part in sent[0].stream]) == request_.content  # type: ignore[union-attr]
