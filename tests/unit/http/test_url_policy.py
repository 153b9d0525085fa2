"""Which URLs a registry may send us to: token servers, uploads, redirects."""

from __future__ import annotations

import contextlib
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.errors import TransportError
from oci_merge.http.url_policy import (
    Origin,
    check_redirect,
    check_token_server,
    check_upload_url,
    cut_plain,
    same_origin,
)

_REALM = "https://auth.example/token"


def _resolve(realm: str, registry: str = "https://reg.example/v2/", *, plain: bool = False) -> str:
    return check_token_server(realm, Origin(registry, is_insecure=plain))


@pytest.mark.parametrize(
    ("realm", "expected"),
    [
        (_REALM, _REALM),
        ("https://auth.example:8443/token?x=y", "https://auth.example:8443/token?x=y"),
        ("/token", "https://reg.example/token"),
        ("//auth.example/token", "https://auth.example/token"),
        ("https://auth.example/token#part", "https://auth.example/token"),
        ("https://8.8.8.8/token", "https://8.8.8.8/token"),
        ("https://[2606:4700::1111]/token", "https://[2606:4700::1111]/token"),
        ("https://[64:ff9b::8.8.8.8]/token", "https://[64:ff9b::8.8.8.8]/token"),
        ("https://[2002:808:808::1]/token", "https://[2002:808:808::1]/token"),
        ("https://harbor.internal/token", "https://harbor.internal/token"),
        ("https://registry/token", "https://registry/token"),
        ("https://1password.example/token", "https://1password.example/token"),
    ],
)
def test_a_realm_on_another_host_is_normal_and_a_relative_one_is_the_registrys(
    realm: str, expected: str
) -> None:
    assert _resolve(realm) == expected


def test_a_realm_needs_https_unless_anyone_may_listen_to_the_registry_anyway() -> None:
    with pytest.raises(TransportError, match=r"http://auth\.example does not use https"):
        _resolve("http://auth.example/token")
    assert _resolve("http://auth.example/token", plain=True) == "http://auth.example/token"
    assert _resolve("/token", "http://reg.example", plain=True) == "http://reg.example/token"


@pytest.mark.parametrize(
    "home", ["http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]", "https://127.0.0.1"]
)
@pytest.mark.parametrize(
    "there", ["auth.example", "8.8.8.8", "127.0.0.1.example", "localhost.example"]
)
def test_what_a_registry_of_this_machine_hears_in_the_clear_goes_nowhere_else_in_the_clear(
    home: str, there: str
) -> None:
    with pytest.raises(TransportError, match="does not use https"):
        _resolve(f"http://{there}/token", home, plain=True)
    assert _resolve(f"https://{there}/token", home, plain=True) == f"https://{there}/token"


@pytest.mark.parametrize(
    "realm",
    ["https://user@auth.example/", "https://user:pass@auth.example/", "https://@auth.example/"],
)
@pytest.mark.parametrize("plain", [False, True])
def test_a_realm_with_a_user_name_is_refused_and_not_repeated(realm: str, plain: bool) -> None:
    with pytest.raises(TransportError, match="a user name in its URL") as caught:
        _resolve(realm, plain=plain)
    assert "pass" not in caught.value.message


#: What one parser reads in another way than the next, or no parser should read at all.
_AMBIGUOUS = [
    "https://[::1]@]/",
    "https://]/",
    "https://[]/",
    "https://[::1/",
    "https://::1]/",
    "https://[::1]x/",
    "https://x[::1]/",
    "https://[127.0.0.1]/",
    "https://[v1.x]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1]:x/",
    "https://a.example:-1/",
    "https://a.example:0/",
    "https://a.example:65536/",
    "https://a.example:+443/",
    "https://a.example: 443/",
    "https://a.example:443:443/",
    "https://a.exam\tple/",
    "/\t/a.example/",
    "/\r/a.example/",
    "https://a.example/\n",
    "\x01https://a.example/",
    "https://a.example\\@b.example/",
    "https://a.example\\.b.example/",
    "https:\\\\a.example/",
    "https://a.example%2f@b.example%2f/",
    "https://a%2eexample/",
    "https://a example/",
    "https://a.example;b/",
    "https://a,b/",
    "https://-a.example/",
    "https://.a.example/",
    "https://b\u00fccher.example/",
    "https://a.ex\u00adample/",
    "https:///a.example/",
    "https://?/",
    "https://#/",
    "//",
]

_PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:10.0.0.1]",
    "127.0.0.1.",
    "0.1.2.3",
    "224.0.0.1",
    "168.63.129.16",
    # An IPv4 address within one of IPv6: mapped, compatible, NAT64, 6to4, Teredo.
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[::10.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2002:c0a8:101::]",
    "[2001:0:102:304:0:0:80ff:fffe]",
    "[2001:0:102:304:0:0:5601:5601]",
    # Not how addresses are written, but how resolvers read them all the same.
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.01",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "registry.localhost",
]


