"""Opens TCP and TLS connections for httpcore, some of them before a request needs them.

A request that needs a new connection waits one round trip for TCP and one more for TLS. The number
of connections that a run needs next is often known in advance, so these round trips pass while it
waits for something else. ``Dialer`` is a network backend of httpcore.
"""

# ruff: noqa: ASYNC109 - the interface of httpcore has time-outs

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
import ssl
import time
from collections import deque
from typing import Any, Literal
from weakref import WeakSet

import httpcore

from oci_merge.errors import TransportError
from oci_merge.http.early import take_early
from oci_merge.http.http2 import speaks_http2
from oci_merge.http.pace import Overhead
from oci_merge.http.timings import Timings
from oci_merge.http.tunnel import Tunnel
from oci_merge.http.vicinity import Vicinity

_ERRNO = re.compile(r"\[Errno (\d+)\]")


class Dialer(httpcore.AsyncNetworkBackend):
    """Opens the connections of one pool, all of them with the same TLS settings or none.

    Args:
        host: the host that connections may be opened to ahead.
        port: its port.
        timings: how old such a connection may get, and when another address is tried.
        vicinity: judges where other hosts are; None where the only host is a proxy, which looks
            names up itself.
        tunnel: the proxy that leads there; None where there is none, or httpcore uses it.

    Attributes:
        connected: set when a request has got a connection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timings: Timings,
        vicinity: Vicinity | None = None,
        tunnel: Tunnel | None = None,
    ) -> None:
        self.connected = asyncio.Event()
        self._vicinity = vicinity
        self._tunnel = tunnel
        self._address = host, port
        self._timings = timings
        self._ahead: deque[tuple[float, asyncio.Task[Stream]]] = deque()
        self._is_closed = False
        self._open: WeakSet[Stream] = WeakSet()

    def open_ahead(
        self, count: int, *, tls: ssl.SSLContext | None, protocols: list[str], timeout: float
    ) -> None:
        """Begin to open connections; the next requests get these. Once closed, do nothing.

        Args:
            count: how many there should be, with those that are open.
            tls: TLS settings, or None for plain TCP.
            protocols: what to offer over TLS (ALPN).
            timeout: how long each may take, in seconds.
        """
        if self._is_closed:
            return
        there = sum(not _has_failed(task) for _, task in self._ahead)
        there += sum(stream.is_usable for stream in self._open)
        for _ in range(count - there):
            task = asyncio.ensure_future(self._dial(tls, protocols, timeout))
            task.add_done_callback(_seen)
            self._ahead.append((time.monotonic(), task))

    async def opened_ahead(self) -> Literal["h2", "http/1.1"] | None:
        """Wait for the first connection that is opened ahead; it stays for the next request.

        Returns:
            The protocol that was chosen on it; None if there is no connection, or it failed.
        """
        if not self._ahead:
            return None
        _, task = self._ahead[0]
        await asyncio.wait([task])
        return None if _has_failed(task) else task.result().protocol

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection that was opened ahead if there is one, else a new one.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout: there is no connection.
            TransportError: the host is where the registry may not send us.
        """
        # A connection that was opened to the registry must never serve another host.
        if (host, port) != self._address:
            return await self._connect_elsewhere(host, port, timeout)
        while self._ahead:
            begun, task = self._ahead.popleft()
            if _has_failed(task):
                continue  # the reason may be past
            with _RaisedAs(httpcore.ConnectError, httpcore.ConnectTimeout):
                async with asyncio.timeout(timeout):  # less than the dialing's own, perhaps
                    stream = await self._wait_for(begun, task)
            if stream.is_fresh and time.monotonic() - begun < self._timings.ahead:
                return self._kept(stream)
            await stream.aclose()
        return self._kept(await self._connect(host, port, timeout))

    async def sleep(self, seconds: float) -> None:
        """Wait (httpcore's interface)."""
        await asyncio.sleep(seconds)

    async def aclose(self) -> None:
        """Close the connections that no request has got."""
        self._is_closed = True
        tasks = [task for _, task in self._ahead]
        self._ahead.clear()
        for task in tasks:
            _give_up(task)
        # Waiting for the tasks themselves would hide a cancellation of this one.
        if tasks:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)  # asyncio closes the sockets in its next turn

    async def _connect(self, host: str, port: int, timeout: float | None) -> Stream:
        if self._tunnel is None:
            return await self._connect_directly(host, port, timeout)
        stream = await self._connect_directly(*self._tunnel.address, timeout)
        try:
            await self._tunnel.extend(stream, host, port, timeout)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def _connect_directly(self, host: str, port: int, timeout: float | None) -> Stream:
        # asyncio's race of addresses loses a socket if it is cancelled in the wrong moment, so an
        # address, which has no other, does without.
        delay = None if _is_address(host) else self._timings.next_address
        with _RaisedAs(httpcore.ConnectError, httpcore.ConnectTimeout):
            async with asyncio.timeout(timeout):
                if early := await self._take_early(host, port):
                    return Stream(*await asyncio.open_connection(sock=early))
                streams = await asyncio.open_connection(host, port, happy_eyeballs_delay=delay)
                return Stream(*streams)

    async def _take_early(self, host: str, port: int) -> socket.socket | None:
        """Return the socket that was opened before the client was there, if it is good."""
        early = take_early(host, port)
        if early is None:
            return None
        try:
            # Another address of the name may answer where the first one does not.
            async with asyncio.timeout(self._timings.next_address):
                opened = await asyncio.shield(asyncio.wrap_future(early.opened))
            if not early.is_over(self._timings.ahead):
                return opened
        except OSError:  # TimeoutError is one; what is wrong shows again
            pass
        except BaseException:
            early.give_up()
            raise
        early.give_up()
        return None

    async def _connect_elsewhere(self, host: str, port: int, timeout: float | None) -> Stream:
        stream = await self._connect(host, port, timeout)
        if self._vicinity is not None:
            try:
                self._vicinity.check(host, stream.address)
            except TransportError:
                await stream.aclose()
                raise
        return stream

    async def _dial(
        self, tls: ssl.SSLContext | None, protocols: list[str], timeout: float
    ) -> Stream:
        stream = await self._connect(*self._address, timeout)
        if tls is None:
            return stream
        tls.set_alpn_protocols(protocols)
        return await stream.begin_tls(tls, self._address[0], timeout)

    def _kept(self, stream: Stream) -> Stream:
        self._open.add(stream)
        if self._vicinity is not None:
            self._vicinity.note(stream.address)
        self.connected.set()
        return stream

    async def _wait_for(self, begun: float, task: asyncio.Task[Stream]) -> Stream:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # The request was cancelled; the connection may serve another one.
            if self._is_closed:
                _give_up(task)
            else:
                self._ahead.append((begun, task))
            raise


