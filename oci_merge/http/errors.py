"""From what an HTTP stack raises to an error of ours, and whether it may pass."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import httpx

from oci_merge._text import printable
from oci_merge.errors import TransportError
from oci_merge.http.retry import PASSING_STATUSES

#: TLS errors that say no more than that the connection broke.
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_TRY_AGAIN = "try again; if it stays so, ask whether the registry or a proxy is down"


def outage(
    what: str, host: str, proxy: str, error: Exception, *, is_first: bool = False
) -> TransportError:
    """Return the error of ours for a response that did not come.

    Args:
        what: the request, in words that are safe to show.
        host: who was to answer.
        proxy: the host and port of the proxy in between, or an empty string.
        error: what the HTTP stack raised.
        is_first: whether nothing has come over TLS yet. A server that misses a client certificate
            says so only after the handshake, and its connection may break before that is read.
    """
    reason = printable(_root_cause(error)) or type(error).__name__
    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout | httpx.WriteTimeout):
        return TransportError(f"{host} did not answer {what} in time", hint=_TRY_AGAIN)
    if any(_wants_certificate(cause) for cause in _causes(error)):
        return TransportError(
            f"{host} does not accept the client's certificate: {reason}",
            hint="give --client-cert and --client-key, or put NAME.cert and NAME.key "
            "into the registry's folder of certs.d",
        )
    if isinstance(error, httpx.ConnectError) and "certificate" in reason.lower():
        return TransportError(
            f"the certificate of {host} is not trusted: {reason}",
            hint="point --ca-file or SSL_CERT_FILE at the CA that signed it, or give --insecure",
        )
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return _no_connection(host, proxy, reason)
    return TransportError(
        f"{host} broke off its answer to {what}: {reason}",
        hint=f"{_TRY_AGAIN}, or wants a client certificate (--client-cert)"
        if is_first
        else _TRY_AGAIN,
    )


def may_pass(error: TransportError) -> bool:
    """Say whether the same request may fare better in a moment.

    It may not where TLS or the look-up of a name gave a definite answer, or where the error does
    not come from the HTTP stack at all.
    """
    cause = error.__cause__
    if cause is None:
        return False
    if isinstance(cause, httpx.ProxyError):
        status = str(cause)[:3]
        return not status.isdecimal() or int(status) in PASSING_STATUSES
    return not any(_is_definite(each) for each in _causes(cause))


def speaks_no_tls(error: TransportError) -> bool:
    """Say whether the other side's answer to TLS may have been no TLS at all."""
    return any(
        isinstance(each, ssl.SSLError) and not isinstance(each, ssl.SSLCertVerificationError)
        for each in _causes(error.__cause__)
    )


def _no_connection(host: str, proxy: str, reason: str) -> TransportError:
    if proxy:
        return TransportError(
            f"could not connect to {host} through the proxy {proxy}: {reason}",
            hint="check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, "
            "and name in NO_PROXY what needs no proxy",
        )
    return TransportError(
        f"could not connect to {host}: {reason}",
        hint="check the registry's name and port, and give --plain-http if it has no TLS",
    )


def _wants_certificate(error: BaseException) -> bool:
    """Say whether this is a server's alert about the certificate that it was shown, or was not."""
    words = (error.reason or "").upper() if isinstance(error, ssl.SSLError) else ""
    return "ALERT" in words and ("CERTIFICATE" in words or "UNKNOWN_CA" in words)


def _is_definite(error: BaseException) -> bool:
    if isinstance(error, ssl.SSLError):
        return not isinstance(error, _BROKEN_TLS)
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol)


def _root_cause(error: BaseException) -> str:
    """Return what the system says of a failure, which an HTTP stack wraps several times."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"certificate verify failed: {each.verify_message}"
        if isinstance(each, ssl.SSLError) and each.reason:
            return each.reason.replace("_", " ").lower()
        if isinstance(each, OSError) and each.strerror and each.errno is not None:
            # asyncio words a refused connection in a way of its own.
            said = os.strerror(each.errno) if isinstance(each, ConnectionError) else each.strerror
            return said.lower()
    return str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        nested = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = nested or error.__cause__ or error.__context__
