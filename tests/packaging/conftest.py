"""The archives of a release, which the tests of this folder take apart, install and run.

`make wheel` builds the files of a release and names the wheel in `OCI_MERGE_WHEEL`; the others lie
beside it. Without that, they are built here.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# As it was before the tests were cut off from the developer's settings: which index to install
# from may stand in them.
ENVIRONMENT = dict(os.environ)

# What pip is told in its configuration, and uv by variables.
_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "no-index": "UV_NO_INDEX",
}


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what is built once for all platforms, with its checksums."""
    given = os.environ.get("OCI_MERGE_WHEEL")
    if given is not None:
        return (ROOT / given).parent
    folder = tmp_path_factory.mktemp("release")
    build = [sys.executable, "-m", "tools.release", "files", str(folder)]
    subprocess.run(build, cwd=ROOT, env=ENVIRONMENT, check=True)
    return folder


@pytest.fixture(scope="session")
def wheel(release: Path) -> Path:
    """The wheel."""
    (found,) = release.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def sdist(release: Path) -> Path:
    """The source archive."""
    (found,) = release.glob("*.tar.gz")
    return found


@pytest.fixture(scope="session")
def sbom(release: Path) -> Path:
    """The list of all packages that come along."""
    (found,) = release.glob("*.cdx.json")
    return found


def uv(*arguments: str, **variables: str) -> str:
    """Run uv with the index that pip is configured for, and return its standard output.

    Args:
        arguments: the command.
        variables: more for its environment.
    """
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments],
        env={**_uv_environment(), **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


@cache
def _uv_environment() -> Mapping[str, str]:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    settings: dict[str, str] = {}
    # A variable comes before a file, and what holds for `install` before what holds for all.
    for section in ("global", "install", ":env:"):
        for line in listed.stdout.splitlines():
            name, _, value = line.partition("=")
            place, _, key = name.rpartition(".")
            if place == section and key in _VARIABLES:
                words = str(ast.literal_eval(value)).split()
                separator = "," if key == "find-links" else " "
                settings[_VARIABLES[key]] = separator.join(words)
    chosen = {"UV_PYTHON_DOWNLOADS": "never", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    return {**chosen, **settings, **ENVIRONMENT}
