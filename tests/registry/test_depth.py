"""How many round trips a run takes: what a delay adds to it, counted in delays."""

from __future__ import annotations

import time

import pytest

import oci_merge
from fixtures.delay_proxy import DelayProxy
from fixtures.distribution import Distribution
from fixtures.images import build_image
from tests.registry.team import push_team

RTT = 0.2
#: So long that what a busy machine adds is little beside it.
LONG_RTT = 0.8
EIGHT = {
    "amd64": ("linux/amd64", build_image("linux", "amd64", layers=6)),
    "arm64": ("linux/arm64", build_image("linux", "arm64", layers=6)),
    "armv7": ("linux/arm/v7", build_image("linux", "arm", "v7", layers=6)),
    "armv6": ("linux/arm/v6", build_image("linux", "arm", "v6", layers=6)),
    "386": ("linux/386", build_image("linux", "386", layers=6)),
    "ppc64le": ("linux/ppc64le", build_image("linux", "ppc64le", layers=6)),
    "s390x": ("linux/s390x", build_image("linux", "s390x", layers=6)),
    "riscv64": ("linux/riscv64", build_image("linux", "riscv64", layers=6)),
}


def seconds(registry: Distribution, name: str, platforms: list[str] | None, rtt: float) -> float:
    with DelayProxy("127.0.0.1", registry.port, rtt) as proxy:
        team = f"127.0.0.1:{proxy.port}/{name}"
        began = time.monotonic()
        oci_merge.merge(
            f"{team}/merged-{int(rtt * 1000)}:1.0",
            template=f"{team}/img-ARCHVARIANT:1.0",
            platforms=platforms or (),
            tags=["latest"],
        )
        return time.monotonic() - began


def round_trips(
    registry: Distribution, count: int, *, enough: float, probe: bool = False, rtt: float = RTT
) -> float:
    """Return how many round trips a run waits for, connections included.

    A busy machine only ever adds to a time, so the least of some runs is taken on both sides, with
    the delay and without; more runs are made until the count is small enough.
    """
    chosen = dict(list(EIGHT.items())[:count])
    images = {suffix: image for suffix, (_, image) in chosen.items()}
    platforms = None if probe else [platform for platform, _ in chosen.values()]
    at_once = delayed = float("inf")
    for _ in range(5):
        name = push_team(registry, images).partition("/")[2]
        at_once = min(at_once, seconds(registry, name, platforms, 0.0))
        delayed = min(delayed, seconds(registry, name, platforms, rtt))
        if (delayed - at_once) / rtt <= enough:
            break
    return (delayed - at_once) / rtt


@pytest.mark.parametrize("count", [3, 8])
def test_a_run_takes_at_most_seven_round_trips(plain_registry: Distribution, count: int) -> None:
    assert round_trips(plain_registry, count, enough=7) <= 7


def test_eight_platforms_take_as_many_round_trips_as_three(plain_registry: Distribution) -> None:
    three = round_trips(plain_registry, 3, enough=6.5, rtt=LONG_RTT)
    eight = round_trips(plain_registry, 8, enough=6.5, rtt=LONG_RTT)

    assert abs(eight - three) < 1


def test_looking_for_the_platforms_adds_one_step(plain_registry: Distribution) -> None:
    assert round_trips(plain_registry, 3, enough=8, probe=True) <= 8
