"""Opens TCP connections to registries before the modules that will use them are loaded.

Loading the HTTP library takes longer than many a round trip. So where the look-up of a registry's
name and the connection to it are begun before, a short run does not wait for them. This module
loads nothing slow. What is opened here is a bare connection: nothing is sent, and whoever takes it
judges its address and encrypts it like any other.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress

from oci_merge.errors import OciMergeError
from oci_merge.http.proxy import find_proxies
from oci_merge.model.host import is_loopback, registry_address, registry_endpoint
from oci_merge.model.reference import parse_reference

#: How long each address of a name may take, in seconds; the thread ends then.
_TIMEOUT = 15.0
#: The age, in seconds, from which a new connection replaces one that nobody took. It is that of
#: ``Timings.ahead``, whose module loads asyncio.
_LONGEST = 25.0

_begun: dict[tuple[str, int], EarlyConnection] = {}


class EarlyConnection:
    """A TCP connection that a thread opens, since a look-up of a name blocks.

    Args:
        host: the host.
        port: its port.

    Attributes:
        begun: when it was begun, by ``time.monotonic``.
        opened: the socket, or why there is none.
    """

    def __init__(self, host: str, port: int) -> None:
        self.begun = time.monotonic()
        self.opened: Future[socket.socket] = Future()
        # A daemon: neither a look-up nor a connection that hangs keeps the process from its end.
        threading.Thread(target=self._open, args=(host, port), daemon=True).start()

    def give_up(self) -> None:
        """Close the connection, at once or when it opens."""
        self.opened.add_done_callback(_close)

    def is_over(self, longest: float) -> bool:
        """Say whether it has ended with nothing that a client would use.

        Args:
            longest: the age, in seconds, from which it is not used.
        """
        if not self.opened.done():
            return False
        if self.opened.exception() is not None or time.monotonic() - self.begun >= longest:
            return True
        return not is_usable(self.opened.result())

    def _open(self, host: str, port: int) -> None:
        try:
            opened = socket.create_connection((host, port), _TIMEOUT)
        except Exception as error:  # it is tried again where the connection is needed
            self.opened.set_exception(error)
        else:
            self.opened.set_result(opened)


def connect_early(reference: str, *, plain_http: bool = False) -> None:
    """Begin to connect to the registry of a reference, for the next client that needs it.

    It returns at once and tells of no failure: the client meets that itself. Nothing is done where
    the text names no registry, or a proxy leads there. A connection that no client takes within
    25 seconds is not used; the next call for its registry closes it and begins another.

    Args:
        reference: an image, for example ``reg.example/app:1.0``, or a template of images.
        plain_http: whether the registry is asked over plain HTTP.
    """
    with suppress(OciMergeError, OSError, RuntimeError):  # the last where no thread can be started
        first, slash, _ = reference.partition("/")  # the rest may hold placeholders
        # Without a slash it is an image of Docker Hub, whatever it is called.
        registry = parse_reference("image" if first and not slash else f"{first}/image").registry
        # A loopback registry is tried over plain HTTP first.
        scheme = "http" if plain_http or is_loopback(registry) else "https"
        if find_proxies(os.environ).url_for(f"{scheme}://{registry_endpoint(registry)}"):
            return
        address = registry_address(registry, scheme)
        before = _begun.get(address)
        if before is not None and before.is_over(_LONGEST) and (left := take_early(*address)):
            left.give_up()
        if address not in _begun:
            _begun[address] = EarlyConnection(*address)


def take_early(host: str, port: int) -> EarlyConnection | None:
    """Return the connection that was begun to an address, once, or None.

    Args:
        host: the host.
        port: its port.
    """
    return _begun.pop((host, port), None)


def is_usable(opened: socket.socket) -> bool:
    """Say whether the server has neither closed a connection nor sent anything."""
    opened.setblocking(False)
    try:
        opened.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _close(opened: Future[socket.socket]) -> None:
    if opened.exception() is None:
        opened.result().close()
