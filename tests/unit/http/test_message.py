"""Requests and responses as values: what their text shows, and which redirects are followed."""

from __future__ import annotations

import httpx
import pytest

from oci_merge.http.message import Request, Response

_SECRET = "s3cret"


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", f"https://store.test/blob?X-Amz-Signature={_SECRET}"),
        Request("GET", f"https://ci:{_SECRET}@reg.test/v2/"),
        Request("GET", f"/v2/?state={_SECRET}"),
        Request("GET", "/v2/", headers={"Authorization": f"Bearer {_SECRET}"}),
        Request("POST", "https://tokens.test/token", content=f"refresh_token={_SECRET}".encode()),
        Request("GET", "/v2/", authorization=f"Bearer {_SECRET}"),
        Request("GET", f"http://[{_SECRET}"),
    ],
)
def test_a_request_shows_no_secret(request_: Request) -> None:
    assert _SECRET not in f"{request_} {request_!r}"
    assert request_.method in repr(request_)


def test_a_response_shows_no_secret() -> None:
    response = Response(
        200,
        httpx.Headers({"location": f"/upload?_state={_SECRET}", "set-cookie": _SECRET}),
        f'{{"token": "{_SECRET}"}}'.encode(),
        f"https://store.test/blob?X-Amz-Signature={_SECRET}",
        cross_origin=True,
        protocol="HTTP/1.1",
    )
    assert repr(response) == "Response(200 from https://store.test/blob)"


def test_a_request_is_shown_on_one_line() -> None:
    assert repr(Request("GET", "/v2/\x1b[31m")).isprintable()
