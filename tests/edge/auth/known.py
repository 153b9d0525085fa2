"""Well-known registries under their own names, over TLS, behind a proxy that leads there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import oci_merge
from fixtures.embedded.personalities import (
    Personality,
    acr,
    docker_hub,
    ecr,
    gar,
    ghcr,
    gitlab,
    quay,
)
from fixtures.network.forward_proxy import ForwardProxy
from fixtures.network.http2 import serve_http2
from fixtures.server import ServerTLS, serve
from fixtures.tokens import TokenService
from oci_merge import MergeResult
from tests.edge.rows import AMD64, ARM64

#: What stands where a token server would be, and is not to be asked.
ELSEWHERE = "elsewhere.example"


@dataclass(frozen=True)
class Known:
    """A registry whose way to ask for a login is known.

    Args:
        name: as references name it.
        build: makes one that behaves so.
        realm: where its tokens come from; empty where it takes passwords.
        service: what it is called there.
        endpoint: where it is reached, if not under its name.
    """

    name: str
    build: Callable[[], Personality]
    realm: str = ""
    service: str = ""
    endpoint: str = ""

    @property
    def host(self) -> str:
        """Where it is reached."""
        return self.endpoint or self.name

    @property
    def token_host(self) -> str:
        """Where its tokens come from; empty where it takes passwords."""
        return urlsplit(self.realm).netloc


def _google(service: str) -> Callable[[], Personality]:
    def build() -> Personality:
        made = gar()
        made.tokens.service = service
        return made

    return build


def _public_ecr() -> Personality:
    made = ghcr()
    made.tokens.service = "public.ecr.aws"
    made.registry.settings.realm = "/token/"
    return made


_GOOGLE = "europe-west1-docker.pkg.dev"
_AMAZON = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
HUB = Known(
    "docker.io",
    docker_hub,
    "https://auth.docker.io/token",
    "registry.docker.io",
    "registry-1.docker.io",
)
GHCR = Known("ghcr.io", ghcr, "https://ghcr.io/token", "ghcr.io")
ECR = Known(_AMAZON, ecr)
WITH_TOKENS = (
    HUB,
    GHCR,
    Known("quay.io", quay, "https://quay.io/v2/auth", "quay.io"),
    Known("registry.gitlab.com", gitlab, "https://gitlab.com/jwt/auth", "container_registry"),
    Known("eu.gcr.io", _google("eu.gcr.io"), "https://eu.gcr.io/v2/token", "eu.gcr.io"),
    Known(_GOOGLE, _google(_GOOGLE), f"https://{_GOOGLE}/v2/token", _GOOGLE),
    Known("team.azurecr.io", acr, "https://team.azurecr.io/oauth2/token", "team.azurecr.io"),
    Known("public.ecr.aws", _public_ecr, "https://public.ecr.aws/token/", "public.ecr.aws"),
)


@dataclass(frozen=True)
class Asked:
    """A request that a server got: where, for what, and with which scheme of authorization."""

    host: str
    method: str
    path: str
    query: str
    scheme: str


@dataclass
class Stand:
    """A known registry that is served under its name.

    Attributes:
        known: which one.
        kind: the registry.
        asked: what all of its hosts were asked, in order.
        proxy: the proxy that leads to them.
        apps: what answers, by host; it may be changed.
    """

    known: Known
    kind: Personality
    proxy: ForwardProxy
    apps: dict[str, ASGIApp]
    asked: list[Asked] = field(default_factory=list)

    @property
    def sources(self) -> list[str]:
        """The images to join, in the target's own repository."""
        repository = f"{self.known.name}/{self.kind.namespace}/app"
        return [f"{repository}:1.0-{name}" for name in ("amd64", "arm64")]

    @property
    def target(self) -> str:
        """The target, with its tag."""
        return f"{self.known.name}/{self.kind.namespace}/app:latest"

    @property
    def at_registry(self) -> list[Asked]:
        """What the registry was asked, tokens apart."""
        realm = urlsplit(self.known.realm).path
        here = (each for each in self.asked if each.host == self.known.host)
        return [each for each in here if each.path != realm]

    def merge(self, **options: Any) -> MergeResult:
        """Join the images."""
        return oci_merge.merge(self.target, sources=self.sources, **options)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the host that a request names."""
        request = Request(scope)
        host = request.headers["host"]
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        query = request.url.query
        self.asked.append(Asked(host, request.method, request.url.path, query, scheme))
        await self.apps[host](scope, receive, send)


def token_app(tokens: TokenService, realm: str) -> Starlette:
    """Return what gives tokens at the path of a realm."""
    path = urlsplit(realm).path
    return Starlette(routes=[Route(path, tokens.respond, methods=["GET", "POST"])])


@contextmanager
def standing(
    known: Known,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    *,
    http2: bool = True,
    kind: Personality | None = None,
) -> Iterator[Stand]:
    """Serve a known registry, with two images in it, and lead this process there.

    Args:
        known: which one.
        authority: signs what it shows; the process trusts it.
        monkeypatch: sets the environment.
        http2: whether it speaks HTTP/2.
        kind: the registry, if not as it usually is.
    """
    kind = kind or known.build()
    for name, image in (("amd64", AMD64), ("arm64", ARM64)):
        kind.registry.add_image(f"{kind.namespace}/app", f"1.0-{name}", image)
    apps: dict[str, ASGIApp] = {known.host: kind.registry.app}
    if known.realm and known.token_host != known.host:
        kind.registry.settings.realm = known.realm
        apps[known.token_host] = token_app(kind.tokens, known.realm)
    with ForwardProxy() as proxy:
        stand = Stand(known, kind, proxy, apps)
        leaf = authority.issue_cert(*apps, ELSEWHERE)
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        shown = ServerTLS(chain, leaf.private_key_pem.bytes())
        serving = serve_http2(stand.app, shown) if http2 else serve(stand.app, tls=shown)
        with serving as server:
            proxy.names |= dict.fromkeys((*apps, ELSEWHERE), server.port)
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            yield stand


def log_in(stand: Stand, home: Path, password: str = "") -> None:
    """Write the docker config that a login leaves behind, with another password if one is given."""
    assert stand.kind.login is not None
    username, right = stand.kind.login
    entry: Mapping[str, str] = {
        "auth": base64.b64encode(f"{username}:{password or right}".encode()).decode()
    }
    name = "https://index.docker.io/v1/" if stand.known is HUB else stand.known.name
    folder = home / ".docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {name: entry}}))
