"""Private certificate authorities as people make them: the same verdict on every Python."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.openssl import ROOT, OpensslMaker
from fixtures.server import ServerTLS
from oci_merge import TransportError
from oci_merge.http import tls as tls_settings
from oci_merge.http.message import Request
from tests.edge.support import says, session, speaking

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"
_OTHER_NAMES = "subjectAltName=DNS:reg.example"


@dataclass(frozen=True)
class _Made:
    """What an authority has made: the file to trust, and what the server shows."""

    trusted: Path
    shown: ServerTLS


def _as_req_makes_it(make: OpensslMaker) -> _Made:
    trusted = make.root("ca", ROOT)
    make.signed("server", "ca", _NAMES)
    return _Made(trusted, make.shown("server"))


def _with_every_extension(make: OpensslMaker) -> _Made:
    trusted = make.root("ca", ROOT, "keyUsage=critical,keyCertSign,cRLSign")
    make.signed("server", "ca", _NAMES, "basicConstraints=CA:FALSE", "keyUsage=digitalSignature")
    return _Made(trusted, make.shown("server"))


def _without_key_identifiers(make: OpensslMaker) -> _Made:
    trusted = make.root("ca", ROOT, "subjectKeyIdentifier=none")
    make.signed("server", "ca", _NAMES, "authorityKeyIdentifier=none")
    return _Made(trusted, make.shown("server"))


def _with_a_path_length_and_no_key_usage(make: OpensslMaker) -> _Made:
    trusted = make.root("ca", "basicConstraints=CA:TRUE,pathlen:1")
    make.signed("server", "ca", _NAMES)
    return _Made(trusted, make.shown("server"))


def _an_intermediate_alone(make: OpensslMaker) -> _Made:
    make.root("ca", ROOT)
    trusted = make.signed("between", "ca", "basicConstraints=critical,CA:TRUE")
    make.signed("server", "between", _NAMES)
    return _Made(trusted, make.shown("server", "between"))


def _an_intermediate_that_the_server_does_not_show(make: OpensslMaker) -> _Made:
    made = _an_intermediate_alone(make)
    return _Made(made.trusted, make.shown("server"))


def _a_server_that_signs_itself(make: OpensslMaker) -> _Made:
    trusted = make.root("server", _NAMES, ROOT)
    return _Made(trusted, make.shown("server"))


def _a_server_that_signs_itself_and_is_no_authority(make: OpensslMaker) -> _Made:
    trusted = make.root("server", _NAMES, "basicConstraints=CA:FALSE")
    return _Made(trusted, make.shown("server"))


def _another_name(make: OpensslMaker) -> _Made:
    trusted = make.root("ca", ROOT)
    make.signed("server", "ca", _OTHER_NAMES)
    return _Made(trusted, make.shown("server"))


def _another_authority(make: OpensslMaker) -> _Made:
    _as_req_makes_it(make)
    return _Made(make.root("other", ROOT), make.shown("server"))


def _an_authority_that_is_none(make: OpensslMaker) -> _Made:
    make.root("ca", ROOT)
    trusted = make.signed("between", "ca", "basicConstraints=critical,CA:FALSE")
    make.signed("server", "between", _NAMES)
    return _Made(trusted, make.shown("server", "between"))


def _ended(make: OpensslMaker) -> _Made:
    trusted = make.root("ca", ROOT)
    make.signed("server", "ca", _NAMES, days=-1)
    return _Made(trusted, make.shown("server"))


_Make = Callable[[OpensslMaker], _Made]

_TAKEN: list[_Make] = [
    _as_req_makes_it,
    _with_every_extension,
    _without_key_identifiers,
    _with_a_path_length_and_no_key_usage,
    _an_intermediate_alone,
    _an_intermediate_that_the_server_does_not_show,
    _a_server_that_signs_itself,
    _a_server_that_signs_itself_and_is_no_authority,
]
_REFUSED: list[_Make] = [
    _another_name,
    _another_authority,
    _an_authority_that_is_none,
    _ended,
]


async def _answers(host: str, **options: Any) -> bool:
    made = session(host, **options)
    try:
        return (await made.send(Request("GET", "/v2/"))).status == 200
    finally:
        await made.transport.aclose()


@pytest.mark.parametrize("make", _TAKEN, ids=lambda make: make.__name__.strip("_"))
async def test_an_authority_is_taken_however_little_its_certificate_says(
    make: _Make, tmp_path: Path
) -> None:
    made = make(OpensslMaker(tmp_path))
    async with speaking(says(_OK), made.shown.context()) as host:
        assert await _answers(host, ca_file=str(made.trusted))


@pytest.mark.parametrize("make", _REFUSED, ids=lambda make: make.__name__.strip("_"))
async def test_signatures_dates_and_names_are_verified(make: _Make, tmp_path: Path) -> None:
    made = make(OpensslMaker(tmp_path))
    async with speaking(says(_OK), made.shown.context()) as host:
        with pytest.raises(TransportError, match="certificate"):
            await _answers(host, ca_file=str(made.trusted))


@pytest.mark.parametrize("make", [_as_req_makes_it, _an_intermediate_alone])
@pytest.mark.parametrize("way", ["certs.d", "SSL_CERT_FILE", "SSL_CERT_DIR", "proxy"])
async def test_it_is_the_same_in_every_way_in_which_an_authority_is_given(
    make: _Make,
    way: str,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maker = OpensslMaker(tmp_path)
    made = make(maker)
    async with speaking(says(_OK), made.shown.context()) as host:
        if way == "certs.d":
            folder = home / ".config/containers/certs.d" / host
            folder.mkdir(parents=True)
            (folder / "ca.crt").write_bytes(made.trusted.read_bytes())
        elif way == "SSL_CERT_DIR":
            monkeypatch.setenv("SSL_CERT_DIR", str(maker.hashed(made.trusted)))
        else:
            monkeypatch.setenv("SSL_CERT_FILE", str(made.trusted))
        if way != "proxy":
            assert await _answers(host)
            return
        # The proxy itself speaks TLS here: what it shows is judged by the same settings.
        monkeypatch.setenv("HTTP_PROXY", f"https://{host}")
        assert await _answers("reg.test", plain_http=True)


def test_no_python_judges_by_flags_of_its_own() -> None:
    flags = tls_settings.public_context().verify_flags
    assert flags.name is not None
    assert "VERIFY_X509_PARTIAL_CHAIN" in flags.name
    assert "VERIFY_X509_STRICT" not in flags.name
