"""How many round trips a run takes: what a delay adds to it, counted in delays.

Connections and TLS handshakes are counted, as they are waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import oci_merge
from fixtures.context import Context
from fixtures.distribution import Distribution, TokenAuth
from fixtures.images import build_image
from fixtures.network.delay_proxy import DelayProxy, trip_seconds
from fixtures.seed import Seeder
from fixtures.server import serve
from fixtures.tokens import Account, TokenService
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


def seconds(
    registry: Distribution, name: str, platforms: list[str] | None, rtt: float, plain_http: bool
) -> float:
    with DelayProxy("127.0.0.1", registry.port, rtt) as proxy:
        team = f"127.0.0.1:{proxy.port}/{name}"
        began = time.monotonic()
        oci_merge.merge(
            f"{team}/merged-{int(rtt * 1000)}:1.0",
            template=f"{team}/img-ARCHVARIANT:1.0",
            platforms=platforms or (),
            tags=["latest"],
            plain_http=plain_http,
        )
        return time.monotonic() - began


def round_trips(
    registry: Distribution,
    count: int,
    *,
    enough: float,
    probe: bool = False,
    rtt: float = RTT,
    plain_http: bool = True,
) -> float:
    """Return how many round trips a run waits for, connections included.

    Unless ``plain_http`` says how the registry speaks, one request goes ahead and finds out.

    A busy machine only ever adds to a time, so the least of some runs is taken on both sides, with
    the delay and without; more runs are made until the count is small enough.
    """
    chosen = dict(list(EIGHT.items())[:count])
    images = {suffix: image for suffix, (_, image) in chosen.items()}
    platforms = None if probe else [platform for platform, _ in chosen.values()]
    trip = trip_seconds(rtt)
    at_once = delayed = float("inf")
    for _ in range(5):
        name = push_team(registry, images).partition("/")[2]
        at_once = min(at_once, seconds(registry, name, platforms, 0.0, plain_http))
        delayed = min(delayed, seconds(registry, name, platforms, rtt, plain_http))
        if (delayed - at_once) / trip <= enough:
            break
    return (delayed - at_once) / trip


@pytest.mark.parametrize(("count", "most"), [(3, 6), (8, 7)])
def test_a_run_over_plain_http_takes_at_most_so_many_round_trips(
    plain_registry: Distribution, count: int, most: int
) -> None:
    assert round_trips(plain_registry, count, enough=most) <= most


def test_finding_out_how_a_loopback_registry_speaks_takes_one_round_trip(
    plain_registry: Distribution,
) -> None:
    assert round_trips(plain_registry, 3, enough=7, plain_http=False) <= 7


@pytest.fixture(scope="module")
def tokens() -> TokenService:
    """A token service at which ci may do everything."""
    everything = {"*": frozenset({"pull", "push"})}
    return TokenService(accounts=[Account("ci", "token-password", everything)])


class _Timed(Context):
    """Times runs against a registry with TLS, HTTP/2 and tokens; the token server speaks HTTP."""

    def __init__(self, tokens: TokenService, rtt: float) -> None:
        self._tokens = tokens
        self._rtt = rtt
        self._stack = ExitStack()

    def open(self) -> None:
        with ExitStack() as stack:
            server = stack.enter_context(serve(self._tokens.app()))
            near = stack.enter_context(DelayProxy("127.0.0.1", server.port, self._rtt))
            auth = TokenAuth(
                realm=f"http://127.0.0.1:{near.port}/token",
                service=self._tokens.service,
                issuer=self._tokens.issuer,
                certificates=self._tokens.certificate_pem,
            )
            self.registry = stack.enter_context(Distribution(tls=True, auth=auth))
            self._proxy = stack.enter_context(
                DelayProxy("127.0.0.1", self.registry.port, self._rtt)
            )
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    def seconds(self, count: int, number: int) -> float:
        host = f"127.0.0.1:{self._proxy.port}"
        began = time.monotonic()
        oci_merge.merge(
            f"{host}/team/merged{number}:1.0",
            template=f"{host}/team/img-ARCHVARIANT:1.0",
            platforms=[platform for platform, _ in list(EIGHT.values())[:count]],
            tags=["latest"],
            username="ci",
            password="token-password",
            ca_file=self.registry.ca_pem,
        )
        return time.monotonic() - began


@pytest.fixture(scope="module")
def timed(docker_registry: Path, tokens: TokenService) -> Iterator[tuple[_Timed, _Timed]]:
    """The same registry twice: at hand, and far away."""
    with _Timed(tokens, 0.0) as near, _Timed(tokens, LONG_RTT) as far:
        for at in (near, far):
            with Seeder(
                at.registry.url, auth=("ci", "token-password"), verify=at.registry.ssl_context()
            ) as seeder:
                for suffix, (_, image) in EIGHT.items():
                    seeder.push_image(f"team/img-{suffix}", "1.0", image)
        yield near, far


@pytest.mark.parametrize("count", [3, 8])
def test_a_run_with_tls_http2_and_tokens_takes_at_most_ten_round_trips(
    timed: tuple[_Timed, _Timed], count: int
) -> None:
    near, far = timed
    trip = trip_seconds(LONG_RTT)
    at_once = delayed = float("inf")
    for number in range(5):
        at_once = min(at_once, near.seconds(count, 10 * count + number))
        delayed = min(delayed, far.seconds(count, 10 * count + number))
        if (delayed - at_once) / trip <= 10:
            break
    assert (delayed - at_once) / trip <= 10


def test_eight_platforms_take_as_many_round_trips_as_three(plain_registry: Distribution) -> None:
    three = round_trips(plain_registry, 3, enough=6.5, rtt=LONG_RTT)
    eight = round_trips(plain_registry, 8, enough=6.5, rtt=LONG_RTT)

    assert abs(eight - three) < 1


def test_looking_for_the_platforms_adds_one_step(plain_registry: Distribution) -> None:
    assert round_trips(plain_registry, 3, enough=8, probe=True) <= 8
