"""Parsing files with credentials, and invalid ones."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_merge.credentials import Credential, CredentialSearch
from oci_merge.credentials.documents import parse_helper_reply
from oci_merge.errors import CredentialError
from tests.unit.credentials.support import PASSWORD, assert_silent, auth, find, write

_TOKEN = "eyJ-t0ken"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The docker config in the home folder."""
    return tmp_path / "home" / ".docker" / "config.json"


def _entry(config: Path, entry: Any, environ: dict[str, str]) -> Credential | None:
    write(config, {"auths": {"reg.example": entry}})
    return find(environ)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (b"ci:pass", ("ci", "pass")),
        (b"ci:pa:ss:", ("ci", "pa:ss:")),
        (b"ci:pass\0\0\0", ("ci", "pass")),
        (b"ci:", ("ci", "")),
        ("ci:pä ß".encode(), ("ci", "pä ß")),
        (b"AWS:" + b"x" * 2000, ("AWS", "x" * 2000)),
    ],
)
def test_the_pair_is_split_at_its_first_colon_and_ends_before_nuls(
    pair: bytes, expected: tuple[str, str], config: Path, environ: dict[str, str]
) -> None:
    encoded = base64.b64encode(pair).decode()
    for field in (encoded, f"{encoded[:40]}\r\n{encoded[40:]}\n"):
        found = _entry(config, {"auth": field}, environ)
        assert found is not None
        assert (found.username, found.password, found.kind) == (*expected, "password")


def test_user_name_and_password_may_be_given_separately_but_auth_overrides_them(
    config: Path, environ: dict[str, str]
) -> None:
    plain = {"username": "plain", "password": "word"}
    for entry, expected in (
        (plain, ("plain", "word")),
        (plain | {"auth": ""}, ("plain", "word")),
        (plain | {"auth": auth()}, ("ci", PASSWORD)),
    ):
        found = _entry(config, entry, environ)
        assert found is not None
        assert (found.username, found.password) == expected


def test_an_identity_token_may_come_with_a_user_name_a_password_or_neither(
    config: Path, environ: dict[str, str]
) -> None:
    for entry, expected in (
        ({"identitytoken": _TOKEN}, ("", "")),
        ({"identitytoken": _TOKEN, "auth": auth("ci", "")}, ("ci", "")),
        ({"identitytoken": _TOKEN, "auth": auth()}, ("ci", PASSWORD)),
        ({"identitytoken": _TOKEN, "username": "ci"}, ("ci", "")),
    ):
        found = _entry(config, entry, environ)
        assert found is not None
        assert (found.kind, found.identity_token) == ("identity token", _TOKEN)
        assert (found.username, found.password) == expected


def test_a_registry_token_takes_precedence(config: Path, environ: dict[str, str]) -> None:
    found = _entry(config, {"registrytoken": _TOKEN, "auth": auth()}, environ)
    assert found is not None
    assert (found.kind, found.registry_token) == ("registry token", _TOKEN)


@pytest.mark.parametrize("token", ["two words", "line\r\nX-Injected: yes", "umlaut-\u00fc"])
def test_a_registry_token_that_no_header_can_contain_is_an_error(
    token: str, config: Path, environ: dict[str, str]
) -> None:
    with pytest.raises(
        CredentialError, match=r"no valid registry token for reg\.example"
    ) as caught:
        _entry(config, {"registrytoken": token}, environ)
    assert_silent(caught.value, token)


