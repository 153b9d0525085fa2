"""Makes the list of all that a release brings along: a software bill of materials by CycloneDX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.release.archives import source_date
from tools.release.version import ROOT, read_version

NAME = "oci-merge"


def make_sbom(archives: Path, output: Path) -> Path:
    """Install the wheel alone, write down what came with it, and return the file's path.

    Args:
        archives: the folder of the wheel.
        output: the folder for the file.
    """
    version = read_version()
    sbom = output / f"{NAME}-{version}.cdx.json"
    with TemporaryDirectory(prefix="oci-merge-sbom-") as folder:
        venv.create(folder, with_pip=False)
        python = str(Path(folder, "bin", "python"))
        pip = [sys.executable, "-m", "pip", "--quiet", "--python", python, "install"]
        # By its name: a wheel that is given by its path leaves this path in the list.
        found = ["--no-compile", "--find-links", str(archives), f"{NAME}=={version}"]
        subprocess.run([*pip, *found], check=True, stdout=sys.stderr)
        command = [sys.executable, "-m", "cyclonedx_py", "environment", python]
        described = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
        written = ["--output-reproducible", "--output-format", "JSON", "--output-file", str(sbom)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": source_date()}
        subprocess.run([*command, *described, *written], env=environment, check=True)
    document = json.loads(sbom.read_text(encoding="utf-8"))
    # pyproject.toml does not say the version.
    document["metadata"]["component"] |= {
        "version": version,
        "purl": f"pkg:pypi/{NAME}@{version}",
    }
    sbom.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return sbom


def constraints(sbom: str) -> Iterator[str]:
    """Yield a constraint for pip, such as ``httpx==0.28.1``, for each package of a list."""
    for component in json.loads(sbom)["components"]:
        yield f"{component['name']}=={component['version']}"
