"""What is released can be installed by itself on every Python, and does its job there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.demo import TARGET, commands, sample_images
from fixtures.distribution import PROGRAM, Distribution
from fixtures.seed import Seeder
from tests.installed import installed
from tests.packaging.conftest import ENVIRONMENT, ROOT, uv
from tools.release.complete import pythons

pytestmark = pytest.mark.real_registry

_LIBRARY = f"""
import sys
import oci_merge
host = sys.argv[1]
template = f"{{host}}/{TARGET}-ARCHVARIANT:1.0"
print(oci_merge.merge(f"{{host}}/{TARGET}:library", template=template).digest)
"""


def interpreters() -> dict[str, str]:
    """Return the Pythons that are here, by the versions that the package is for."""
    found = {}
    for version in pythons():
        asked = [str(ROOT / "tools" / "python.sh"), version]
        done = subprocess.run(asked, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found[version] = done.stdout.strip()
    return found


INTERPRETERS = interpreters()
#: What is installed, with which versions of the packages that it depends on.
WAYS = (("wheel", "newest"), ("wheel", "lowest"), ("sdist", "newest"), ("sdist", "lowest"))


@dataclass(frozen=True)
class Environment:
    """A fresh environment with oci-merge and what it depends on.

    Attributes:
        programs: the folder of its programs.
        lowest: whether the packages have the lowest versions allowed.
    """

    programs: Path
    lowest: bool

    def run(self, program: str, *arguments: str) -> str:
        """Run one of its programs outside the project, and return its standard output."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.programs,
            env={"PATH": str(self.programs), "HOME": str(self.programs)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Constraints to the lowest version of each package."""
    file = tmp_path_factory.mktemp("floors") / "floors.txt"
    command = [sys.executable, "tools/floors.py"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    file.write_text(done.stdout)
    return file


@pytest.fixture(
    scope="module",
    params=[(version, *way) for version in INTERPRETERS for way in WAYS],
    ids=lambda param: "-".join(param),
)
def environment(
    request: pytest.FixtureRequest,
    wheel: Path,
    sdist: Path,
    floors: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Environment:
    """Each of the environments in turn."""
    version, archive, versions = request.param
    folder = tmp_path_factory.mktemp("environment")
    python = str(folder / "bin" / "python")
    uv("venv", "--clear", "--python", INTERPRETERS[version], str(folder))
    bounds = ["--constraints", str(floors)] if versions == "lowest" else []
    given = str(wheel if archive == "wheel" else sdist)
    uv("pip", "install", "--python", python, *bounds, given)
    return Environment(folder / "bin", versions == "lowest")


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """A real registry with the images to join."""
    installed(PROGRAM)
    with Distribution() as registry:
        with Seeder(registry.url) as seeder:
            for repository, image in sample_images().items():
                seeder.push_image(repository, "1.0", image)
        yield registry.host


def test_it_merges_at_a_real_registry_by_command_and_by_library(
    environment: Environment, floors: Path, host: str
) -> None:
    merge, *_ = commands(host)
    uv("pip", "check", "--python", str(environment.programs / "python"))
    assert_versions(environment, floors)

    merged = environment.run("oci-merge", *merge)
    by_library = environment.run("python", "-I", "-c", _LIBRARY, host)

    assert merged.startswith("Digest: sha256:")
    assert by_library.strip() == merged.split()[1]


def assert_versions(environment: Environment, floors: Path) -> None:
    """See that the packages have the lowest versions where they shall, and else newer ones."""
    listed = uv("pip", "freeze", "--python", str(environment.programs / "python")).splitlines()
    installed_ones = {line.lower() for line in listed}
    names = {line.partition("==")[0] for line in installed_ones}
    lowest = {
        line for line in floors.read_text().lower().splitlines() if line.partition("==")[0] in names
    }
    assert len(lowest) > 10
    assert (lowest <= installed_ones) is environment.lowest


def test_the_python_that_runs_this_is_among_those_that_are_tried() -> None:
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in INTERPRETERS
