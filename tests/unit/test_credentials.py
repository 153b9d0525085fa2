"""Where credentials come from."""

from __future__ import annotations

import base64
import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.credentials import Credential, docker_config_file, find_credential
from oci_merge.errors import CredentialError

_PASSWORD = "s3cret-pa55"


def _auth(username: str = "ci", password: str = _PASSWORD) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def _find(
    folder: Path, config: Any, registry: str = "reg.example", **environ: str
) -> Credential | None:
    """Find a credential by a docker config in a folder."""
    content = config if isinstance(config, bytes) else json.dumps(config).encode()
    (folder / "config.json").write_bytes(content)
    return find_credential(registry, None, {"DOCKER_CONFIG": str(folder)} | environ)


def _user(folder: Path, auths: Any, registry: str = "reg.example") -> str | None:
    found = _find(folder, {"auths": auths}, registry)
    return found.username if found else None


def test_what_the_caller_gives_comes_first(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    given = Credential("user", "password")
    environ = {
        "OCI_MERGE_USERNAME": "env",
        "OCI_MERGE_PASSWORD": "env",
        "DOCKER_CONFIG": str(tmp_path),
    }
    assert find_credential("reg.example", given, environ) is given


def test_the_environment_comes_before_the_docker_config(tmp_path: Path) -> None:
    found = _find(
        tmp_path,
        {"auths": {"reg.example": {"auth": _auth()}}},
        OCI_MERGE_USERNAME="env",
        OCI_MERGE_PASSWORD="word",
    )
    assert found is not None
    assert (found.username, found.password) == ("env", "word")
    assert "OCI_MERGE_USERNAME" in found.origin


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"OCI_MERGE_USERNAME": "env"}, "OCI_MERGE_PASSWORD"),
        ({"OCI_MERGE_PASSWORD": _PASSWORD}, "OCI_MERGE_USERNAME"),
        ({"OCI_MERGE_USERNAME": "", "OCI_MERGE_PASSWORD": _PASSWORD}, "OCI_MERGE_USERNAME"),
    ],
)
def test_half_a_credential_in_the_environment_is_an_error(
    environ: dict[str, str], missing: str
) -> None:
    with pytest.raises(CredentialError, match=f"{missing} is not set") as caught:
        find_credential("reg.example", None, environ)
    assert _PASSWORD not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("pair", [("ci\udcff", _PASSWORD), ("ci", f"{_PASSWORD}\udcff")])
def test_variables_that_hold_no_text_are_an_error_that_does_not_repeat_them(
    pair: tuple[str, str],
) -> None:
    environ = {"OCI_MERGE_USERNAME": pair[0], "OCI_MERGE_PASSWORD": pair[1]}
    with pytest.raises(CredentialError, match="are not valid UTF-8") as caught:
        find_credential("reg.example", None, environ)
    assert _PASSWORD not in f"{caught.value}{caught.value.hint}"
    assert not Credential(*pair).is_text
    assert Credential("ci", "ß").is_text


def test_empty_variables_are_as_good_as_none() -> None:
    environ = {"OCI_MERGE_USERNAME": "", "OCI_MERGE_PASSWORD": "", "DOCKER_CONFIG": "", "HOME": ""}
    assert find_credential("reg.example", None, environ) is None


def test_the_processs_own_environment_is_read_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OCI_MERGE_USERNAME", "env")
    monkeypatch.setenv("OCI_MERGE_PASSWORD", "word")
    found = find_credential("reg.example", None)
    assert found is not None
    assert found.username == "env"


def test_the_docker_config_is_in_the_home_folder_unless_it_is_said(tmp_path: Path) -> None:
    for folder, user in ((tmp_path / ".docker", "home"), (tmp_path / "other", "other")):
        folder.mkdir()
        config = {"auths": {"reg.example": {"auth": _auth(user)}}}
        (folder / "config.json").write_text(json.dumps(config))
    home = {"HOME": str(tmp_path)}
    said = home | {"DOCKER_CONFIG": str(tmp_path / "other")}
    found = [find_credential("reg.example", None, environ) for environ in (home, said)]
    assert [credential and credential.username for credential in found] == ["home", "other"]
    assert found[1] is not None
    assert str(tmp_path / "other" / "config.json") in found[1].origin


