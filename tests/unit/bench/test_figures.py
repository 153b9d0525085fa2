"""Turns, and what is made of the times."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import pytest

from tests.bench.bulk import loop_script, xargs_input
from tests.bench.cases import Case
from tests.bench.figures import RoundTrips, ratio
from tests.bench.machine import version_in
from tests.bench.peers import Command
from tests.bench.timing import (
    BenchError,
    Contestant,
    Launcher,
    Sample,
    allowed_runs,
    take_turns,
)


def samples(*seconds: float) -> tuple[Sample, ...]:
    return tuple(Sample(each, peak=0) for each in seconds)


def turns(seconds: Mapping[str, float], patience: float, *, warm: bool = True) -> list[str]:
    """Return who ran when, each run taking the seconds given."""
    ran: list[str] = []

    def run(commands: Sequence[Command]) -> Sample:
        ran.append(" ".join(commands[0]))
        return Sample(seconds[commands[0][0]], peak=0)

    def contestant(name: str) -> Contestant:
        return Contestant(name, lambda turn: [(name, str(turn))])

    take_turns(list(map(contestant, seconds)), run, runs=3, patience=patience, warm=warm)
    return ran


def test_everybody_takes_turns() -> None:
    ran = turns({"a": 1, "b": 1}, patience=100)

    assert ran == ["a 0", "b 0", "a 1", "b 1", "a 2", "b 2", "a 3", "b 3"]


def test_who_is_slow_sits_out() -> None:
    assert turns({"a": 1, "b": 5}, patience=12) == [
        *("a 0", "b 0"),
        *("a 1", "b 1", "a 2", "b 2", "a 3"),
    ]


def test_without_a_warm_up_the_first_counted_run_says_who_is_slow() -> None:
    assert turns({"a": 1, "b": 20}, patience=12, warm=False) == ["a 1", "b 1", "a 2", "a 3"]


@pytest.mark.parametrize(("seconds", "allowed"), [(0.1, 5), (4, 3), (5, 2), (60, 1)])
def test_a_slow_tool_gets_fewer_runs_but_one_at_least(seconds: float, allowed: int) -> None:
    assert allowed_runs(seconds, runs=5, patience=12) == allowed


def test_what_a_first_run_left_is_looked_at() -> None:
    def wrong() -> None:
        raise BenchError("no index")

    contestant = Contestant("a", lambda turn: [("a",)], wrong)
    with pytest.raises(BenchError, match="no index"):
        take_turns([contestant], lambda commands: Sample(1, 0), runs=1, patience=1)


def test_a_ratio_is_taken_turn_by_turn() -> None:
    # The machine was slow in the second turn; the medians by themselves would say 1.
    found = {"a": samples(1, 10, 4), "b": samples(2, 20, 4)}

    assert ratio(found, "a", "b") == 0.5


def test_a_ratio_needs_both() -> None:
    assert ratio({"a": samples(1)}, "a", "b") is None


def test_round_trips_are_what_the_delay_adds() -> None:
    found = RoundTrips(Case(False, 200), samples(0.3, 0.25), samples(1.45, 1.9))

    assert found.count == pytest.approx(6)


def test_a_loop_stops_at_a_failure_and_keeps_words_together() -> None:
    assert loop_script([[("p", "a b"), ("p", "c")], [("p", "d")]]) == (
        "set -e\np 'a b'\np c\np d\n"
    )


def test_xargs_is_told_the_program_once() -> None:
    assert xargs_input(("docker", "buildx"), [[("docker", "buildx", "a b", "c")]]) == "'a b' c\n"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v0.21.2\n", "v0.21.2"),
        ("buildah version 1.28.2 (image-spec 1.1.0-rc2)", "1.28.2"),
        ("docker-registry github.com/docker/distribution 2.8.2+ds1", "2.8.2+ds1"),
        ("manifest-tool version (commit: )", None),
        ("github.com/docker/buildx v0.0.0+unknown", None),
    ],
)
def test_a_version_is_found_in_what_a_program_says(said: str, version: str | None) -> None:
    assert version_in(said) == version


def test_a_command_that_fails_is_an_error_with_what_it_said() -> None:
    with Launcher({}) as launcher, pytest.raises(BenchError, match="status 3:\nno registry"):
        launcher.run([("/bin/sh", "-c", "echo no registry >&2; exit 3")])


def test_commands_are_timed_together_and_get_the_environment_alone() -> None:
    with Launcher({"GIVEN": "1"}) as launcher:
        one = ("/bin/sh", "-c", 'test "$GIVEN" = 1 && test -z "$HOME" && sleep 0.05')
        found = launcher.run([one, one])

    assert 0.1 <= found.seconds < 2
    assert 100_000 < found.peak < 50_000_000


def test_what_a_command_starts_is_counted_as_computing() -> None:
    program = "import time\nwhile time.process_time() < 0.1: pass"
    with Launcher({}) as launcher:
        shell = ("/bin/sh", "-c", f"'{sys.executable}' -I -S -c '{program}'; true")
        found = launcher.run([shell, shell])

    assert found.computing >= 0.2
