"""How long the library waits for what, where neither the caller nor a server says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Times, in seconds.

    Attributes:
        connect: how long to wait for a connection.
        answer: how long to wait for the next byte of a response.
        stream: how long to wait for the next byte where a blob is streamed: a registry answers a
            large upload only once its storage has put it together.
        first_retry: the first wait between retries; each next one is twice as long.
        far: a registry that has not answered for so long is far away, so that connections are
            opened ahead.
        ahead: the maximum age of a connection that was opened ahead and not used, less than most
            servers wait.
        next_address: after how long another address of a name is tried as well (RFC 8305,
            section 5).
        keep_alive: how long an idle connection is kept.
        settling: how long to wait until a registry sees what it has just taken.
        closing: how long requests under way may take to end after a run was broken off.
        chunk_retry: the first wait before a chunk is sent again.
    """

    connect: float = 15.0
    answer: float = 60.0
    stream: float = 300.0
    first_retry: float = 1.0
    far: float = 0.005
    ahead: float = 25.0
    next_address: float = 0.25
    keep_alive: float = 30.0
    settling: float = 1.0
    closing: float = 2.0
    chunk_retry: float = 0.5

    @classmethod
    def for_tests(cls) -> Timings:
        """Return times with which retries follow at once and no registry counts as far away."""
        return cls(first_retry=0.001, far=3600.0)
