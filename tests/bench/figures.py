"""From samples to figures: medians, spread, ratios, round trips. Arithmetic alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.cases import Case
from tests.bench.peers import OCI_MERGE
from tests.bench.timing import Sample

Samples = Mapping[str, Sequence[Sample]]
"""The counted runs of each tool, by its name."""


@dataclass(frozen=True)
class CaseResult:
    """What came of one case.

    Args:
        case: the case.
        samples: the counted runs of each tool.
    """

    case: Case
    samples: Samples


@dataclass(frozen=True)
class RoundTrips:
    """How many round trips oci-merge waits for in one case.

    Args:
        case: the case, with the longer round trip.
        at_once: its runs without a delay.
        delayed: its runs with one.
    """

    case: Case
    at_once: Sequence[Sample]
    delayed: Sequence[Sample]

    @property
    def count(self) -> float:
        """The round trips: what the delay adds, in delays.

        A busy machine only ever adds to a time, so the least of both sides is taken.
        """
        added = least(self.delayed) - least(self.at_once)
        return added / (self.case.rtt / 1000)


@dataclass(frozen=True)
class BulkResult:
    """What came of merging many images.

    Args:
        tls: whether the registry has TLS and tokens.
        rtt: the round trip time, in milliseconds.
        images: how many images were merged.
        samples: the counted runs of oci-merge, and of each peer's two ways.
        left_out: the ways that would have been too slow, with the seconds of one run, judged by a
            few images.
    """

    tls: bool
    rtt: int
    images: int
    samples: Samples
    left_out: Mapping[str, float] = field(default_factory=dict)

    def computing(self, name: str) -> float:
        """Return how long a way computes for one image, in seconds: the median of its runs."""
        return computing(self.samples[name]) / self.images


@dataclass(frozen=True)
class Footprint:
    """What a way to have a tool takes, in bytes.

    Args:
        downloaded: what comes over the network.
        kept: what lies on the disk once the job is done.
    """

    downloaded: int
    kept: int


@dataclass(frozen=True)
class ColdResult:
    """What came of jobs that begin with nothing.

    Args:
        samples: the counted runs of each way.
        footprints: the bytes of each way.
    """

    samples: Samples
    footprints: Mapping[str, Footprint]


@dataclass(frozen=True)
class Results:
    """All that a run of the benchmark found; what was not run is empty.

    Args:
        headline: the main case at each round trip.
        variations: the main case with one thing changed.
        round_trips: of oci-merge.
        bulk: many images, at each round trip.
        many: a thousand of them, by oci-merge alone.
        start_up: runs that do nothing.
        cold: jobs that begin with nothing, None if they were not run.
    """

    headline: Sequence[CaseResult] = ()
    variations: Sequence[CaseResult] = ()
    round_trips: Sequence[RoundTrips] = ()
    bulk: Sequence[BulkResult] = ()
    many: Sequence[BulkResult] = ()
    start_up: Samples = field(default_factory=dict)
    cold: ColdResult | None = None

    def find(self, case: Case) -> CaseResult | None:
        """Return what came of a case, None if it was not run."""
        every = (*self.headline, *self.variations)
        return next((result for result in every if result.case == case), None)


def median(samples: Sequence[Sample]) -> float:
    """Return the median time, in seconds."""
    return statistics.median(sample.seconds for sample in samples)


def computing(samples: Sequence[Sample]) -> float:
    """Return the median processor time, in seconds."""
    return statistics.median(sample.computing for sample in samples)


def least(samples: Sequence[Sample]) -> float:
    """Return the shortest time, in seconds."""
    return min(sample.seconds for sample in samples)


def most(samples: Sequence[Sample]) -> float:
    """Return the longest time, in seconds."""
    return max(sample.seconds for sample in samples)


def peak(samples: Sequence[Sample]) -> int:
    """Return the largest peak memory, in bytes."""
    return max(sample.peak for sample in samples)


def ratio(samples: Samples, mine: str, other: str) -> float | None:
    """Return how long one takes in terms of another: the median over turns they both took.

    Args:
        samples: the counted runs.
        mine: whose time is divided.
        other: whose time it is divided by.

    Returns:
        The ratio, below 1 where the first is faster; None if one of them was not run.
    """
    # Turn by turn, so that what slows the machine for a while slows both sides of the ratio.
    pairs = list(zip(samples.get(mine, ()), samples.get(other, ()), strict=False))
    if not pairs:
        return None
    return statistics.median(one.seconds / another.seconds for one, another in pairs)


def share(samples: Samples, peer: str) -> float | None:
    """Return oci-merge's time in terms of a peer's, None if one of them was not run."""
    return ratio(samples, OCI_MERGE, peer)