@pytest.mark.parametrize(
    "field",
    [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f":{PASSWORD}".encode()).decode(),
        base64.b64encode(b"ci:" + PASSWORD.encode() + b"\xff").decode(),
        auth().rstrip("=") + "*",
        PASSWORD + "\u00e9",
    ],
)
def test_an_entry_that_does_not_decode_is_an_error_that_does_not_repeat_it(
    field: str, config: Path, environ: dict[str, str]
) -> None:
    with pytest.raises(
        CredentialError, match=r"no valid user name and password for reg\.example"
    ) as caught:
        _entry(config, {"auth": field}, environ)
    assert str(config) in caught.value.message
    assert "docker login reg.example" in caught.value.hint
    assert_silent(caught.value, field)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"null",
        b'{"auths": {"reg.example": {"auth": "%s"}}' % auth().encode(),
        b'{"auths": {"reg.example": "%s"}}' % auth().encode(),
        b'{"auths": {"reg.example": {"auth": ["%s"]}}}' % auth().encode(),
        b'{"auths": {"reg.example": {"password": {"x": "%s"}}}}' % PASSWORD.encode(),
        b'{"auths": {"reg.example": {"identitytoken": ["%s"]}}}' % PASSWORD.encode(),
        b'{"auths": ["%s"]}' % auth().encode(),
        b'{"auths": {"reg.example": {"auth": "%s\xff"}}}' % auth().encode(),
        b'{"auths": {"reg.example": {"auth": "%s\\ud800"}}}' % auth().encode(),
        b'{"auths": {"%s": 5}}' % PASSWORD.encode(),
        b'{"credHelpers": {"reg.example": ["%s"]}}' % PASSWORD.encode(),
        b'{"credsStore": {"x": "%s"}}' % PASSWORD.encode(),
        b'{"auths":' + b"[" * 100_000,
    ],
)
def test_a_broken_file_is_an_error_that_names_it_and_leaks_nothing(
    content: bytes, config: Path, environ: dict[str, str]
) -> None:
    write(config, content)
    with pytest.raises(CredentialError, match="cannot be read") as caught:
        find(environ)
    assert str(config) in caught.value.message
    assert_silent(caught.value, auth())


def test_a_byte_order_mark_before_a_file_is_ignored(config: Path, environ: dict[str, str]) -> None:
    write(config, b'\xef\xbb\xbf{"auths": {"reg.example": {"auth": "%s"}}}' % auth().encode())
    assert find(environ) == Credential("ci", PASSWORD)


_TEXT = json.dumps({"auths": {"reg.example": {"auth": auth()}}})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_may_be_in_any_encoding_of_unicode(
    encoding: str, config: Path, environ: dict[str, str]
) -> None:
    write(config, _TEXT.encode(encoding))  # PowerShell writes utf-16, with a byte order mark
    assert find(environ) == Credential("ci", PASSWORD)
    for empty in ("", "\r\n"):
        write(config, empty.encode(encoding))
        assert find(environ) is None
    write(config, _TEXT.encode(encoding)[:-5])
    with pytest.raises(CredentialError, match="cannot be read") as caught:
        find(environ)
    assert_silent(caught.value, auth())


@pytest.mark.parametrize(
    "content",
    [
        '{"Auths": {"reg.example": {"Auth": "<auth>"}}}',
        '{"AUTHS": {"reg.example": {"AUTH": "<auth>", "email": null}}}',
        '{"auths": {"reg.example": {"Username": "ci", "PassWord": "<secret>"}}}',
        '{"auths": {"b.example": {"auth": "eDp5"}}, "auths": {"reg.example": {"auth": "<auth>"}}}',
        '{"auths": {"reg.example": {"auth": "<auth>"}}, "auths": {"b.example": {"auth": "eDp5"}}}',
        '{"auths": {"reg.example": {"auth": "<auth>"}}, "Auths": {}}',
        '{"auths": {"reg.example": {"auth": "eDp5"}, "reg.example": {"auth": "<auth>"}}}',
        '{"auths": {"reg.example": {"auth": "eDp5", "auth": "<auth>"}}}',
        '{"auths": {"reg.example": {"auth": "eDp5"}},'
        ' "auths": {"reg.example": {"auth": "<auth>"}}}',
        '{"auths": {"reg.example": {"auth": "<auth>"}}, "auths": null}',
        # From public reports about crane, rules_docker and helm.
        '{"credSstore": "", "auths": {"https://index.docker.io/v2/": {},'
        ' "reg.example": {"auth": "<auth>"}}}',
        '{"credsStore": "",'
        ' "auths": {"https://reg.example": {"auth": "<auth>", "email": "a@b.c"}}}',
        '{"psFormat": "table", "detachKeys": 1, "auths": {"http://reg.example/v2/":'
        ' {"auth": "<auth>"}}}',
        # As docker before 1.7, and Kubernetes in a secret of the type dockercfg, has it.
        '{"reg.example": {"auth": "<auth>", "email": ""}}',
        '{"https://reg.example/v1/": {"username": "ci", "password": "<secret>"}, "b.example": {}}',
    ],
)
def test_a_file_is_read_as_go_reads_it(content: str, config: Path, environ: dict[str, str]) -> None:
    write(config, content.replace("<auth>", auth()).replace("<secret>", PASSWORD).encode())
    assert find(environ) == Credential("ci", PASSWORD)


