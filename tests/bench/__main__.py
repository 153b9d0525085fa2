"""`python -m tests.bench`: times oci-merge against other tools and writes what came of it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import sections
from tests.bench.cases import HEADLINE_RTTS
from tests.bench.figures import Results
from tests.bench.machine import describe_machine, describe_versions
from tests.bench.peers import PEERS, find_peers, own_tool
from tests.bench.report import PLOT, Setting, render
from tests.bench.sections import Field
from tests.bench.stand import clean_environment
from tests.bench.timing import ROOT, BenchError
from tools.pictures.plot import plot

_SECTIONS = ("headline", "variations", "round-trips", "bulk", "thousand", "start-up", "cold")
_QUICK_RTTS = (0, 10)
_FEW_RUNS = 3  # where a run is long, or there are many cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Args:
        arguments: the words of the command line, this process's if None.

    Returns:
        The exit status: 0 if everything was measured, 1 if a tool failed.
    """
    options = _parser().parse_args(arguments)
    quick: bool = options.quick
    output: Path = options.output or ROOT / ("build" if quick else "docs") / "benchmarks"
    began = time.monotonic()
    with TemporaryDirectory(prefix="oci-merge-bench-") as home:
        peers, missing = find_peers(os.environ["PATH"], clean_environment(Path(home)))
    peers = [peer for peer in peers if peer.name not in options.without]
    if missing:
        _say(f"not on PATH: {', '.join(missing)}")
    # Not resolved: a link in a virtual environment is what tells Python of that environment.
    python = os.path.abspath(options.python)
    runs = options.runs or (2 if quick else 5)
    field = Field(python, own_tool(python), peers, runs, min(runs, _FEW_RUNS), _say)
    chosen = options.only or (_SECTIONS[:1] if quick else _SECTIONS)
    rtts = options.rtt or (_QUICK_RTTS if quick else HEADLINE_RTTS)
    setting = Setting(
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        machine=describe_machine(python),
        versions=describe_versions([field.own, *peers]),
        missing=[name for name in PEERS if name in {*missing, *options.without}],
    )
    try:
        results = _measure(field, chosen, sorted(set(rtts)))
    except BenchError as error:
        _say(f"error: {error}")
        return 1
    _write(results, setting, output)
    _say(f"{output}: written after {time.monotonic() - began:.0f} s")
    return 0


def _measure(field: Field, chosen: Sequence[str], rtts: Sequence[int]) -> Results:
    return Results(
        headline=sections.run_headline(field, rtts) if "headline" in chosen else (),
        variations=sections.run_variations(field) if "variations" in chosen else (),
        round_trips=sections.run_round_trips(field) if "round-trips" in chosen else (),
        bulk=sections.run_bulk(field) if "bulk" in chosen else (),
        many=sections.run_many(field) if "thousand" in chosen else (),
        start_up=sections.run_start_up(field) if "start-up" in chosen else {},
        cold=sections.run_cold(field) if "cold" in chosen else None,
    )


def _write(results: Results, setting: Setting, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    text = render(results, setting)
    (output / "results.md").write_text(text)
    if results.headline:
        (output / PLOT).write_text(plot(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Time oci-merge against the other tools on PATH that join images.",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a minute: the main case at two round trips, written to build/benchmarks",
    )
    parser.add_argument("--runs", type=int, metavar="N", help="counted runs of each case (5)")
    parser.add_argument(
        "--only", action="append", choices=_SECTIONS, help="this part alone; may be repeated"
    )
    parser.add_argument(
        "--rtt",
        type=int,
        action="append",
        metavar="MS",
        help="a round trip for the main case; may be repeated",
    )
    parser.add_argument(
        "--without", action="append", choices=PEERS, default=[], help="leave this tool out"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where to write (docs/benchmarks)"
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        metavar="PATH",
        help="the interpreter of an environment with oci-merge and nothing else (this one)",
    )
    return parser


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
