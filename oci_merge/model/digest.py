"""Content digests (OCI image spec, "Digests")."""

from __future__ import annotations

import hashlib
import re

from oci_merge._text import printable
from oci_merge.errors import DigestMismatchError, InvalidReferenceError

#: The spec's grammar of any digest. It tells an unknown algorithm from text that is no digest.
_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+")
#: The registered algorithms that have to be verified, with the length of their hexadecimal form.
_HEX_LENGTH = {"sha256": 64, "sha512": 128}


def check_digest(text: str) -> str:
    """Return ``text`` if it is a sha256 or sha512 digest (OCI image spec, "Digests").

    Args:
        text: ``algorithm:encoded``, for example ``sha256:`` and 64 lower-case hexadecimal digits.

    Raises:
        InvalidReferenceError: the text does not follow the grammar, or names another algorithm.
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


def is_bare_digest(text: str) -> bool:
    """Say whether a text in the place of a reference is a digest alone, right or wrong."""
    algorithm, colon, _ = text.partition(":")
    # sha256:5000/app has a registry's host and port before its repository.
    return bool(colon) and algorithm in _HEX_LENGTH and "/" not in text


def sha256_digest(content: bytes) -> str:
    """Return the sha256 digest of ``content``, as ``sha256:<64 hexadecimal digits>``."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def verify_digest(content: bytes, digest: str, *, what: str) -> None:
    """Check that ``content`` has this digest (OCI image spec, "Verification").

    Args:
        content: the exact bytes that were received.
        digest: a digest that ``check_digest`` accepts.
        what: names the content in the error, for example ``the config of reg.example/app:1``.

    Raises:
        DigestMismatchError: the content has another digest.
    """
    algorithm = digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    if found != digest:
        raise DigestMismatchError(
            f"{what} should be {digest}, but the registry sent {found} ({len(content)} bytes)",
            hint="a proxy or the registry's storage alters or cuts content; nothing was published",
        )


class Verifier:
    """Verifies the digest and size of content that is received in pieces.

    Args:
        digest: a digest that ``check_digest`` accepts.
        size: the expected size in bytes.
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
        """Add the next piece.

        Raises:
            DigestMismatchError: there are more bytes than ``size``.
        """
        self._count += len(piece)
        # At once, so that a server that never stops sending does not fill the target.
        if self._count > self._size:
            raise self._error(f"more than {self._size} bytes")
        self._hash.update(piece)

    def finish(self) -> None:
        """Check the digest and size of all pieces together.

        Raises:
            DigestMismatchError: the digest differs, or there are fewer bytes than ``size``.
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
