"""Replaces secrets that a server repeats, in whatever spelling it repeats them. Pure."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from urllib.parse import parse_qsl

from oci_merge.http.message import Request

MASK = "***"
#: A shorter secret is not replaced, as that would blank out ordinary words.
_MIN_SECRET = 4
#: How many spellings are undone one after the other, as of JSON in a JSON text in a URL.
_MOST_LAYERS = 4
#: The fields of a form that hold a secret (RFC 6749).
_SECRET_FIELDS = frozenset({"password", "refresh_token", "access_token", "client_secret"})

#: How a character or a byte is written, by the name of the way.
_WRITTEN = {
    "url": r"%[0-9A-Fa-f]{2}",
    "hexadecimal": r"\\x[0-9A-Fa-f]{2}",  # the bytes of Python and Go
    "octal": r"\\[0-3][0-7]{2}",  # the bytes of C
    "pair": r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}",  # JSON beyond U+FFFF
    "unit": r"\\u[0-9A-Fa-f]{4}",  # JSON
    "entity": r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});",  # HTML
    "quoted": r"\\[\"'\\/]",  # JSON, and quoted strings of headers
}


def _pattern(*names: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>{_WRITTEN[name]})" for name in names))


_ANY = _pattern(*_WRITTEN)
#: Those of one format. A secret may hold what is an escape in another one, such as %41 in JSON.
_ALONE = (
    _pattern("url"),
    _pattern("octal"),
    _pattern("entity"),
    _pattern("hexadecimal", "quoted"),
    _pattern("pair", "unit", "quoted"),
)

#: What every way of writing a character begins with.
_ESCAPE = re.compile(rb"[%\\&]")

#: A text's bytes, and for each the part of the original text that it stands for.
_View = tuple[bytes, list[tuple[int, int]]]


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text with asterisks in place of secrets.

    Found are secrets as they are and in base64, and each of these as URLs, JSON, HTML, quoted
    strings and dumps of bytes write them, mixed and nested too.

    Args:
        text: what a server said.
        secrets: what it was sent; those of less than four characters are left.
    """
    wanted = {
        read for form in _forms(secrets) for encoded in _encoded(form) for read in _read(encoded)
    }
    if not wanted:
        return text
    found = sorted({span for view in _views(text) for span in _places(view, wanted)})
    pieces, end = [], 0
    for start, stop in found:
        if start >= end:
            pieces += [text[end:start], MASK]
        end = max(end, stop)
    return "".join([*pieces, text[end:]])


def secrets_of(request: Request) -> tuple[str, ...]:
    """Return the secrets that a request holds: of its ``Authorization``, and of a form."""
    kind, _, value = (request.authorization or "").partition(" ")
    secrets = [value]
    if kind.lower() == "basic":
        secrets.append(_decoded(value).partition(":")[2])
    if b"=" in request.content[:200] and not request.content.startswith((b"{", b"[")):
        form = parse_qsl(request.content.decode("utf-8", "replace"))
        secrets += [content for name, content in form if name in _SECRET_FIELDS]
    return tuple(filter(None, secrets))


def _forms(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if len(secret) < _MIN_SECRET:
            continue
        content = secret.encode("utf-8", "surrogatepass")
        yield secret.replace(" ", "+")  # as forms write it
        # With and without the padding, which some leave out; a secret may be base64 itself.
        for encoded in (secret, base64.b64encode(content).decode()):
            for form in (encoded, encoded.rstrip("=")):
                if len(form) >= _MIN_SECRET:
                    yield form
                    yield form.replace("+", "-").replace("/", "_")


def _encoded(form: str) -> Iterator[bytes]:
    """Yield a form's bytes, also as Latin-1, and as UTF-8 that was taken for Latin-1."""
    content = form.encode("utf-8", "surrogatepass")
    yield content
    if not form.isascii():
        yield content.decode("latin-1").encode()
        with suppress(UnicodeEncodeError):
            yield form.encode("latin-1")


def _read(secret: bytes) -> Iterator[bytes]:
    """Yield a secret, and what a view has in its place where it holds escapes itself."""
    yield secret
    if not _ESCAPE.search(secret):  # as of most tokens, which are long and are masked often
        return
    nowhere = [(0, 0)] * len(secret)
    for pattern in _ALONE:
        read, _ = _undone((secret, nowhere), pattern)
        if len(read) >= _MIN_SECRET:
            yield read


def _views(text: str) -> Iterator[_View]:
    """Yield a text as it is, with ever more of its spellings undone, and with those of one format.

    Where backslashes are written as they are, ``\\\\302`` is one of them and a byte; where they are
    doubled, it is one of them and a number. Only a view of each format alone has both.
    """
    content, spans = bytearray(), []
    for place, char in enumerate(text):
        encoded = char.encode("utf-8", "surrogatepass")
        content += encoded
        spans += [(place, place + 1)] * len(encoded)
    whole = bytes(content), spans
    for view in (whole, *_layers(whole, _ANY)):
        yield view
        for pattern in _ALONE:
            yield from _layers(view, pattern)


def _layers(view: _View, pattern: re.Pattern[str]) -> Iterator[_View]:
    """Yield a view with its escapes undone, then with those that this has made, and so on."""
    for _ in range(_MOST_LAYERS):
        undone = _undone(view, pattern)
        if undone[0] == view[0]:
            return
        yield undone
        view = undone


def _undone(view: _View, pattern: re.Pattern[str]) -> _View:
    """Return a view with its escapes replaced by what they stand for."""
    content, spans = view
    # A byte is a character here, so places in the text are places in the bytes.
    text = content.decode("latin-1")
    made, places, end = bytearray(), [], 0
    for match in pattern.finditer(text):
        start, stop = match.span()
        meant = _meant(match)
        made += content[end:start] + meant
        places += spans[end:start]
        places += [(spans[start][0], spans[stop - 1][1])] * len(meant)
        end = stop
    return bytes(made + content[end:]), places + spans[end:]


def _meant(match: re.Match[str]) -> bytes:
    written = match[0]
    match match.lastgroup:
        case "url":
            return bytes.fromhex(written[1:])
        case "hexadecimal":
            return bytes.fromhex(written[2:])
        case "octal":
            return bytes([int(written[1:], 8)])
        case "pair":
            return bytes.fromhex(written.replace("\\u", "")).decode("utf-16-be").encode()
        case "unit":
            return chr(int(written[2:], 16)).encode("utf-8", "surrogatepass")
        case "entity":
            return html.unescape(written).encode("utf-8", "surrogatepass")
    return bytes(written[1:], "ascii")


def _places(view: _View, wanted: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    content, spans = view
    find: Callable[[bytes, int], int] = content.find
    for secret in wanted:
        at = find(secret, 0)
        while at >= 0:
            yield spans[at][0], spans[at + len(secret) - 1][1]
            at = find(secret, at + 1)


def _decoded(pair: str) -> str:
    try:
        return base64.b64decode(pair).decode("utf-8", "replace")
    except ValueError:
        return ""
