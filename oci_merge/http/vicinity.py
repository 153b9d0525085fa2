"""Where a registry was reached, and so which addresses it may send us to.

A name says nothing of where it leads. It is judged by the address that a connection was opened to,
before a byte is sent: what DNS says may change between a look-up and the next.
"""

from __future__ import annotations

from oci_merge.errors import TransportError
from oci_merge.http.reach import Reach, reach_of
from oci_merge.model.host import is_loopback


class Vicinity:
    """What is known of where one registry is.

    Args:
        registry: its name.
    """

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._is_here = is_loopback(registry)

    def note(self, address: str) -> None:
        """Note an address at which the registry itself was reached."""
        self._is_here = self._is_here or reach_of(address) is Reach.MACHINE

    def check(self, host: str, address: str) -> None:
        """Check that the registry may send us to another host.

        Names in private networks are allowed, since self-hosted registries have their token servers
        and stores there. This machine is allowed to a registry that is on it.

        Args:
            host: the host, as the registry names it.
            address: the address that was connected to.

        Raises:
            TransportError: it may not.
        """
        there = reach_of(address)
        is_allowed = self._is_here if there is Reach.MACHINE else there is not Reach.LINK
        if not is_allowed:
            raise TransportError(
                f"{host}, where {self._registry} points to, is at {address}, {there.value}",
                hint="nothing was sent there; a registry may point at such an address only if it "
                "is on this machine itself",
            )
