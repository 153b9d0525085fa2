"""Print the lowest version that pyproject.toml allows of each package, for ``pip install -c``."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

_FLOOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9][A-Za-z0-9.]*)(?:,<[0-9.]+)?")


def floors(requirements: list[str]) -> list[str]:
    """Return constraints such as ``httpx==0.28.1``.

    Args:
        requirements: requirements such as ``httpx>=0.28.1,<0.29``.

    Raises:
        ValueError: a requirement has no floor.
    """
    found = []
    for requirement in requirements:
        match = _FLOOR.fullmatch(requirement.replace(" ", ""))
        if match is None:
            raise ValueError(f"{requirement!r} is not of the form NAME>=VERSION[,<VERSION]")
        found.append(f"{match['name']}=={match['version']}")
    return found


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    asked = [*project["project"]["dependencies"], *groups["demo"], *groups["test"]]
    words = [requirement for requirement in asked if isinstance(requirement, str)]
    sys.stdout.write("".join(f"{line}\n" for line in floors(words)))
