"""The command lines by which each tool carries out an order."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.bench.cases import Case, headline, order, target_of, variations
from tests.bench.peers import OCI_MERGE, PEERS, Tool

PLAIN = Case(tls=False, rtt=0, platforms=2)
EXPECTED = {
    "oci-merge": """\
P --template reg/bench/app-ARCHVARIANT:1.0 --platforms linux/amd64,linux/arm64 \
--target reg/bench/x-1:x-1-t0 --tags x-1-t1""",
    "manifest-tool": """\
P --plain-http push from-args --template reg/bench/app-ARCHVARIANT:1.0 \
--platforms linux/amd64,linux/arm64 --target reg/bench/x-1:x-1-t0 --tags x-1-t1""",
    "crane": """\
P index append -m reg/bench/app-amd64:1.0 -m reg/bench/app-arm64:1.0 -t reg/bench/x-1:x-1-t0
P tag reg/bench/x-1:x-1-t0 x-1-t1""",
    "buildx": """\
P imagetools create -t reg/bench/x-1:x-1-t0 -t reg/bench/x-1:x-1-t1 \
reg/bench/app-amd64:1.0 reg/bench/app-arm64:1.0""",
    "regctl": """\
P --host reg=reg,tls=disabled index create reg/bench/x-1:x-1-t0 \
--ref reg/bench/app-amd64:1.0 --ref reg/bench/app-arm64:1.0
P --host reg=reg,tls=disabled image copy reg/bench/x-1:x-1-t0 reg/bench/x-1:x-1-t1""",
    "buildah": """\
P --root W/buildah --runroot W/buildah-run --storage-driver vfs manifest create \
--tls-verify=false x-1 docker://reg/bench/app-amd64:1.0 docker://reg/bench/app-arm64:1.0
P --root W/buildah --runroot W/buildah-run --storage-driver vfs manifest push \
--tls-verify=false --all x-1 docker://reg/bench/x-1:x-1-t0
P --root W/buildah --runroot W/buildah-run --storage-driver vfs manifest push \
--tls-verify=false --all x-1 docker://reg/bench/x-1:x-1-t1""",
}


def lines(name: str, case: Case, turn: int = 1) -> str:
    commands = Tool(name, ("P",), ()).commands(order(case, "reg", Path("W"), "x", turn))
    return "\n".join(map(shlex.join, commands))


@pytest.mark.parametrize("name", [OCI_MERGE, *PEERS])
def test_a_tool_is_called_as_its_manual_says(name: str) -> None:
    assert lines(name, PLAIN) == EXPECTED[name]


@pytest.mark.parametrize("name", PEERS)
def test_with_tls_no_tool_is_told_to_do_without(name: str) -> None:
    told = lines(name, Case(tls=True, rtt=0))

    assert "plain" not in told
    assert "disabled" not in told
    assert "verify" not in told


@pytest.mark.parametrize("name", [OCI_MERGE, *PEERS])
def test_every_tool_publishes_every_tag(name: str) -> None:
    case = Case(tls=False, rtt=0, tags=5)
    told = lines(name, case).replace(",", " ").replace(":", " ").split()

    assert set(target_of(case, "x", 1)[1]) <= set(told)


def test_without_more_tags_nothing_is_said_of_them() -> None:
    assert "--tags" not in lines(OCI_MERGE, Case(tls=False, rtt=0, tags=1))


@pytest.mark.parametrize("case", [Case(False, 0), Case(False, 0, one_repository=True)])
def test_a_fresh_target_is_another_in_each_turn(case: Case) -> None:
    targets = {order(case, "reg", Path("W"), "x", turn).target for turn in range(3)}

    assert len(targets) == 3


def test_an_unchanged_target_is_the_same_in_each_turn() -> None:
    case = Case(tls=False, rtt=0, unchanged=True)

    assert (
        order(case, "reg", Path("W"), "x", 0).target == order(case, "reg", Path("W"), "x", 7).target
    )


def test_one_repository_has_the_images_and_the_target() -> None:
    found = order(Case(False, 0, one_repository=True), "reg", Path("W"), "x", 1)
    references = (found.template, found.target, *found.sources)

    assert {reference.rpartition(":")[0] for reference in references} == {"reg/bench/app"}


def test_no_case_is_there_twice() -> None:
    cases = headline() + variations()

    assert len(set(cases)) == len(cases)
