"""Which addresses a registry may send us to, by where names lead and where it is itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.errors import TransportError
from oci_merge.http.reach import Reach, reach_of, reach_of_host
from oci_merge.http.vicinity import Vicinity

_MACHINE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1:fffe::127.0.0.1",
    "2002:7f00:1::",
    "2001:0:102:304:0:0:80ff:fffe",
]
_LINK = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "224.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
_NETWORK = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "240.240.0.1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1:808:8:800::",  # 8.8.8.8, behind a prefix of 48 bits
    "2002:c0a8:101::1",
]
_WORLD = ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:1.1.1.1"]
_ALL = [
    *((address, Reach.MACHINE) for address in _MACHINE),
    *((address, Reach.LINK) for address in _LINK),
    *((address, Reach.NETWORK) for address in _NETWORK),
    *((address, Reach.WORLD) for address in _WORLD),
]


@pytest.mark.parametrize(("address", "reach"), _ALL)
def test_an_address_is_judged_by_the_one_within_it(address: str, reach: Reach) -> None:
    assert reach_of(address) is reach


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("localhost", Reach.MACHINE),
        ("LOCALHOST.", Reach.MACHINE),
        ("reg.localhost", Reach.MACHINE),
        ("10.0.0.1.", Reach.NETWORK),
        ("127.1", Reach.LINK),
        ("0x7f000001", Reach.LINK),
        ("reg.example", None),
        ("registry", None),
        ("10.0.0.1.example", None),
        ("", None),
    ],
)
def test_a_name_says_nothing_but_for_those_of_this_machine(host: str, reach: Reach | None) -> None:
    assert reach_of_host(host) is reach


@pytest.mark.parametrize(("address", "reach"), _ALL)
def test_a_registry_elsewhere_may_point_at_networks_and_the_world_alone(
    address: str, reach: Reach
) -> None:
    for home in ("10.0.0.1", "8.8.8.8"):
        vicinity = Vicinity("reg.example")
        vicinity.note(home)
        if reach in (Reach.NETWORK, Reach.WORLD):
            vicinity.check("auth.example", address)
        else:
            with pytest.raises(TransportError, match=r"auth\.example, where reg\.example points"):
                vicinity.check("auth.example", address)


@pytest.mark.parametrize("registry", ["127.0.0.1:5000", "localhost", "[::1]:5000", "reg.example"])
@pytest.mark.parametrize(("address", "reach"), _ALL)
def test_a_registry_of_this_machine_may_point_at_it_but_at_no_link(
    registry: str, address: str, reach: Reach
) -> None:
    vicinity = Vicinity(registry)
    if registry == "reg.example":
        vicinity.note("127.0.0.1")
    if reach is not Reach.LINK:
        vicinity.check("auth.example", address)
    else:
        with pytest.raises(TransportError):
            vicinity.check("auth.example", address)


@given(st.ip_addresses())
def test_every_address_has_a_reach(address: object) -> None:
    assert reach_of(str(address)) in Reach
    assert reach_of_host(str(address)) is not None
