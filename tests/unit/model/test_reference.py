"""Image references, as Docker reads them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge.errors import InvalidReferenceError
from oci_merge.model.host import is_loopback, is_registry, registry_endpoint, registry_host
from oci_merge.model.reference import Reference, check_tag, parse_reference

_DIGEST = "sha256:" + "ab" * 32

_COMPONENTS = st.from_regex(
    r"[a-z0-9]{1,6}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True
)
_REPOSITORIES = st.lists(_COMPONENTS, min_size=1, max_size=4).map("/".join)
_LABELS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,5}[A-Za-z0-9])?", fullmatch=True)
_HOSTS = st.one_of(
    st.lists(_LABELS, min_size=2, max_size=3).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.just("localhost"),
    st.from_regex(r"[A-Z][a-z0-9]{0,5}", fullmatch=True),
)
_PORTS = st.integers(1, 65535).map(lambda port: f":{port}")
_REGISTRIES = st.builds("".join, st.tuples(_HOSTS, st.one_of(st.just(""), _PORTS)))
_TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)
_NAMES = st.one_of(
    _REPOSITORIES.filter(lambda name: not is_registry(name.partition("/")[0])),
    st.tuples(_REGISTRIES, _REPOSITORIES).map("/".join),
)
_TEXTS = st.builds(
    "{}{}{}".format,
    _NAMES,
    st.one_of(st.just(""), _TAGS.map(lambda tag: f":{tag}")),
    st.sampled_from(["", f"@{_DIGEST}"]),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpine", Reference("docker.io", "library/alpine")),
        ("alpine:3", Reference("docker.io", "library/alpine", "3")),
        ("team/app", Reference("docker.io", "team/app")),
        ("docker.io/alpine", Reference("docker.io", "library/alpine")),
        ("index.docker.io/team/app:1", Reference("docker.io", "team/app", "1")),
        ("registry-1.docker.io/alpine", Reference("docker.io", "library/alpine")),
        ("Docker.IO/alpine", Reference("docker.io", "library/alpine")),
        ("foo:5000", Reference("docker.io", "library/foo", "5000")),
        ("reg.example", Reference("docker.io", "library/reg.example")),
        ("reg.example:5000", Reference("docker.io", "library/reg.example", "5000")),
        ("localhost/app", Reference("localhost", "app")),
        ("localhost:5000/foo", Reference("localhost:5000", "foo")),
        ("reg.example/a/b/c:1.0", Reference("reg.example", "a/b/c", "1.0")),
        ("reg.example:5000/app", Reference("reg.example:5000", "app")),
        ("REG.Example:5000/app:RC", Reference("reg.example:5000", "app", "RC")),
        ("[::1]:5000/app:1", Reference("[::1]:5000", "app", "1")),
        ("[2001:DB8::1]/app", Reference("[2001:db8::1]", "app")),
        ("10.0.0.5/app", Reference("10.0.0.5", "app")),
        (f"reg.example/app@{_DIGEST}", Reference("reg.example", "app", None, _DIGEST)),
        (f"reg.example/app:1@{_DIGEST}", Reference("reg.example", "app", "1", _DIGEST)),
        (f"reg.example:5000/app@{_DIGEST}", Reference("reg.example:5000", "app", None, _DIGEST)),
        ("reg.example/a.b_c__d---e/f", Reference("reg.example", "a.b_c__d---e/f")),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


def test_a_registry_that_only_its_capitals_mark_as_one_keeps_them() -> None:
    reference = parse_reference("Foo/app:1")
    assert reference == Reference("Foo", "app", "1")
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/app",
        "reg.example/",
        "docker.io/",
        "reg.example/app:",
        "reg.example/app@",
        "reg.example/app:1@sha256:abc",
        "reg.example//app",
        "reg.example/app/",
        "reg.example/App",
        "reg.example/app-",
        "reg.example/-app",
        "reg.example/a..b",
        "reg.example/a___b",
        "reg.example/app:-1",
        "reg.example/app:1 ",
        " reg.example/app:1",
        "reg.example/a b:1",
        "reg.example/app:1\n",
        "reg.example/app\x1b:1",
        "reg.example/app:" + "a" * 129,
        "https://reg.example/app:1",
        "reg.example:/app",
        "reg.example:0/app",
        "reg.example:65536/app",
        "reg.example:99999/app",
        "reg.example:123456/app",
        "reg_x.example/app",
        "-reg.example/app",
        "reg.example./app",
        ".reg/app",
        "a..b/app",
        "[::1/app",
        "[::g]/app",
        "[1.2.3]/app",
        "[]/app",
        "[::1]x/app",
        f"@{_DIGEST}",
        f"reg.example/app@{_DIGEST}@{_DIGEST}",
        "İ.example/app",
    ],
)
def test_what_breaks_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("https://reg.example/app:1", "write reg.example/app:1 instead"),
        ("reg.example/app-ARCH", "ARCH, OS and VARIANT are replaced in templates"),
        ("reg.example/app-", "a separator needs a name on both of its sides"),
        ("reg.example/app_", "a separator needs a name on both of its sides"),
        ("reg.example/app.", "a separator needs a name on both of its sides"),
        ("reg.example/a//b", "a separator needs a name on both of its sides"),
        ("reg.example/", "has to follow the registry"),
        ("docker.io/", "has to follow the registry"),
        ("reg.example/a+b", "lower-case letters, digits"),
        ("reg.example:99999/app", "host:port"),
        ("reg.example/app:a:b", "lower-case letters, digits"),
    ],
)
def test_the_hint_says_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an image reference is empty"),
        (" reg.example/app:1", "has spaces around it or control characters in it"),
        ("reg.example/a\x1bpp:1", r"a\\x1bpp:1' has spaces around it or control characters in it"),
        ("reg.example:0/app", "'reg.example:0' is not a registry's host and port"),
    ],
)
def test_the_message_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference(text)
    assert message in caught.value.message


def test_a_name_may_have_255_characters_and_no_more() -> None:
    fitting = "reg.example/" + "a" * 243
    assert len(parse_reference(f"{fitting}:1").name) == 255
    with pytest.raises(InvalidReferenceError, match="256 characters, 255 are allowed"):
        parse_reference(f"{fitting}a:1")


def test_the_namespace_that_docker_hub_implies_counts_too() -> None:
    with pytest.raises(InvalidReferenceError, match="255 are allowed"):
        parse_reference("a" * 250)


@given(_TEXTS)
@example("FOO/app:1")
def test_what_is_printed_reads_back_the_same(text: str) -> None:
    reference = parse_reference(text)
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.name) == Reference(reference.registry, reference.repository)


@given(_TEXTS)
def test_a_parsed_registry_is_one_wherever_it_came_from(text: str) -> None:
    reference = parse_reference(text)
    assert is_registry(reference.registry)
    assert reference.registry not in ("index.docker.io", "registry-1.docker.io")
    assert reference.registry != "docker.io" or "/" in reference.repository


@given(
    st.one_of(st.text(), st.text("aA1.:/@-_[]%\u0130\u00df"), st.text(st.characters(codec=None)))
)
def test_arbitrary_text_is_a_reference_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidReferenceError):
        reference = parse_reference(text)
        assert parse_reference(str(reference)) == reference


def test_the_digest_is_what_is_fetched_then_the_tag_then_latest() -> None:
    assert parse_reference(f"reg.example/app:1@{_DIGEST}").identifier == _DIGEST
    assert parse_reference("reg.example/app:1").identifier == "1"
    assert parse_reference("reg.example/app").identifier == "latest"


def test_another_tag_of_the_repository_has_no_digest() -> None:
    other = parse_reference(f"reg.example/app:1@{_DIGEST}").with_tag("2")
    assert str(other) == "reg.example/app:2"


@pytest.mark.parametrize("tag", ["1", "_", "A.b-c_D", "a" * 128, "latest"])
def test_tags_may_be_of_letters_digits_and_three_signs(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize(
    "tag", [".1", "-1", "a" * 129, "a b", "a:b", "app:1", "reg.example/app:1", "ä", "1\n"]
)
def test_other_tags_are_refused_and_the_hint_says_what_a_tag_is(tag: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        check_tag(tag)
    assert caught.value.hint == (
        "a tag has up to 128 letters, digits, '_', '.' and '-', "
        "and starts with a letter, a digit or '_'"
    )


def test_an_empty_tag_is_refused_and_the_hint_says_where_it_may_come_from() -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        check_tag("")
    assert caught.value.hint == "drop the comma too many, or set the variable for it"


def test_docker_hub_is_connected_to_by_another_name() -> None:
    assert registry_endpoint("docker.io") == "registry-1.docker.io"
    assert registry_endpoint("reg.example:5000") == "reg.example:5000"


@pytest.mark.parametrize(
    ("registry", "host"),
    [("reg.example", "reg.example"), ("reg.example:5000", "reg.example"), ("[::1]:5000", "::1")],
)
def test_the_host_has_neither_port_nor_brackets(registry: str, host: str) -> None:
    assert registry_host(registry) == host


@pytest.mark.parametrize(
    "registry",
    [
        "localhost",
        "localhost:5000",
        "127.0.0.1",
        "127.8.9.1:80",
        "[::1]",
        "[::1]:5000",
        "a.localhost:5000",
    ],
)
def test_loopback_names_this_machine(registry: str) -> None:
    assert is_loopback(registry)


@pytest.mark.parametrize(
    "registry",
    [
        "reg.example",
        "localhost.example",
        "10.0.0.1:5000",
        "192.168.0.1",
        "172.16.0.1",
        "128.0.0.1",
        "0.0.0.0",
        "[fe80::1]",
        "docker.io",
        "notlocalhost",
    ],
)
def test_private_networks_are_not_this_machine(registry: str) -> None:
    assert not is_loopback(registry)


@pytest.mark.parametrize("value", [None, b"a/b:1", 1, True, ["a/b:1"], object()])
def test_what_is_no_text_is_no_reference(value: Any) -> None:
    with pytest.raises(InvalidReferenceError, match="a reference must be text, got"):
        parse_reference(value)


def test_a_reference_is_its_own_reference() -> None:
    reference = parse_reference("reg.example/app:1.0")
    assert parse_reference(reference) is reference
