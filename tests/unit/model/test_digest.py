"""Digests: which are accepted, and that content is verified."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.errors import DigestMismatchError, InvalidReferenceError
from oci_merge.model.digest import check_digest, sha256_digest, verify_digest

_EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_nothing_is_the_well_known_one() -> None:
    assert sha256_digest(b"") == _EMPTY


@given(st.binary())
def test_a_computed_digest_is_a_digest_and_verifies(content: bytes) -> None:
    digest = sha256_digest(content)
    assert check_digest(digest) == digest
    verify_digest(content, digest, what="it")


@given(st.binary(), st.binary())
def test_other_content_does_not_verify(content: bytes, other: bytes) -> None:
    if content != other:
        with pytest.raises(DigestMismatchError):
            verify_digest(other, sha256_digest(content), what="it")


def test_sha512_is_verified_by_sha512() -> None:
    digest = f"sha512:{hashlib.sha512(b'x').hexdigest()}"
    assert check_digest(digest) == digest
    verify_digest(b"x", digest, what="it")
    with pytest.raises(DigestMismatchError):
        verify_digest(b"y", digest, what="it")


def test_a_mismatch_names_the_thing_both_digests_and_the_size() -> None:
    with pytest.raises(DigestMismatchError) as caught:
        verify_digest(b"", "sha256:" + "0" * 64, what="the config of reg.example/app:1")
    for part in ("the config of reg.example/app:1", "0" * 64, _EMPTY, "(0 bytes)"):
        assert part in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "SHA256:" + "a" * 64,
        "sha256:" + "a" * 64 + "\n",
        " sha256:" + "a" * 64,
        "sha256:" + "g" * 64,
        "sha512:" + "a" * 64,
        "sha256:sha256:" + "a" * 64,
    ],
)
def test_text_that_is_not_a_digest_is_refused_and_the_hint_describes_one(text: str) -> None:
    with pytest.raises(InvalidReferenceError, match="is not a digest") as caught:
        check_digest(text)
    assert "64 lower-case" in caught.value.hint


@pytest.mark.parametrize("text", ["md5:d41d8cd98f00b204e9800998ecf8427e", "a+b.c:AZaz09=_-"])
def test_an_algorithm_that_cannot_be_verified_is_named(text: str) -> None:
    with pytest.raises(InvalidReferenceError, match="cannot be verified") as caught:
        check_digest(text)
    assert "sha256 or sha512" in caught.value.hint


@given(st.text())
def test_arbitrary_text_is_a_digest_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidReferenceError):
        assert check_digest(text) == text
