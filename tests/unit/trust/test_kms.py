"""Keys that a program knows: real programs on the PATH that speak the protocol, or fail to."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oci_merge._programs import Stop
from oci_merge.errors import SigningKeyError
from oci_merge.trust.key_search import load_signer, load_verifier
from oci_merge.trust.keys import Signer, parse_public_key
from oci_merge.trust.kms import KmsKey, KmsSigner
from tests.unit.trust.support import (
    ED25519,
    P256,
    P384,
    PASSWORD,
    RSA2048,
    assert_silent,
    pkcs8,
    public,
)

#: A program that signs with the key in KEY, by SHA-256 or the hash in HASH. What a test appends
#: comes before the answer.
_PROGRAM = """#!{python}
import base64, json, os, sys, time
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
asked = json.loads(sys.argv[2])
data = sys.stdin.buffer.read()
with open(os.environ["LOG"], "a") as log:
    log.write(json.dumps([sys.argv[1:2], asked, data.decode()]) + "\\n")
key = serialization.load_pem_private_key(os.environ["KEY"].encode(), None)
def b64(content): return base64.b64encode(content).decode()
def sign():
    hashed = getattr(hashes, os.environ.get("HASH", "SHA256"))()
    if isinstance(key, ed25519.Ed25519PrivateKey): return key.sign(data)
    if isinstance(key, ec.EllipticCurvePrivateKey): return key.sign(data, ec.ECDSA(hashed))
    return key.sign(data, padding.PKCS1v15(), hashed)