class Stream(httpcore.AsyncNetworkStream):
    """One connection. asyncio reads ahead from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_tls = False
        # The settings of TLS that was begun ahead and is still to be asked for.
        self._begun: ssl.SSLContext | None = None
        self._overhead: Overhead | None = None

    @property
    def address(self) -> str:
        """The IP address of the other end."""
        address: str = self._writer.get_extra_info("peername")[0]
        return address

    @property
    def is_usable(self) -> bool:
        """Whether the server has not closed the connection."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    @property
    def is_fresh(self) -> bool:
        """Whether it is usable and the server has sent nothing but HTTP/2's greeting."""
        return self.is_usable and (not self._has_unread or speaks_http2(self))

    @property
    def protocol(self) -> Literal["h2", "http/1.1"]:
        """What is spoken on it."""
        return "h2" if speaks_http2(self) else "http/1.1"

    @property
    def _has_unread(self) -> bool:
        return bool(self._reader._buffer)  # type: ignore[attr-defined]  # no public name

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the bytes that have come, at most ``max_bytes``; none at the end."""
        with _RaisedAs(httpcore.ReadError, httpcore.ReadTimeout):
            async with asyncio.timeout(timeout):
                content = await self._reader.read(max_bytes)
        self._overhead = self._overhead or Overhead(is_http2=speaks_http2(self))
        if self._overhead.is_endless(content):
            raise httpcore.ReadError("it sends without end, and no answer")
        return content

    def note_use(self) -> None:
        """Note that a part of a response has come of what was read."""
        if self._overhead is not None:
            self._overhead.reset()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes, as fast as the server takes them."""
        if not buffer:
            return
        with _RaisedAs(httpcore.WriteError, httpcore.WriteTimeout):
            self._writer.write(buffer)
            if not self._writer.transport.get_write_buffer_size():
                await self._writer.drain()  # it waits for nothing: the system has taken all
                return
            async with asyncio.timeout(timeout):
                await self._writer.drain()

    async def aclose(self) -> None:
        """Close the connection without waiting for the server."""
        self.close()
        await asyncio.sleep(0)  # asyncio closes the socket in its next turn

    def close(self) -> None:
        """Do the same, and leave the socket to asyncio's next turn."""
        if not self._is_tls:
            self._writer.close()
        else:
            self._writer.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Stream:
        """Encrypt from now on, unless the stream was opened ahead with the same settings."""
        begun, self._begun = self._begun, None
        if begun is ssl_context:  # once only: a tunnel through a TLS proxy is TLS within TLS
            return self
        try:
            with _RaisedAs(httpcore.ConnectError, httpcore.ConnectTimeout):
                async with asyncio.timeout(timeout):
                    await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except BaseException:
            self._writer.transport.abort()
            raise
        self._is_tls = True
        self._overhead = None  # what is spoken within may be another protocol
        return self

    async def begin_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str, timeout: float
    ) -> Stream:
        """Encrypt ahead; ``start_tls`` with the same settings does nothing then."""
        await self.start_tls(ssl_context, server_hostname, timeout)
        self._begun = ssl_context
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection by httpcore's name for it."""
        if info == "is_readable":  # asked of an idle connection: has the server given it up?
            return not self.is_usable or self._has_unread
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._writer.get_extra_info(names.get(info, info))


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


class _RaisedAs:
    """Raises asyncio's errors in its block as those that httpcore expects from a network backend.

    A host name that is none is a ValueError to asyncio and to ssl. It is written out since every
    request passes it several times.
    """

    def __init__(self, broken: type[Exception], late: type[Exception]) -> None:
        self._broken = broken
        self._late = late

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise self._late(str(error)) from error
        if isinstance(error, ValueError):
            raise self._broken(str(error)) from error
        if isinstance(error, OSError):
            reason = _one_of_many(error) or error
            raise self._broken(str(reason)) from reason


def _one_of_many(error: OSError) -> OSError | None:
    """Return the first error of a name with several addresses; asyncio puts them in a text."""
    found = _ERRNO.search(str(error)) if error.errno is None else None
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else None


def _has_failed(task: asyncio.Task[Stream]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _give_up(task: asyncio.Task[Stream]) -> None:
    """Stop opening a connection, and close it if it is open or opens nevertheless."""
    if task.cancel():
        task.add_done_callback(_close)
    else:
        _close(task)


def _close(task: asyncio.Task[Stream]) -> None:
    if not _has_failed(task):
        task.result().close()


def _seen(task: asyncio.Task[Stream]) -> None:
    """Retrieve a failure, so that asyncio does not complain that nobody has."""
    if not task.cancelled():
        task.exception()
