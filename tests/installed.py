"""Programs of other people that tests need, and what becomes of a test where one is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def installed(name: str) -> Path:
    """Return where a program is; without it the test is skipped.

    Args:
        name: the program, which Debian's package of the same name has.
    """
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return Path(path)
