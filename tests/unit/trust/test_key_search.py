"""Keys are found where users say that they are."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from oci_merge.errors import SigningKeyError
from oci_merge.trust.key_search import DEFAULT_KEY, load_signer, load_verifier
from tests.unit.trust.support import (
    P256,
    PASSWORD,
    assert_silent,
    cosign_document,
    cosign_key,
    der,
    pkcs8,
    public,
)

_COSIGN = cosign_key(cosign_document(der(P256)))
_ID = load_verifier("env://KEY", environ={"KEY": public(P256).decode()}).key_id
_WITH_PASSWORD = {"COSIGN_PASSWORD": PASSWORD.decode()}


def _signer_id(reference: str, **environ: str) -> str:
    return load_signer(reference, environ=environ, ask=None).public.key_id


def _problem(reference: str, **environ: str) -> SigningKeyError:
    with pytest.raises(SigningKeyError) as caught:
        load_signer(reference, environ=environ, ask=None)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key of cosign's in a file."""
    path = tmp_path / "cosign.key"
    path.write_bytes(_COSIGN)
    return path


def test_a_key_is_read_from_a_file(key_file: Path) -> None:
    key_file.chmod(0o666)  # others may read it: that is the user's affair
    assert _signer_id(str(key_file), **_WITH_PASSWORD) == _ID


def test_a_key_is_read_from_a_relative_path(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(key_file.parent)
    assert _signer_id("cosign.key", **_WITH_PASSWORD) == _ID
    assert _signer_id("./cosign.key", **_WITH_PASSWORD) == _ID


def test_a_key_is_read_from_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_bytes, args=(_COSIGN,))
    writing.start()
    assert _signer_id(str(pipe), **_WITH_PASSWORD) == _ID
    writing.join()


def test_a_key_is_read_from_a_variable() -> None:
    environ = {"MY_KEY": _COSIGN.decode(), **_WITH_PASSWORD}
    assert _signer_id("env://MY_KEY", **environ) == _ID
    environ["MY_KEY"] = base64.b64encode(_COSIGN).decode()
    assert _signer_id("env://MY_KEY", **environ) == _ID


def test_a_variable_of_gitlabs_that_names_a_file_is_followed(key_file: Path) -> None:
    environ = {"COSIGN_PRIVATE_KEY": str(key_file), **_WITH_PASSWORD}
    assert _signer_id("env://COSIGN_PRIVATE_KEY", **environ) == _ID
    environ["COSIGN_PRIVATE_KEY"] += "\n"
    assert _signer_id("env://COSIGN_PRIVATE_KEY", **environ) == _ID
    key_file.write_bytes(public(P256))
    message = _problem("env://COSIGN_PRIVATE_KEY", **environ).message
    assert message == (
        f"env://COSIGN_PRIVATE_KEY, which is the file {key_file}, holds a public key, "
        "where a private key was expected"
    )


@pytest.mark.parametrize("value", ["cosign.key", "./cosign.key", "/nowhere/cosign.key"])
def test_a_variable_that_names_no_file_by_its_whole_path_is_no_key(
    value: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(key_file.parent)
    error = _problem("env://MY_KEY", MY_KEY=value)
    assert error.message == "env://MY_KEY is not PEM: it has no line -----BEGIN …"
    assert value not in error.hint


def test_the_usual_key_is_cosigns_variable() -> None:
    assert DEFAULT_KEY == "env://COSIGN_PRIVATE_KEY"
    error = _problem(DEFAULT_KEY)
    assert error.message == "env://COSIGN_PRIVATE_KEY names a variable that is not set"
    assert "COSIGN_PRIVATE_KEY" in error.hint


@pytest.mark.parametrize("value", ["", "  \n"])
def test_an_empty_variable_is_an_error_that_names_it(value: str) -> None:
    error = _problem("env://MY_KEY", MY_KEY=value)
    assert error.message == "env://MY_KEY names a variable that is empty"
    assert "MY_KEY" in error.hint


def test_a_reference_to_a_variable_without_a_name_is_an_error() -> None:
    assert _problem("env://").message == "env:// names a variable that is not set"


@pytest.mark.parametrize("name", ["missing.key", "folder", "secret.key", "no\x00path"])
def test_an_unreadable_file_is_a_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "secret.key").symlink_to("secret.key")
    reasons = {
        "missing.key": "No such file or directory",
        "folder": "Is a directory",
        "secret.key": "Too many levels of symbolic links",
        "no\x00path": "it is no path",
    }
    error = _problem(f"{tmp_path}/{name}")
    shown = name.replace("\x00", "\\x00")
    assert error.message == f"{tmp_path}/{shown} cannot be read: {reasons[name]}"
    assert "env://VARIABLE" in error.hint
    assert error.__cause__ is error.__context__ is None


