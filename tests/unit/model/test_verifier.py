"""Content that is received in pieces is verified like whole content."""

from __future__ import annotations

import hashlib

import pytest

from oci_merge.errors import DigestMismatchError
from oci_merge.model.digest import Verifier, sha256_digest

CONTENT = b"some layer"


def check(pieces: list[bytes], digest: str, size: int = len(CONTENT)) -> None:
    verifier = Verifier(digest, size, what="a blob")
    for piece in pieces:
        verifier.add(piece)
    verifier.finish()


@pytest.mark.parametrize("pieces", [[CONTENT], [CONTENT[:4], CONTENT[4:]], [b"", CONTENT]])
def test_content_verifies_however_it_is_divided(pieces: list[bytes]) -> None:
    check(pieces, sha256_digest(CONTENT))
    check(pieces, f"sha512:{hashlib.sha512(CONTENT).hexdigest()}")


@pytest.mark.parametrize(
    "pieces", [[], [CONTENT[:-1]], [CONTENT, b"."], [b"other stuff"[: len(CONTENT)]]]
)
def test_content_of_another_digest_or_length_does_not_verify(pieces: list[bytes]) -> None:
    with pytest.raises(DigestMismatchError, match="a blob should be"):
        check(pieces, sha256_digest(CONTENT))
