"""The report, in Markdown: from figures to text, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.cases import VARIED_RTT
from tests.bench.figures import (
    BulkResult,
    CaseResult,
    ColdResult,
    Results,
    RoundTrips,
    Samples,
    computing,
    least,
    median,
    most,
    peak,
    ratio,
    share,
)
from tests.bench.peers import OCI_MERGE
from tests.bench.sections import BARE
from tests.bench.targets import Target, speed, targets
from tests.bench.timing import Sample

PLOT = "time-over-round-trip.svg"
"""The name of the plot beside the report."""

_HEAD = """\
<!-- Made by `make bench`: do not edit. README.md beside it says what is measured, and how. -->

# Benchmark results
"""
_VERDICTS: Mapping[bool | None, str] = {True: "yes", False: "**no**", None: ""}
_NONE = "-"


@dataclass(frozen=True)
class Setting:
    """Where and when the figures were measured.

    Args:
        date: in UTC, as it is to be shown.
        machine: names and values.
        versions: of the tools and the registry.
        missing: the tools that did not take part.
    """

    date: str
    machine: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]
    missing: Sequence[str]


def render(results: Results, setting: Setting) -> str:
    """Return the report.

    Args:
        results: what was measured; a part that was not run is left out.
        setting: where and when.
    """
    parts = [_HEAD, _setting(setting), _targets(targets(results))]
    if results.headline:
        parts.append(_headline(results.headline))
    if results.variations:
        parts.append(f"## Variations at {VARIED_RTT} ms\n\n{_details(results.variations)}")
    if results.round_trips:
        parts.append(_round_trips(results.round_trips))
    parts += map(_bulk, (*results.bulk, *results.many))
    if results.start_up:
        parts.append(_start_up(results.start_up))
    if results.cold is not None:
        parts.append(_cold(results.cold))
    return "\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a Markdown table.

    Args:
        head: the names of the columns.
        rows: the cells, as many in each row.
        words: how many columns, from the left, are words; the others are figures.
    """
    rule = [*("---" for _ in head[:words]), *("---:" for _ in head[words:])]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))


def _setting(setting: Setting) -> str:
    rows = [("Date", setting.date), *setting.machine, *setting.versions]
    text = table(("", ""), rows, words=2)
    if setting.missing:
        text += f"\nNot on PATH, or not wanted: {', '.join(setting.missing)}.\n"
    return text


def _targets(found: Sequence[Target]) -> str:
    rows = (
        (
            target.what,
            ("≤ " if target.at_most else "≥ ") + _scaled(target, target.bound),
            _NONE if target.measured is None else _scaled(target, target.measured),
            _VERDICTS[target.is_met],
        )
        for target in found
    )
    return "## Targets\n\n" + table(("", "target", "measured", "met"), rows)


def _scaled(target: Target, value: float) -> str:
    return f"{value / target.scale:.3g}{target.unit}"


def _headline(results: Sequence[CaseResult]) -> str:
    parts = [f"## Time over round trip\n\n{results[0].case.title}.\n\n![Time]({PLOT})\n"]
    for tls in (False, True):
        found = [result for result in results if result.case.tls is tls]
        if not found:
            continue
        tools = list(found[0].samples)
        times = (
            (f"{result.case.rtt} ms", *(_times(result.samples[tool]) for tool in tools))
            for result in found
        )
        shares = (
            (f"{result.case.rtt} ms", *(_share(result.samples, tool) for tool in tools[1:]))
            for result in found
        )
        middle = next((r for r in found if r.case.rtt == VARIED_RTT), found[-1])
        parts += [
            f"### {found[0].case.wire[0].upper()}{found[0].case.wire[1:]}\n",
            f"Median, least and most, in ms:\n\n{table(('round trip', *tools), times)}",
            f"{OCI_MERGE}'s time / theirs:\n\n{table(('round trip', *tools[1:]), shares)}",
            f"At {middle.case.rtt} ms:\n\n{_details([middle])}",
        ]
    return "\n".join(parts)


