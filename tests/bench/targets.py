"""What was promised beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.bench.bulk import LOOP_RTT, MANY, ONE_PROCESS, RTTS, loop_name, xargs_name
from tests.bench.cases import VARIED_RTT, Case
from tests.bench.cold import SINGLE, bare
from tests.bench.figures import BulkResult, Results, computing, median, peak, ratio, share
from tests.bench.peers import OCI_MERGE
from tests.bench.sections import BARE

_RIVAL = "manifest-tool"

# By TLS: how much of manifest-tool's time the main case may take; then round trips by the case.
_MAIN_SHARE = {False: 0.38, True: 0.40}
_ROUND_TRIPS = {
    Case(False, 0): 6.0,
    Case(False, 0, platforms=8): 7.0,
    Case(True, 0): 10.0,
    Case(True, 0, platforms=8): 10.0,
    Case(True, 0, known=True): 7.0,
    Case(True, 0, platforms=8, known=True): 7.0,
}
_EIGHT_SHARE = 0.22
_KNOWN_SHARE = {3: 0.40, 8: 0.20}
_AHEAD_RTT = 8
_AT_ONCE_SHARE = 2.2
_LOOP_SPEED = 8.0
# The share of the time of xargs, where there is a network; then what a thousand images may take.
_XARGS_SHARE = 0.33
_COMPUTING = 0.010
_MANY_BYTES = 60 * 2**20
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
    bounds = [
        pair
        for tls in (False, True)
        for pair in (
            (Case(tls, VARIED_RTT), _MAIN_SHARE[tls]),
            (Case(tls, VARIED_RTT, platforms=8), _EIGHT_SHARE),
            (Case(tls, _AHEAD_RTT), 1.0),
            (Case(tls, 0), _AT_ONCE_SHARE),
        )
    ]
    for count, bound in _KNOWN_SHARE.items():
        bounds.append((Case(True, VARIED_RTT, platforms=count, known=True), bound))
    for case, bound in bounds:
        found = results.find(case)
        yield Target(
            f"time / {_RIVAL}'s, {case.platforms} platforms, {case.rtt} ms, {case.wire}",
            bound,
            None if found is None else share(found.samples, _RIVAL),
        )


def _round_trips(results: Results) -> Iterator[Target]:
    counted = {replace(found.case, rtt=0): found.count for found in results.round_trips}
    for case, bound in _ROUND_TRIPS.items():
        what = f"round trips, {case.platforms} platforms, {case.wire}"
        yield Target(what, bound, counted.get(case))


def _bulk(results: Results) -> Iterator[Target]:
    by_wire = {(found.tls, found.rtt): found for found in results.bulk}
    for tls in (False, True):
        many = f"many images, {Case(tls, 0).wire}"
        found = by_wire.get((tls, LOOP_RTT))
        faster = None if found is None else speed(found, loop_name(_RIVAL))
        what = f"{many}: times faster than {loop_name(_RIVAL)}"
        yield Target(what, _LOOP_SPEED, faster, at_most=False)
        for rtt in filter(None, RTTS):
            found = by_wire.get((tls, rtt))
            taken = None if found is None else ratio(found.samples, ONE_PROCESS, xargs_name(_RIVAL))
            yield Target(f"{many}, {rtt} ms: time / {xargs_name(_RIVAL)}'s", _XARGS_SHARE, taken)
    thousand = next(iter(results.many), None)
    each = None if thousand is None else thousand.computing(ONE_PROCESS)
    memory = None if thousand is None else float(peak(thousand.samples[ONE_PROCESS]))
    what = f"{MANY} images, plain HTTP, {LOOP_RTT} ms"
    yield Target(f"{what}: computing an image", _COMPUTING, each, unit=" ms", scale=1e-3)
    yield Target(f"{what}: peak memory", _MANY_BYTES, memory, unit=" MiB", scale=2**20)


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