@pytest.mark.parametrize("host", _PRIVATE)
@pytest.mark.parametrize("suffix", ["", ":8443"])
def test_a_realm_on_a_private_address_is_refused(host: str, suffix: str) -> None:
    for plain in (False, True):
        with pytest.raises(TransportError, match="is a private address") as caught:
            _resolve(f"https://{host}{suffix}/token", plain=plain)
        assert "reg.example" in caught.value.hint


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://10.0.0.5:5000/token", "https://10.0.0.5:5000/v2/"),
        ("https://10.0.0.5:443/token", "https://10.0.0.5/v2/"),
        ("https://10.0.0.5/token", "https://10.0.0.5:443/v2/"),
        ("/token", "https://10.0.0.5:5000/v2/"),
        ("https://[fd00::1]:5000/token", "https://[fd00::1]:5000/v2/"),
        ("http://10.0.0.5:80/token", "http://10.0.0.5/v2/"),
        ("http://10.0.0.5/token", "https://10.0.0.5/v2/"),
        # The registry is in a private network, and so is its token server.
        ("https://10.0.0.6:5000/token", "https://10.0.0.5:5000/v2/"),
        ("https://10.0.0.5:5001/token", "https://10.0.0.5:5000/v2/"),
        ("https://10.0.0.5/token", "https://10.0.0.5:5000/v2/"),
        ("https://[fd00::2]/token", "https://192.168.0.1/v2/"),
        ("https://[64:ff9b::10.0.0.6]/token", "https://10.0.0.5/v2/"),
        # Where both are on this machine, even another port and the clear do no harm.
        ("http://127.0.0.1:6000/token", "http://127.0.0.1:5000/v2/"),
        ("http://localhost:6000/token", "https://127.0.0.1:5000/v2/"),
        ("http://[::1]:6000/token", "https://localhost:5000/v2/"),
    ],
)
def test_a_private_address_may_be_the_registrys_own(realm: str, registry: str) -> None:
    assert _resolve(realm, registry, plain=True) == urljoin(registry, realm)


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://10.0.0.1/token", "https://127.0.0.1:5000/v2/"),
        ("https://127.0.0.1/token", "https://10.0.0.5:5000/v2/"),
        ("https://10.0.0.1/token", "https://reg.example/v2/"),
        ("https://169.254.169.254/token", "https://10.0.0.5:5000/v2/"),
        ("https://169.254.169.254/token", "https://127.0.0.1:5000/v2/"),
        ("https://169.254.169.254/token", "https://169.254.1.1:5000/v2/"),
        ("https://100.100.100.200/token", "https://100.100.1.1:5000/v2/"),
        ("https://127.1/token", "https://127.0.0.1:5000/v2/"),
    ],
)
def test_an_address_that_can_be_reached_from_less_far_than_the_registry_is_refused(
    realm: str, registry: str
) -> None:
    with pytest.raises(TransportError, match="is a private address"):
        _resolve(realm, registry)


@pytest.mark.parametrize(
    "realm",
    [
        "ftp://auth.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:a@example",
        "https://:443/token",
        "https://[::1",
        "https://auth.example:99999/",
        "https://auth.example:port/",
        "https://127\u30020\u30020\u30021/token",
        "https://\uff4cocalhost/token",
        *_AMBIGUOUS,
    ],
)
def test_what_is_no_url_for_credentials_is_refused(realm: str) -> None:
    with pytest.raises(TransportError):
        _resolve(realm, plain=True)


def test_a_realm_is_shown_escaped() -> None:
    for realm in ("https://\x1b[31m/", "ftp://a\x1bb/"):
        with pytest.raises(TransportError) as caught:
            _resolve(realm)
        assert "\x1b" not in caught.value.message


@given(
    st.one_of(st.text(), st.text("htps:/@[].1270a%#?\\"), st.text(st.characters(codec=None))),
    st.booleans(),
)
def test_an_arbitrary_realm_is_resolved_or_a_transport_error(realm: str, plain: bool) -> None:
    with contextlib.suppress(TransportError):
        assert _resolve(realm, plain=plain).startswith(("https://", "http://"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://reg.example/v2/", "https://reg.example:443/else?x", True),
        ("https://reg.example", "http://reg.example", False),
        ("https://reg.example", "https://reg.example:5000", False),
        ("https://reg.example", "https://auth.reg.example", False),
        ("https://[::1", "https://[::1", False),
        ("https://reg.example:x/", "https://reg.example:x/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/v2/else", "https://reg.example/v2/else"),
        ("https://s3.example/blob?sig=1#part", "https://s3.example/blob?sig=1"),
        ("https://user:pass@s3.example/blob", "https://s3.example/blob"),
    ],
)
def test_a_redirect_is_resolved_and_loses_its_user_name_and_fragment(
    location: str, url: str
) -> None:
    assert check_redirect(location, "https://reg.example/v2/blob") == url


