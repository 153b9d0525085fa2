"""How many calls of ours a request passes on its way to the session."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import oci_merge
from oci_merge.http.message import Request
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.manifests import ManifestClient
from tests.edge.fake import FakeNetwork, FakeSession
from tests.edge.support import AMD64, PASSWORD, challenged, found, reference

pytestmark = pytest.mark.anyio

_PACKAGE = str(Path(oci_merge.__file__).parent)
_BASIC = 'Basic realm="r"'
_BEARER = 'Bearer realm="https://auth.test/token"'
_MANIFEST = "https://reg.test/v2/team/app/manifests/1.0"


class _Frames(FakeNetwork):
    """Notes, for each request to the registry, the functions of ours that are on the stack."""

    def __init__(self) -> None:
        super().__init__()
        self.stacks: list[list[str]] = []

    def _answer(self, request: Request) -> httpx.Response:
        if "reg.test" in self._url(request):
            frame, names = sys._getframe(), []
            while frame := frame.f_back:  # type: ignore[assignment]
                if frame.f_code.co_filename.startswith(_PACKAGE):
                    names.append(frame.f_code.co_qualname)
                elif frame.f_code is FakeSession.send.__code__:
                    names.append("Session.send")
            self.stacks.append(names[::-1])
        return super()._answer(request)


async def _get(registry: RegistryClient) -> None:
    await ManifestClient(registry).get(reference())


async def _get_raw(registry: RegistryClient) -> None:
    await ManifestClient(registry).get_raw(reference())


@pytest.mark.parametrize("challenge", ["", _BASIC, _BEARER])
@pytest.mark.parametrize("call", [_get, _get_raw])
async def test_a_request_passes_four_calls_from_a_manifest_to_the_session(
    call: Callable[[RegistryClient], object], challenge: str
) -> None:
    network = _Frames()
    first = [challenged(challenge)] if challenge else []
    network.add(_MANIFEST, *first, found(AMD64))
    network.add("https://auth.test/", httpx.Response(200, json={"token": "t0ken"}))
    async with network.opened(username="ci", password=PASSWORD) as registry:
        await _get(registry)  # it finds out how the registry asks
        await call(registry)  # type: ignore[misc]
    assert network.stacks[-1] == [
        f"ManifestClient.{call.__name__.removeprefix('_')}",
        "RegistryClient.request",
        "Authenticator.send",
        "Session.send",
    ]
