"""`python -m tools.pictures`: makes the pictures of the documents anew.

The commands that they show are run on a terminal, against a real registry. The plot is drawn from
the figures in docs/benchmarks/results.md. Made again, the files are the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.pictures import diagrams
from tools.pictures.plot import plot
from tools.pictures.scenes import record_anew
from tools.pictures.terminal import draw

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
RESULTS = ROOT / "docs" / "benchmarks" / "results.md"
PLOT = RESULTS.with_name("time-over-round-trip.svg")


def pictures() -> dict[Path, str]:
    """Return the content of each picture by its file."""
    recordings, inspected = record_anew()
    drawn = {name: draw(recording) for name, recording in recordings.items()}
    drawn |= {
        "flow": diagrams.flow(),
        "four-steps": diagrams.steps(),
        "index-before-after": diagrams.before_and_after(inspected),
    }
    return {
        **{PICTURES / f"{name}.svg": text for name, text in drawn.items()},
        PLOT: plot(RESULTS.read_text(encoding="utf-8")),
    }


def main() -> int:
    """Write the pictures.

    Returns:
        The exit status.
    """
    try:
        made = pictures()
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    PICTURES.mkdir(exist_ok=True)
    for file, text in made.items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