def test_tokens_count_in_any_case_too(config: Path, environ: dict[str, str]) -> None:
    for entry, kind in (
        ({"registryToken": _TOKEN}, "registry token"),
        ({"RegistryToken": _TOKEN}, "registry token"),
        ({"identityToken": _TOKEN}, "identity token"),
        ({"IdentityToken": _TOKEN}, "identity token"),
    ):
        found = _entry(config, entry, environ)
        assert found is not None
        assert found.kind == kind


def test_a_helpers_answer_counts_in_any_case_too() -> None:
    reply = parse_helper_reply(b'{"username": "ci", "SECRET": "x"}', what="a helper")
    assert reply == Credential("ci", "x")


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_a_line_break_at_the_end_of_a_secret_is_left_out_with_a_warning(
    line_break: str, config: Path, environ: dict[str, str]
) -> None:
    encoded = base64.b64encode(f"ci:{PASSWORD}{line_break}".encode()).decode()
    for entry, part in (
        ({"auth": encoded}, "password"),
        ({"auth": auth("ci", PASSWORD + line_break + "\0")}, "password"),
        ({"username": "ci", "password": PASSWORD + line_break}, "password"),
        ({"identitytoken": PASSWORD + line_break}, "identity token"),
        ({"registrytoken": PASSWORD + line_break}, "registry token"),
    ):
        found = _entry(config, entry, environ)
        assert found is not None
        assert PASSWORD in (found.password, found.identity_token, found.registry_token)
        assert found.warning.startswith(f"the {part} of ")
        assert str(config) in found.warning
        assert PASSWORD not in found.warning


@pytest.mark.parametrize("end", [" ", "\t", "\n ", "\u2028"])
def test_other_white_space_may_be_meant(end: str, config: Path, environ: dict[str, str]) -> None:
    found = _entry(config, {"auth": auth("ci", PASSWORD + end)}, environ)
    assert found is not None
    assert (found.password, found.warning) == (PASSWORD + end, "")


@settings(deadline=None)
@given(content=st.one_of(st.binary(), st.text('{}[]":,auths regexample').map(str.encode)))
def test_an_arbitrary_file_is_a_credential_none_or_an_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = write(tmp_path_factory.mktemp("config") / "config.json", content)
    try:
        CredentialSearch("reg.example", docker_config=file, environ={}).find("team/app")
    except CredentialError:
        return


def test_the_old_dockercfg_has_only_entries(tmp_path: Path, environ: dict[str, str]) -> None:
    file = write(tmp_path / "home" / ".dockercfg", {"https://reg.example/v1/": {"auth": auth()}})
    found = find(environ)
    assert found is not None
    assert found.origin == f"the docker config {file}"
    write(file, {"reg.example": {"auth": [PASSWORD]}})
    with pytest.raises(CredentialError, match=r"\.dockercfg cannot be read") as caught:
        find(environ)
    assert_silent(caught.value)


def test_secrets_are_kept_out_of_repr() -> None:
    credential = Credential("ci", "pa55", "the caller", "identity-s3cret", "registry-s3cret")
    for secret in ("pa55", "identity-s3cret", "registry-s3cret"):
        assert secret not in f"{credential!r}{credential}{credential.user}"
    assert "ci" in repr(credential)


def test_credentials_are_equal_wherever_they_were_found() -> None:
    assert Credential("ci", "x", "here") == Credential("ci", "x", "there")
    assert len({Credential("ci", "x", "here"), Credential("ci", "x", "there")}) == 1
    assert Credential("ci", "x") != Credential("ci", "x", identity_token="y")


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (Credential("ci", "x"), "ci (from the caller)"),
        (Credential("ci", identity_token="x"), "ci with an identity token (from the caller)"),
        (Credential(identity_token="x"), "an identity token (from the caller)"),
        (Credential(registry_token="x", origin="a file"), "a registry token (from a file)"),
        (Credential("c\x1b[1mi", "x"), "c\\x1b[1mi (from the caller)"),
    ],
)
def test_a_credential_says_who_it_is(credential: Credential, words: str) -> None:
    assert credential.user == words


def test_the_header_of_basic_is_base64_of_utf8() -> None:
    assert Credential("Aladdin", "open sesame").basic() == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert base64.b64decode(Credential("ü", "ß:").basic()[6:]).decode() == "ü:ß:"


@settings(deadline=None)
@given(st.one_of(st.binary(), st.text('{}[]":,UsernameSecret').map(str.encode)))
def test_an_arbitrary_answer_of_a_helper_is_a_credential_none_or_an_error(content: bytes) -> None:
    try:
        parse_helper_reply(content, what="docker-credential-x")
    except CredentialError:
        return
