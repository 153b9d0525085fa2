"""Times whole processes, in turns."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.context import Context
from tests.bench.peers import Command

ROOT = Path(__file__).parents[2]
"""The folder that has this project in it."""

_TIMEOUT_SECONDS = 900.0


class BenchError(Exception):
    """A command failed, or did not leave in the registry what it should."""


@dataclass(frozen=True)
class Sample:
    """What one run took.

    Args:
        seconds: wall time, from the first process's start to the last one's end.
        peak: the memory of its largest process, in bytes.
        requests: what the registry was asked.
        connections: TCP connections, token server included; None where they are not counted.
        token_requests: what the token server was asked.
        computing: the processor time of all its processes, in seconds.
    """

    seconds: float
    peak: int
    requests: int = 0
    connections: int | None = None
    token_requests: int = 0
    computing: float = 0.0


@dataclass(frozen=True)
class Contestant:
    """One who takes turns.

    Args:
        name: what the report calls it.
        commands: from the number of a turn to its command lines; turn 0 is not counted.
        check: looks at what turn 0 left, and raises a BenchError if that is wrong.
    """

    name: str
    commands: Callable[[int], Sequence[Command]]
    check: Callable[[], None] = lambda: None


class Launcher(Context):
    """The process that runs and measures commands; a context manager.

    Args:
        environment: all variables that the commands get.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        program = Path(__file__).with_name("launcher.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(program)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        self._process.communicate()

    def run(self, commands: Sequence[Command]) -> Sample:
        """Run command lines one after the other.

        Args:
            commands: the command lines, each with a program's whole path.

        Returns:
            The times and the memory they took; requests are not counted here.

        Raises:
            BenchError: one of them ended with another status than 0.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "commands": commands,
            "environment": self.environment,
            "timeout": _TIMEOUT_SECONDS,
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["error"] is not None:
            raise BenchError(answer["error"])
        return Sample(seconds=answer["seconds"], peak=answer["peak"], computing=answer["computing"])


def take_turns(
    contestants: Sequence[Contestant],
    run: Callable[[Sequence[Command]], Sample],
    *,
    runs: int,
    patience: float,
    warm: bool = True,
) -> dict[str, tuple[Sample, ...]]:
    """Let everybody run once without counting, then count in turns: A B C, A B C.

    Args:
        contestants: who takes part.
        run: runs and measures command lines.
        runs: how many turns are counted.
        patience: the seconds that a contestant may use up; a slow one sits out the later turns.
        warm: whether there is a turn that is not counted.

    Returns:
        The counted runs of each, one at least.

    Raises:
        BenchError: a command failed, or left something wrong.
    """
    first: dict[str, float] = {}
    if warm:
        for contestant in contestants:
            first[contestant.name] = run(contestant.commands(0)).seconds
            contestant.check()
    samples: dict[str, list[Sample]] = {contestant.name: [] for contestant in contestants}
    for turn in range(1, runs + 1):
        for contestant in contestants:
            taken = samples[contestant.name]
            if taken and len(taken) >= allowed_runs(first[contestant.name], runs, patience):
                continue
            taken.append(run(contestant.commands(turn)))
            first.setdefault(contestant.name, taken[0].seconds)
    return {name: tuple(taken) for name, taken in samples.items()}


def allowed_runs(seconds: float, runs: int, patience: float) -> int:
    """Return how many of its runs a contestant gets.

    Args:
        seconds: what its first run took.
        runs: how many there are.
        patience: the seconds that all of them together may take.

    Returns:
        All of them if there is time, else fewer, but one at least.
    """
    return max(1, min(runs, int(patience / seconds)))
