"""Builds the source archive, and the wheel from it, with the same bytes each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.release.version import ROOT


def source_date(root: Path = ROOT) -> str:
    """Return the time that the files of a release carry, in seconds since 1970.

    It is ``SOURCE_DATE_EPOCH`` where that is set, else the time of the commit.

    Raises:
        ValueError: neither is known.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    asked = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(asked, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError("this is no checkout of git: set SOURCE_DATE_EPOCH") from error
    return done.stdout.strip()


def build_archives(output: Path, root: Path = ROOT) -> tuple[Path, Path]:
    """Build both archives, and return the paths of the source archive and of the wheel.

    Args:
        output: the folder for both; it has no others in it.
        root: the folder of pyproject.toml.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": source_date(root)}
    command = [sys.executable, "-m", "build", "--outdir", str(output), str(root)]
    # What goes to stdout belongs to the caller.
    subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return sdist, wheel
