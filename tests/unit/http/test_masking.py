"""Secrets that a server repeats, in every spelling in which one does."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge.http.masking import MASK, masked, secrets_of
from oci_merge.http.message import Request

_PASSWORD = 'p/ä+ "ss\\w&<ö>rd💥 100%'


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL": lambda text: quote(text, safe=""),
    "URL with slashes": quote,
    "URL by lower-case numbers": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "form": quote_plus,
    "URL twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON within JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON of Go": lambda text: (
        json.dumps(text)[1:-1].replace("<", r"\u003c").replace("&", r"\u0026")
    ),
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "JSON of a URL": lambda text: json.dumps(quote(text, safe=""))[1:-1],
    "HTML": html.escape,
    "HTML by numbers": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "HTML by hexadecimal numbers": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "bytes of Python": lambda text: repr(text.encode())[2:-1],
    "bytes of C": lambda text: "".join(
        f"\\{byte:03o}" if byte > 126 else chr(byte) for byte in text.encode()
    ),
    "UTF-8 taken for Latin-1": lambda text: text.encode().decode("latin-1"),
    "base64": _base64,
    "base64 without padding": lambda text: _base64(text).rstrip("="),
    "base64 of URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 in a URL": lambda text: quote(_base64(text), safe=""),
}


@pytest.mark.parametrize("spelling", _SPELLINGS)
@pytest.mark.parametrize("secret", [_PASSWORD, "hunter22", "eyJhbGciOi.J9_-x", "cGFzcw=="])
def test_a_secret_is_masked_in_every_spelling_and_the_rest_stays(
    secret: str, spelling: str
) -> None:
    spelt = _SPELLINGS[spelling](secret)
    said = masked(f"wrong: [{spelt}] ä, sorry", [secret])
    assert said == f"wrong: [{MASK}] ä, sorry"


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4),
    st.sampled_from(list(_SPELLINGS)),
)
@example("00\\\xa0", "bytes of C")  # what would be a doubled backslash in JSON
@example('0\\"\xa0', "bytes of C")
@example("ä <\\214", "bytes of C")
@example("%41\xa0", "bytes of C")
@example('%41"x', "JSON within JSON")
@example("\\302<x", "HTML")
@example("&lt;\\x", "bytes of Python")
def test_no_secret_of_four_characters_comes_through(secret: str, spelling: str) -> None:
    spelt = _SPELLINGS[spelling](secret)
    said = masked(f"«{spelt}»", [secret])
    assert said == f"«{MASK}»"


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("authentication required", ["in"]),
        ("authentication required", []),
        ("100% of %zz and \\q &nope; 50%", ["secret"]),
        ("a\\", ["abcd"]),
        ("", ["abcd"]),
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str, secrets: list[str]) -> None:
    assert masked(text, secrets) == text


def test_secrets_that_overlap_are_masked_as_one() -> None:
    assert masked("xabcdefx abcd", ["abcd", "cdef"]) == f"x{MASK}x {MASK}"


def test_the_secrets_of_a_request_are_those_of_its_header_and_its_form() -> None:
    pair = _base64("ci:p:w")
    assert secrets_of(Request("GET", "/", authorization=f"Basic {pair}")) == (pair, "p:w")
    assert secrets_of(Request("GET", "/", authorization="Bearer t0ken")) == ("t0ken",)
    form = b"grant_type=refresh_token&refresh_token=r%2Fx&scope=a"
    assert secrets_of(Request("POST", "/", content=form)) == ("r/x",)
    for odd in ("Basic !", "Basic " + base64.b64encode(b"\xff").decode(), "", None):
        assert all(secrets_of(Request("GET", "/", authorization=odd)))


@pytest.mark.parametrize(
    "spelt", ["pässword", "p\\xe4ssword", "p%E4ssword", "p\\344ssword", "p&auml;ssword"]
)
def test_letters_may_be_spelt_in_latin_1(spelt: str) -> None:
    assert masked(f"<{spelt}>", ["pässword"]) == f"<{MASK}>"
