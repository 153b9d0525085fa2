"""Looks at what an encrypted key in PKCS #8 asks for, before any work is done for its password.

RFC 5958 (EncryptedPrivateKeyInfo), RFC 8018 (PBES1, PBES2, PBKDF2), RFC 7914 (scrypt).
``cryptography`` decrypts such a key, with as many rounds as the file asks for.
"""

from __future__ import annotations

from oci_merge.errors import SigningKeyError

#: Rounds of PBKDF2. ``openssl`` writes 2048, and advice of 2026 is below a million. This many take
#: a few seconds.
_MOST_ROUNDS = 10_000_000
#: Bytes that scrypt may use: twice as many as the costliest key of cosign's.
_MOST_MEMORY = 256 * 1024 * 1024
_MOST_PARALLEL = 16

_INTEGER = 0x02
#: The object identifiers, as DER has them.
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_SCRYPT = bytes.fromhex("2b06010401da47040b")


def check_cost(content: bytes, *, name: str) -> None:
    """Refuse a key whose password would take too long to try.

    Args:
        content: an EncryptedPrivateKeyInfo in DER.
        name: names the key in messages.

    Raises:
        SigningKeyError: it asks for too much, or cannot be read.
    """
    try:
        function, numbers = _derivation(content)
    except (IndexError, ValueError):
        function, numbers = b"", []
    if not numbers or (function == _SCRYPT and len(numbers) < 3):
        raise SigningKeyError(
            f"{name} is damaged: it does not say how it is encrypted",
            hint="a key that was copied by hand may lack a part; copy the whole file",
        )
    if function == _SCRYPT:
        n, r, p = numbers[:3]
        is_too_much = 128 * n * r > _MOST_MEMORY or p > _MOST_PARALLEL
    else:
        is_too_much = numbers[0] > _MOST_ROUNDS
    if is_too_much:
        raise SigningKeyError(
            f"{name} is encrypted with more rounds for its password than are done here "
            f"({_MOST_ROUNDS} of PBKDF2, or {_MOST_MEMORY // 2**20} MiB of scrypt)",
            hint="encrypt it anew: openssl pkcs8 -topk8 -in KEY -out NEW",
        )


def _derivation(content: bytes) -> tuple[bytes, list[int]]:
    """Return which function makes the key of the password, and the numbers that it is given.

    Raises:
        IndexError, ValueError: the content is of another form.
    """
    [(_, whole)] = _elements(content)
    (_, function), (_, parameters) = _elements(_elements(whole)[0][1])
    if function == _PBES2:
        (_, function), (_, parameters) = _elements(_elements(parameters)[0][1])
    # The salt comes first; in PBKDF2 the length of the key and the hash may follow the rounds.
    return function, [
        int.from_bytes(value) for tag, value in _elements(parameters) if tag == _INTEGER
    ]


def _elements(content: bytes) -> list[tuple[int, bytes]]:
    """Return the tags and contents of the elements of DER that follow each other.

    Raises:
        IndexError, ValueError: they are not complete.
    """
    elements = []
    while content:
        tag, length, start = content[0], content[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[2:start])
        if len(content) < start + length:
            raise ValueError("an element is cut off")
        elements.append((tag, content[start : start + length]))
        content = content[start + length :]
    return elements
