"""Says what is wrong with the files of a release before anybody gets them."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from pathlib import Path

from tools.release.checksums import FILE, checksum, read_checksums
from tools.release.version import ROOT

#: What the single files are built for, beside each Python that pyproject.toml names.
PLATFORMS = ("linux_aarch64", "linux_x86_64")

_PYTHON = re.compile(r"Programming Language :: Python :: 3\.(?P<minor>\d+)")
_PACKAGE = re.compile(r"(?P<name>[^/]+?)-(?P<version>[^-/]+)\.dist-info/METADATA")


def pythons() -> list[str]:
    """Return the versions of Python that pyproject.toml names, such as ``3.11``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = (_PYTHON.fullmatch(classifier) for classifier in project["classifiers"])
    return [f"3.{match['minor']}" for match in found if match is not None]


def archives(version: str) -> set[str]:
    """Return the names of what is built once for all platforms."""
    return {
        f"oci_merge-{version}.tar.gz",
        f"oci_merge-{version}-py3-none-any.whl",
        f"oci-merge-{version}.cdx.json",
    }


def single_files(version: str) -> set[str]:
    """Return the names of the single files."""
    tags = [f"cp{python.replace('.', '')}" for python in pythons()]
    return {f"oci-merge-{version}-{tag}-{platform}.pyz" for tag in tags for platform in PLATFORMS}


def problems(folder: Path, version: str) -> list[str]:
    """Return what is wrong with the files of a release, in sentences.

    Args:
        folder: the folder with all of them, and nothing else.
        version: the version of the release.
    """
    singles = single_files(version)
    wanted = archives(version) | singles | {f"{name}.sha256" for name in singles} | {FILE}
    there = {path.name for path in folder.iterdir()}
    found = [f"{name} is missing" for name in sorted(wanted - there)]
    found += [f"{name} does not belong to the release" for name in sorted(there - wanted)]
    if found:
        return found
    sums = {path.name: checksum(path) for path in folder.iterdir() if path.name != FILE}
    if read_checksums((folder / FILE).read_text()) != sums:
        found.append(f"{FILE} has other checksums than the files have")
    listed = _listed(folder / f"oci-merge-{version}.cdx.json")
    for name in sorted(singles):
        if read_checksums((folder / f"{name}.sha256").read_text()) != {name: sums[name]}:
            found.append(f"{name}.sha256 has another checksum than the file has")
        for package in sorted(_packages(folder / name) - listed):
            found.append(f"{name} has {package}, and the SBOM has not")
    return found


def _listed(sbom: Path) -> set[str]:
    """Return the packages of an SBOM, such as ``httpx 0.28.1``."""
    document = json.loads(sbom.read_text(encoding="utf-8"))
    components = [document["metadata"]["component"], *document["components"]]
    return {_named(component["name"], component["version"]) for component in components}


def _packages(single: Path) -> set[str]:
    """Return the packages within a single file, in the same form."""
    with zipfile.ZipFile(single) as archive:
        found = (_PACKAGE.fullmatch(name) for name in archive.namelist())
        return {_named(match["name"], match["version"]) for match in found if match is not None}


def _named(name: str, version: str) -> str:
    return f"{re.sub(r'[-_.]+', '-', name).lower()} {version}"
