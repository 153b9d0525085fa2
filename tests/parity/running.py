"""Runs the program on the recorded cases, and keeps what came of each."""

from __future__ import annotations

import contextlib
import fcntl
import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from fixtures.parity import ParityCase
from fixtures.seed import FetchedManifest, Seeder
from oci_merge_cli.program import run
from tests.cli.running import Outcome, Program

_T = TypeVar("_T")


class CaseRun(NamedTuple):
    """What a case came to.

    Args:
        outcome: how the program ended and what it printed.
        found: each target to what stood there afterwards.
    """

    outcome: Outcome
    found: dict[str, FetchedManifest]


def run_here(*arguments: str, name: str = "oci-merge") -> Outcome:
    """Run the program in this process, at any time of a test.

    Args:
        arguments: its arguments.
        name: the name that it is called by.
    """
    stdout, stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        status = run(arguments, name=name)
    stdout.seek(0)
    return Outcome(status, stdout.read(), stderr.getvalue())


def run_cases(
    cases: Sequence[ParityCase], program: Program, seeder: Seeder, host: str, folder: Path
) -> dict[str, CaseRun]:
    """Run cases in their order on one registry.

    Args:
        cases: the cases.
        program: runs the program.
        seeder: a client of the registry.
        host: the registry's `HOST:PORT`.
        folder: an empty folder for the files of the cases.

    Returns:
        By the names of the cases, what came of each.
    """
    runs = {}
    for number, case in enumerate(cases):
        files = folder / f"{number:02}"
        files.mkdir()
        outcome = program(*case.arguments(host, files))
        found = {target: seeder.get_manifest(*target.rsplit(":", 1)) for target in case.targets}
        runs[case.name] = CaseRun(outcome, found)
    return runs


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], _T]) -> _T:
    """Make something once, however many processes of this test run ask for it.

    Args:
        factory: knows the folder of the test run.
        name: names it in that folder.
        make: makes it; it can be pickled.
    """
    folder = factory.getbasetemp()
    if folder.name.startswith("popen-"):  # a worker's own folder
        folder = folder.parent
    with _locked(folder / f"{name}.lock"):
        kept = folder / f"{name}.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make()))
        made: _T = pickle.loads(kept.read_bytes())
        return made


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
