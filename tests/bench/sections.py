"""The parts of the benchmark, each of which can be run alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.bulk import RTTS, measure_bulk, measure_many
from tests.bench.cases import (
    Case,
    headline,
    images,
    order,
    source_of,
    target_of,
    variations,
)
from tests.bench.cold import measure_cold
from tests.bench.figures import BulkResult, CaseResult, ColdResult, RoundTrips, Samples
from tests.bench.peers import OCI_MERGE, Tool
from tests.bench.stand import Stand, clean_environment, open_stand
from tests.bench.timing import Contestant, Launcher, Sample, take_turns

BARE = "python -I -c pass"
"""What the report calls an interpreter that does nothing."""

_START_UP_RUNS = 20
_ROUND_TRIP_RTT = 200
# Noise on either side is a wrong count, so these are many, whoever asks for few.
_ROUND_TRIP_RUNS = 7
_PATIENCE_SECONDS = 12.0
_ROUND_TRIP_PATIENCE_SECONDS = 60.0
_BULK_PATIENCE_SECONDS = 60.0
_COLD_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Field:
    """Who takes part, and how often.

    Args:
        python: the interpreter that oci-merge runs on.
        own: oci-merge.
        peers: the other tools.
        runs: how many turns of each case are counted.
        few_runs: the same for the variations, and where many images are merged.
        say: told of what is done, a sentence each time.
    """

    python: str
    own: Tool
    peers: Sequence[Tool]
    runs: int
    few_runs: int
    say: Callable[[str], None]


def run_headline(field: Field, rtts: Sequence[int]) -> list[CaseResult]:
    """Time the main case.

    Args:
        field: who takes part.
        rtts: the round trips, in milliseconds.
    """
    return [_measure(field, case) for case in headline(rtts)]


def run_variations(field: Field) -> list[CaseResult]:
    """Time the main case with one thing changed at a time."""
    fewer = replace(field, runs=field.few_runs)
    return [_measure(fewer, case) for case in variations()]


def run_round_trips(field: Field) -> list[RoundTrips]:
    """Count the round trips that oci-merge waits for."""
    alone = replace(field, peers=(), runs=_ROUND_TRIP_RUNS)

    def samples(case: Case) -> Sequence[Sample]:
        return _measure(alone, case, _ROUND_TRIP_PATIENCE_SECONDS).samples[OCI_MERGE]

    wires = [Case(False, _ROUND_TRIP_RTT), Case(True, _ROUND_TRIP_RTT)]
    wires.append(replace(wires[-1], known=True))
    slow = [replace(case, platforms=count) for case in wires for count in (3, 8)]
    return [RoundTrips(case, samples(replace(case, rtt=0)), samples(case)) for case in slow]


def run_bulk(field: Field) -> list[BulkResult]:
    """Time the merging of many images."""
    found = []
    for tls, rtt in itertools.product((False, True), RTTS):
        field.say(f"many images, {Case(tls, 0).wire}, {rtt} ms")
        found.append(
            measure_bulk(
                tls,
                rtt,
                field.python,
                field.peers,
                runs=field.few_runs,
                patience=_BULK_PATIENCE_SECONDS,
            )
        )
    return found


def run_many(field: Field) -> list[BulkResult]:
    """Merge a thousand images in one process of oci-merge's."""
    field.say("a thousand images")
    return [measure_many(field.python, runs=field.few_runs)]


def run_start_up(field: Field) -> Samples:
    """Time each tool's version, and an interpreter that does nothing."""
    field.say("start-up")
    contestants = [Contestant(BARE, lambda turn: [(field.python, "-I", "-c", "pass")])]
    contestants += [_version_of(tool) for tool in (field.own, *field.peers)]
    with (
        TemporaryDirectory(prefix="oci-merge-bench-") as home,
        Launcher(clean_environment(Path(home))) as launcher,
    ):
        return take_turns(
            contestants, launcher.run, runs=_START_UP_RUNS, patience=_PATIENCE_SECONDS
        )


def run_cold(field: Field) -> ColdResult:
    """Time jobs that begin with nothing."""
    return measure_cold(
        field.python,
        field.peers,
        runs=field.few_runs,
        patience=_COLD_PATIENCE_SECONDS,
        say=field.say,
    )


def _version_of(tool: Tool) -> Contestant:
    return Contestant(tool.name, lambda turn: [(*tool.program, *tool.version)])


def _measure(field: Field, case: Case, patience: float = _PATIENCE_SECONDS) -> CaseResult:
    """Time all tools in one case."""
    field.say(f"{case.title}, {case.wire}, {case.rtt} ms")
    with open_stand(case.tls, case.rtt, known=case.known) as stand:
        made = images(case.platforms).items()
        stand.push({source_of(case, suffix): image for suffix, image in made})
        contestants = [_contestant(stand, case, tool) for tool in (field.own, *field.peers)]
        samples = take_turns(contestants, stand.run, runs=field.runs, patience=patience)
    return CaseResult(case, samples)


def _contestant(stand: Stand, case: Case, tool: Tool) -> Contestant:
    def check() -> None:
        repository, tags = target_of(case, tool.name, 0)
        stand.expect([(repository, tag) for tag in tags], case.platforms)

    return Contestant(
        name=tool.name,
        commands=lambda turn: tool.commands(order(case, stand.host, stand.work, tool.name, turn)),
        check=check,
    )