def test_a_file_without_end_is_not_read_whole() -> None:
    assert _problem("/dev/zero").message == "/dev/zero has more than 64 KiB, so it is no key"


def test_an_empty_file_is_an_error() -> None:
    assert _problem("/dev/null").message == "/dev/null is empty, where a key in PEM was expected"


@pytest.mark.parametrize("reference", ["", " "])
def test_an_empty_reference_is_an_error(reference: str) -> None:
    assert _problem(reference).message == "the place of a key is empty"


_PKCS8 = pkcs8(P256).decode()


@pytest.mark.parametrize(
    "reference",
    [
        _PKCS8,
        _PKCS8.replace("\n", " "),
        _PKCS8.replace("\n", "\\n"),
        base64.b64encode(_PKCS8.encode()).decode(),
        "".join(_PKCS8.splitlines()[1:-1]),
        "\n".join(_PKCS8.splitlines()[1:-1]),
        f"/home/me/{_PKCS8}",
        "-----BEGIN",
    ],
)
def test_a_key_in_the_place_of_a_reference_is_not_shown(reference: str) -> None:
    for load in (_problem, _verifier_problem):
        error = load(reference)
        assert error.message == ("a key itself was given, where the place of a key was expected")
        assert "env://COSIGN_PRIVATE_KEY" in error.hint
        assert_silent(error, *(line.encode() for line in _PKCS8.splitlines()[1:-1]))


def _verifier_problem(reference: str, **environ: str) -> SigningKeyError:
    with pytest.raises(SigningKeyError) as caught:
        load_verifier(reference, environ=environ)
    return caught.value


def test_a_file_whose_name_could_be_a_key_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("k" * 150).write_bytes(_COSIGN)
    assert _signer_id("k" * 150, **_WITH_PASSWORD) == _ID


def test_a_line_break_behind_a_path_is_shown_as_part_of_it() -> None:
    assert _problem("cosign.kei\n").message.startswith("cosign.kei\\n cannot be read: No such file")


def test_a_path_is_shown_without_what_a_terminal_obeys() -> None:
    assert "\x1b" not in _problem("\x1b[31mcosign.key").message


@pytest.mark.parametrize(
    ("reference", "program", "hint"),
    [
        ("awskms:///alias/x", "sigstore-kms-awskms", "install that program"),
        ("gcpkms://projects/p/locations/l", "sigstore-kms-gcpkms", "install that program"),
        ("azurekms://vault/key", "sigstore-kms-azurekms", "install that program"),
        ("hashivault://key", "sigstore-kms-hashivault", "install that program"),
        ("k8s://namespace/secret", "sigstore-kms-k8s", "env://VARIABLE"),
        ("gitlab://373", "sigstore-kms-gitlab", "env://VARIABLE"),
        ("https://reg.example/cosign.pub", "sigstore-kms-https", "download the key"),
        ("file:///cosign.key", "sigstore-kms-file", "give the path alone"),
        ("unheard-of://key", "sigstore-kms-unheard-of", "install that program"),
    ],
)
def test_a_reference_without_its_program_says_which_one_is_missing(
    reference: str, program: str, hint: str, tmp_path: Path
) -> None:
    for error in (
        _problem(reference, PATH=str(tmp_path)),
        _verifier_problem(reference, PATH=str(tmp_path)),
        _problem(reference),
    ):
        assert error.message == (
            f"{reference} is a key of the program {program}, which is not on the PATH"
        )
        assert hint in error.hint


