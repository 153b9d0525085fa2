"""What the tools are run against: a real registry, slowed down, and everything counted.

Over plain HTTP the registry is `127.0.0.1:PORT`. With TLS it has a name, `registry.test`, and so
has its token server, since tools treat registries on loopback addresses in ways of their own: they
try plain HTTP first, or refuse TLS. The names are known to a forward proxy on this machine that the
tools are told of. It stands before the delay, so that asking it takes no time on the slow wire. The
same proxy may lead Docker Hub's names there.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from fixtures.distribution import Distribution, TokenAuth
from fixtures.images import BuiltImage
from fixtures.network.delay_proxy import DelayProxy
from fixtures.network.forward_proxy import ForwardProxy
from fixtures.seed import Seeder
from fixtures.server import ADDRESS, ServerTLS, serve
from fixtures.tokens import Account, TokenService
from tests.bench.peers import Command
from tests.bench.timing import BenchError, Launcher, Sample

_REGISTRY = "registry.test"
_TOKENS = "tokens.test"
_HUB = "registry-1.docker.io"
# What crane asks in its place.
_HUB_INDEX = "index.docker.io"
_HUB_TOKENS = "auth.docker.io"
_HUB_SERVICE = "registry.docker.io"
_HUB_LOGIN = "https://index.docker.io/v1/"
_ACCOUNT = Account("ci", "registry-password", {"*": frozenset({"pull", "push"})})


@dataclass(frozen=True)
class Stand:
    """A running registry with all that belongs to it.

    Args:
        host: the registry as references name it, behind the delay.
        work: a folder for what tools keep.
        launcher: runs tools with the environment that they need here.
        distribution: the registry itself.
        tokens: the service whose tokens it takes, None if it is open.
        delays: the proxies that slow the registry and its token server down, if there are any.
        proxy: the URL of a proxy that knows their names and leads past the delay, None if they need
            none.
        trust: the TLS trust, None for plain HTTP.
    """

    host: str
    work: Path
    launcher: Launcher
    distribution: Distribution
    tokens: TokenService | None
    delays: Sequence[DelayProxy]
    proxy: str | None
    trust: ssl.SSLContext | None

    def run(self, commands: Sequence[Command]) -> Sample:
        """Run command lines one after the other, and count what they ask for.

        Args:
            commands: the command lines.

        Raises:
            BenchError: one of them ended with another status than 0.
        """
        connections, token_requests = self._connections(), self._token_requests()
        with self.distribution.watch() as requests:
            sample = self.launcher.run(commands)
        return replace(
            sample,
            requests=len(requests),
            connections=self._connections() - connections if self.delays else None,
            token_requests=self._token_requests() - token_requests,
        )

    def push(self, images: Mapping[tuple[str, str], BuiltImage]) -> None:
        """Push images past the delay.

        Args:
            images: by repository and tag.
        """
        with self._seeder() as seeder:
            for (repository, tag), image in images.items():
                seeder.push_image(repository, tag, image)

    def expect(self, targets: Sequence[tuple[str, str]], children: int) -> None:
        """See to it that tags stand on an index.

        Args:
            targets: repositories and tags.
            children: how many images the index has to have.

        Raises:
            BenchError: a tag stands on something else.
        """
        with self._seeder() as seeder:
            for repository, tag in targets:
                found = seeder.get_manifest(repository, tag)
                count = len(json.loads(found.body).get("manifests", [])) if found.digest else 0
                if count != children:
                    raise BenchError(
                        f"{repository}:{tag} answers {found.status} and has {count} images, "
                        f"where {children} were expected"
                    )

    def _seeder(self) -> Seeder:
        return Seeder(
            self.distribution.url,
            auth=(_ACCOUNT.username, _ACCOUNT.password) if self.tokens else None,
            verify=True if self.trust is None else self.trust,
            proxy=self.proxy,
        )

    def _connections(self) -> int:
        return sum(delay.connections for delay in self.delays)

    def _token_requests(self) -> int:
        return 0 if self.tokens is None else len(self.tokens.requests)


@contextmanager
def open_stand(tls: bool, rtt: int, *, known: bool = False) -> Iterator[Stand]:
    """Run a registry with all that belongs to it.

    Args:
        tls: TLS, HTTP/2 and tokens; else plain HTTP, open to everybody.
        rtt: the round trip time in milliseconds; at 0 there is no proxy that delays.
        known: the registry is Docker Hub by its names.

    Yields:
        The stand, empty.

    Raises:
        RegistryStartError: the registry is not installed, or does not start.
    """
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="oci-merge-bench-")))
        yield _secure(stack, work, rtt, known) if tls else _plain(stack, work, rtt)


def clean_environment(home: Path) -> dict[str, str]:
    """Return variables with nothing of the developer's in them but the search paths.

    Args:
        home: the folder that becomes the home; it needs a folder `.docker`.
    """
    environment = {
        "DOCKER_CONFIG": str(home / ".docker"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "TMPDIR": str(home),
    }
    # With it, oci-merge is run from a working tree that is not installed.
    if (path := os.environ.get("PYTHONPATH")) is not None:
        environment["PYTHONPATH"] = path
    return environment


def _plain(stack: ExitStack, work: Path, rtt: int) -> Stand:
    distribution = stack.enter_context(Distribution())
    port, delays = _slowed(stack, distribution.port, rtt)
    host = f"{ADDRESS}:{port}"
    return Stand(
        host=host,
        work=work,
        launcher=stack.enter_context(Launcher(_home(work, {}))),
        distribution=distribution,
        tokens=None,
        delays=delays,
        proxy=None,
        trust=None,
    )


def _secure(stack: ExitStack, work: Path, rtt: int, known: bool) -> Stand:
    registry, token_host = (_HUB, _HUB_TOKENS) if known else (_REGISTRY, _TOKENS)
    authority = trustme.CA()
    leaf = authority.issue_cert(token_host)
    chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
    shown = ServerTLS(chain, leaf.private_key_pem.bytes())
    tokens = TokenService(service=_HUB_SERVICE if known else _REGISTRY, accounts=[_ACCOUNT])
    server = stack.enter_context(serve(tokens.app(), tls=shown))
    token_port, token_delays = _slowed(stack, server.port, rtt)
    auth = TokenAuth(
        realm=f"https://{token_host}{'' if known else f':{token_port}'}/token",
        service=tokens.service,
        issuer=tokens.issuer,
        certificates=tokens.certificate_pem,
    )
    distribution = stack.enter_context(
        Distribution(tls=True, auth=auth, name=registry, aliases=[_HUB_INDEX] if known else [])
    )
    assert distribution.ca_pem is not None
    port, delays = _slowed(stack, distribution.port, rtt)
    host = "docker.io" if known else f"{registry}:{port}"
    names = {registry: port, _HUB_INDEX: port, token_host: token_port} if known else {}
    proxy = stack.enter_context(ForwardProxy(names=names)).url
    past = {registry: distribution.port, token_host: server.port} if known else {}
    proxy_past = stack.enter_context(ForwardProxy(names=past)).url
    authorities = work / "authorities.pem"
    authorities.write_bytes(authority.cert_pem.bytes() + distribution.ca_pem.read_bytes())
    login = base64.b64encode(f"{_ACCOUNT.username}:{_ACCOUNT.password}".encode()).decode()
    environment = _home(work, {"auths": {_HUB_LOGIN if known else host: {"auth": login}}})
    environment |= {"HTTPS_PROXY": proxy, "SSL_CERT_FILE": str(authorities)}
    return Stand(
        host=host,
        work=work,
        launcher=stack.enter_context(Launcher(environment)),
        distribution=distribution,
        tokens=tokens,
        delays=[*delays, *token_delays],
        proxy=proxy_past,
        trust=ssl.create_default_context(cafile=authorities),
    )


def _slowed(stack: ExitStack, port: int, rtt: int) -> tuple[int, list[DelayProxy]]:
    """Return the port at which a server is reached, and the proxy there, if there is one."""
    if rtt == 0:
        return port, []
    proxy = stack.enter_context(DelayProxy(ADDRESS, port, rtt / 1000))
    return proxy.port, [proxy]


def _home(work: Path, config: Mapping[str, object]) -> dict[str, str]:
    """Make a home with a docker config, and return the environment that leads to it."""
    home = work / "home"
    (home / ".docker").mkdir(parents=True)
    (home / ".docker" / "config.json").write_text(json.dumps(config))
    return clean_environment(home)
