"""How long the library waits, where neither the caller nor a server says it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from oci_merge._frozen import frozen


@frozen(kw_only=True)
class Timings:
    """Times, in seconds where nothing else is said.

    Attributes:
        connect: how long to wait for a connection, TLS included.
        answer: how long to wait for the next byte of a response. A server that accepts a request
            and stays silent is asked once more, so a run ends after twice this time.
        stream: how long to wait for the next byte where a blob is streamed: a registry answers a
            large upload only once its storage has put it together.
        head: how many times the wait for one byte the whole head of a response may take, whatever
            comes before it.
        window: over how many times that wait the pace of a body is measured.
        least_rate: the fewest bytes of a body in a second that count as progress, on average.
        brief: how long to wait for a server that was silent twice in this run.
        first_retry: the first wait between retries; each next one is twice as long.
        far: a registry that has not answered for so long is far away, so connections are opened
            ahead.
        plain_alone: how long a loopback registry is tried over plain HTTP before a TLS connection
            is opened beside it.
        ahead: the maximum age of a connection that was opened ahead and not used, less than most
            servers wait.
        next_address: after how long another address of a name is tried as well (RFC 8305,
            section 5).
        keep_alive: how long an idle connection is kept, since the next step of a run needs it.
        settling: how long to wait until a registry sees what it has just taken.
        overtaking: how long to wait before a tag that was put is looked at again, as a multiple of
            the time that a look at it and its put took.
        aside: how long an answer that nothing depends on may hold up the end of a run.
        closing: how long requests under way may take to end after a run was broken off.
        polling: the first wait between two looks for an image that is not there yet; each next one
            is half as long again.
        slowest_polling: the longest of these waits.
        chunk_retry: the first wait before a chunk is sent again.
        verify: how long a registry may take to show what was published.
        first_look: the first wait before it is looked at again; each next one is twice as long.
        longest_look: the longest of these waits.
        sleep: waits; tests hand in one that returns at once.
    """

    connect: float = 15.0
    answer: float = 30.0
    stream: float = 300.0
    head: float = 5.0
    window: float = 2.0
    least_rate: float = 1024.0
    brief: float = 5.0
    first_retry: float = 1.0
    far: float = 0.005
    plain_alone: float = 0.025
    ahead: float = 25.0
    next_address: float = 0.25
    keep_alive: float = 30.0
    settling: float = 1.0
    overtaking: float = 2.0
    aside: float = 1.0
    closing: float = 2.0
    polling: float = 2.0
    slowest_polling: float = 15.0
    chunk_retry: float = 0.5
    verify: float = 60.0
    first_look: float = 0.5
    longest_look: float = 8.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @classmethod
    def for_tests(cls) -> Timings:
        """Return times with which retries follow at once and no registry counts as far away."""
        return cls(first_retry=0.001, far=3600.0, plain_alone=3600.0, settling=0.001)