def answer(**values): print(json.dumps(values)); sys.exit(status)
status = 0
method = asked["methodName"]
pem = key.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
{own}
if method == "publicKey": answer(publicKey={{"publicKeyPEM": b64(pem)}})
if method == "signMessage": answer(signMessage={{"signature": b64(sign())}})
answer(errorMessage="unsupported method")
"""

Install = Callable[..., dict[str, str]]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Puts a program on the PATH; returns the environment that it is found and runs in."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(
        own: str = "", *, name: str = "test", key: Any = P256, **more: str
    ) -> dict[str, str]:
        program = folder / f"sigstore-kms-{name}"
        program.write_text(_PROGRAM.format(python=sys.executable, own=own))
        program.chmod(0o755)
        environ = {"PATH": f"{folder}{os.pathsep}/usr/bin", "LOG": str(tmp_path / "log")}
        return environ | {"KEY": pkcs8(key).decode()} | more

    return install


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[Any]]:
    """Returns what the program was called with."""
    log = tmp_path / "log"
    return lambda: [json.loads(line) for line in log.read_text().splitlines()]


def _load(environ: dict[str, str], reference: str = "test://key") -> Signer:
    return load_signer(reference, environ=environ, ask=None)


def _problem(environ: dict[str, str], *, sign: bool = False) -> SigningKeyError:
    if sign:
        signer = _load(environ)
        with pytest.raises(SigningKeyError) as caught:
            signer.sign(b"data")
    else:
        with pytest.raises(SigningKeyError) as caught:
            _load(environ)
    assert caught.value.message.isprintable()
    assert_silent(caught.value, *environ["KEY"].encode().splitlines()[1:-1])
    return caught.value


@pytest.mark.parametrize("key", [P256, P384, RSA2048, ED25519], ids=["P-256", "P-384", "RSA", "Ed"])
def test_a_program_signs_and_its_public_key_verifies(key: Any, install: Install) -> None:
    signer = _load(install(key=key))
    expected = parse_public_key(public(key), name="cosign.pub")
    assert signer.public == expected
    assert signer.public.name == "test://key"
    assert expected.verify_sha256(signer.sign(b"data"), b"data")


def test_a_program_is_asked_as_cosign_asks_it(
    install: Install, calls: Callable[[], list[Any]]
) -> None:
    _load(install(), "test://my-key/versions/1").sign(b"the data")
    options = {"keyVersion": "", "remoteVerification": False}
    init = {
        "protocolVersion": "v1",
        "keyResourceID": "my-key/versions/1",
        "hashFunc": 5,
        "rpcOptions": options,
    }
    read = {
        "initOptions": init,
        "methodName": "publicKey",
        "publicKey": {"publicKeyOptions": {"rpcOptions": options}},
    }
    sign = {
        "initOptions": init,
        "methodName": "signMessage",
        "signMessage": {"signOptions": {"rpcOptions": options, "messageOptions": {"digest": None}}},
    }
    assert calls() == [[["v1"], read, ""], [["v1"], sign, "the data"]]


def test_a_key_to_verify_with_runs_the_program_once(
    install: Install, calls: Callable[[], list[Any]]
) -> None:
    key = load_verifier("test://key", environ=install())
    assert key == parse_public_key(public(P256), name="cosign.pub")
    assert [asked["methodName"] for _, asked, _ in calls()] == ["publicKey"]


def test_the_status_of_a_program_that_answers_does_not_count(install: Install) -> None:
    signer = _load(install("status = 3"))
    assert signer.public.verify(signer.sign(b"data"), b"data")


def test_an_error_that_a_program_tells_is_shown_as_one_line(install: Install) -> None:
    error = _problem(install('answer(errorMessage="no\\x1b[31m access\\nat all" + "x" * 5000)'))
    assert error.message.startswith(
        "sigstore-kms-test, which test://key names, failed in the method publicKey: "
        "no\\x1b[31m access\\nat allxxx"
    )
    assert len(error.message) < 450


def test_an_error_while_signing_is_shown(install: Install) -> None:
    own = 'if method == "signMessage": answer(errorMessage="token expired")'
    error = _problem(install(own), sign=True)
    assert error.message == (
        "sigstore-kms-test, which test://key names, failed in the method signMessage: token expired"
    )


def test_an_error_beside_an_answer_counts(install: Install) -> None:
    own = 'answer(errorMessage="no", publicKey={"publicKeyPEM": b64(pem)})'
    assert _problem(install(own)).message.endswith("failed in the method publicKey: no")


@pytest.mark.parametrize(
    "own",
    [
        "sys.exit(7)",
        "print('not JSON'); sys.exit(7)",
        "print('{\"publicKey\"'); sys.exit(7)",
        "print('[]'); sys.exit(7)",
        "print('[' * 50000); sys.exit(7)",
        "print(json.dumps({'x': 'y' * 70000})); sys.exit(7)",
        "sys.stdout.buffer.write(b'\\xff\\xfe'); sys.stdout.flush(); sys.exit(7)",
        "print('{} {}'); sys.exit(7)",
    ],
)
def test_what_is_no_answer_is_an_error_with_the_last_line_of_stderr(
    own: str, install: Install
) -> None:
    error = _problem(install(f"print('first\\nlast\\x07 words\\n', file=sys.stderr)\n{own}"))
    assert error.message == (
        "sigstore-kms-test, which test://key names, did not print the JSON of the protocol for the "
        "method publicKey, and ended with status 7: last\\x07 words"
    )
    assert "cosign public-key --key test://key" in error.hint


def test_what_a_program_writes_to_stderr_is_bounded(install: Install) -> None:
    error = _problem(install("sys.stderr.write('x' * 100000); sys.exit(1)"))
    assert len(error.message) < 500


def test_a_program_that_says_nothing_has_no_reason(install: Install) -> None:
    assert _problem(install("sys.exit(1)")).message.endswith("ended with status 1: no reason")


@pytest.mark.parametrize(
    "answer",
    [
        "answer()",
        "answer(publicKey=None)",
        "answer(publicKey={})",
        "answer(publicKey={'publicKeyPEM': 5})",
        "answer(publicKey={'publicKeyPEM': '?'})",
        "answer(publicKey={'publicKeyPEM': ''})",
    ],
)
def test_an_answer_without_a_key_is_an_error(answer: str, install: Install) -> None:
    assert _problem(install(answer)).message == (
        "sigstore-kms-test, which test://key names, answered without a public key"
    )


def test_an_answer_with_something_else_than_a_key_is_an_error(install: Install) -> None:
    error = _problem(install("answer(publicKey={'publicKeyPEM': b64(b'no key')})"))
    assert error.message == "test://key is not PEM: it has no line -----BEGIN …"


def test_an_answer_with_a_private_key_is_an_error_that_does_not_show_it(install: Install) -> None:
    own = "answer(publicKey={'publicKeyPEM': b64(os.environ['KEY'].encode())})"
    assert _problem(install(own)).message == (
        "test://key holds a private key, where a public key was expected"
    )


@pytest.mark.parametrize("signature", ["{}", "{'signature': None}", "{'signature': ''}", "[]"])
def test_an_answer_without_a_signature_is_an_error(signature: str, install: Install) -> None:
    own = f"if method == 'signMessage': answer(signMessage={signature})"
    assert _problem(install(own), sign=True).message == (
        "sigstore-kms-test, which test://key names, answered without a signature"
    )


def test_a_signature_that_does_not_verify_is_refused(install: Install) -> None:
    own = "data += b'changed'"
    assert _problem(install(own), sign=True).message == (
        "the signature by test://key does not verify with its public key (EC P-256), so that "
        "others would refuse it"
    )


@pytest.mark.parametrize(
    ("key", "how"),
    [
        (P384, "is made with another hash than SHA-256"),
        (P256, "does not verify with its public key (EC P-256)"),
        (RSA2048, "does not verify with its public key (RSA 2048)"),
    ],
    ids=["P-384", "P-256", "RSA"],
)
def test_a_kms_that_hashes_otherwise_is_refused(key: Any, how: str, install: Install) -> None:
    error = _problem(install(key=key, HASH="SHA384"), sign=True)
    assert error.message == f"the signature by test://key {how}, so that others would refuse it"
    assert "SHA-256" in error.hint


def test_a_program_that_is_slow_is_ended(install: Install) -> None:
    environ = install("time.sleep(60)")
    began = time.monotonic()
    key = KmsKey("test://key", environ=environ, time_limit=0.3)
    with pytest.raises(SigningKeyError) as caught:
        key.read_public()
    assert caught.value.message == (
        "sigstore-kms-test, which test://key names, did not answer the method publicKey "
        "within 0.3 seconds"
    )
    assert time.monotonic() - began < 20


def test_all_programs_that_sign_at_once_are_ended_with_the_run(
    install: Install, tmp_path: Path
) -> None:
    own = """
