"""Reads PEM (RFC 7468, and RFC 1421 for the headers of old private keys) as people hand it on.

Keys come out of the secrets of CI systems, out of YAML and out of Windows' editors. So line breaks
may be spaces, the two characters ``\\n``, or Windows' own; lines may be indented; the text may be
UTF-16, begin with a byte order mark, be quoted, or be base64 as a whole; other text may stand
before and behind a block. None of that leaves a doubt about which key is meant.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import field

from oci_merge._frozen import frozen
from oci_merge._text import decode
from oci_merge.errors import SigningKeyError

#: The largest text of a key, in bytes. One of RSA with 16384 bits has less than a fifth of it.
MAX_SIZE = 64 * 1024

_BEGIN = "-----BEGIN "
_DASHES = "-----"
_LABEL = re.compile(r"[A-Z0-9]+(?: [A-Z0-9]+)*")
#: What says how an old private key is encrypted. What follows may stand in the same line, where
#: line breaks became spaces.
_HEADERS = re.compile(
    r"\s*Proc-Type:\s*4,\s*ENCRYPTED\s+DEK-Info:\s*([A-Za-z0-9-]+,[0-9A-Fa-f]+)(?=\s)\s*"
)
#: How the line breaks of a key are written in a variable of one line.
_WRITTEN_BREAK = re.compile(r"\\r\\n|\\n|\\r")
_WHITESPACE = re.compile(r"\s+")
_WHOLE_FILE = "give the whole file, with its lines -----BEGIN … and -----END …"


@frozen
class Block:
    """A block of PEM.

    Attributes:
        label: what it says to hold, such as ``PUBLIC KEY``.
        encryption: how an old private key is encrypted, as its header ``DEK-Info`` says it.
        body: the text between the labels, without the headers.
    """

    label: str
    encryption: str
    body: str = field(repr=False)

    def content(self, *, name: str) -> bytes:
        """Return what the block holds.

        Args:
            name: names the key in messages.

        Raises:
            SigningKeyError: the body is not base64.
        """
        content = decode_base64(self.body)
        if not content:
            raise SigningKeyError(
                f"{name} is damaged: what stands in its {self.label} is not base64",
                hint="a key that was copied by hand may lack a part; copy the whole file",
            )
        return content

    def pem(self, *, name: str) -> bytes:
        """Return the block as it is usually written.

        Args:
            name: names the key in messages.

        Raises:
            SigningKeyError: the body is not base64.
        """
        headers = ""
        if self.encryption:
            headers = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {self.encryption}\n\n"
        return encode_pem(self.label, self.content(name=name), headers=headers)


def encode_pem(label: str, content: bytes, *, headers: str = "") -> bytes:
    """Return a block of PEM.

    Args:
        label: what it holds.
        content: the bytes.
        headers: lines that go before the base64, with an empty one at their end.
    """
    text = base64.b64encode(content).decode()
    lines = "".join(f"{text[start : start + 64]}\n" for start in range(0, len(text), 64))
    return f"{_BEGIN}{label}{_DASHES}\n{headers}{lines}-----END {label}{_DASHES}\n".encode()


def looks_like_key(text: str) -> bool:
    """Say whether a text is, or may be, a key itself and no place of one.

    Such a text is not for messages.
    """
    compact = _WHITESPACE.sub("", text)
    is_long = len(compact) > 100 and re.fullmatch(r"[A-Za-z0-9+/=]+", compact) is not None
    return "-----" in text or "\n" in text.strip() or is_long


def read_blocks(content: bytes, *, name: str) -> tuple[Block, ...]:
    """Return the blocks of a text, at least one.

    Args:
        content: the text.
        name: names the key in messages, in a form that is safe to print.

    Raises:
        SigningKeyError: it is too long, is empty, or is not PEM.
    """
    if len(content) > MAX_SIZE:
        raise SigningKeyError(f"{name} has more than {MAX_SIZE // 1024} KiB, so it is no key")
    if not content.strip():
        raise SigningKeyError(f"{name} is empty, where a key in PEM was expected")
    text = _text(content, name)
    if _BEGIN not in text:
        inner = decode_base64(text)  # the whole file as base64, in one line or in many
        if inner and _BEGIN.encode() in inner:
            text = _text(inner, name)
        else:
            raise _not_pem(text, name)
    return _blocks(_WRITTEN_BREAK.sub("\n", text), name)


def _blocks(text: str, name: str) -> tuple[Block, ...]:
    blocks = []
    start = text.find(_BEGIN)
    while start >= 0:
        label, dashes, rest = text[start + len(_BEGIN) :].partition(_DASHES)
        label = label.strip()
        if not dashes or len(label) > 64 or not _LABEL.fullmatch(label):
            raise SigningKeyError(f"{name} has a damaged -----BEGIN line", hint=_WHOLE_FILE)
        body, end, text = rest.partition(f"-----END {label}{_DASHES}")
        if not end:
            raise SigningKeyError(
                f"{name} lacks the line -----END {label}-----: it is cut off, or damaged",
                hint=_WHOLE_FILE,
            )
        headers = _HEADERS.match(body)
        encryption = headers[1] if headers else ""
        blocks.append(Block(label, encryption, body[headers.end() :] if headers else body))
        start = text.find(_BEGIN)
    return tuple(blocks)


def _text(content: bytes, name: str) -> str:
    text: str | None = None
    with suppress(UnicodeDecodeError):
        text = decode(content)
    # Raised outside of "except", since the error there has the content.
    if text is None:
        form = "DER" if content[:1] == b"\x30" else "binary"
        raise SigningKeyError(
            f"{name} is {form}, where a key in PEM was expected",
            hint="convert it: openssl pkey -inform DER -in KEY, with -pubin for a public key",
        )
    return text


def _not_pem(text: str, name: str) -> SigningKeyError:
    """Return the error of a text without a block; it says which other kind of key that may be."""
    hint = _WHOLE_FILE
    if text.lstrip().startswith(("ssh-", "ecdsa-sha2-", "sk-")):
        hint = "this is a key of SSH; convert it: ssh-keygen -e -m PKCS8 -f KEY"
    elif text.lstrip().startswith("untrusted comment:"):
        hint = "this is a key of minisign or signify; make one by cosign generate-key-pair"
    return SigningKeyError(f"{name} is not PEM: it has no line -----BEGIN …", hint=hint)


def decode_base64(text: object) -> bytes:
    """Return the bytes of a base64 text, whatever its line breaks; none if it is no such text."""
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(_WHITESPACE.sub("", text).strip("\"'"), validate=True)
    except (binascii.Error, ValueError):
        return b""
