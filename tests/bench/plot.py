"""The plot: time over round trip, one line for each tool, as an SVG that is stable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from tests.bench.figures import CaseResult, least, median, most
from tests.bench.peers import OCI_MERGE, PEERS

# Okabe and Ito's colours, which colour-blind people tell apart.
_COLOURS = dict(
    zip(
        (OCI_MERGE, *PEERS),
        ("#000000", "#d55e00", "#0072b2", "#009e73", "#e69f00", "#cc79a7"),
        strict=True,
    )
)


def draw(results: Sequence[CaseResult], path: Path, caption: str) -> None:
    """Write the plot; the same figures give the same bytes.

    Args:
        results: the main case at several round trips.
        path: the SVG to write.
        caption: stands above it.
    """
    wires = [tls for tls in (False, True) if any(found.case.tls is tls for found in results)]
    # Text stays text, and ids are made of what they stand for.
    with rc_context({"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": OCI_MERGE}):
        figure = Figure(figsize=(4.8 * len(wires), 4.6), layout="constrained")
        panels = figure.subplots(1, len(wires), sharey=True, squeeze=False)[0]
        for panel, tls in zip(panels, wires, strict=True):
            _draw_panel(panel, [found for found in results if found.case.tls is tls])
        panels[0].set_ylabel("seconds for one merge (median, least to most)")
        panels[0].legend(frameon=False)
        figure.suptitle(caption)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _draw_panel(panel: Axes, results: Sequence[CaseResult]) -> None:
    for tool in results[0].samples:
        each = [found.samples[tool] for found in results]
        middles = [median(samples) for samples in each]
        panel.errorbar(
            [found.case.rtt for found in results],
            middles,
            yerr=[
                [median(samples) - least(samples) for samples in each],
                [most(samples) - median(samples) for samples in each],
            ],
            label=tool,
            color=_COLOURS[tool],
            linewidth=2.5 if tool == OCI_MERGE else 1.5,
            marker="o",
            markersize=4,
            capsize=2,
        )
    panel.set_title(results[0].case.wire)
    panel.set_xlabel("round trip in ms")
    # Times lie so far apart that the short ones would be one line at the bottom otherwise.
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
    panel.grid(color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
