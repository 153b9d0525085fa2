"""The real registries, and the tools of other people that look at what stands in them.

Every test below this folder is marked `real_registry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.distribution import PROGRAM, Distribution, Htpasswd, TokenRegistry, run_token_registry
from fixtures.tokens import Account, TokenService
from oci_merge.client import AsyncClient
from oci_merge.http.timings import Timings
from tests.installed import installed

DISTRIBUTION_LEEWAY = 60
"""Seconds by which distribution forgives a token's time."""

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; the hook is called with those of all folders."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.real_registry)


@pytest.fixture(autouse=True)
def _timings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real registry is as near or as far as it is; retries follow at once."""
    monkeypatch.setattr(AsyncClient, "_timings", Timings(first_retry=0.001))


@pytest.fixture(scope="session")
def docker_registry() -> Path:
    """Debian's docker-registry; without it the tests that need it are skipped."""
    return installed(PROGRAM)


@pytest.fixture(scope="session")
def skopeo() -> Path:
    """skopeo; without it the tests that need it are skipped."""
    return installed("skopeo")


@pytest.fixture(scope="session")
def buildah() -> Path:
    """buildah; without it the tests that need it are skipped."""
    return installed("buildah")


@pytest.fixture(scope="session")
def plain_registry(docker_registry: Path) -> Iterator[Distribution]:
    """A registry for everybody, over plain HTTP."""
    with Distribution() as registry:
        yield registry


@pytest.fixture(scope="session")
def tls_registry(docker_registry: Path) -> Iterator[Distribution]:
    """A registry with a password, over TLS and HTTP/2."""
    with Distribution(tls=True, auth=Htpasswd()) as registry:
        yield registry


@pytest.fixture(scope="session")
def tls_http1_registry(docker_registry: Path) -> Iterator[Distribution]:
    """A registry with a password, over TLS, that speaks HTTP/1.1 alone."""
    with Distribution(tls=True, http2=False, auth=Htpasswd()) as registry:
        yield registry


@pytest.fixture
def token_registry(docker_registry: Path) -> Iterator[TokenRegistry]:
    """A registry that takes the tokens of a service of its own, over plain HTTP.

    `ci` (password `registry-password`) may pull and push everywhere, everybody may pull `public/*`.
    The test has it to itself, so it may change the service, and `tokens.life` is kept to.
    """
    everything = {"*": frozenset({"pull", "push"})}
    tokens = TokenService(
        accounts=[Account("ci", "registry-password", everything)],
        anonymous={"public/*": frozenset({"pull"})},
        leeway=DISTRIBUTION_LEEWAY,
    )
    with run_token_registry(tokens) as registry:
        yield registry
