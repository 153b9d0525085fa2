"""The first requests to a registry of this machine, one of which goes ahead over plain HTTP."""

from __future__ import annotations

import asyncio

import pytest

from oci_merge import NotFoundError
from oci_merge.registry.manifests import ManifestClient
from tests.edge.support import opened, reference, speaking

_NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of tests that are coroutines."""
    return "asyncio"


@pytest.mark.anyio
async def test_one_that_is_broken_off_is_sent_again_in_the_clear_if_another_is_answered_so() -> (
    None
):
    broken: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.read(65536)
        if start.startswith(b"\x16"):  # TLS, which this server does not speak
            await asyncio.sleep(0.2)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif b"/one/" in start and not broken:
            broken.append(start)
        else:
            await asyncio.sleep(0.1)
            writer.write(_NOTHING)

    async with speaking(handler) as host, opened(host) as registry:
        outcomes = await asyncio.gather(
            *(
                ManifestClient(registry).head(reference(f"{name}:1", host))
                for name in ("one", "two")
            ),
            return_exceptions=True,
        )
    assert broken
    assert [type(outcome) for outcome in outcomes] == [NotFoundError, NotFoundError], outcomes
