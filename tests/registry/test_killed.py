"""Runs that are broken off on a real distribution: no tag moves, and a rerun finishes the job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

import oci_merge
from fixtures.distribution import AccessRecord, Distribution
from fixtures.network.delay_proxy import DelayProxy
from tests.registry.team import THREE, THREE_PLATFORMS, push_team, seeder

#: Long enough to hit a run between any two of its steps.
RTT = 0.6


def start(team: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "oci_merge_cli", "--tags", "latest"),
            *("--template", f"{team}/img-ARCHVARIANT:1.0", "--target", f"{team}/img:1.0"),
            *("--platforms", ",".join(THREE_PLATFORMS)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )


def wait_until(
    registry: Distribution, seen: Callable[[list[AccessRecord]], bool], since: int
) -> None:
    deadline = time.monotonic() + 30
    while not seen(registry.access_log()[since:]):
        assert time.monotonic() < deadline, "the run did not get that far"
        time.sleep(0.02)


def any_of(method: str, part: str, repository: str) -> Callable[[list[AccessRecord]], bool]:
    def seen(records: list[AccessRecord]) -> bool:
        return any(
            record.method == method and record.path.startswith(f"/v2/{repository}/{part}")
            for record in records
        )

    return seen


READING = ("GET", "manifests/")
MOUNTING = ("POST", "blobs/uploads/")
PUTTING_CHILDREN = ("PUT", "manifests/sha256:")


@pytest.mark.parametrize(
    ("stage", "sent"),
    [
        pytest.param(READING, signal.SIGKILL, id="killed while reading"),
        pytest.param(MOUNTING, signal.SIGKILL, id="killed while mounting"),
        pytest.param(PUTTING_CHILDREN, signal.SIGKILL, id="killed while putting children"),
        pytest.param(MOUNTING, signal.SIGTERM, id="terminated while mounting"),
        pytest.param(PUTTING_CHILDREN, signal.SIGINT, id="interrupted while putting children"),
    ],
)
def test_a_broken_off_run_moves_no_tag_and_a_rerun_finishes_it(
    plain_registry: Distribution, stage: tuple[str, str], sent: signal.Signals
) -> None:
    direct = push_team(plain_registry)
    name = direct.partition("/")[2]
    before = oci_merge.merge(f"{direct}/img:1.0", sources=[f"{direct}/img-amd64:1.0"])
    since = len(plain_registry.access_log())

    with DelayProxy("127.0.0.1", plain_registry.port, RTT) as slow:
        run = start(f"127.0.0.1:{slow.port}/{name}")
        method, part = stage
        # The first step reads the target's tag too, so that is where reading shows.
        wait_until(plain_registry, any_of(method, part, f"{name}/img"), since)
        run.send_signal(sent)
        status = run.wait(30)

    assert status == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[sent]
    with seeder(plain_registry) as look:
        assert look.get_manifest(f"{name}/img", "1.0").digest == before.digest
        assert look.get_manifest(f"{name}/img", "latest").status == 404

    rerun = start(direct)

    assert rerun.wait(30) == 0
    with seeder(plain_registry) as look:
        index = look.get_manifest(f"{name}/img", "1.0")
        assert look.get_manifest(f"{name}/img", "latest").digest == index.digest
        for image in THREE.values():
            assert image.digest in index.body.decode()
            assert look.get_manifest(f"{name}/img", image.digest).status == 200