if method == "signMessage":
    open(os.path.join(os.path.dirname(os.environ["LOG"]), f"{os.getpid()}.pid"), "w").close()
    time.sleep(60)
"""
    signer = _load(install(own))

    def sign(data: bytes) -> str:
        with pytest.raises(SigningKeyError) as caught:
            signer.sign(data)
        return caught.value.message

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        signing = [pool.submit(sign, data) for data in (b"one", b"two")]
        while len(list(tmp_path.glob("*.pid"))) < 2:
            assert time.monotonic() - began < 30
            time.sleep(0.01)
        signer.end()
        messages = {done.result() for done in signing}
    assert messages == {"sigstore-kms-test, which test://key names, was ended with the run"}
    assert time.monotonic() - began < 40
    assert sign(b"three") in messages


def test_a_program_that_is_asked_for_its_key_is_ended_with_the_run(install: Install) -> None:
    environ = install("time.sleep(60)")
    stop = Stop()
    ending = threading.Timer(0.3, stop.end)
    ending.start()
    with pytest.raises(SigningKeyError, match="was ended with the run"):
        load_verifier("test://key", environ=environ, stop=stop)
    ending.join()


def test_a_program_that_cannot_be_run_is_an_error(install: Install, tmp_path: Path) -> None:
    environ = install()
    (tmp_path / "bin" / "sigstore-kms-test").write_bytes(b"\x7fELF is what this is not")
    assert "sigstore-kms-test, which test://key names, cannot be run" in _problem(environ).message


@pytest.mark.parametrize("entry", ["", ".", "bin", "./bin"])
def test_a_program_in_the_working_directory_is_not_run(
    entry: str, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = install()
    (tmp_path / "sigstore-kms-test").symlink_to(tmp_path / "bin" / "sigstore-kms-test")
    monkeypatch.chdir(tmp_path)
    error = _problem(environ | {"PATH": f"{entry}:/usr/bin"})
    assert "which is not on the PATH" in error.message
    assert not (tmp_path / "log").exists()


def test_secrets_are_in_neither_the_arguments_nor_the_text_of_a_signer(
    install: Install, calls: Callable[[], list[Any]]
) -> None:
    environ = install(VAULT_TOKEN=PASSWORD.decode())
    key = KmsKey("test://key", environ=environ)
    signer = KmsSigner(key)
    assert repr(signer) == f"KmsSigner('test://key', key_id={signer.public.key_id!r})"
    shown = f"{signer!r}{signer}{key!r}{key}{json.dumps(calls())}"
    assert PASSWORD.decode() not in shown
    assert environ["KEY"].splitlines()[1] not in shown