def test_a_file_that_is_named_is_read_instead(tmp_path: Path) -> None:
    file = tmp_path / "auth"
    file.write_text(json.dumps({"auths": {"reg.example": {"auth": _auth("named")}}}))
    found = find_credential("reg.example", None, {"HOME": str(tmp_path)}, file)
    assert found is not None
    assert found.username == "named"


@pytest.mark.parametrize("folder", ["missing", "file/below"])
def test_a_config_that_is_not_there_is_an_anonymous_run(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    environ = {"DOCKER_CONFIG": str(tmp_path / folder)}
    assert find_credential("reg.example", None, environ) is None


def test_a_config_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(CredentialError, match=r"config\.json cannot be read: Is a directory"):
        find_credential("reg.example", None, {"DOCKER_CONFIG": str(tmp_path)})


_ENTRY = {"auth": _auth()}


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("reg.example", "reg.example"),
        ("reg.example", "https://reg.example"),
        ("reg.example", "http://reg.example"),
        ("reg.example", "https://reg.example/v2/"),
        ("reg.example", "reg.example/"),
        ("reg.example", "REG.Example"),
        ("reg.example:5000", "reg.example:5000"),
        ("reg.example:5000", "https://reg.example:5000/v1/"),
        ("[::1]:5000", "https://[::1]:5000/v2/"),
        ("Foo", "foo"),
        ("docker.io", "https://index.docker.io/v1/"),
        ("docker.io", "index.docker.io"),
        ("docker.io", "docker.io"),
        ("docker.io", "registry-1.docker.io"),
        ("docker.io", "https://registry-1.docker.io/v2/"),
        ("docker.io", "https://docker.io"),
    ],
)
def test_a_registry_is_found_by_its_key_or_by_one_that_reduces_to_it(
    tmp_path: Path, registry: str, key: str
) -> None:
    assert _user(tmp_path, {"other.example": {"auth": _auth("x")}, key: _ENTRY}, registry) == "ci"


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("reg.example", "reg.example:5000"),
        ("reg.example:5000", "reg.example"),
        ("reg.example", "sub.reg.example"),
        ("reg.example", "ftp://reg.example"),
        ("docker.io", "hub.docker.io"),
        ("reg.example", "https://index.docker.io/v1/"),
    ],
)
def test_another_registrys_credential_is_not_used(tmp_path: Path, registry: str, key: str) -> None:
    assert _user(tmp_path, {key: _ENTRY}, registry) is None


def test_the_exact_key_is_preferred_then_the_first_that_reduces_to_it(tmp_path: Path) -> None:
    reduced = {
        "https://reg.example/v1/": {"auth": _auth("first")},
        "https://reg.example/v2/": {"auth": _auth("second")},
    }
    assert _user(tmp_path, reduced) == "first"
    assert _user(tmp_path, reduced | {"reg.example": {"auth": _auth("exact")}}) == "exact"


def test_docker_hubs_usual_key_is_preferred(tmp_path: Path) -> None:
    auths = {
        "docker.io": {"auth": _auth("short")},
        "https://index.docker.io/v1/": {"auth": _auth("usual")},
    }
    assert _user(tmp_path, auths, "docker.io") == "usual"


@pytest.mark.parametrize("marker", [{}, {"auth": ""}, {"auth": None}, {"email": "x"}, None])
def test_a_marker_of_a_credential_helper_is_passed_over(tmp_path: Path, marker: Any) -> None:
    assert _user(tmp_path, {"reg.example": marker}) is None
    assert _user(tmp_path, {"reg.example": marker, "https://reg.example/v2/": _ENTRY}) == "ci"
    assert _user(tmp_path, {"https://reg.example/v1/": marker, "reg.example/": _ENTRY}) == "ci"
    hub = {"https://index.docker.io/v1/": marker, "docker.io": _ENTRY}
    assert _user(tmp_path, hub, "docker.io") == "ci"


@pytest.mark.parametrize(
    "config", [{}, {"auths": None}, {"auths": {}}, {"auths": {"other.example": None}}]
)
def test_a_config_without_entries_is_an_anonymous_run(tmp_path: Path, config: Any) -> None:
    assert _find(tmp_path, config) is None


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
    tmp_path: Path, pair: bytes, expected: tuple[str, str]
) -> None:
    encoded = base64.b64encode(pair).decode()
    for auth in (encoded, f"{encoded[:40]}\r\n{encoded[40:]}\n"):
        found = _find(tmp_path, {"auths": {"reg.example": {"auth": auth}}})
        assert found is not None
        assert (found.username, found.password) == expected


