"""Resumes TLS sessions, so that further connections to a host need no full handshake.

A server gives the client a ticket with its first connection; with the ticket, both sides leave out
certificates and signatures (RFC 8446, section 2.2; RFC 5077). asyncio has no parameter for that,
but ``ssl`` lets a context choose the class of its connections.
"""

from __future__ import annotations

import ssl

#: For how many hosts a ticket is kept; object stores may have many names.
_MOST_HOSTS = 16


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
    # The first whole handshake with each host, and then the session that its ticket came for.
    known: dict[str, ssl.SSLObject | ssl.SSLSession] = {}

    def session_of(host: str) -> ssl.SSLSession | None:
        found = known.get(host)
        if isinstance(found, ssl.SSLObject):
            # With TLS 1.3 the ticket follows the handshake, as data do. Once it is here, the
            # connection itself need not be kept.
            session = found.session
            if session is None or not session.has_ticket:
                return None
            found = known[host] = session
        return found

    class Connection(ssl.SSLObject):
        """One connection."""

        _has_begun = False
        _is_resuming = False

        def do_handshake(self) -> None:
            host = self.server_hostname
            if host is not None and not self._has_begun:
                self._has_begun = True
                if session := session_of(host):
                    self.session, self._is_resuming = session, True
            super().do_handshake()  # raises until it is done, and if anything is not verified
            is_refused = self._is_resuming and not self.session_reused
            if host is not None and (host not in known or is_refused):
                known.pop(host, None)
                known[host] = self
                if len(known) > _MOST_HOSTS:
                    del known[next(iter(known))]

    context.sslobject_class = Connection
    return context
