"""Keeps the HTTP library's loggers silent about our requests, whatever an application logs.

They write down whole URLs, with the signatures in them, and header blocks, with passwords and
tokens. An application that logs at DEBUG would collect these. What it sends itself by the same
libraries is still logged, and our own logger has a line for each request, without secrets.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar, Token

#: A filter holds for the records of its own logger, and not for those of loggers below.
LOGGERS = (
    "httpx",
    *("httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2"),
    *("httpcore.proxy", "httpcore.socks"),
    *("h2", "h2.connection", "h2.config", "h11", "hpack", "hpack.hpack", "hpack.table"),
)

_is_ours: ContextVar[bool] = ContextVar("oci_merge_is_sending", default=False)


class _Unlogged:
    """One block. It is written out since every request passes it."""

    def __enter__(self) -> None:
        self._token: Token[bool] = _is_ours.set(True)

    def __exit__(self, *error: object) -> None:
        _is_ours.reset(self._token)


def unlogged() -> _Unlogged:
    """Let the HTTP library log nothing of what the block, and tasks that it starts, do."""
    return _Unlogged()


def _is_to_be_logged(record: logging.LogRecord) -> bool:
    return not _is_ours.get()


def _install() -> None:
    # One function, added once to each logger: adding it again does nothing.
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_is_to_be_logged)


_install()
