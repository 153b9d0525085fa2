"""What a release publishes is complete, and its checksums are true."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tools.release import complete
from tools.release.checksums import read_checksums, write_checksums
from tools.release.sbom import constraints

VERSION = "1.2.3"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with files that have the names and the form of a release's."""
    for name in complete.archives(VERSION):
        (tmp_path / name).write_text(name)
    sbom = {
        "metadata": {"component": {"name": "oci-merge", "version": VERSION}},
        "components": [{"name": "PyYAML", "version": "6.0.2"}, {"name": "h11", "version": "0.16"}],
    }
    (tmp_path / f"oci-merge-{VERSION}.cdx.json").write_text(json.dumps(sbom))
    for name in complete.single_files(VERSION):
        write_single_file(tmp_path / name, [f"oci_merge-{VERSION}", "pyyaml-6.0.2"])
    write_checksums(tmp_path)
    return tmp_path


def write_single_file(path: Path, packages: list[str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for package in packages:
            archive.writestr(f"{package}.dist-info/METADATA", "")
    folder = path.parent / "sums"
    folder.mkdir()
    path.rename(folder / path.name)
    written = write_checksums(folder)
    (path.parent / f"{path.name}.sha256").write_text(written.read_text())
    written.unlink()
    (folder / path.name).rename(path)
    folder.rmdir()


def a_single_file() -> str:
    return min(complete.single_files(VERSION))


def test_a_complete_release_has_nothing_wrong(release: Path) -> None:
    assert complete.problems(release, VERSION) == []


def test_sha256sum_agrees(release: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=release,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(list(release.iterdir())) - 1


def test_a_missing_file_is_named(release: Path) -> None:
    (release / a_single_file()).unlink()

    assert complete.problems(release, VERSION) == [f"{a_single_file()} is missing"]


def test_a_file_too_many_is_named(release: Path) -> None:
    (release / "notes.txt").touch()

    assert complete.problems(release, VERSION) == ["notes.txt does not belong to the release"]


def test_files_of_another_version_are_not_the_release(release: Path) -> None:
    assert f"oci_merge-{VERSION}.tar.gz does not belong to the release" in complete.problems(
        release, "1.2.4"
    )


def test_a_file_that_changed_after_its_checksum_was_taken_is_found(release: Path) -> None:
    (release / f"oci_merge-{VERSION}.tar.gz").write_text("another")

    assert complete.problems(release, VERSION) == [
        "SHA256SUMS has other checksums than the files have"
    ]


def test_the_checksum_beside_a_single_file_is_looked_at(release: Path) -> None:
    beside = release / f"{a_single_file()}.sha256"
    beside.write_text(beside.read_text().replace(a_single_file(), "another.pyz"))
    write_checksums(release)

    (problem,) = complete.problems(release, VERSION)

    assert problem.startswith(f"{beside.name} has another checksum")


@pytest.mark.parametrize("package", ["pyyaml-6.0.3", "httpx-0.28.1", "oci_merge-1.2.2"])
def test_a_package_that_the_sbom_does_not_list_is_found(release: Path, package: str) -> None:
    write_single_file(release / a_single_file(), ["h11-0.16", package])
    write_checksums(release)

    (problem,) = complete.problems(release, VERSION)

    name, _, version = package.replace("_", "-").rpartition("-")
    assert problem == f"{a_single_file()} has {name} {version}, and the SBOM has not"


def test_the_names_are_those_of_every_python_on_both_platforms() -> None:
    names = complete.single_files(VERSION)

    assert f"oci-merge-{VERSION}-cp311-linux_x86_64.pyz" in names
    assert f"oci-merge-{VERSION}-cp313-linux_aarch64.pyz" in names
    assert len(names) == 2 * len(complete.pythons())


@pytest.mark.parametrize("text", ["abc  file\n", "file\n", f"{'0' * 64} file\n"])
def test_what_is_no_line_of_checksums_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="checksums"):
        read_checksums(text)


def test_the_packages_of_an_sbom_are_constraints(release: Path) -> None:
    sbom = (release / f"oci-merge-{VERSION}.cdx.json").read_text()

    assert list(constraints(sbom)) == ["PyYAML==6.0.2", "h11==0.16"]