@pytest.mark.parametrize(
    "location",
    ["http://s3.example/", "ftp://s3.example/", "https://[::1", "https://a:0/", *_AMBIGUOUS],
)
def test_a_redirect_to_plain_http_or_to_no_url_is_refused(location: str) -> None:
    with pytest.raises(TransportError, match=r"reg\.example redirects /v2/blob to "):
        check_redirect(location, "https://reg.example/v2/blob?sig=secret")


def test_an_upload_goes_where_a_token_request_may_go_and_the_error_says_blobs() -> None:
    registry = Origin("https://reg.example")
    assert (
        check_upload_url("/v2/up?_state=a%20b", registry)
        == "https://reg.example/v2/up?_state=a%20b"
    )
    with pytest.raises(TransportError, match="the upload address http://else") as caught:
        check_upload_url("http://else.example/up", registry)
    assert "blobs may not go to" in caught.value.hint


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://else.example/up", "does not use https"),
        ("https://10.0.0.1/up", "is a private address"),
        ("https://127.0.0.1/up", "is a private address"),
        ("https://[64:ff9b::7f00:1]/up", "is a private address"),
        ("https://169.254.169.254/latest/api/token", "is a private address"),
    ],
)
def test_what_writes_is_redirected_by_the_rules_for_uploads(location: str, reason: str) -> None:
    plain = Origin("http://reg.example", is_insecure=reason != "does not use https")
    with pytest.raises(TransportError, match=rf"redirects /v2/x to http.*, which {reason}"):
        check_redirect(location, "http://reg.example/v2/x?sig=secret", writes_for=plain)
    assert check_redirect(location, "http://reg.example/v2/x") == location


@pytest.mark.parametrize(
    "url", ["/\t/else.example/", "/\\else.example/", "//else.example/", "/a b"]
)
def test_what_looks_like_a_path_is_the_origin_s_own_only_if_it_leads_there(url: str) -> None:
    registry = Origin("https://reg.example")
    leads_there = urljoin(registry.url, url).startswith("https://reg.example/")
    assert registry.owns(url) <= leads_there


@given(st.text("htps:/@[].1270a%#?\\\t") | st.text())
def test_an_arbitrary_redirect_is_a_url_that_both_parsers_read_alike_or_a_transport_error(
    location: str,
) -> None:
    with contextlib.suppress(TransportError):
        url = check_redirect(location, "https://reg.example/v2/blob")
        read = httpx.URL(url)
        assert read.raw_host.decode() == (urlsplit(url).hostname or "")
        assert read.scheme == "https"
        assert not read.userinfo


#: URLs of many shapes, of the characters over which parsers differ.
_URLS = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(
        ["reg.example", "REG.example:5000", "h:443", "h:80", "[::1]:5000", "u@h", "h?x"]
    ),
    st.text(st.sampled_from("/.a1%2F:?=&+,-_~@#;'\\ \"<é"), max_size=12).map("/{}".format),
)


@given(_URLS)
def test_a_plain_url_is_sent_as_the_parser_would_send_it(url: str) -> None:
    if (parts := cut_plain(url)) is None:
        return
    origin, target = parts
    parsed, base = httpx.URL(url), httpx.URL(origin)
    assert (base.raw_scheme, base.raw_host, base.port, base.netloc) == (
        parsed.raw_scheme,
        parsed.raw_host,
        parsed.port,
        parsed.netloc,
    )
    assert target.encode() == parsed.raw_path
    assert base.raw_path == b"/"


def test_the_paths_of_the_spec_are_plain() -> None:
    digest = f"sha256:{'0' * 64}"
    for path in (
        "/v2/",
        "/v2/team/app__x/manifests/1.0-rc_1",
        f"/v2/team/app/manifests/{digest}",
        f"/v2/team/app/blobs/uploads/?mount={digest.replace(':', '%3A')}&from=team/app.b",
    ):
        assert cut_plain(f"https://reg.example{path}") == ("https://reg.example", path)


@given(st.text(st.sampled_from("/.a%2F:?=&+-#;\\ "), max_size=12).map("/{}".format))
def test_a_path_is_joined_to_its_origin_as_urljoin_does(path: str) -> None:
    assert Origin("https://reg.example:5000").at(path) == urljoin("https://reg.example:5000", path)


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("https://reg.example/v2/x?y", True),
        ("https://reg.example", True),
        ("https://reg.example.evil.test/v2/", False),
        ("https://reg.example@evil.test/v2/", False),
        ("https://reg.example:5000/v2/", False),
        ("https://reg.example//evil.test/v2/", True),
        ("https://reg.example\\@evil.test/v2/", False),
        ("http://reg.example/v2/", False),
    ],
)
def test_a_whole_url_is_an_origins_own_by_its_scheme_host_and_port(url: str, is_own: bool) -> None:
    assert Origin("https://reg.example").owns(url) is is_own
