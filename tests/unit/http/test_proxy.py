"""Which proxy a URL is reached through."""

from __future__ import annotations

import pytest

from oci_merge.errors import TransportError
from oci_merge.http.proxy import find_proxies

PROXY = "http://proxy.test:3128"


def through(url: str, **environ: str) -> str | None:
    return find_proxies(environ).url_for(url)


def is_direct(host: str, no_proxy: str) -> bool:
    return through(f"https://{host}/v2/", HTTPS_PROXY=PROXY, NO_PROXY=no_proxy) is None


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_every_variable_is_read_for_https(name: str) -> None:
    assert through("https://reg.test/v2/", **{name: PROXY}) == PROXY


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_every_variable_is_read_for_http(name: str) -> None:
    assert through("http://reg.test/v2/", **{name: PROXY}) == PROXY


def test_a_scheme_s_own_proxy_comes_before_the_one_for_all_and_lower_case_first() -> None:
    other = "http://other.test"
    assert through("https://reg.test/", HTTPS_PROXY=PROXY, all_proxy=other) == PROXY
    assert through("https://reg.test/", https_proxy=PROXY, HTTPS_PROXY=other) == PROXY
    assert through("https://reg.test/", https_proxy="", HTTPS_PROXY=PROXY) == PROXY
    assert through("https://reg.test/", HTTP_PROXY=PROXY) is None
    assert through("https://reg.test/") is None


def test_a_proxy_without_a_scheme_is_an_http_proxy() -> None:
    assert through("https://reg.test/", HTTPS_PROXY="proxy.test:3128") == PROXY


def test_a_request_s_header_is_no_proxy_in_a_cgi_program() -> None:
    assert through("http://reg.test/", HTTP_PROXY=PROXY, REQUEST_METHOD="GET") is None
    assert through("http://reg.test/", http_proxy=PROXY, REQUEST_METHOD="GET") == PROXY


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5000", "a.localhost", "127.0.0.1", "127.8.0.1:5000", "[::1]:5"]
)
def test_this_machine_is_never_reached_through_a_proxy(host: str) -> None:
    assert through(f"https://{host}/", ALL_PROXY=PROXY) is None
    assert through(f"http://{host}/", ALL_PROXY=PROXY) is None


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [
        ("reg.test", "*"),
        ("reg.test", "reg.test"),
        ("reg.test:5000", "reg.test"),
        ("reg.test:5000", "reg.test:5000"),
        ("reg.test", "reg.test:443"),
        ("reg.test", "REG.Test"),
        ("a.b.reg.test", "reg.test"),
        ("a.reg.test", ".reg.test"),
        ("a.reg.test", "*.reg.test"),
        ("reg.test.", "reg.test"),
        ("reg.test", "other.test, reg.test"),
        ("reg.test", "other.test reg.test"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3:5000", "192.168.0.0/16,10.1.2.0/24"),
        ("10.1.2.3", "10.1.2.9/24"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3:5000", "10.1.2.3:5000"),
        ("[fd00::5]", "fd00::/8"),
        ("[fd00::5]:5000", "fd00::5"),
        ("[fd00::5]:5000", "[fd00::5]"),
        ("[fd00::5]:5000", "[fd00::5]:5000"),
    ],
)
def test_no_proxy_excepts(host: str, no_proxy: str) -> None:
    assert is_direct(host, no_proxy)


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [
        ("reg.test", ""),
        ("reg.test", "other.test"),
        ("reg.test", "eg.test"),
        ("myreg.test", "reg.test"),
        ("reg.test", ".reg.test"),
        ("reg.test", "*.reg.test"),
        ("reg.test", "a.reg.test"),
        ("reg.test:5000", "reg.test:5001"),
        ("reg.test", "reg.test:80"),
        ("11.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.0.0.0/33"),
        ("10.1.2.3:5000", "10.1.2.3:5001"),
        ("10.1.2.3.test", "10.0.0.0/8"),
        ("[fd00::5]:5000", "[fd00::5]:5001"),
        ("[fe80::5]", "fd00::/8"),
        ("10.1.2.3", "fd00::/8"),
        ("reg.test", ",, . .."),
    ],
)
def test_no_proxy_does_not_except(host: str, no_proxy: str) -> None:
    assert not is_direct(host, no_proxy)


def test_a_proxy_s_password_is_not_shown() -> None:
    proxies = find_proxies({"HTTPS_PROXY": "http://me:s3cret@proxy.test"})
    assert "s3cret" not in repr(proxies)


_LOGINS = [
    *("me:pa#ss", "me:pa?ss", "me:pa@ss", "me:pa/ss", "me:#", "m#e:pass", "m/e", "me:pa\\ss"),
    *("me:pa://ss", "a@b:c@d:ss"),
]


@pytest.mark.parametrize("login", _LOGINS)
@pytest.mark.parametrize("scheme", ["http://", "https://", "socks5://", ""])
def test_a_login_that_is_not_percent_encoded_is_an_error_that_shows_none_of_it(
    scheme: str, login: str
) -> None:
    with pytest.raises(TransportError) as caught:
        through("https://reg.test/", HTTPS_PROXY=f"{scheme}{login}@proxy.test:3128")
    assert caught.value.message == (
        "a proxy that the environment names in HTTPS_PROXY has a character in its URL "
        "that is not percent-encoded"
    )
    assert "write %23 for #, %3F for ?, %40 for @, %2F for /" in caught.value.hint
    assert "proxy.test" not in f"{caught.value!r} {caught.value.hint}"
    assert "ss@" not in f"{caught.value!r} {caught.value.hint}"


def test_the_variable_that_names_the_proxy_is_named() -> None:
    for name in ("https_proxy", "ALL_PROXY", "all_proxy"):
        with pytest.raises(TransportError, match=f"names in {name} has"):
            through("https://reg.test/", **{name: "http://me:p#w@proxy.test"})


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:p%23%3F%40%2F@proxy.test:3128",
        "http://me:p:w!$&'()*+,;=~@proxy.test",
        "http://proxy.test:3128/",
        "http://proxy.test:3128/path",
        "http://[fd00::1]:3128",
        "http://me@proxy.test",
    ],
)
def test_a_proxy_that_says_one_thing_only_is_taken(proxy: str) -> None:
    assert through("https://reg.test/", HTTPS_PROXY=proxy) == proxy


def test_a_proxy_that_is_not_needed_is_not_judged() -> None:
    wrong = "http://me:p#w@proxy.test"
    assert through("https://reg.test/", HTTPS_PROXY=wrong, NO_PROXY="reg.test") is None
    assert through("http://127.0.0.1:5000/", ALL_PROXY=wrong) is None
