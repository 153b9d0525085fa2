"""Reads private keys: those of ``cosign generate-key-pair``, and those of openssl."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from oci_merge._frozen import frozen
from oci_merge.errors import SigningKeyError
from oci_merge.trust.keys import SUPPORTED, LocalSigner
from oci_merge.trust.pem import Block, decode_base64, encode_pem, read_blocks
from oci_merge.trust.pkcs8 import check_cost
from oci_merge.trust.secretbox import KEY_SIZE, NONCE_SIZE, TAG_SIZE, open_box, seal_box

_COSIGN_LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY"
_COSIGN_LABELS = (_COSIGN_LABEL, "ENCRYPTED COSIGN PRIVATE KEY")
_OPENSSL_LABELS = ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")
_ENCRYPTED_LABEL = "ENCRYPTED PRIVATE KEY"

#: What cosign gives to scrypt (go-securesystemslib, ``encrypted``): N is one of these, today the
#: second one. Anything else would let a file choose what opening it costs.
_COSTS = (2**15, 2**16, 2**17)
_USUAL_COST = 2**16
_BLOCK_SIZE = 8
_PARALLEL = 1
#: Lengths in bytes. cosign's salts have 32.
_SALT_SIZE = 32
_SALT_SIZES = range(16, 65)
_MOST_ENCRYPTED = 16 * 1024

_DAMAGED_HINT = "a key that was copied by hand may lack a part; copy the whole file"


@frozen
class _Sealed:
    """A private key as cosign encrypts it.

    Attributes:
        cost: scrypt's N.
        salt, nonce, box: what its parts hold, in bytes.
    """

    cost: int
    salt: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    box: bytes = field(repr=False)


def parse_private_key(content: bytes, password: Callable[[], bytes], *, name: str) -> LocalSigner:
    """Read a private key in PEM.

    Args:
        content: the text of a file or variable: cosign's own form, PKCS #8 (RFC 5958), SEC 1 (RFC
            5915) or PKCS #1 (RFC 8017), encrypted or not. Certificates and parameters may stand
            beside the key.
        password: returns the password; called only if the key is encrypted.
        name: how the user named the key, in a form that is safe to print.

    Raises:
        SigningKeyError: it holds no private key, or more than one, or one of a kind that is not
            supported; or the password does not open it.
    """
    block = _private_block(read_blocks(content, name=name), name)
    if block.label in _COSIGN_LABELS:
        key = _open_cosign_key(block.content(name=name), password, name)
    elif block.label == _ENCRYPTED_LABEL:
        check_cost(block.content(name=name), name=name)
        key = _load(block, password(), name)
    elif block.encryption:
        # Its key is a single MD5 of the password, so nothing has to be bounded.
        key = _load(block, password(), name)
    else:
        key = _load(block, None, name)
    return LocalSigner(key, name=name)


def generate_key_pair(password: bytes) -> tuple[bytes, bytes]:
    """Make an EC P-256 key as ``cosign generate-key-pair`` does.

    Args:
        password: encrypts the private key; may be empty.

    Returns:
        The private key, which cosign reads too, and the public key, both in PEM.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, nonce = secrets.token_bytes(_SALT_SIZE), secrets.token_bytes(NONCE_SIZE)
    box = seal_box(content, nonce, _derive(password, salt, _USUAL_COST))
    document = {
        "kdf": {
            "name": "scrypt",
            "params": {"N": _USUAL_COST, "r": _BLOCK_SIZE, "p": _PARALLEL},
            "salt": base64.b64encode(salt).decode(),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()},
        "ciphertext": base64.b64encode(box).decode(),
    }
    private = encode_pem(_COSIGN_LABEL, json.dumps(document, separators=(",", ":")).encode())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public


def _private_block(blocks: tuple[Block, ...], name: str) -> Block:
    """Return the block that has the private key."""
    private = [block for block in blocks if block.label.endswith("PRIVATE KEY")]
    if len(private) > 1:
        raise SigningKeyError(
            f"{name} holds {len(private)} private keys, where one was expected",
            hint="write the one to sign with into a file of its own",
        )
    if not private:
        label = next((block.label for block in blocks if "PARAM" not in block.label), "")
        hint = "give the private key: the file cosign.key, not cosign.pub"
        if "PGP" in label:
            hint = "keys of PGP do not sign images; make one by cosign generate-key-pair"
        what = f"holds {label or 'parameters alone'}"
        if label.endswith("PUBLIC KEY"):
            what = "holds a public key"
        raise SigningKeyError(f"{name} {what}, where a private key was expected", hint=hint)
    label = private[0].label
    if label not in (*_COSIGN_LABELS, *_OPENSSL_LABELS, _ENCRYPTED_LABEL):
        hint = f"expected is {SUPPORTED}, as cosign or openssl write it"
        if "OPENSSH" in label:
            hint = "convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY"
        raise SigningKeyError(f"{name} is of a form that is not read: {label}", hint=hint)
    return private[0]


