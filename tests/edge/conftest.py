"""What the tests of the edge share: a certificate authority, and registries with sample images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import respx
import trustme
from respx.mocks import HTTPCoreMocker

from fixtures.embedded import EmbeddedRegistry
from fixtures.server import RunningServer, ServerTLS, serve
from tests.edge.support import note_waits, server_tls, stocked


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of tests that are coroutines."""
    return "asyncio"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority that signs what the tests' servers show."""
    return trustme.CA()


@pytest.fixture(scope="session")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate in a file."""
    path = tmp_path_factory.mktemp("trust") / "authority.pem"
    path.write_bytes(authority.cert_pem.bytes())
    return path


@pytest.fixture(autouse=True)
def _trust(home: Path, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the authority, and no other: the system's roots would take 50 ms to load each time."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ServerTLS:
    """What a server of this machine shows to be believed."""
    return server_tls(authority)


@pytest.fixture
def web() -> Iterator[respx.MockRouter]:
    """A network on which only what a test names answers."""
    HTTPCoreMocker.add_targets(
        "oci_merge.http.http1.Http1Connection", "oci_merge.http.http2.NegotiatedConnection"
    )
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def registry() -> EmbeddedRegistry:
    """A registry that lets everybody in, with the sample images; it may be changed."""
    return stocked()


@pytest.fixture
def server(registry: EmbeddedRegistry) -> Iterator[RunningServer]:
    """The registry's server."""
    with serve(registry.app) as running:
        yield running


@pytest.fixture
def waits(set_timings: Callable[..., None]) -> list[float]:
    """The seconds that retries and rate limits would have waited; none of them does."""
    return note_waits(set_timings)
