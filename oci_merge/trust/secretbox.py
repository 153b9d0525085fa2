"""The box in which cosign keeps a private key: nacl's ``secretbox``, XSalsa20 with Poly1305.

After "Extending the Salsa20 nonce" and "Cryptography in NaCl" by D. J. Bernstein. ``cryptography``
has Poly1305 and no Salsa20; that is written here, for the few hundred bytes of a key.
"""

from __future__ import annotations

import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.poly1305 import Poly1305

#: Lengths in bytes.
KEY_SIZE = 32
NONCE_SIZE = 24
TAG_SIZE = 16

_BLOCK_SIZE = 64
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
#: The places of the words that each quarter of a double round works on: columns, then rows.
_QUARTERS = (
    *((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)),
    *((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)),
)
#: The steps of a double round: the place of a word, those of two that change it, and by how many
#: bits their sum is turned.
_STEPS = tuple(
    (quarter[target], quarter[one], quarter[other], distance)
    for quarter in _QUARTERS
    for target, one, other, distance in ((1, 0, 3, 7), (2, 1, 0, 9), (3, 2, 1, 13), (0, 3, 2, 18))
)
_DOUBLE_ROUNDS = 10
_MASK = 0xFFFFFFFF


def seal_box(message: bytes, nonce: bytes, key: bytes) -> bytes:
    """Encrypt a message and protect it against changes.

    Args:
        message: what to encrypt.
        nonce: 24 bytes that this key is used with once.
        key: 32 bytes.

    Returns:
        A tag of 16 bytes, and the message encrypted.

    Raises:
        ValueError: the nonce or the key is of another length.
        cryptography.exceptions.UnsupportedAlgorithm: this ``cryptography`` has no Poly1305.
    """
    pad = _key_stream(TAG_SIZE * 2 + len(message), nonce, key)
    encrypted = _xor(message, pad[TAG_SIZE * 2 :])
    return Poly1305.generate_tag(pad[: TAG_SIZE * 2], encrypted) + encrypted


def open_box(box: bytes, nonce: bytes, key: bytes) -> bytes | None:
    """Decrypt what ``seal_box`` has made.

    Args:
        box: the tag, and the encrypted message.
        nonce: 24 bytes.
        key: 32 bytes.

    Returns:
        The message, or None where the tag does not fit: the key is another one, or the box was
        changed.

    Raises:
        ValueError: the nonce or the key is of another length.
        cryptography.exceptions.UnsupportedAlgorithm: this ``cryptography`` has no Poly1305.
    """
    tag, encrypted = box[:TAG_SIZE], box[TAG_SIZE:]
    pad = _key_stream(TAG_SIZE * 2 + len(encrypted), nonce, key)
    try:
        Poly1305.verify_tag(pad[: TAG_SIZE * 2], encrypted, tag)  # takes the same time for any tag
    except InvalidSignature:
        return None
    return _xor(encrypted, pad[TAG_SIZE * 2 :])


def _key_stream(length: int, nonce: bytes, key: bytes) -> bytes:
    """Return the first bytes of XSalsa20's stream; 32 of them are the key of the tag."""
    if len(key) != KEY_SIZE or len(nonce) != NONCE_SIZE:
        raise ValueError(f"a secretbox has a key of {KEY_SIZE} bytes, a nonce of {NONCE_SIZE}")
    own_key = _hsalsa20(key, nonce[:16])
    blocks = (
        _salsa20_block(own_key, nonce[16:] + struct.pack("<Q", counter))
        for counter in range(-(-length // _BLOCK_SIZE))
    )
    return b"".join(blocks)[:length]


def _salsa20_block(key: bytes, place: bytes) -> bytes:
    """Return the block of a nonce of 8 bytes and a counter, 64 bytes."""
    words = _words(key, place)
    mixed = _mix(words)
    return struct.pack("<16I", *((a + b) & _MASK for a, b in zip(words, mixed, strict=True)))


def _hsalsa20(key: bytes, nonce: bytes) -> bytes:
    """Return the key, 32 bytes, that belongs to the first 16 bytes of a nonce."""
    mixed = _mix(_words(key, nonce))
    return struct.pack("<8I", *(mixed[place] for place in (0, 5, 10, 15, 6, 7, 8, 9)))


def _words(key: bytes, place: bytes) -> list[int]:
    """Return the 16 words that Salsa20 starts from."""
    k, n, c = struct.unpack("<8I", key), struct.unpack("<4I", place), _CONSTANTS
    return [c[0], *k[:4], c[1], *n, c[2], *k[4:], c[3]]


def _mix(words: list[int]) -> list[int]:
    """Return the words after the twenty rounds of Salsa20."""
    mixed = list(words)
    for _ in range(_DOUBLE_ROUNDS):
        for target, one, other, distance in _STEPS:
            turned = (mixed[one] + mixed[other]) & _MASK
            mixed[target] ^= (turned << distance | turned >> (32 - distance)) & _MASK
    return mixed


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