def _details(results: Sequence[CaseResult]) -> str:
    """Return a table with all that was counted, a row for each tool in each case."""
    head = (
        *("case", "tool", "median, ms", "least to most", f"{OCI_MERGE} / it", "requests"),
        *("connections", "token requests", "memory, MB", "runs"),
    )
    rows = (
        (
            f"{result.case.wire}: {result.case.title}",
            tool,
            _milliseconds(median(samples)),
            f"{_milliseconds(least(samples))} to {_milliseconds(most(samples))}",
            _share(result.samples, tool),
            *_counts(samples[-1]),
            _megabytes(peak(samples)),
            str(len(samples)),
        )
        for result in results
        for tool, samples in result.samples.items()
    )
    return table(head, rows, words=2)


def _counts(sample: Sample) -> tuple[str, str, str]:
    connections = _NONE if sample.connections is None else str(sample.connections)
    return str(sample.requests), connections, str(sample.token_requests)


def _round_trips(results: Sequence[RoundTrips]) -> str:
    rows = (
        (
            f"{found.case.wire}: {found.case.title}",
            _milliseconds(least(found.at_once)),
            _milliseconds(least(found.delayed)),
            f"{found.count:.1f}",
        )
        for found in results
    )
    delay = results[0].case.rtt
    head = ("case", "least at 0 ms", f"least at {delay} ms", "round trips")
    return f"## Round trips that {OCI_MERGE} waits for\n\n{table(head, rows)}"


def _bulk(result: BulkResult) -> str:
    head = (
        *("", "median, s", "least to most", f"times {OCI_MERGE}'s", "computing, ms an image"),
        *("requests", "connections", "token requests"),
        *("memory of the largest process, MB", "runs"),
    )
    rows = []
    for name, samples in result.samples.items():
        faster = speed(result, name)
        rows.append(
            (
                name,
                f"{median(samples):.2f}",
                f"{least(samples):.2f} to {most(samples):.2f}",
                _NONE if faster is None else f"{faster:.1f}",
                f"{result.computing(name) * 1000:.1f}",
                *_counts(samples[-1]),
                _megabytes(peak(samples)),
                str(len(samples)),
            )
        )
    wire = "TLS and tokens" if result.tls else "plain HTTP"
    title = f"{result.images} images of 2 platforms, {result.rtt} ms, {wire}"
    slow = (f"{name} ({seconds:.0f} s)" for name, seconds in result.left_out.items())
    note = f"\nToo slow, so left out: {', '.join(slow)}.\n" if result.left_out else ""
    return f"## {title}\n\n{table(head, rows)}{note}"


def _start_up(samples: Samples) -> str:
    rows = (
        (
            f"`{name}`" if name == BARE else f"{name}'s version",
            f"{median(taken) * 1000:.1f}",
            f"{least(taken) * 1000:.1f} to {most(taken) * 1000:.1f}",
            f"{ratio(samples, name, BARE) or 0:.2f}",
            _megabytes(peak(taken)),
        )
        for name, taken in samples.items()
    )
    head = ("", "median, ms", "least to most", f"/ `{BARE}`", "memory, MB")
    return "## Start-up\n\n" + table(head, rows)


def _cold(result: ColdResult) -> str:
    rows = (
        (
            name,
            f"{computing(taken):.2f}",
            f"{median(taken):.2f}",
            f"{least(taken):.2f} to {most(taken):.2f}",
            f"{result.footprints[name].downloaded / 1e6:.1f}",
            f"{result.footprints[name].kept / 1e6:.1f}",
            str(len(taken)),
        )
        for name, taken in result.samples.items()
    )
    head = (
        *("", "computing, s", "median, s", "least to most"),
        *("downloaded, MB", "on disk afterwards, MB", "runs"),
    )
    return "## From nothing to published\n\n" + table(head, rows)


def _times(samples: Sequence[Sample]) -> str:
    low, high = _milliseconds(least(samples)), _milliseconds(most(samples))
    return f"{_milliseconds(median(samples))} ({low} to {high})"


def _share(samples: Samples, tool: str) -> str:
    found = None if tool == OCI_MERGE else share(samples, tool)
    return _NONE if found is None else f"{found:.2f}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f}"
