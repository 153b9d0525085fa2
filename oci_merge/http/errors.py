"""From the HTTP library's exceptions to TransportError, and what these exceptions say."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterable, Iterator

import h2.exceptions
import httpx

from oci_merge._text import printable
from oci_merge.errors import TransportError
from oci_merge.http.certificates import certificate_error, refusal_of
from oci_merge.http.masking import masked
from oci_merge.http.retry import PASSING_STATUSES

#: What httpx, over a transport that keeps its contract, raises for a response that does not come.
LIBRARY_ERRORS = (httpx.TransportError, httpx.InvalidURL)
#: TLS errors that say no more than that the connection broke.
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
#: What OpenSSL says of bytes that are no TLS record, in its versions 1.1 to 3.5.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
_TRY_AGAIN = "try again; if it stays so, ask whether the registry or a proxy is down"


def outage(
    what: str,
    host: str,
    proxy: str,
    error: Exception,
    *,
    is_first: bool = False,
    role: str = "",
    is_plain: bool = False,
) -> TransportError:
    """Return the error for a response that did not come.

    Args:
        what: the request, in words that are safe to show.
        host: the host and port of the server.
        proxy: the host and port of the proxy in between, or an empty string.
        error: what the HTTP library raised.
        is_first: whether nothing has come over TLS yet. A server that misses a client certificate
            says so only after the handshake, and the connection may break before that is read.
        role: what the server is, such as ``the token server``; empty for the registry.
        is_plain: whether the request went over plain HTTP because the user asks for that.
    """
    reason = printable(_root_cause(error)) or type(error).__name__
    server = f"{role} {host}" if role else host
    if isinstance(error, httpx.TimeoutException):
        return TransportError(f"{server} did not answer {what} in time", hint=_TRY_AGAIN)
    if any(_wants_certificate(cause) for cause in _causes(error)):
        return TransportError(
            f"{server} does not accept the client's certificate: {reason}",
            hint="give --client-cert and --client-key, or put NAME.cert and NAME.key "
            "into the registry's folder of certs.d",
        )
    if isinstance(error, httpx.ConnectError) and (refusal := refusal_of(error)):
        return certificate_error(error, refusal, host, role=role)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return _no_connection(server, proxy, reason, error, is_registry=not role)
    if is_plain and isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        hint = f"{_TRY_AGAIN}; or it speaks TLS: then leave out --plain-http"
    elif is_first:
        hint = f"{_TRY_AGAIN}, or wants a client certificate (--client-cert)"
    else:
        hint = _TRY_AGAIN
    return TransportError(f"{server} broke off its answer to {what}: {reason}", hint=hint)


def mask_causes(error: BaseException, secrets: Iterable[str]) -> None:
    """Mask secrets in what an exception and those behind it say.

    h11 quotes what a server sent, and a proxy's reason phrase is quoted, too; a traceback shows
    all of the chain.
    """
    known = tuple(secrets)
    if known:
        for each in _causes(error):
            each.args = tuple(
                masked(said, known) if isinstance(said, str) else said for said in each.args
            )


def may_pass(error: TransportError) -> bool:
    """Say whether the same request may succeed in a moment.

    It may not where TLS or the look-up of a name gave a definite answer, or where the error does
    not come from the HTTP library at all.
    """
    cause = error.__cause__
    if cause is None:
        return False
    if isinstance(cause, httpx.ProxyError):
        status = str(cause)[:3]
        return not status.isdecimal() or int(status) in PASSING_STATUSES
    return not any(_is_definite(each) for each in _causes(cause))


def is_outage(error: TransportError) -> bool:
    """Say whether no usable response came, as opposed to one that leads nowhere."""
    return isinstance(error.__cause__, LIBRARY_ERRORS)


def is_time_out(error: TransportError) -> bool:
    """Say whether the server could not be connected to in time, or did not answer in time."""
    return isinstance(error.__cause__, httpx.TimeoutException)


def has_no_connection(error: TransportError) -> bool:
    """Say whether no TCP connection was made, so that plain HTTP and TLS fare alike."""
    is_connecting = isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
    return is_connecting and not any(isinstance(e, ssl.SSLError) for e in _causes(error.__cause__))


def speaks_no_tls(error: TransportError) -> bool:
    """Say whether the server answered a TLS handshake with what is no TLS.

    An alert is TLS, and a connection that broke off says nothing.
    """
    return any(
        isinstance(each, ssl.SSLError)
        and not isinstance(each, (ssl.SSLCertVerificationError, *_BROKEN_TLS))
        and "ALERT" not in (each.reason or "").upper()
        for each in _causes(error.__cause__)
    )


def is_answered_early(error: BaseException) -> bool:
    """Say whether an HTTP/2 stream was closed by the server before the request was sent whole."""
    return any(isinstance(each, h2.exceptions.StreamClosedError) for each in _causes(error))


def _no_connection(
    server: str, proxy: str, reason: str, error: Exception, *, is_registry: bool
) -> TransportError:
    if proxy:
        return TransportError(
            f"could not connect to {server} through the proxy {proxy}: {reason}",
            hint="check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, "
            "and name in NO_PROXY what needs no proxy",
        )
    if any(_is_no_tls(cause) for cause in _causes(error)):
        return TransportError(
            f"could not connect to {server}: it does not speak TLS",
            hint="check the port, or give --plain-http (--source-plain-http for a source)"
            if is_registry
            else "the registry names it with https: its settings are wrong, or a proxy's",
        )
    if not is_registry:
        return TransportError(
            f"could not connect to {server}: {reason}",
            hint="the registry sends clients there: see whether it is up, and let through",
        )
    return TransportError(
        f"could not connect to {server}: {reason}",
        hint="check the registry's name and port, and give --plain-http if it has no TLS",
    )


def _is_no_tls(error: BaseException) -> bool:
    """Say whether a handshake was answered with what is no TLS record."""
    return isinstance(error, ssl.SSLError) and error.reason in _NO_TLS


def _wants_certificate(error: BaseException) -> bool:
    """Say whether this is a server's alert about a client certificate, or about a missing one."""
    words = (error.reason or "").upper() if isinstance(error, ssl.SSLError) else ""
    return "ALERT" in words and ("CERTIFICATE" in words or "UNKNOWN_CA" in words)


def _is_definite(error: BaseException) -> bool:
    if isinstance(error, ssl.SSLError):
        return not isinstance(error, _BROKEN_TLS)
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError)


def _root_cause(error: BaseException) -> str:
    """Return the system's words for a failure, which the HTTP library wraps several times."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"certificate verify failed: {each.verify_message}"
        if isinstance(each, ssl.SSLError) and each.reason:
            return each.reason.replace("_", " ").lower()
        if isinstance(each, OSError) and each.strerror and each.errno is not None:
            # asyncio words a refused connection in a way of its own.
            said = os.strerror(each.errno) if isinstance(each, ConnectionError) else each.strerror
            return said.lower()
        if isinstance(each, ConnectionResetError):  # asyncio's has no text
            return os.strerror(errno.ECONNRESET).lower()
        if isinstance(each, h2.exceptions.StreamClosedError):  # its text is a number
            return "the stream was closed before the request was sent whole"
    return str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        nested = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = nested or error.__cause__ or error.__context__
