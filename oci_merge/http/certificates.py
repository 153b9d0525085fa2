"""Why a server's certificate was refused, and what helps."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress

import httpx

from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.errors import TransportError
from oci_merge.http.tls import missing_authorities

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the module ssl does not name.
_NO_CHECK_TIME = 0x200000
#: OpenSSL's codes for a certificate that is trusted but for one thing.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
_TOLD = frozenset({_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS})
#: How many of a certificate's names a message has.
_MOST_NAMES = 3


@frozen
class Presented:
    """What is in a certificate whose chain is trusted.

    Attributes:
        since: when it begins to be valid, in seconds since 1970.
        until: when it ends.
        names: the names and addresses that it is for.
    """

    since: float
    until: float
    names: tuple[str, ...]


class CertificateRefused(httpx.ConnectError):
    """A server's certificate was refused, and was read afterwards."""

    presented: Presented | None = None


def refusal_of(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the verification error behind an exception."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


async def read_certificate(
    host: str, port: int, context: ssl.SSLContext, *, refusal: ssl.SSLCertVerificationError
) -> Presented | None:
    """Read the certificate that was refused for its dates or its names, on a connection of its own.

    Its chain is verified, so that what a message repeats is the server's own. Nothing is sent after
    the handshake.

    Args:
        host: the server's name or address.
        port: its port.
        context: the settings by which the certificate was refused, in a copy to be changed.
        refusal: why it was refused.

    Returns:
        What is in it; None if it was refused for something else, or could not be read.
    """
    if refusal.verify_code not in _TOLD:
        return None
    context.check_hostname = False
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    with suppress(OSError, ValueError, KeyError):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        found = writer.get_extra_info("peercert")
        writer.transport.abort()
        return Presented(
            ssl.cert_time_to_seconds(found["notBefore"]),
            ssl.cert_time_to_seconds(found["notAfter"]),
            tuple(str(name) for _, name in found.get("subjectAltName", ())),
        )
    return None


def certificate_error(
    error: httpx.ConnectError, refusal: ssl.SSLCertVerificationError, host: str, *, role: str
) -> TransportError:
    """Return the error for a certificate that was refused.

    Args:
        error: what was raised.
        refusal: why the certificate was refused.
        host: the host and port of the server.
        role: what the server is, where it is not the registry; else empty.
    """
    presented = error.presented if isinstance(error, CertificateRefused) else None
    reason, hint = _explained(refusal, presented, host, role)
    name = f"{role} {host}" if role else host
    return TransportError(f"the certificate of {name} is not trusted: {reason}", hint=hint)


def _explained(
    refusal: ssl.SSLCertVerificationError, presented: Presented | None, host: str, role: str
) -> tuple[str, str]:
    """Return the reason and the hint."""
    now = time.time()
    code = refusal.verify_code
    clock = f"this machine's clock says {_day(now)}"
    if code == _EXPIRED:
        if presented and presented.until < now:
            return f"it ended on {_day(presented.until)}", f"renew it there; {clock}"
        whose = "an authority that signed it ended" if presented else "it, or a signer, ended"
        return whose, f"renew it there, or the CA here; {clock}"
    if code == _NOT_YET_VALID:
        if presented and presented.since > now:
            return f"it begins on {_day(presented.since)}", f"set the clock: {clock}"
        return "it, or a signer, is not valid yet", f"set the clock: {clock}"
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        names = [printable(name) for name in presented.names] if presented else []
        more = len(names) - _MOST_NAMES
        shown = names[:_MOST_NAMES] + ([f"{more} more"] if more > 0 else [])
        reason = f"it is for {listed(shown)}" if names else "it is for another name"
        return reason, "use a name that it is for, or have one made for this name"
    if missing := missing_authorities():
        kind = "folder" if missing.startswith("SSL_CERT_DIR") else "PEM file"
        return missing, f"name a {kind} that is there, or unset it for the system's authorities"
    reason = f"certificate verify failed: {refusal.verify_message}"
    if role:
        return reason, "set SSL_CERT_FILE to the CA that signed it: --ca-file is the registry's"
    return (
        reason,
        "point --ca-file or SSL_CERT_FILE at the CA that signed it, or give --insecure",
    )


def _day(seconds: float) -> str:
    """Return a date, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
