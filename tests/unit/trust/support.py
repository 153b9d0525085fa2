"""Keys of each kind, and an independent writer and reader of cosign's encrypted ones."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import textwrap
import traceback
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from nacl.secret import SecretBox

from oci_merge.errors import SigningKeyError

PASSWORD = b"s3cret-pa55"

P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
RSA2048 = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()

#: The kinds of key that sign, by the name that we give to each.
KINDS: dict[str, PrivateKeyTypes] = {
    "EC P-256": P256,
    "EC P-384": P384,
    "EC P-521": P521,
    "RSA 2048": RSA2048,
    "Ed25519": ED25519,
}


def pkcs8(key: PrivateKeyTypes, encryption: KeySerializationEncryption | None = None) -> bytes:
    """Return a private key in PKCS #8, in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def traditional(
    key: PrivateKeyTypes, encryption: KeySerializationEncryption | None = None
) -> bytes:
    """Return a private key as openssl wrote it before PKCS #8, in PEM."""
    form = PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def public(key: PrivateKeyTypes) -> bytes:
    """Return the public key, in PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def der(key: PrivateKeyTypes) -> bytes:
    """Return a private key in PKCS #8, in DER."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def pem(label: str, content: bytes) -> bytes:
    """Return a block of PEM."""
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".encode()


def b64(content: bytes) -> str:
    """Return bytes as base64 in one line."""
    return base64.b64encode(content).decode()


def scrypt(password: bytes, salt: bytes, n: int) -> bytes:
    """Return the key that belongs to a password, by Python's own scrypt."""
    return hashlib.scrypt(password, salt=salt, n=n, r=8, p=1, dklen=32, maxmem=256 * n * 8)


def cosign_document(content: bytes, password: bytes = PASSWORD, n: int = 2**15) -> dict[str, Any]:
    """Return the JSON of a key of cosign's that is made by libsodium and Python's scrypt."""
    salt, nonce = bytes(range(32)), bytes(range(24))
    box = SecretBox(scrypt(password, salt, n)).encrypt(content, nonce).ciphertext
    return {
        "kdf": {"name": "scrypt", "params": {"N": n, "r": 8, "p": 1}, "salt": b64(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": b64(nonce)},
        "ciphertext": b64(box),
    }


def cosign_key(document: object, label: str = "ENCRYPTED SIGSTORE PRIVATE KEY") -> bytes:
    """Return the JSON of a key of cosign's in PEM."""
    return pem(label, json.dumps(document).encode())


def open_cosign_key(content: bytes, password: bytes) -> bytes:
    """Return what is in a key of cosign's, opened by libsodium and Python's scrypt."""
    body = b"".join(content.splitlines()[1:-1])
    document = json.loads(base64.b64decode(body))
    salt = base64.b64decode(document["kdf"]["salt"])
    derived = scrypt(password, salt, document["kdf"]["params"]["N"])
    box = SecretBox(derived)
    nonce = base64.b64decode(document["cipher"]["nonce"])
    return box.decrypt(base64.b64decode(document["ciphertext"]), nonce)


def openssl(*arguments: str | Path, data: bytes = b"") -> bytes:
    """Run openssl; return its stdout."""
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def forms(text: bytes) -> dict[str, bytes]:
    """Return a key in PEM as files and the variables of CI systems have it."""
    one_body = text.strip().replace(b"\n", b"").replace(b"KEY-----", b"KEY-----\n", 1)
    one_line = text.strip().replace(b"\n", b"\\n")
    return {
        "CRLF": text.replace(b"\n", b"\r\n"),
        "CR": text.replace(b"\n", b"\r"),
        "no line break at the end": text.strip(),
        "white space around": b"\n\n  \t" + text + b" \n\n",
        "white space at line ends": text.replace(b"\n", b" \t\n"),
        "indented": textwrap.indent(text.decode(), "    ").encode(),
        "byte order mark": b"\xef\xbb\xbf" + text,
        "UTF-16": text.decode().encode("utf-16"),
        "text before": b"Bag Attributes\n    friendlyName: \xc3\xa4\n" + text,
        "text behind": text + b"written by hand\n",
        "line breaks lost": text.replace(b"\n", b" "),
        "backslash n": one_line,
        "backslash r n": text.strip().replace(b"\n", b"\\r\\n"),
        "backslash n, quoted": b'"' + one_line + b'"',
        "JSON": b'{"key": "' + one_line + b'"}',
        "quoted": b"'" + text + b"'",
        "one line of base64": one_body,
        "base64 of all": base64.b64encode(text),
        "base64 of all, in lines": base64.encodebytes(text),
        "base64 of all, quoted": b'"' + base64.b64encode(text) + b'"\n',
    }


def assert_silent(error: SigningKeyError, *secrets: bytes) -> None:
    """Check that no secret is in an error, in what led to it, or in a traceback of it."""
    shown = "".join(traceback.format_exception(error)) + error.message + error.hint + repr(error)
    shown += json.dumps(error.to_dict())
    cause: BaseException | None = error
    while cause is not None:
        shown += f"{cause!r}{cause.args!r}{vars(cause)!r}"
        cause = cause.__cause__ or cause.__context__
    # The lines of the tests' own code are in a traceback, too.
    lines = [line for line in shown.splitlines() if not line.startswith("    ")]
    for secret in secrets:
        text = secret.decode(errors="replace").strip()
        assert text
        assert text not in "\n".join(lines)
