"""The secretbox, against a vector of NaCl's own tests and against libsodium."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from oci_merge.trust.secretbox import open_box, seal_box

# tests/secretbox.c of NaCl.
_KEY = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
_NONCE = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
_MESSAGE = bytes.fromhex(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c"
    "61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f"
    "21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
)
_BOX = bytes.fromhex(
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1"
    "186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab9321645"
    "48e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b"
    "1f654cb45a74e355a5"
)

_keys = st.binary(min_size=32, max_size=32)
_nonces = st.binary(min_size=24, max_size=24)


def test_the_vector_of_nacl_is_made_and_opened() -> None:
    assert seal_box(_MESSAGE, _NONCE, _KEY) == _BOX
    assert open_box(_BOX, _NONCE, _KEY) == _MESSAGE


@given(st.binary(max_size=400), _nonces, _keys)
@example(b"", bytes(24), bytes(32))
@example(b"x" * 31, b"\xff" * 24, b"\xff" * 32)
@example(b"x" * 32, b"\xff" * 24, b"\xff" * 32)
@example(b"x" * 33, b"\xff" * 24, b"\xff" * 32)
@example(b"x" * 16384, bytes(24), bytes(32))
@settings(deadline=None)
def test_boxes_are_those_of_libsodium(message: bytes, nonce: bytes, key: bytes) -> None:
    box = seal_box(message, nonce, key)
    assert box == SecretBox(key).encrypt(message, nonce).ciphertext
    assert open_box(box, nonce, key) == message


@given(st.binary(max_size=80), st.data())
@settings(deadline=None)
def test_a_box_with_a_changed_bit_is_not_opened(message: bytes, data: st.DataObject) -> None:
    box = bytearray(seal_box(message, _NONCE, _KEY))
    bit = data.draw(st.integers(0, len(box) * 8 - 1))
    box[bit // 8] ^= 1 << bit % 8
    assert open_box(bytes(box), _NONCE, _KEY) is None
    with pytest.raises(CryptoError):
        SecretBox(_KEY).decrypt(bytes(box), _NONCE)


def test_a_box_is_not_opened_with_another_key_or_nonce() -> None:
    assert open_box(_BOX, _NONCE, bytes(32)) is None
    assert open_box(_BOX, bytes(24), _KEY) is None


@pytest.mark.parametrize("length", [0, 1, 15])
def test_a_box_that_is_shorter_than_its_tag_is_not_opened(length: int) -> None:
    assert open_box(_BOX[:length], _NONCE, _KEY) is None


@pytest.mark.parametrize(("nonce", "key"), [(_NONCE[1:], _KEY), (_NONCE, _KEY + b"x")])
def test_keys_and_nonces_have_one_length(nonce: bytes, key: bytes) -> None:
    with pytest.raises(ValueError, match="a key of 32 bytes, a nonce of 24"):
        seal_box(b"", nonce, key)
