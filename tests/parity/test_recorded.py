"""What manifest-tool did with 44 command lines, oci-merge does too, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.distribution import PROGRAM, Distribution
from fixtures.embedded import EmbeddedRegistry
from fixtures.parity import ParityCase, load_cases, push_images
from fixtures.seed import FetchedManifest, Seeder
from fixtures.server import serve
from tests.cli.running import Program, run_process
from tests.installed import installed
from tests.parity.running import CaseRun, once, run_cases, run_here

CASES = load_cases()
REGISTRIES = ["embedded", pytest.param("distribution", marks=pytest.mark.real_registry)]


class Recorded:
    """A run of all cases on one registry.

    Args:
        host: the registry's `HOST:PORT`.
        cases: what came of each, by its name.
    """

    def __init__(self, host: str, cases: dict[str, CaseRun]) -> None:
        self.host = host
        self.cases = cases


@pytest.fixture(scope="module", params=REGISTRIES)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """All cases run on an embedded registry, and in processes of their own on a real one."""
    folder = tmp_path_factory.mktemp("cases")
    if request.param == "embedded":
        return once(tmp_path_factory, "embedded", lambda: on_embedded(folder))
    installed(PROGRAM)
    return once(tmp_path_factory, "distribution", lambda: on_distribution(folder))


def on_embedded(folder: Path) -> Recorded:
    with serve(EmbeddedRegistry().app) as server:
        return on_registry(server.host, server.url, run_here, folder)


def on_distribution(folder: Path) -> Recorded:
    with Distribution() as registry:
        return on_registry(registry.host, registry.url, run_process, folder)


def on_registry(host: str, url: str, program: Program, folder: Path) -> Recorded:
    with Seeder(url) as seeder:
        push_images(seeder)
        return Recorded(host, run_cases(CASES, program, seeder, host, folder))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_recorded_command_line_does_what_it_did(recorded: Recorded, case: ParityCase) -> None:
    outcome, found = recorded.cases[case.name]

    assert outcome.status == case.exit, outcome.stderr
    if case.exit == 0:
        assert outcome.stdout == case.output(recorded.host)
        assert [line for line in outcome.errors if not line.startswith("warning: ")] == []
    for target, manifest in case.pushed.items():
        assert found[target].status == manifest.status
        if manifest.status == 200:
            assert found[target] == FetchedManifest(
                200, manifest.media_type, manifest.digest, manifest.body
            )
