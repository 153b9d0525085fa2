"""TLS settings for one registry: certificates from certs.d, as docker and podman read them.

The settings are for that registry alone. Other hosts, such as its token server or its object store,
are verified by the system's authorities and get no client certificate.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import OciMergeError, TransportError, UsageError
from oci_merge.http.resumption import resume_sessions
from oci_merge.options import RegistryOptions

_HOME_FOLDER = Path(".config/containers/certs.d")
_SYSTEM_FOLDERS = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


@frozen
class ClientCertificate:
    """The certificate that identifies the client in a TLS handshake.

    Attributes:
        certificate: a PEM file with the certificate and its chain.
        key: a PEM file with its private key; the same file where it is None.
    """

    certificate: Path
    key: Path | None = None


@frozen
class Trust:
    """The certificates that are configured for one registry.

    Attributes:
        authorities: PEM files with authorities to trust beside the system's own.
        client: the client certificate, if there is one.
        given: the files that the caller named; the others are from certs.d.
    """

    authorities: tuple[Path, ...] = ()
    client: ClientCertificate | None = None
    given: frozenset[Path] = frozenset()

    def check(self) -> None:
        """Read every file, but not the system's authorities, which take long to load.

        Raises:
            UsageError: a file that the caller named cannot be used.
            TransportError: a file of certs.d cannot be used.
        """
        if self.authorities or self.client:
            self._load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def context(self, *, insecure: bool = False) -> ssl.SSLContext:
        """Return the TLS settings for the registry.

        Args:
            insecure: do not verify its certificate.

        Raises:
            UsageError, TransportError: as ``check`` does.
        """
        context = public_context()
        self._load_into(context)
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _load_into(self, context: ssl.SSLContext) -> None:
        for authority in self.authorities:
            with self._explained(authority, "authorities"):
                context.load_verify_locations(authority)
        if self.client is not None:
            with self._explained(self.client.certificate, "a client certificate"):
                # OpenSSL would ask for a passphrase on the terminal.
                context.load_cert_chain(
                    self.client.certificate, self.client.key, password=_refuse_passphrase
                )

    @contextmanager
    def _explained(self, path: Path, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # ssl.SSLError is one
            key = self.client.key if self.client and path == self.client.certificate else None
            files = f"{path} with {key}" if key else f"{path}"
            reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            kind: type[OciMergeError] = UsageError if path in self.given else TransportError
            raise kind(
                f"{files} cannot be used as {what}: {reason or error}",
                hint="it has to be there, readable and PEM, "
                "and a key has to belong to its certificate and have no passphrase",
            ) from error


def find_trust(
    registry: str, options: RegistryOptions, environ: Mapping[str, str] | None = None
) -> Trust:
    """Find the certificates for a registry.

    The first folder with the registry's name counts, in ``~/.config/containers/certs.d``,
    ``/etc/containers/certs.d`` and ``/etc/docker/certs.d``. An authority that the caller names is
    trusted as well; a client certificate that the caller names replaces the folder's.

    Args:
        registry: the authority, or ``docker.io``.
        options: the files that the caller names.
        environ: the environment; the process's own where it is left out.

    Raises:
        TransportError: a client certificate has no key, or a key no certificate.
    """
    names = _folder(registry, os.environ if environ is None else environ)
    given: set[Path] = set()
    authorities = [path for path in names if path.suffix == ".crt"]
    if options.ca_file is not None:
        authorities.append(Path(options.ca_file))
        given.add(authorities[-1])
    client = None
    if options.client_cert is not None:
        key = None if options.client_key is None else Path(options.client_key)
        client = ClientCertificate(Path(options.client_cert), key)
        given.add(client.certificate)
    else:
        client = _client(names)
    return Trust(tuple(authorities), client, frozenset(given))


def public_context() -> ssl.SSLContext:
    """Return TLS settings with the system's authorities, or ``SSL_CERT_FILE``'s, alone.

    Certificates are judged as Go and curl judge them, the same on every Python: an authority in
    the trusted files ends a chain though it is no root, and may lack extensions that RFC 5280 wants
    (a key usage, as ``openssl req -x509`` makes one). Signatures, dates and names are verified.
    """
    context = ssl.create_default_context()
    # Python 3.13 sets both by default, and earlier ones neither.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return resume_sessions(context)


def missing_authorities() -> str:
    """Say which variable names no authorities at all, which OpenSSL ignores silently.

    Returns:
        A sentence, or an empty string.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file:
        is_there = not folder or Path(folder).is_dir()
        return "" if is_there else f"SSL_CERT_DIR names no folder: {printable(str(folder))}"
    if not Path(file).is_file():
        return f"SSL_CERT_FILE names no file: {printable(file)}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError:  # ssl.SSLError is one
        return f"SSL_CERT_FILE holds no certificate: {printable(file)}"
    return ""


def _folder(registry: str, environ: Mapping[str, str]) -> list[Path]:
    """Return the files of a registry's first folder, in order."""
    home = environ.get("HOME")
    folders = [Path(home) / _HOME_FOLDER] if home else []
    for folder in (*folders, *_SYSTEM_FOLDERS):
        try:
            return sorted((folder / registry).iterdir())
        except OSError:  # it is not there, or not readable
            continue
    return []


def _client(names: list[Path]) -> ClientCertificate | None:
    """Return the first pair of certificate and key; each file has to be part of a pair."""
    found = None
    for path in names:
        partner = {".cert": ".key", ".key": ".cert"}.get(path.suffix)
        if partner is not None and path.with_suffix(partner) not in names:
            what = "client key" if partner == ".key" else "client certificate"
            raise TransportError(
                f"{path} has no {what} beside it: {path.with_suffix(partner).name} is missing",
                hint="a client certificate is NAME.cert with NAME.key; "
                "an authority's certificate is NAME.crt",
            )
        if path.suffix == ".cert" and found is None:
            found = ClientCertificate(path, path.with_suffix(".key"))
    return found


def _refuse_passphrase() -> str:
    raise OSError(None, "the key has a passphrase")
