"""Private keys, as cosign, openssl and people write them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_merge.errors import SigningKeyError
from oci_merge.trust import private_keys
from oci_merge.trust.keys import LocalSigner, parse_public_key
from oci_merge.trust.private_keys import generate_key_pair, parse_private_key
from tests.unit.trust.support import (
    ED25519,
    KINDS,
    P256,
    PASSWORD,
    RSA2048,
    assert_silent,
    cosign_document,
    cosign_key,
    der,
    forms,
    open_cosign_key,
    openssl,
    pem,
    pkcs8,
    public,
    traditional,
)

_KINDS = pytest.mark.parametrize("kind", KINDS)
_ENCRYPTED = BestAvailableEncryption(PASSWORD)


def _never() -> bytes:
    raise AssertionError("the password was asked for")


def _read(content: bytes, password: bytes | None = PASSWORD) -> LocalSigner:
    """Read a key; a password of None must not be asked for."""
    ask: Callable[[], bytes] = _never if password is None else lambda: password
    return parse_private_key(content, ask, name="cosign.key")


def _assert_is(signer: LocalSigner, key: PrivateKeyTypes) -> None:
    expected = parse_public_key(public(key), name="cosign.pub")
    assert signer.public == expected
    assert expected.verify(signer.sign(b"data"), b"data")


def _problem(content: bytes, password: bytes | None = PASSWORD) -> SigningKeyError:
    with pytest.raises(SigningKeyError) as caught:
        _read(content, password)
    assert caught.value.message.startswith("cosign.key ")
    assert "\n" not in caught.value.message
    # The traceback of another error would lead to what it was raised with.
    assert caught.value.__cause__ is caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("n", [2**15, 2**16, 2**17])
def test_keys_of_cosigns_are_opened_with_each_of_its_costs(n: int) -> None:
    _assert_is(_read(cosign_key(cosign_document(der(P256), n=n))), P256)


@_KINDS
def test_keys_of_every_kind_that_cosign_has_imported_are_opened(kind: str) -> None:
    _assert_is(_read(cosign_key(cosign_document(der(KINDS[kind])))), KINDS[kind])


def test_the_older_name_of_cosigns_keys_is_known() -> None:
    content = cosign_key(cosign_document(der(P256)), "ENCRYPTED COSIGN PRIVATE KEY")
    _assert_is(_read(content), P256)


@pytest.mark.parametrize("password", [b"", b"x", "pässword".encode(), b"\xff\x00\n"])
def test_a_key_of_cosigns_may_have_any_password(password: bytes) -> None:
    _assert_is(_read(cosign_key(cosign_document(der(P256), password)), password), P256)


@_KINDS
def test_keys_in_pkcs_8_need_no_password(kind: str) -> None:
    _assert_is(_read(pkcs8(KINDS[kind]), None), KINDS[kind])


@_KINDS
def test_encrypted_keys_in_pkcs_8_are_opened(kind: str) -> None:
    content = pkcs8(KINDS[kind], _ENCRYPTED)
    assert content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    _assert_is(_read(content), KINDS[kind])


@pytest.mark.parametrize("key", [P256, RSA2048], ids=["EC", "RSA"])
def test_keys_of_older_openssl_are_opened(key: PrivateKeyTypes) -> None:
    _assert_is(_read(traditional(key), None), key)
    encrypted = traditional(key, _ENCRYPTED)
    assert b"Proc-Type: 4,ENCRYPTED" in encrypted
    _assert_is(_read(encrypted), key)
    _assert_is(_read(encrypted.replace(b"\n", b" ")), key)
    _assert_is(_read(encrypted.replace(b"\n", b"\r\n")), key)


@pytest.mark.parametrize(
    "options",
    [
        ["-v2", "aes-256-cbc"],
        ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512", "-iter", "100000"],
        ["-v2", "des3", "-v2prf", "hmacWithSHA1"],
        ["-scrypt"],
        ["-v1", "PBE-SHA1-3DES"],
    ],
    ids=" ".join,
)
def test_keys_are_opened_however_openssl_encrypts_them(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(pkcs8(P256))
    password = ["-passout", f"pass:{PASSWORD.decode()}"]
    content = openssl("pkcs8", "-topk8", "-in", tmp_path / "key", *options, *password)
    _assert_is(_read(content), P256)


def test_parameters_before_a_key_are_passed_over() -> None:
    content = openssl("ecparam", "-genkey", "-name", "prime256v1")
    assert content.startswith(b"-----BEGIN EC PARAMETERS-----")
    assert _read(content, None).public.kind == "EC P-256"


@pytest.mark.parametrize("order", [1, -1])
def test_a_certificate_or_the_public_key_beside_a_key_is_passed_over(order: int) -> None:
    beside = [pem("CERTIFICATE", b"0"), pkcs8(P256), public(P256)]
    _assert_is(_read(b"".join(beside[::order]), None), P256)


@pytest.mark.parametrize("form", forms(b""))
@pytest.mark.parametrize("kind", ["cosign", "PKCS #8", "EC"])
def test_a_private_key_is_read_as_people_hand_it_on(kind: str, form: str) -> None:
    made = {"cosign": _COSIGN, "PKCS #8": pkcs8(P256), "EC": traditional(P256)}[kind]
    _assert_is(_read(forms(made)[form]), P256)


_COSIGN = cosign_key(cosign_document(der(P256)))


@pytest.mark.parametrize(
    "content",
    [_COSIGN, pkcs8(P256, _ENCRYPTED), traditional(P256, _ENCRYPTED)],
    ids=["cosign", "PKCS #8", "EC"],
)
def test_a_wrong_password_is_one_sentence_without_the_password(content: bytes) -> None:
    wrong = b"wr0ng-pa55"
    error = _problem(content, wrong)
    assert error.message == "cosign.key cannot be decrypted: the password is wrong"
    assert "COSIGN_PASSWORD" in error.hint
    assert "line break" in error.hint
    assert_silent(error, wrong, *filter(None, content.splitlines()[1:-1]))
    empty = _problem(content, b"")
    assert empty.message == "cosign.key cannot be decrypted: the password is empty"


def test_an_error_of_the_password_is_passed_on() -> None:
    def password() -> bytes:
        raise SigningKeyError("there is none")

    with pytest.raises(SigningKeyError, match=r"^there is none$"):
        parse_private_key(_COSIGN, password, name="cosign.key")


_CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "more rounds": lambda key: key["kdf"]["params"].update(N=2**18),
    "fewer rounds": lambda key: key["kdf"]["params"].update(N=2**14),
    "absurd rounds": lambda key: key["kdf"]["params"].update(N=2**60),
    "no rounds": lambda key: key["kdf"]["params"].pop("N"),
    "rounds in words": lambda key: key["kdf"]["params"].update(N="32768"),
    "rounds in a list": lambda key: key["kdf"]["params"].update(N=[32768]),
    "another r": lambda key: key["kdf"]["params"].update(r=2**20),
    "another p": lambda key: key["kdf"]["params"].update(p=2),
    "no parameters": lambda key: key["kdf"].update(params=None),
    "another function": lambda key: key["kdf"].update(name="argon2"),
    "another cipher": lambda key: key["cipher"].update(name="aes"),
    "no cipher": lambda key: key.pop("cipher"),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_a_key_that_is_not_encrypted_as_cosign_does_it_costs_no_work(change: str) -> None:
    document = cosign_document(der(P256))
    _CHANGES[change](document)
    error = _problem(cosign_key(document), None)
    assert "is encrypted otherwise than cosign does it" in error.message


_DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "short salt": lambda key: key["kdf"].update(salt="AAAA"),
    "long salt": lambda key: key["kdf"].update(salt=base64.b64encode(bytes(65)).decode()),
    "no salt": lambda key: key["kdf"].pop("salt"),
    "salt is no base64": lambda key: key["kdf"].update(salt="?" * 44),
    "salt is no text": lambda key: key["kdf"].update(salt=17),
    "short nonce": lambda key: key["cipher"].update(nonce=base64.b64encode(bytes(23)).decode()),
    "long nonce": lambda key: key["cipher"].update(nonce=base64.b64encode(bytes(25)).decode()),
    "no ciphertext": lambda key: key.pop("ciphertext"),
    "a tag alone": lambda key: key.update(ciphertext=base64.b64encode(bytes(16)).decode()),
    "long ciphertext": lambda key: key.update(
        ciphertext=base64.b64encode(bytes(16 * 1024 + 1)).decode()
    ),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_lengths_are_checked_before_the_password_is_asked_for(damage: str) -> None:
    document = cosign_document(der(P256))
    _DAMAGES[damage](document)
    error = _problem(cosign_key(document), None)
    assert "its salt, nonce or ciphertext is not of the length" in error.message


@pytest.mark.parametrize(
    "body", [b"no JSON", b"[]", b"{}", b'"text"', b"[" * 20000, b'{"kdf": {}}', b"\xff\xfe{}"]
)
def test_what_is_no_key_of_cosigns_is_damaged(body: bytes) -> None:
    error = _problem(pem("ENCRYPTED SIGSTORE PRIVATE KEY", body), None)
    assert error.message == "cosign.key is damaged: it cannot be read"


def test_what_is_decrypted_has_to_be_a_key_and_is_not_shown() -> None:
    secret = b"this is s3cret"
    error = _problem(cosign_key(cosign_document(secret)))
    assert error.message == "cosign.key is decrypted, and holds no private key in PKCS #8"
    assert_silent(error, secret, PASSWORD)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "that takes 32 MiB of memory"),
        (UnsupportedAlgorithm("no"), "the OpenSSL of this machine has no scrypt or Poly1305"),
    ],
)
def test_a_machine_that_cannot_open_a_key_of_cosigns_is_told_of(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **keywords: object) -> None:
        raise error

    monkeypatch.setattr(private_keys, "Scrypt", fail)
    assert _problem(_COSIGN).message == f"cosign.key cannot be decrypted: {message}"


def _tlv(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x82]) + len(content).to_bytes(2) + content


def _encrypted(function: str, *numbers: int) -> bytes:
    """Return a key in PKCS #8 that asks for some rounds."""
    oids = {"pbes2": "2a864886f70d01050d", "pbkdf2": "2a864886f70d01050c"}
    oids |= {"scrypt": "2b06010401da47040b", "pbes1": "2a864886f70d01050a"}
    integers = [_tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1)) for number in numbers]
    parameters = _tlv(0x30, _tlv(0x04, b"saltsalt"), *integers)
    algorithm = _tlv(0x30, _tlv(0x06, bytes.fromhex(oids[function])), parameters)
    if function != "pbes1":
        cipher = _tlv(0x30, _tlv(0x06, bytes.fromhex("60864801650304012a")), _tlv(0x04, bytes(16)))
        whole = _tlv(0x30, algorithm, cipher)
        algorithm = _tlv(0x30, _tlv(0x06, bytes.fromhex(oids["pbes2"])), whole)
    return pem("ENCRYPTED PRIVATE KEY", _tlv(0x30, algorithm, _tlv(0x04, bytes(160))))