def test_user_name_and_password_may_stand_by_themselves_but_auth_overrides_them(
    tmp_path: Path,
) -> None:
    plain = {"username": "plain", "password": "word"}
    assert _user(tmp_path, {"reg.example": plain}) == "plain"
    assert _user(tmp_path, {"reg.example": plain | {"auth": ""}}) == "plain"
    assert _user(tmp_path, {"reg.example": plain | {"auth": _auth()}}) == "ci"
    found = _find(tmp_path, {"auths": {"reg.example": {"username": "plain", "password": None}}})
    assert found is not None
    assert found.password == ""


@pytest.mark.parametrize(
    "auth",
    [
        _PASSWORD,
        base64.b64encode(_PASSWORD.encode()).decode(),
        base64.b64encode(f":{_PASSWORD}".encode()).decode(),
        base64.b64encode(b"ci:" + _PASSWORD.encode() + b"\xff").decode(),
        _auth().rstrip("=") + "*",
        _PASSWORD + "\u00e9",
    ],
)
def test_an_entry_that_is_no_pair_is_an_error_that_does_not_repeat_it(
    tmp_path: Path, auth: str
) -> None:
    with pytest.raises(
        CredentialError, match=r"no user name and password for reg\.example"
    ) as caught:
        _find(tmp_path, {"auths": {"reg.example": {"auth": auth}}})
    assert "docker login reg.example" in caught.value.hint
    _assert_silent(caught.value, auth)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"auths": {"reg.example": {"auth": "%s"}}' % _auth().encode(),
        b'{"auths": {"reg.example": "%s"}}' % _auth().encode(),
        b'{"auths": {"reg.example": {"auth": ["%s"]}}}' % _auth().encode(),
        b'{"auths": {"reg.example": {"password": {"x": "%s"}}}}' % _PASSWORD.encode(),
        b'{"auths": ["%s"]}' % _auth().encode(),
        b'{"auths": {"reg.example": {"auth": "%s\xff"}}}' % _auth().encode(),
        b'{"auths": {"reg.example": {"auth": "%s\\ud800"}}}' % _auth().encode(),
        b'{"auths": {"%s": 5}}' % _PASSWORD.encode(),
        b'{"auths":' + b"[" * 100_000,
    ],
)
def test_a_broken_config_is_an_error_that_names_the_file_and_leaks_nothing(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(CredentialError, match="cannot be read") as caught:
        _find(tmp_path, content)
    assert str(tmp_path / "config.json") in caught.value.message
    _assert_silent(caught.value, _auth())


def _assert_silent(error: CredentialError, auth: str) -> None:
    """Check that neither the error nor its traceback shows a secret."""
    shown = "".join(traceback.format_exception(error)) + error.message + error.hint + repr(error)
    lines = [line for line in shown.splitlines() if not line.startswith("    ")]
    assert _PASSWORD not in "\n".join(lines)
    assert auth not in "\n".join(lines)


@given(content=st.one_of(st.binary(), st.text('{}[]":,auths regexample').map(str.encode)))
def test_an_arbitrary_config_is_a_credential_none_or_an_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("config")
    try:
        _find(folder, content)
    except CredentialError:
        return


def test_a_password_is_kept_out_of_repr() -> None:
    credential = Credential("ci", _PASSWORD, "the caller")
    assert _PASSWORD not in repr(credential)
    assert _PASSWORD not in str(credential)
    assert "ci" in repr(credential)


def test_the_header_of_basic_is_base64_of_utf8() -> None:
    assert Credential("Aladdin", "open sesame").basic() == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert base64.b64decode(Credential("ü", "ß:").basic()[6:]).decode() == "ü:ß:"


def test_a_path_may_name_the_file_or_its_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "auth").write_text("{}")
    assert docker_config_file(str(tmp_path)) == tmp_path / "config.json"
    assert docker_config_file(str(tmp_path / "auth")) == tmp_path / "auth"


def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="missing cannot be read: No such file") as caught:
        docker_config_file(str(tmp_path / "missing"))
    assert "the folder that it is in" in caught.value.hint


def test_a_folder_that_is_named_may_have_no_config_like_the_usual_one(tmp_path: Path) -> None:
    file = docker_config_file(str(tmp_path))
    assert find_credential("reg.example", None, {"HOME": str(tmp_path)}, file) is None
