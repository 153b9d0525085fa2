"""What was promised beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.bulk import ONE_PROCESS, loop_name, xargs_name
from tests.bench.cases import VARIED_RTT, Case
from tests.bench.cold import SINGLE, bare
from tests.bench.figures import BulkResult, Results, computing, median, peak, ratio, share
from tests.bench.peers import OCI_MERGE
from tests.bench.sections import BARE

_RIVAL = "manifest-tool"

# By TLS: how much of manifest-tool's time the main case may take; then round trips by platforms.
_MAIN_SHARE = {False: 0.38, True: 0.40}
_ROUND_TRIPS = {(False, 3): 6.0, (False, 8): 7.0, (True, 3): 10.0, (True, 8): 10.0}
_EIGHT_SHARE = 0.22
_AHEAD_RTT = 8
_AT_ONCE_SHARE = 2.2
_LOOP_SPEED = 8.0
_XARGS_SPEED = 3.0
_BULK_BYTES = 120_000_000
_START_UP = 2.0
_COLD_SECONDS = 3.0
_COLD_BYTES = 15_000_000


@dataclass(frozen=True)
class Target:
    """A bound that a figure has to keep.

    Args:
        what: what is measured, in words.
        bound: the bound.
        measured: the figure, None where it was not measured.
        at_most: whether the figure may be the bound at most; else it has to be that at least.
        unit: what stands behind both, such as ` MB`.
        scale: what both are divided by to be shown.
    """

    what: str
    bound: float
    measured: float | None
    at_most: bool = True
    unit: str = ""
    scale: float = 1.0

    @property
    def is_met(self) -> bool | None:
        """Whether the figure keeps the bound, None where there is no figure."""
        if self.measured is None:
            return None
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound


def targets(results: Results) -> list[Target]:
    """Return every target with its figure.

    Args:
        results: what was measured; much of it may be missing.
    """
    return [
        *_shares(results),
        *_round_trips(results),
        *_bulk(results),
        Target(
            f"time of `{OCI_MERGE} --version` / `{BARE}`",
            _START_UP,
            ratio(results.start_up, OCI_MERGE, BARE),
        ),
        *_cold(results),
    ]


def _shares(results: Results) -> Iterator[Target]:
    for tls in (False, True):
        for case, bound in (
            (Case(tls, VARIED_RTT), _MAIN_SHARE[tls]),
            (Case(tls, VARIED_RTT, platforms=8), _EIGHT_SHARE),
            (Case(tls, _AHEAD_RTT), 1.0),
            (Case(tls, 0), _AT_ONCE_SHARE),
        ):
            found = results.find(case)
            yield Target(
                f"time / {_RIVAL}'s, {case.platforms} platforms, {case.rtt} ms, {case.wire}",
                bound,
                None if found is None else share(found.samples, _RIVAL),
            )


def _round_trips(results: Results) -> Iterator[Target]:
    counted = {(found.case.tls, found.case.platforms): found.count for found in results.round_trips}
    for (tls, platforms), bound in _ROUND_TRIPS.items():
        what = f"round trips, {platforms} platforms, {Case(tls, 0).wire}"
        yield Target(what, bound, counted.get((tls, platforms)))


def _bulk(results: Results) -> Iterator[Target]:
    by_wire = {found.tls: found for found in results.bulk}
    for tls in (False, True):
        found = by_wire.get(tls)
        many = f"many images, {Case(tls, 0).wire}"
        for name, bound in (
            (loop_name(_RIVAL), _LOOP_SPEED),
            (xargs_name(_RIVAL), _XARGS_SPEED),
        ):
            faster = None if found is None else speed(found, name)
            yield Target(f"{many}: times faster than {name}", bound, faster, at_most=False)
        memory = None if found is None else float(peak(found.samples[ONE_PROCESS]))
        what = f"{many}: peak memory"
        yield Target(what, _BULK_BYTES, memory, unit=" MB", scale=1e6)


def _cold(results: Results) -> Iterator[Target]:
    found = results.cold
    for way in (SINGLE, bare(SINGLE)):
        yield Target(
            f"from nothing to published, {way}: computing",
            _COLD_SECONDS,
            None if found is None else computing(found.samples[way]),
            unit=" s",
        )
    yield Target(
        f"{SINGLE}: bytes",
        _COLD_BYTES,
        None if found is None else float(found.footprints[SINGLE].downloaded),
        unit=" MB",
        scale=1e6,
    )


def speed(found: BulkResult, name: str) -> float | None:
    """Return how many times faster oci-merge's one process is, None if the other was not run."""
    samples = found.samples
    if not samples.get(name):
        return None
    # Runs of a minute are few, often one, so their medians are compared and not turns.
    return median(samples[name]) / median(samples[ONE_PROCESS])
