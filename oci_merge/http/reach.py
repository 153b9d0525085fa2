"""From where an address can be reached: this machine, its link, its network, or everywhere. Pure.

A registry must not send us where only we can go (server-side request forgery). What counts is the
address that is spoken to at last, so an IPv4 address within an IPv6 one is judged by itself.
"""

from __future__ import annotations

import ipaddress
import re
from enum import Enum

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(Enum):
    """From where an address can be reached, the narrowest first."""

    MACHINE = "an address of this machine"
    LINK = "an address of this machine's link or cloud"
    NETWORK = "a private address"
    WORLD = "a public address"


#: Where clouds answer their machines, with credentials among the answers.
_CLOUDS = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192"))
) | frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254")))
#: RFC 6052, section 2.1: its last 32 bits are an IPv4 address.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: RFC 8215: a network may take any prefix in it, and those of 96 bits look the same.
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
#: RFC 4291, section 2.5.5.1: so are the last 32 bits of these.
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def reach_of(address: str) -> Reach:
    """Return from where an address can be reached.

    Args:
        address: as a socket or a URL has it, without brackets; an IPv6 address may have a zone.

    Raises:
        ValueError: it is no address.
    """
    return _reach(_innermost(ipaddress.ip_address(address.partition("%")[0])))


def reach_of_host(host: str) -> Reach | None:
    """Return from where a URL's host can be reached, or None for a name, which DNS decides.

    Names below ``localhost`` are this machine's (RFC 6761, section 6.3).
    """
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return Reach.MACHINE
    try:
        return reach_of(host)
    except ValueError:
        # 127.1, 0x7f000001 and the like are no names either: resolvers read them as addresses,
        # each in its own way.
        is_numeric = re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2])
        return Reach.LINK if is_numeric else None


def _innermost(address: _Address) -> _Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if address.teredo is not None:
        inner = address.teredo[1]
    is_local = address in _LOCAL_NAT64 and not int(address) >> 32 & 0xFFFFFFFF
    if address in _NAT64 or is_local or (address in _COMPATIBLE and int(address) > 1):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def _reach(address: _Address) -> Reach:
    if address.is_loopback or address.is_unspecified:
        return Reach.MACHINE
    if isinstance(address, ipaddress.IPv4Address) and address in _THIS_NETWORK:
        return Reach.MACHINE
    is_link = address.is_link_local or address.is_multicast or address in _CLOUDS
    if is_link or address == ipaddress.IPv4Address("255.255.255.255"):
        return Reach.LINK
    # Pythons before 3.13 take a network's own prefixes of RFC 8215 for global.
    is_world = address.is_global and address not in _LOCAL_NAT64
    return Reach.WORLD if is_world else Reach.NETWORK
