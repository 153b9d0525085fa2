"""A registry with images to join, and the program in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import serve
from oci_merge_cli.program import run
from tests.cli.running import Outcome, Program


@pytest.fixture
def registry() -> EmbeddedRegistry:
    """A registry with `team/img-ARCHVARIANT:1.0` for amd64, arm64 and arm/v7."""
    registry = EmbeddedRegistry()
    registry.add_image("team/img-amd64", "1.0", build_image("linux", "amd64"))
    registry.add_image("team/img-arm64", "1.0", build_image("linux", "arm64"))
    registry.add_image("team/img-armv7", "1.0", build_image("linux", "arm", "v7"))
    return registry


@pytest.fixture
def host(registry: EmbeddedRegistry) -> Iterator[str]:
    """The authority at which the registry is served."""
    with serve(registry.app) as server:
        yield server.host


@pytest.fixture
def merge_arguments(host: str) -> list[str]:
    """A merge that succeeds: of three platforms, to `team/img:1.0`."""
    return [
        *("--platforms", "linux/amd64,linux/arm64,linux/arm/v7"),
        *("--template", f"{host}/team/img-ARCHVARIANT:1.0"),
        *("--target", f"{host}/team/img:1.0"),
    ]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Program:
    """The program, run in this process for each call with its arguments."""

    def call(*arguments: str) -> Outcome:
        status = run(arguments)
        return Outcome(status, *capsys.readouterr())

    return call