@pytest.mark.parametrize(
    "content",
    [
        _encrypted("pbkdf2", 10_000_001),
        _encrypted("pbkdf2", 2**64),
        _encrypted("pbes1", 2**31),
        _encrypted("scrypt", 2**19, 8, 1),
        _encrypted("scrypt", 2**10, 2**20, 1),
        _encrypted("scrypt", 2**14, 8, 1000),
    ],
)
def test_a_key_in_pkcs_8_that_asks_for_absurd_work_is_refused_before_the_password(
    content: bytes,
) -> None:
    error = _problem(content, None)
    assert "is encrypted with more rounds for its password than are done here" in error.message


@pytest.mark.parametrize("content", [_encrypted("pbkdf2", 1000), _encrypted("scrypt", 2**14, 8, 1)])
def test_a_key_in_pkcs_8_that_asks_for_usual_work_is_tried(content: bytes) -> None:
    assert _problem(content).message == "cosign.key cannot be decrypted: the password is wrong"


@pytest.mark.parametrize(
    "body", [b"\x30", b"\x30\x82\xff\xff", b"\x30\x00", b"\x05\x00" * 3, b"0" * 99]
)
def test_an_encrypted_key_in_pkcs_8_that_is_cut_off_is_damaged(body: bytes) -> None:
    error = _problem(pem("ENCRYPTED PRIVATE KEY", body), None)
    assert error.message == "cosign.key is damaged: it does not say how it is encrypted"


