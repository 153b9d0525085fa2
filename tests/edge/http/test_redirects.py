"""Redirects: which are followed, how far, and what goes along."""

from __future__ import annotations

import httpx
import pytest
import respx

from oci_merge import TransportError
from oci_merge.http.message import Request, Response
from tests.edge.support import session

pytestmark = pytest.mark.anyio

_PATH = "/v2/team/app/blobs/x"


def _to(location: str, status: int = 307) -> httpx.Response:
    return httpx.Response(status, headers={"location": location})


async def _ask(method: str = "GET", *, plain_http: bool = False) -> Response:
    transport = session("reg.test", plain_http=plain_http)
    try:
        return await transport.send(Request(method, _PATH, authorization="Bearer t0ken"))
    finally:
        await transport.transport.aclose()


def _urls(web: respx.MockRouter) -> list[str]:
    return [str(call.request.url) for call in web.calls]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_reads_is_followed_with_its_method(
    status: int, method: str, web: respx.MockRouter
) -> None:
    web.request(method, f"https://reg.test{_PATH}").mock(return_value=_to("/there", status))
    web.request(method, "https://reg.test/there").mock(return_value=httpx.Response(200))
    reply = await _ask(method)
    assert (reply.status, reply.url, reply.cross_origin) == (200, "https://reg.test/there", False)
    assert web.calls.last.request.headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_what_writes_is_sent_again_without_credentials_where_the_body_is_at_hand(
    method: str, status: int, web: respx.MockRouter
) -> None:
    web.route(host="reg.test").mock(return_value=_to("https://other.test/there", status))
    web.route(host="other.test").mock(return_value=httpx.Response(201))
    assert (await _ask(method)).status == 201
    assert [call.request.method for call in web.calls] == [method, method]
    assert "authorization" not in web.calls.last.request.headers


@pytest.mark.parametrize(
    ("method", "status"),
    [("DELETE", 307), ("PUT", 301), ("PUT", 302), ("PUT", 303), ("POST", 301), ("POST", 303)],
)
async def test_what_writes_never_becomes_a_get_and_nothing_is_deleted_elsewhere(
    method: str, status: int, web: respx.MockRouter
) -> None:
    web.route(method=method).mock(return_value=_to("https://other.test/there", status))
    assert (await _ask(method)).status == status
    assert web.calls.call_count == 1


@pytest.mark.parametrize("status", [300, 304, 305, 399])
async def test_other_statuses_of_that_kind_are_replies(status: int, web: respx.MockRouter) -> None:
    web.get(f"https://reg.test{_PATH}").mock(return_value=_to("/there", status))
    assert (await _ask()).status == status


async def test_a_redirect_without_a_location_is_a_reply(web: respx.MockRouter) -> None:
    web.get(f"https://reg.test{_PATH}").mock(return_value=httpx.Response(301))
    assert (await _ask()).status == 301


async def test_five_redirects_are_followed(web: respx.MockRouter) -> None:
    steps = [_to(f"/step{number}") for number in range(5)]
    web.route(host="reg.test").mock(side_effect=[*steps, httpx.Response(200)])
    assert (await _ask()).url == "https://reg.test/step4"
    assert web.calls.call_count == 6


async def test_a_loop_ends_after_five_redirects(web: respx.MockRouter) -> None:
    web.route(host="reg.test").mock(return_value=_to(_PATH))
    with pytest.raises(TransportError, match=rf"reg\.test redirects GET {_PATH} more than 5 times"):
        await _ask()
    assert web.calls.call_count == 6


async def test_a_signed_query_is_kept_as_it_is_and_not_shown(web: respx.MockRouter) -> None:
    signed = "https://s3.test/b/x?X-Amz-Credential=a%2Fb&X-Amz-Signature=abc%3D&response=a+b"
    web.get(f"https://reg.test{_PATH}").mock(return_value=_to(signed))
    web.get(host="s3.test").mock(return_value=httpx.Response(200))
    reply = await _ask()
    assert _urls(web)[-1] == signed
    assert "abc" not in repr(reply)


@pytest.mark.parametrize(
    "location",
    [
        "https://other.test/x",
        "https://reg.test:8443/x",
        "https://sub.reg.test/x",
        "//other.test/x",
    ],
)
async def test_authorization_stays_at_its_origin(location: str, web: respx.MockRouter) -> None:
    web.get(f"https://reg.test{_PATH}").mock(return_value=_to(location))
    web.get(path="/x").mock(return_value=httpx.Response(200))
    reply = await _ask()
    assert reply.cross_origin
    assert "authorization" not in web.calls.last.request.headers


async def test_an_origin_that_is_written_otherwise_is_the_same(web: respx.MockRouter) -> None:
    web.get(f"https://reg.test{_PATH}").mock(return_value=_to("HTTPS://REG.test:443/x"))
    web.get(path="/x").mock(return_value=httpx.Response(200))
    reply = await _ask()
    assert not reply.cross_origin
    assert web.calls.last.request.headers["authorization"] == "Bearer t0ken"


async def test_a_way_from_plain_http_to_https_is_another_origin(web: respx.MockRouter) -> None:
    web.get(f"http://reg.test{_PATH}").mock(return_value=_to(f"https://reg.test{_PATH}"))
    web.get(f"https://reg.test{_PATH}").mock(return_value=httpx.Response(200))
    reply = await _ask(plain_http=True)
    assert (reply.status, reply.cross_origin) == (200, True)
    assert "authorization" not in web.calls.last.request.headers


async def test_a_way_from_https_to_plain_http_is_refused(web: respx.MockRouter) -> None:
    web.get(f"https://reg.test{_PATH}").mock(return_value=_to("http://s3.test/x?sig=1"))
    with pytest.raises(TransportError, match=r"to http://s3\.test, which is not https") as caught:
        await _ask()
    assert caught.value.hint
    assert web.calls.call_count == 1


async def test_a_way_back_to_plain_http_is_refused_later_too(web: respx.MockRouter) -> None:
    web.get(f"https://reg.test{_PATH}").mock(return_value=_to("https://cdn.test/x"))
    web.get("https://cdn.test/x").mock(return_value=_to("http://cdn.test/x"))
    with pytest.raises(TransportError, match="which is not https"):
        await _ask()


async def test_a_user_name_in_a_redirect_makes_no_authorization(web: respx.MockRouter) -> None:
    web.get(f"https://reg.test{_PATH}").mock(return_value=_to("https://me:pw@s3.test/x#part"))
    web.get("https://s3.test/x").mock(return_value=httpx.Response(200))
    assert (await _ask()).url == "https://s3.test/x"
    assert "authorization" not in web.calls.last.request.headers


@pytest.mark.parametrize(
    "location",
    [
        "http://[bad",
        "https://[bad",
        "https://s3.test:port/",
        "https://s3.test:99999/",
        "https://s3.test:0/",
        "https://:443/x",
        "file:///etc/passwd",
        "ftp://s3.test/x",
        "javascript:alert(1)",
        "https://s3.test\u2044x/",
    ],
)
async def test_what_is_no_http_url_is_not_followed(location: str, web: respx.MockRouter) -> None:
    found = httpx.Response(302, headers=[(b"location", location.encode())])
    web.get(f"https://reg.test{_PATH}").mock(return_value=found)
    web.route().mock(return_value=httpx.Response(200))
    with pytest.raises(TransportError) as caught:
        await _ask()
    assert "reg.test" in str(caught.value)
    assert caught.value.hint
    assert str(caught.value).isprintable()
    assert web.calls.call_count == 1
