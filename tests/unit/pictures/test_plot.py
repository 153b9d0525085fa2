"""The plot of the benchmark shows the figures of the report."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.bench.cases import Case
from tests.bench.figures import CaseResult, Results
from tests.bench.report import Setting, render
from tests.bench.timing import Sample
from tools.pictures.plot import Point, plot, read

RESULTS = """\
| Date | 2026-01-02 03:04 UTC |

## Time over round trip

3 platforms, 2 tags.

![Time](time-over-round-trip.svg)

### Plain HTTP

Median, least and most, in ms:

| round trip | oci-merge | crane |
| --- | ---: | ---: |
| 0 ms | 300 (200 to 400) | 90 (80 to 100) |
| 100 ms | 900 (800 to 1000) | 4500 (4400 to 4600) |

oci-merge's time / theirs:

| round trip | crane |
| --- | ---: |
| 0 ms | 3.33 |

## Another part
"""


def test_the_tables_of_the_report_are_read() -> None:
    (panel,) = read(RESULTS)
    assert panel.wire == "Plain HTTP"
    assert panel.lines == {
        "oci-merge": [Point(0, 0.3, 0.2, 0.4), Point(100, 0.9, 0.8, 1.0)],
        "crane": [Point(0, 0.09, 0.08, 0.1), Point(100, 4.5, 4.4, 4.6)],
    }


def test_a_slower_run_stands_higher_and_a_longer_round_trip_further_right() -> None:
    root = ElementTree.fromstring(plot(RESULTS))
    dots = {
        (dot.attrib["class"], round(float(dot.attrib["cx"]))): float(dot.attrib["cy"])
        for dot in root.iter("{http://www.w3.org/2000/svg}circle")
    }
    near, far = sorted({x for _, x in dots})
    assert dots["blue", far] < dots["text", far] < dots["text", near] < dots["blue", near]


def test_the_figures_at_the_longest_round_trip_are_told() -> None:
    description = ElementTree.fromstring(plot(RESULTS))[1].text
    assert description is not None
    assert "measured 2026-01-02 03:04 UTC" in description
    assert "Plain HTTP, at 100 ms: oci-merge 0.90 s, crane 4.50 s." in description


@pytest.mark.parametrize("gone", ["| Date |", "## Time over", "### Plain HTTP"])
def test_a_report_in_another_form_is_an_error(gone: str) -> None:
    with pytest.raises(ValueError, match="in the form that is known"):
        plot(RESULTS.replace(gone, "# "))


def test_a_report_of_one_round_trip_of_no_time_is_drawn() -> None:
    text = "".join(line for line in RESULTS.splitlines(True) if not line.startswith("| 100 ms"))
    assert plot(text).count("<circle") == 2


def test_what_the_benchmark_writes_is_drawn_as_it_was_measured() -> None:
    runs = [Sample(seconds, 50_000_000, 32, 20, 1) for seconds in (0.3, 0.5, 0.4)]
    headline = [CaseResult(Case(tls, 10), {"oci-merge": runs}) for tls in (False, True)]
    text = render(Results(headline=headline), Setting("today", [], [], []))
    _, _, section = text.partition("## Time over round trip")
    assert [panel.lines for panel in read(section)] == [
        {"oci-merge": [Point(10, 0.4, 0.3, 0.5)]},
        {"oci-merge": [Point(10, 0.4, 0.3, 0.5)]},
    ]
    assert plot(text).count("<circle") == 2
