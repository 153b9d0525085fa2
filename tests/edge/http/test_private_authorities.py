"""Private certificate authorities as people make them: the same verdict on every Python."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
#: What ``openssl req -x509`` writes without a configuration of one's own: no key usage.
_ROOT = "basicConstraints=critical,CA:TRUE"


@dataclass(frozen=True)
class _Made:
    """What an authority has made: the file to trust, and what the server shows."""

    trusted: Path
    shown: ServerTLS


class _Maker:
    """Makes certificates by ``openssl``, as the guides for private registries say.

    Args:
        folder: where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def root(self, name: str, *extensions: str) -> Path:
        """Make an authority that signs itself; return its certificate."""
        (self.folder / "empty.cnf").write_text("[req]\ndistinguished_name=dn\n[dn]\n")
        added = [part for extension in extensions for part in ("-addext", extension)]
        self._run(
            *("req", "-x509", "-config", "empty.cnf", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", *added),
        )
        return self.folder / f"{name}.pem"

    def signed(self, name: str, by: str, *extensions: str, days: int = 2) -> Path:
        """Make a certificate that an authority signs; return it."""
        (self.folder / f"{name}.ext").write_text("\n".join(extensions))
        self._run(
            *("req", "-new", "-config", "empty.cnf", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        self._run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key"),
            *("-set_serial", "7", "-days", str(days), "-extfile", f"{name}.ext"),
            *("-out", f"{name}.pem"),
        )
        return self.folder / f"{name}.pem"

    def shown(self, name: str, *chain: str) -> ServerTLS:
        """Return what a server shows: its certificate and those between it and the root."""
        pems = [(self.folder / f"{part}.pem").read_bytes() for part in (name, *chain)]
        return ServerTLS(b"".join(pems), (self.folder / f"{name}.key").read_bytes())

    def hashed(self, certificate: Path) -> Path:
        """Return a folder with the certificate under its hash, as ``SSL_CERT_DIR`` wants it."""
        name = self._run("x509", "-noout", "-hash", "-in", str(certificate)).strip()
        folder = self.folder / "hashed"
        folder.mkdir()
        (folder / f"{name}.0").write_bytes(certificate.read_bytes())
        return folder

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout


def _as_req_makes_it(make: _Maker) -> _Made:
    trusted = make.root("ca", _ROOT)
    make.signed("server", "ca", _NAMES)
    return _Made(trusted, make.shown("server"))


def _with_every_extension(make: _Maker) -> _Made:
    trusted = make.root("ca", _ROOT, "keyUsage=critical,keyCertSign,cRLSign")
    make.signed("server", "ca", _NAMES, "basicConstraints=CA:FALSE", "keyUsage=digitalSignature")
    return _Made(trusted, make.shown("server"))


def _without_key_identifiers(make: _Maker) -> _Made:
    trusted = make.root("ca", _ROOT, "subjectKeyIdentifier=none")
    make.signed("server", "ca", _NAMES, "authorityKeyIdentifier=none")
    return _Made(trusted, make.shown("server"))


def _with_a_path_length_and_no_key_usage(make: _Maker) -> _Made:
    trusted = make.root("ca", "basicConstraints=CA:TRUE,pathlen:1")
    make.signed("server", "ca", _NAMES)
    return _Made(trusted, make.shown("server"))


def _an_intermediate_alone(make: _Maker) -> _Made:
    make.root("ca", _ROOT)
    trusted = make.signed("between", "ca", "basicConstraints=critical,CA:TRUE")
    make.signed("server", "between", _NAMES)
    return _Made(trusted, make.shown("server", "between"))


def _an_intermediate_that_the_server_does_not_show(make: _Maker) -> _Made:
    made = _an_intermediate_alone(make)
    return _Made(made.trusted, make.shown("server"))


def _a_server_that_signs_itself(make: _Maker) -> _Made:
    trusted = make.root("server", _NAMES, _ROOT)
    return _Made(trusted, make.shown("server"))


def _a_server_that_signs_itself_and_is_no_authority(make: _Maker) -> _Made:
    trusted = make.root("server", _NAMES, "basicConstraints=CA:FALSE")
    return _Made(trusted, make.shown("server"))


def _another_name(make: _Maker) -> _Made:
    trusted = make.root("ca", _ROOT)
    make.signed("server", "ca", _OTHER_NAMES)
    return _Made(trusted, make.shown("server"))


def _another_authority(make: _Maker) -> _Made:
    _as_req_makes_it(make)
    return _Made(make.root("other", _ROOT), make.shown("server"))


def _an_authority_that_is_none(make: _Maker) -> _Made:
    make.root("ca", _ROOT)
    trusted = make.signed("between", "ca", "basicConstraints=critical,CA:FALSE")
    make.signed("server", "between", _NAMES)
    return _Made(trusted, make.shown("server", "between"))


def _ended(make: _Maker) -> _Made:
    trusted = make.root("ca", _ROOT)
    make.signed("server", "ca", _NAMES, days=-1)
    return _Made(trusted, make.shown("server"))


_Make = Callable[[_Maker], _Made]

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
    made = make(_Maker(tmp_path))
    async with speaking(says(_OK), made.shown.context()) as host:
        assert await _answers(host, ca_file=str(made.trusted))


@pytest.mark.parametrize("make", _REFUSED, ids=lambda make: make.__name__.strip("_"))
async def test_signatures_dates_and_names_are_verified(make: _Make, tmp_path: Path) -> None:
    made = make(_Maker(tmp_path))
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
    maker = _Maker(tmp_path)
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
