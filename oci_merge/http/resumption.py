"""Resumes TLS sessions, so that further connections to a host need no full handshake.

A server gives the client a ticket with its first connection; with the ticket, both sides leave out
certificates and signatures (RFC 8446, section 2.2; RFC 5077). asyncio has no parameter for that,
but ``ssl`` lets a context choose the class of its connections.
"""

from __future__ import annotations

import ssl
from typing import Any, ClassVar

#: For how many hosts a ticket is kept; object stores may have many names.
_MOST_HOSTS = 16


class _Connection(ssl.SSLObject):
    """One connection.

    Attributes:
        known: the session of each host whose ticket has come. It never holds a connection: that
            knows its context in a way that the garbage collector does not see, so neither would be
            freed.
    """

    known: ClassVar[dict[str, ssl.SSLSession]]

    _has_begun = False
    _is_resuming = False
    _may_bring_ticket = False

    def do_handshake(self) -> None:
        host = self.server_hostname
        if host is not None and not self._has_begun:
            self._has_begun = True
            if session := self.known.get(host):
                self.session, self._is_resuming = session, True
        super().do_handshake()  # raises until it is done, and if anything is not verified
        if host is not None and not self.session_reused:
            if self._is_resuming:  # the server does not know the ticket any more
                self.known.pop(host, None)
            self._may_bring_ticket = True
            self._keep_ticket(host)

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        try:
            return super().read(len, buffer)
        finally:
            # With TLS 1.3 the ticket follows the handshake, as data do.
            if self._may_bring_ticket and (host := self.server_hostname):
                self._keep_ticket(host)

    def _keep_ticket(self, host: str) -> None:
        session = self.session
        if session is not None and session.has_ticket:
            self._may_bring_ticket = False
            self.known.setdefault(host, session)
            if len(self.known) > _MOST_HOSTS:
                del self.known[next(iter(self.known))]


def resume_sessions(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let the connections of a context resume the sessions of those before them.

    A ticket belongs to the context and so to its settings: nothing that was verified in another way
    is resumed, nor is a connection with another client certificate. It is used for the host whose
    certificate was verified when it was given, by that name. A server that does not know a ticket
    any more makes a full handshake.

    A ticket serves for several connections, though RFC 8446 (appendix C.4) would have it used once,
    so that nobody sees that two are one client's. These go to one host from one process, at once.

    Args:
        context: the settings, which serve no other purpose.

    Returns:
        The same context.
    """

    class Connection(_Connection):
        """A connection of this context."""

        known: ClassVar[dict[str, ssl.SSLSession]] = {}

    context.sslobject_class = Connection
    return context