_OPENSSH = ED25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, where a key in PEM was expected"),
        (b"s3cret", "is not PEM: it has no line -----BEGIN …"),
        (base64.b64encode(der(P256)), "is not PEM"),
        (der(P256), "is DER, where a key in PEM was expected"),
        (b"-----BEGIN PRIVATE KEY-----\n" * 2400, "has more than 64 KiB"),
        (public(P256), "holds a public key, where a private key was expected"),
        (public(RSA2048).replace(b"PUBLIC", b"RSA PUBLIC"), "holds a public key"),
        (pem("CERTIFICATE", b"0"), "holds CERTIFICATE, where a private key was expected"),
        (pem("EC PARAMETERS", b"0"), "holds parameters alone, where a private key was expected"),
        (pkcs8(P256) + pkcs8(ED25519), "holds 2 private keys, where one was expected"),
        (_OPENSSH, "is of a form that is not read: OPENSSH PRIVATE KEY"),
        (pem("DSA PRIVATE KEY", b"0"), "is of a form that is not read: DSA PRIVATE KEY"),
        (pem("PGP PRIVATE KEY BLOCK", b"0"), "holds PGP PRIVATE KEY BLOCK"),
        (pem("PRIVATE KEY", b"s3cret nothing"), "is damaged: it cannot be read"),
        (pem("EC PRIVATE KEY", b"s3cret nothing"), "is damaged: it cannot be read"),
        (pkcs8(P256).replace(b"M", b"?", 1), "is damaged: what stands in its PRIVATE KEY is not"),
        (_COSIGN[:-20], "lacks the line -----END ENCRYPTED SIGSTORE PRIVATE KEY-----"),
        (_COSIGN.replace(b"eyJ", b"", 1), "is damaged"),
    ],
)
def test_what_is_no_private_key_is_said_and_not_shown(content: bytes, message: str) -> None:
    error = _problem(content, None)
    assert error.message.startswith(f"cosign.key {message}")
    assert len(error.message) < 300
    inner = [line for line in content.splitlines() if len(line) > 8 and b"-----" not in line]
    assert_silent(error, b"s3cret", *inner)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (_OPENSSH, "ssh-keygen -p -m PKCS8"),
        (public(P256), "the file cosign.key, not cosign.pub"),
        (pem("PGP PRIVATE KEY BLOCK", b"0"), "cosign generate-key-pair"),
        (der(P256), "openssl pkey -inform DER"),
    ],
)
def test_the_hint_says_how_to_get_a_private_key(content: bytes, hint: str) -> None:
    assert hint in _problem(content, None).hint


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (ec.generate_private_key(ec.SECP256K1()), "EC secp256k1"),
        (x25519.X25519PrivateKey.generate(), "X25519"),
    ],
)
def test_keys_of_other_kinds_are_refused_by_name(key: PrivateKeyTypes, kind: str) -> None:
    for content in (pkcs8(key), cosign_key(cosign_document(der(key)))):
        error = _problem(content)
        assert error.message.startswith(f"cosign.key is a key of the kind {kind}, where another")
        assert_silent(error, PASSWORD, *pkcs8(key).splitlines()[1:-1])


