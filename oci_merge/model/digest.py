"""Content digests (OCI image spec, "Digests")."""

from __future__ import annotations

import hashlib
import re

from oci_merge._text import printable
from oci_merge.errors import DigestMismatchError, InvalidReferenceError

_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+")
_HEX_LENGTH = {"sha256": 64, "sha512": 128}


def check_digest(text: str) -> str:
    """Return ``text`` if it is a digest that oci-merge can verify.

    Args:
        text: for example ``sha256:`` followed by 64 lower-case hexadecimal digits.

    Raises:
        InvalidReferenceError: the grammar is broken, or the algorithm is not a registered one.
    """
    algorithm, _, encoded = text.partition(":")
    length = _HEX_LENGTH.get(algorithm)
    if length is None and _GRAMMAR.fullmatch(text):
        raise InvalidReferenceError(
            f"the digest {printable(text)!r} uses {printable(algorithm)}, which cannot be verified",
            hint="use a sha256 or sha512 digest",
        )
    if length is None or not re.fullmatch(rf"[0-9a-f]{{{length}}}", encoded):
        raise InvalidReferenceError(
            f"{printable(text)!r} is not a digest",
            hint="a digest is sha256: followed by 64 lower-case hexadecimal digits",
        )
    return text


def sha256_digest(content: bytes) -> str:
    """Return the sha256 digest of ``content``, as ``sha256:<hex>``."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def verify_digest(content: bytes, digest: str, *, what: str) -> None:
    """Check that ``content`` is what ``digest`` names.

    Args:
        content: the bytes as they came.
        digest: a digest that ``check_digest`` accepts.
        what: names the content in the error, for example ``the config of reg.example/app:1``.

    Raises:
        DigestMismatchError: it is something else.
    """
    algorithm = digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    if found != digest:
        raise DigestMismatchError(
            f"{what} should be {digest}, but the registry sent {found} ({len(content)} bytes)",
            hint="a proxy or the registry's storage alters or cuts content; nothing was published",
        )


class Verifier:
    """Checks content that comes in pieces, as ``verify_digest`` checks it whole.

    Args:
        digest: a digest that ``check_digest`` accepts.
        size: how many bytes there should be.
        what: names the content in errors.
    """

    def __init__(self, digest: str, size: int, *, what: str) -> None:
        self._digest = digest
        self._size = size
        self._what = what
        self._count = 0
        self._algorithm = digest.partition(":")[0]
        self._hash = hashlib.new(self._algorithm)

    def add(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            DigestMismatchError: that makes it too long.
        """
        self._count += len(piece)
        if self._count > self._size:
            raise self._error(f"more than {self._size} bytes")
        self._hash.update(piece)

    def finish(self) -> None:
        """Check the whole.

        Raises:
            DigestMismatchError: it is something else, or too short.
        """
        if self._count != self._size:
            raise self._error(f"{self._count} bytes instead of {self._size}")
        found = f"{self._algorithm}:{self._hash.hexdigest()}"
        if found != self._digest:
            raise self._error(found)

    def _error(self, found: str) -> DigestMismatchError:
        return DigestMismatchError(
            f"{self._what} should be {self._digest}, but the registry sent {found}",
            hint="a proxy or the registry's storage alters or cuts content; nothing was published",
        )
