"""A registry with the images of the corpus, for each test anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.server import serve
from tests.parity.cases import corpus_registry


@pytest.fixture
def registry() -> EmbeddedRegistry:
    """A registry that holds the images of the corpus."""
    return corpus_registry()


@pytest.fixture
def host(registry: EmbeddedRegistry) -> Iterator[str]:
    """The authority at which the registry is served."""
    with serve(registry.app) as server:
        yield server.host
