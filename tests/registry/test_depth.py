"""How many round trips a run takes: what a delay adds to it, counted in delays.

Connections and TLS handshakes are counted, as they are waited for.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import oci_merge
from fixtures.context import Context
from fixtures.distribution import Distribution, TokenAuth
from fixtures.embedded import EmbeddedRegistry, Settings
from fixtures.images import build_image
from fixtures.network.delay_proxy import DelayProxy, trip_seconds
from fixtures.network.forward_proxy import ForwardProxy
from fixtures.network.http2 import serve_http2
from fixtures.seed import Seeder
from fixtures.server import ServerTLS, serve
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


def merge_seconds(team: str, name: str, platforms: Sequence[str], **options: Any) -> float:
    """Merge the images of a team under two tags, and return how long it took."""
    began = time.monotonic()
    oci_merge.merge(
        f"{team}/{name}:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=platforms,
        tags=["latest"],
        **options,
    )
    return time.monotonic() - began


def platforms_of(count: int) -> list[str]:
    """Return the first so many of the eight platforms."""
    return [platform for platform, _ in list(EIGHT.values())[:count]]


def seconds(
    registry: Distribution, name: str, platforms: list[str] | None, rtt: float, **options: Any
) -> float:
    with DelayProxy("127.0.0.1", registry.port, rtt) as proxy:
        team = f"127.0.0.1:{proxy.port}/{name}"
        merged = f"merged-{int(rtt * 1000)}"
        return merge_seconds(team, merged, platforms or (), **options)


def round_trips(
    registry: Distribution,
    count: int,
    *,
    enough: float,
    probe: bool = False,
    rtt: float = RTT,
    plain_http: bool = True,
    **options: Any,
) -> float:
    """Return how many round trips a run waits for, connections included.

    Unless ``plain_http`` says how the registry speaks, one request goes ahead and finds out.

    A busy machine only ever adds to a time, so the least of some runs is taken on both sides, with
    the delay and without; more runs are made until the count is small enough.
    """
    chosen = dict(list(EIGHT.items())[:count])
    images = {suffix: image for suffix, (_, image) in chosen.items()}
    platforms = None if probe else [platform for platform, _ in chosen.values()]
    options["plain_http"] = plain_http
    trip = trip_seconds(rtt)
    at_once = delayed = float("inf")
    for _ in range(5):
        name = push_team(registry, images).partition("/")[2]
        at_once = min(at_once, seconds(registry, name, platforms, 0.0, **options))
        delayed = min(delayed, seconds(registry, name, platforms, rtt, **options))
        if (delayed - at_once) / trip <= enough:
            break
    return (delayed - at_once) / trip


@pytest.mark.parametrize(("count", "most"), [(3, 6), (8, 7)])
def test_a_run_over_plain_http_takes_at_most_so_many_round_trips(
    plain_registry: Distribution, count: int, most: int
) -> None:
    assert round_trips(plain_registry, count, enough=most) <= most


@pytest.fixture
def signing_key(tmp_path: Path) -> str:
    """The file of a private key that is not encrypted, since that would take time."""
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "signing.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(file)


@pytest.mark.parametrize(("count", "most"), [(3, 8), (8, 9)])
def test_to_sign_everything_takes_two_round_trips_more_however_many_images_there_are(
    plain_registry: Distribution, signing_key: str, count: int, most: int
) -> None:
    trips = round_trips(plain_registry, count, enough=most, sign_key=signing_key)
    assert trips <= most


def test_finding_out_how_a_loopback_registry_speaks_takes_one_round_trip(
    plain_registry: Distribution,
) -> None:
    assert round_trips(plain_registry, 3, enough=7, plain_http=False) <= 7


@pytest.fixture(scope="module")
def tokens() -> TokenService:
    """A token service at which ci may do everything."""
    return _tokens(service="registry.test")


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

    def seconds(self, count: int, number: int, **options: Any) -> float:
        return merge_seconds(
            f"127.0.0.1:{self._proxy.port}/team",
            f"merged{number}",
            platforms_of(count),
            username="ci",
            password="token-password",
            ca_file=self.registry.ca_pem,
            **options,
        )


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
    assert _trips(*timed, count, most=10) <= 10


def test_to_sign_with_tls_http2_and_tokens_takes_two_round_trips_more(
    timed: tuple[_Timed, _Timed], signing_key: str
) -> None:
    near, far = timed
    signing = (_Signing(near, signing_key), _Signing(far, signing_key))
    assert _trips(*signing, 8, most=12) <= 12


class _Signing:
    """Times runs that sign.

    Args:
        at: times runs that do not.
        key: the file of the key.
    """

    def __init__(self, at: _Timed, key: str) -> None:
        self._at = at
        self._key = key

    def seconds(self, count: int, number: int) -> float:
        return self._at.seconds(count, 100 + number, sign_key=self._key)


class _Runs(Protocol):
    def seconds(self, count: int, number: int) -> float: ...


def _trips(near: _Runs, far: _Runs, count: int, most: int) -> int:
    """Return how many round trips a run waits for, as ``round_trips`` does.

    The number is whole: what is less than a half of one is what the machine adds.
    """
    trip = trip_seconds(LONG_RTT)
    at_once = delayed = float("inf")
    for number in range(5):
        at_once = min(at_once, near.seconds(count, 10 * count + number))
        delayed = min(delayed, far.seconds(count, 10 * count + number))
        if round((delayed - at_once) / trip) <= most:
            break
    return round((delayed - at_once) / trip)


class _Named(Context):
    """Times runs against a registry under a name, which a proxy on this machine leads to.

    The proxy stands before the delay. Both servers have TLS; the registry speaks HTTP/2.

    Args:
        name: the registry, as references name it.
        rtt: the round trip time, in seconds.
    """

    def __init__(self, name: str, rtt: float) -> None:
        self._name = name
        self._rtt = rtt
        self._stack = ExitStack()
        self._environment: dict[str, str] = {}

    def open(self) -> None:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="oci-merge-")))
            authority = trustme.CA()
            ports, trusted = self._serve(stack, authority)
            delayed = {
                name: stack.enter_context(DelayProxy("127.0.0.1", port, self._rtt)).port
                for name, port in ports.items()
            }
            proxy = stack.enter_context(ForwardProxy(names=delayed))
            authorities = folder / "authorities.pem"
            authorities.write_bytes(authority.cert_pem.bytes() + trusted)
            self._environment = {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(authorities)}
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    def _serve(self, stack: ExitStack, authority: trustme.CA) -> tuple[dict[str, int], bytes]:
        """Serve the registry; return the port of each host, and the authority of a real one."""
        tokens = _tokens(service=self._name)
        embedded = EmbeddedRegistry(Settings(auth=tokens))
        for suffix, (_, image) in EIGHT.items():
            embedded.add_image(f"team/img-{suffix}", "1.0", image)
        server = stack.enter_context(serve_http2(embedded.app, _shown(authority, self._name)))
        return {self._name: server.port}, b""

    def seconds(self, count: int, number: int) -> float:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            return merge_seconds(
                f"{self._name}/team",
                f"merged{number}",
                platforms_of(count),
                username="ci",
                password="token-password",
            )


class _Hub(_Named):
    """A real registry that stands for Docker Hub, with its token server at another host."""

    def __init__(self, rtt: float) -> None:
        super().__init__("docker.io", rtt)

    def _serve(self, stack: ExitStack, authority: trustme.CA) -> tuple[dict[str, int], bytes]:
        tokens = _tokens(service="registry.docker.io")
        shown = _shown(authority, "auth.docker.io")
        server = stack.enter_context(serve(tokens.app(), tls=shown))
        auth = TokenAuth(
            realm="https://auth.docker.io/token",
            service=tokens.service,
            issuer=tokens.issuer,
            certificates=tokens.certificate_pem,
        )
        endpoint = "registry-1.docker.io"
        registry = stack.enter_context(Distribution(tls=True, auth=auth, name=endpoint))
        assert registry.ca_pem is not None
        ports = {endpoint: registry.port, "auth.docker.io": server.port}
        with (
            ForwardProxy(names=ports) as proxy,
            Seeder(
                registry.url,
                auth=("ci", "token-password"),
                verify=_trusting(registry.ca_pem.read_bytes(), authority.cert_pem.bytes()),
                proxy=proxy.url,
            ) as seeder,
        ):
            for suffix, (_, image) in EIGHT.items():
                seeder.push_image(f"team/img-{suffix}", "1.0", image)
        return ports, registry.ca_pem.read_bytes()


def _tokens(service: str) -> TokenService:
    everything = {"*": frozenset({"pull", "push"})}
    return TokenService(service=service, accounts=[Account("ci", "token-password", everything)])


def _shown(authority: trustme.CA, name: str) -> ServerTLS:
    leaf = authority.issue_cert(name)
    chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
    return ServerTLS(chain, leaf.private_key_pem.bytes())


def _trusting(*authorities: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=b"".join(authorities).decode())


@pytest.fixture(scope="module")
def hub(docker_registry: Path) -> Iterator[tuple[_Hub, _Hub]]:
    """Docker Hub twice: at hand, and far away."""
    with _Hub(0.0) as near, _Hub(LONG_RTT) as far:
        yield near, far


@pytest.mark.parametrize("count", [3, 8])
def test_a_registry_whose_token_server_is_known_takes_at_most_seven_round_trips(
    hub: tuple[_Hub, _Hub], count: int
) -> None:
    assert _trips(*hub, count, most=7) <= 7


@pytest.mark.parametrize(("name", "most"), [("ghcr.io", 7), ("reg.example", 8)])
def test_a_registry_that_is_its_own_token_server_takes_at_most_eight_or_seven_if_it_is_known(
    name: str, most: int
) -> None:
    with _Named(name, 0.0) as near, _Named(name, LONG_RTT) as far:
        assert _trips(near, far, 3, most) <= most


class _Early:
    """Times runs whose first connection was begun some time before.

    That one carries the request which finds out how the registry speaks, and which all others
    wait for.

    Args:
        registry: a registry over plain HTTP.
        rtt: the round trip time, in seconds.
    """

    def __init__(self, registry: Distribution, rtt: float) -> None:
        self._registry = registry
        self._rtt = rtt

    def seconds(self, count: int, number: int) -> float:
        chosen = dict(list(EIGHT.items())[:count])
        images = {suffix: image for suffix, (_, image) in chosen.items()}
        name = push_team(self._registry, images).partition("/")[2]
        with DelayProxy("127.0.0.1", self._registry.port, self._rtt) as proxy:
            team = f"127.0.0.1:{proxy.port}/{name}"
            oci_merge.connect_early(f"{team}/img-ARCHVARIANT:1.0")
            time.sleep(1.5 * self._rtt)  # as long as the command loads modules
            return merge_seconds(team, "merged", platforms_of(count))


def test_a_connection_that_was_begun_early_saves_a_round_trip(
    plain_registry: Distribution,
) -> None:
    near, far = _Early(plain_registry, 0.0), _Early(plain_registry, LONG_RTT)
    assert _trips(near, far, 3, most=5) <= 5  # six without


def test_eight_platforms_take_as_many_round_trips_as_three(plain_registry: Distribution) -> None:
    three = round_trips(plain_registry, 3, enough=6.5, rtt=LONG_RTT)
    eight = round_trips(plain_registry, 8, enough=6.5, rtt=LONG_RTT)

    assert abs(eight - three) < 1


def test_looking_for_the_platforms_adds_one_step(plain_registry: Distribution) -> None:
    assert round_trips(plain_registry, 3, enough=8, probe=True) <= 8