def _load(block: Block, password: bytes | None, name: str) -> PrivateKeyTypes:
    """Have ``cryptography`` read a key of openssl's."""
    pem = block.pem(name=name)
    key, problem = None, ""
    # What is raised in "except" leads to the error of the library, and with its traceback to the
    # key. So the errors here are raised after it.
    try:
        key = load_pem_private_key(pem, password)
    except UnsupportedAlgorithm:
        problem = "is a key of an unknown kind, or encrypted in an unknown way"
    except (TypeError, ValueError):
        problem = "is damaged: it cannot be read"
    if key is not None:
        return key
    if problem.startswith("is damaged") and password is not None:
        raise _wrong_password(password, name)
    raise SigningKeyError(f"{name} {problem}", hint=_DAMAGED_HINT)


def _open_cosign_key(content: bytes, password: Callable[[], bytes], name: str) -> PrivateKeyTypes:
    """Decrypt a key of cosign's."""
    sealed = _read_sealed(content, name)
    given = password()
    opened, problem = None, ""
    try:
        opened = open_box(sealed.box, sealed.nonce, _derive(given, sealed.salt, sealed.cost))
    except MemoryError:
        problem = f"that takes {128 * _BLOCK_SIZE * sealed.cost // 2**20} MiB of memory"
    except UnsupportedAlgorithm:
        problem = "the OpenSSL of this machine has no scrypt or Poly1305"
    if problem:
        raise SigningKeyError(
            f"{name} cannot be decrypted: {problem}",
            hint="sign with a key in PKCS #8, or elsewhere",
        )
    if opened is None:
        raise _wrong_password(given, name)
    key: PrivateKeyTypes | None = None
    with suppress(TypeError, ValueError, UnsupportedAlgorithm):
        key = load_der_private_key(opened, None)
    if key is None:
        raise SigningKeyError(f"{name} is decrypted, and holds no private key in PKCS #8")
    return key


def _read_sealed(content: bytes, name: str) -> _Sealed:
    """Read the JSON of a key of cosign's, and check what it asks for."""
    document: Any = None
    with suppress(ValueError, RecursionError):
        document = json.loads(content)
    scheme = (_at(document, "kdf", "name"), _at(document, "cipher", "name"))
    if scheme == (None, None):
        raise SigningKeyError(f"{name} is damaged: it cannot be read", hint=_DAMAGED_HINT)
    cost = _at(document, "kdf", "params", "N")
    rest = (_at(document, "kdf", "params", "r"), _at(document, "kdf", "params", "p"))
    if (
        scheme != ("scrypt", "nacl/secretbox")
        or cost not in _COSTS
        or rest != (_BLOCK_SIZE, _PARALLEL)
    ):
        raise SigningKeyError(
            f"{name} is encrypted otherwise than cosign does it: expected are nacl/secretbox, and "
            f"scrypt with N {', '.join(map(str, _COSTS))}, r {_BLOCK_SIZE} and p {_PARALLEL}",
            hint="import the key anew: cosign import-key-pair --key KEY",
        )
    salt = decode_base64(_at(document, "kdf", "salt"))
    nonce = decode_base64(_at(document, "cipher", "nonce"))
    box = decode_base64(_at(document, "ciphertext"))
    if (
        len(salt) not in _SALT_SIZES
        or len(nonce) != NONCE_SIZE
        or not TAG_SIZE < len(box) <= _MOST_ENCRYPTED
    ):
        raise SigningKeyError(
            f"{name} is damaged: its salt, nonce or ciphertext is not of the length that it has "
            "in keys of cosign's",
            hint=_DAMAGED_HINT,
        )
    return _Sealed(int(cost), salt, nonce, box)


def _derive(password: bytes, salt: bytes, cost: int) -> bytes:
    """Return the key that belongs to a password (RFC 7914); takes a tenth of a second or more."""
    scrypt = Scrypt(salt=salt, length=KEY_SIZE, n=cost, r=_BLOCK_SIZE, p=_PARALLEL)
    return scrypt.derive(password)


def _at(document: Any, *path: str) -> Any:
    """Return what stands in a document at some place, or None."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _wrong_password(password: bytes, name: str) -> SigningKeyError:
    # An empty one is what CI systems make of a secret that is not there.
    return SigningKeyError(
        f"{name} cannot be decrypted: the password is {'wrong' if password else 'empty'}",
        hint="set COSIGN_PASSWORD to the password that the key was made with; a line break at its "
        "end counts, too",
    )