def test_a_key_of_a_token_is_said_to_be_none_of_ours() -> None:
    error = _problem("pkcs11:token=mine;object=key?pin-value=s3cret")
    assert error.message == "pkcs11: names a key of a hardware token, which is not supported"
    assert "s3cret" not in error.hint
    assert "sigstore-kms-NAME" in error.hint


@pytest.mark.parametrize("reference", ["../evil://key", "/bin/x://key", "a b://key", "://key"])
def test_a_reference_cannot_lead_to_a_program_in_another_folder(reference: str) -> None:
    assert "cannot be read: No such file" in _problem(reference).message


def test_the_password_is_cosigns_variable_before_the_user_is_asked(key_file: Path) -> None:
    def ask(prompt: str) -> str:
        raise AssertionError(prompt)

    signer = load_signer(str(key_file), environ=_WITH_PASSWORD, ask=ask)
    assert signer.public.key_id == _ID


def test_an_empty_password_variable_is_a_password(tmp_path: Path) -> None:
    (tmp_path / "cosign.key").write_bytes(cosign_key(cosign_document(der(P256), b"")))

    def ask(prompt: str) -> str:
        raise AssertionError(prompt)

    environ = {"COSIGN_PASSWORD": ""}
    signer = load_signer(str(tmp_path / "cosign.key"), environ=environ, ask=ask)
    assert signer.public.key_id == _ID


def test_the_user_is_asked_by_the_name_of_the_key(key_file: Path) -> None:
    prompts = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return PASSWORD.decode()

    signer = load_signer(str(key_file), environ={}, ask=ask)
    assert signer.public.key_id == _ID
    assert prompts == [f"Password for {key_file}: "]


def test_where_nobody_can_be_asked_the_variable_is_named(key_file: Path) -> None:
    error = _problem(str(key_file))
    assert error.message == f"{key_file} is encrypted, and there is no password for it"
    assert "COSIGN_PASSWORD" in error.hint


def test_nobody_is_asked_for_the_password_of_a_key_without_one() -> None:
    def ask(prompt: str) -> str:
        raise AssertionError(prompt)

    load_signer("env://KEY", environ={"KEY": _PKCS8}, ask=ask)


def test_a_password_of_any_bytes_comes_as_it_is_in_the_environment(tmp_path: Path) -> None:
    password = b"p\xe4ss"
    encrypted = cosign_key(cosign_document(der(P256), password))
    environ = {"KEY": encrypted.decode(), "COSIGN_PASSWORD": os.fsdecode(password)}
    assert _signer_id("env://KEY", **environ) == _ID


def test_a_password_that_no_bytes_stand_for_is_an_error_that_does_not_show_it() -> None:
    environ = {"KEY": _COSIGN.decode(), "COSIGN_PASSWORD": "s3cret\ud800"}
    error = _problem("env://KEY", **environ)
    assert error.message == "COSIGN_PASSWORD has a character that UTF-8 does not have"
    assert_silent(error, b"s3cret")


def test_a_wrong_password_shows_neither_password_nor_key() -> None:
    for content in (_COSIGN, pkcs8(P256, BestAvailableEncryption(PASSWORD))):
        error = _problem("env://KEY", KEY=content.decode(), COSIGN_PASSWORD="wr0ng-pa55")
        assert error.message == "env://KEY cannot be decrypted: the password is wrong"
        assert_silent(error, b"wr0ng-pa55", *content.splitlines()[1:-1])


def test_the_key_to_verify_with_comes_from_files_and_variables(tmp_path: Path) -> None:
    path = tmp_path / "cosign.pub"
    path.write_bytes(public(P256))
    by_file = load_verifier(str(path), environ={})
    by_variable = load_verifier("env://PUBLIC", environ={"PUBLIC": public(P256).decode()})
    assert by_file == by_variable
    assert (by_file.name, by_variable.name) == (str(path), "env://PUBLIC")


def test_a_private_key_to_verify_with_is_an_error_that_does_not_show_it() -> None:
    error = _verifier_problem("env://KEY", KEY=_PKCS8)
    assert error.message == "env://KEY holds a private key, where a public key was expected"
    assert_silent(error, *(line.encode() for line in _PKCS8.splitlines()[1:-1]))