_LABELS = [
    "ENCRYPTED SIGSTORE PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "PRIVATE KEY",
    "EC PRIVATE KEY",
    "RSA PRIVATE KEY",
    "PUBLIC KEY",
]


@given(st.sampled_from(_LABELS), st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_in_pem_are_an_error_of_ours(label: str, body: bytes) -> None:
    _problem(pem(label, body))


@given(st.data())
@settings(deadline=None)
def test_a_changed_byte_gives_a_key_or_an_error_of_ours(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([der(key) for key in KINDS.values()])))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(SigningKeyError):
        _read(pem("PRIVATE KEY", bytes(content))).sign(b"data")


def test_a_generated_key_is_opened_by_libsodium_and_by_us() -> None:
    private, public_pem = generate_key_pair(PASSWORD)
    content = open_cosign_key(private, PASSWORD)
    made = openssl("pkey", "-inform", "DER", "-pubout", data=content)
    assert made == public_pem
    signer = _read(private)
    assert signer.public == parse_public_key(public_pem, name="cosign.pub")
    assert signer.public.kind == "EC P-256"


def test_a_generated_key_is_written_as_cosign_writes_it() -> None:
    private, public_pem = generate_key_pair(b"")
    lines = private.decode().splitlines()
    assert (lines[0], lines[-1]) == (
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
        "-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
    )
    assert {len(line) for line in lines[1:-2]} == {64}
    document = json.loads(base64.b64decode("".join(lines[1:-1])))
    assert list(document) == ["kdf", "cipher", "ciphertext"]
    assert (document["kdf"]["name"], document["cipher"]["name"]) == ("scrypt", "nacl/secretbox")
    assert document["kdf"]["params"] == {"N": 65536, "r": 8, "p": 1}
    assert len(base64.b64decode(document["kdf"]["salt"])) == 32
    assert len(base64.b64decode(document["cipher"]["nonce"])) == 24
    assert public_pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert _read(private, b"").public.kind == "EC P-256"


def test_two_generated_keys_have_nothing_in_common() -> None:
    one, other = (generate_key_pair(PASSWORD) for _ in range(2))
    documents = [
        json.loads(base64.b64decode(b"".join(private.splitlines()[1:-1])))
        for private, _ in (one, other)
    ]
    for path in (("kdf", "salt"), ("cipher", "nonce")):
        values = {document[path[0]][path[1]] for document in documents}
        assert len(values) == 2
    assert one[1] != other[1]
