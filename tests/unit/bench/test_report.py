"""The report's text."""

from __future__ import annotations

import pytest

from tests.bench.bulk import ONE_PROCESS, loop_name
from tests.bench.cases import Case
from tests.bench.cold import SINGLE, VENV, bare
from tests.bench.figures import BulkResult, CaseResult, ColdResult, Footprint, Results, RoundTrips
from tests.bench.report import Setting, render
from tests.bench.sections import BARE
from tests.bench.targets import Target, targets
from tests.bench.timing import Sample

SETTING = Setting("today", [("CPU", "fast")], [("crane", "v1")], ["regctl", "buildah"])
FAST = (Sample(0.3, 50_000_000, 32, 20, 1), Sample(0.4, 60_000_000, 32, 20, 1))
SLOW = (Sample(1.0, 9_000_000, 57, 15, 6), Sample(1.2, 8_000_000, 57, 15, 6))
BOTH = {"oci-merge": FAST, "manifest-tool": SLOW}
COLD = (Sample(0.6, 0, computing=0.4), Sample(0.9, 0, computing=0.5))
ALL = Results(
    headline=[CaseResult(Case(tls, rtt), BOTH) for tls in (False, True) for rtt in (0, 50)],
    variations=[CaseResult(Case(False, 50, platforms=8), BOTH)],
    round_trips=[RoundTrips(Case(False, 200), FAST, SLOW)],
    bulk=[BulkResult(False, 10, 50, {ONE_PROCESS: FAST, loop_name("manifest-tool"): SLOW})],
    many=[BulkResult(False, 10, 1000, {ONE_PROCESS: (Sample(20, 50 * 2**20, computing=12.0),)})],
    start_up={BARE: FAST, "oci-merge": SLOW},
    cold=ColdResult(
        {SINGLE: COLD, bare(SINGLE): COLD, VENV: COLD},
        {
            SINGLE: Footprint(7_460_000, 7_460_000),
            bare(SINGLE): Footprint(7_460_000, 11_800_000),
            VENV: Footprint(6_600_000, 57_000_000),
        },
    ),
)


def test_every_row_of_a_table_has_as_many_cells() -> None:
    for block in render(ALL, SETTING).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block


@pytest.mark.parametrize(
    "text",
    [
        "| 50 ms | 350 (300 to 400) | 1100 (1000 to 1200) |",  # median, least and most
        "| 50 ms | 0.32 |",  # the median over turns: 0.3 / 1 and 0.4 / 1.2
        "| manifest-tool | 1100 | 1000 to 1200 | 0.32 | 57 | 15 | 6 | 9 | 2 |",  # all counts
        "| plain HTTP: 3 platforms, 2 tags, cross-repository, fresh target | 300 | 1000 | 3.5 |",
        "| manifest-tool, shell loop | 1.10 | 1.00 to 1.20 | 3.1 | 0.0 | 57 | 15 | 6 | 9 | 2 |",
        "| oci-merge, one process | 20.00 | 20.00 to 20.00 | 1.0 | 12.0 | 0 | - | 0 | 52 | 1 |",
        "| venv and pip install | 0.45 | 0.75 | 0.60 to 0.90 | 6.6 | 57.0 | 2 |",
        "Not on PATH, or not wanted: regctl, buildah.",
    ],
)
def test_the_report_says(text: str) -> None:
    assert text in render(ALL, SETTING)


def test_a_way_that_is_too_slow_is_named() -> None:
    bulk = BulkResult(False, 20, 50, {ONE_PROCESS: FAST}, {loop_name("buildah"): 123.4})

    assert "Too slow, so left out: buildah, shell loop (123 s)." in render(
        Results(bulk=[bulk]), SETTING
    )


def test_what_was_not_run_is_left_out() -> None:
    text = render(Results(headline=ALL.headline), SETTING)

    assert "## Time over round trip" in text
    for title in ("Variations", "Round trips that", "50 images", "Start-up", "From nothing"):
        assert f"## {title}" not in text


def test_connections_that_were_not_counted_are_no_number() -> None:
    sample = Sample(1, 1_000_000, 5)
    results = Results(variations=[CaseResult(Case(False, 0), {"oci-merge": (sample,)})])

    assert "| 5 | - | 0 |" in render(results, SETTING)


def test_targets_are_judged() -> None:
    found = {target.what: target for target in targets(ALL)}

    main = found["time / manifest-tool's, 3 platforms, 50 ms, plain HTTP"]
    assert main.measured == pytest.approx((0.3 + 0.4 / 1.2) / 2)
    assert main.is_met is True
    assert found["time / manifest-tool's, 8 platforms, 50 ms, plain HTTP"].is_met is False
    assert found["many images, plain HTTP: times faster than manifest-tool, shell loop"].is_met is (
        False
    )
    assert found["1000 images, plain HTTP, 10 ms: computing an image"].measured == 0.012
    assert found["1000 images, plain HTTP, 10 ms: computing an image"].is_met is False
    assert found["1000 images, plain HTTP, 10 ms: peak memory"].is_met is True
    assert found["round trips, 8 platforms, TLS and tokens"].is_met is None
    assert found["the single file: bytes"].is_met is True
    assert found[f"from nothing to published, {SINGLE}: computing"].measured == 0.45


def test_nothing_measured_meets_or_misses_no_target() -> None:
    assert {target.is_met for target in targets(Results())} == {None}


@pytest.mark.parametrize(("at_most", "met"), [(True, False), (False, True)])
def test_a_bound_is_the_most_or_the_least(at_most: bool, met: bool) -> None:
    assert Target("", 3, 4, at_most=at_most).is_met is met
