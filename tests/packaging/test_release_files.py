"""The files of a release: the same bytes each time, nothing missing, nothing of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from datetime import UTC, datetime
from email.message import Message
from email.parser import Parser
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from readme_renderer import markdown

from tests.packaging.conftest import ENVIRONMENT, ROOT, uv
from tools.release import complete
from tools.release.archives import source_date
from tools.release.checksums import FILE, checksum, read_checksums
from tools.release.version import read_version

URL = "https://github.com/OWNER/oci-merge"


class _Links(HTMLParser):
    """Collects where links and pictures lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("href", "src")]


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the source archive."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def checkout(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same files as a checkout has them, with other dates and permissions."""
    folder = tmp_path_factory.mktemp("checkout") / "elsewhere"
    shutil.copytree(unpacked, folder)
    (folder / "PKG-INFO").unlink()  # the build made it, and believes it
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(path.stat().st_mode & 0o700)
    return folder


@pytest.fixture(scope="module")
def metadata(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Message:
    """What the wheel says of itself where the project's address is not known."""
    return built_metadata(checkout, tmp_path_factory.mktemp("unknown"), "")


@pytest.fixture(scope="module")
def metadata_of_release(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Message:
    """The same where it is known."""
    return built_metadata(checkout, tmp_path_factory.mktemp("known"), URL)


def built_metadata(project: Path, folder: Path, url: str) -> Message:
    uv("build", "--wheel", "--out-dir", str(folder), str(project), OCI_MERGE_PROJECT_URL=url)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def links(readme: str) -> list[str]:
    html = markdown.render(readme)
    assert html is not None, "there is no renderer for Markdown"
    return _Links(html).found


def test_what_is_built_once_is_there_with_its_checksums(release: Path) -> None:
    there = {path.name for path in release.iterdir()}
    assert there - {FILE} == complete.archives(read_version())

    sums = read_checksums((release / FILE).read_text())

    assert sums == {name: checksum(release / name) for name in there - {FILE}}


def test_the_source_archive_gives_the_same_archives_again(
    checkout: Path, sdist: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        time = str(int(archive.getmembers()[0].mtime))

    uv("build", "--out-dir", str(tmp_path), str(checkout), SOURCE_DATE_EPOCH=time)

    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
    assert (tmp_path / sdist.name).read_bytes() == sdist.read_bytes()


def test_the_files_carry_the_time_of_the_commit(
    wheel: Path, sdist: Path, sbom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git")
    given = ENVIRONMENT.get("SOURCE_DATE_EPOCH")
    if given is not None:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    time = datetime.fromtimestamp(int(source_date()), UTC)

    with tarfile.open(sdist) as archive:
        assert {member.mtime for member in archive} == {time.timestamp()}
    with zipfile.ZipFile(wheel) as wheel_archive:
        even = time.replace(second=time.second // 2 * 2)  # as zip archives have it
        assert {member.date_time for member in wheel_archive.infolist()} == {even.timetuple()[:6]}
    stamp = json.loads(sbom.read_text())["metadata"]["timestamp"]
    assert datetime.fromisoformat(stamp) == time


def test_a_time_that_is_given_comes_before_that_of_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    assert source_date() == "1700000000"


def test_without_a_commit_the_time_has_to_be_given(checkout: Path, tmp_path: Path) -> None:
    environment = {name: ENVIRONMENT[name] for name in ENVIRONMENT if name != "SOURCE_DATE_EPOCH"}

    done = subprocess.run(
        [sys.executable, "-m", "tools.release", "files", str(tmp_path)],
        cwd=checkout,
        env={**environment, "GIT_CEILING_DIRECTORIES": str(checkout.parent)},
        capture_output=True,
        text=True,
        check=False,
    )

    message = "error: this is no checkout of git: set SOURCE_DATE_EPOCH\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_twine_has_nothing_to_say_against_the_archives(wheel: Path, sdist: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2
    # Where it has no renderer for Markdown, it passes everything, with a warning.
    assert "not available" not in done.stderr


def test_the_license_is_in_both_archives(wheel: Path, unpacked: Path, metadata: Message) -> None:
    license_text = (ROOT / "LICENSE").read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        assert archive.read(name) == license_text
    assert (unpacked / "LICENSE").read_bytes() == license_text
    assert metadata.get_all("License-File") == ["LICENSE"]


def test_the_source_archive_has_every_file_of_the_project(unpacked: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git")
    listed = subprocess.run(
        ["git", "ls-files", "--cached"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )

    missing = [name for name in listed.stdout.splitlines() if not (unpacked / name).exists()]

    # What is under way in the working tree may have removed files that the index still has.
    assert [name for name in missing if (ROOT / name).exists()] == []


def test_every_link_of_the_readme_leads_somewhere_on_an_index(
    metadata: Message, metadata_of_release: Message
) -> None:
    for known in (metadata, metadata_of_release):
        readme = str(known.get_payload())
        assert [link for link in links(readme) if not re.match("https://|#", link)] == []


def test_links_lead_to_the_files_of_the_release_where_its_address_is_known(
    metadata_of_release: Message,
) -> None:
    beginning = re.compile(rf"{URL}/(?:blob|raw)/v{re.escape(read_version())}/([^#]+)")

    found = [beginning.match(link) for link in links(str(metadata_of_release.get_payload()))]

    paths = {match[1] for match in found if match is not None}
    assert len(paths) > 10
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_the_package_names_urls_only_where_its_address_is_known(
    metadata: Message, metadata_of_release: Message
) -> None:
    assert metadata.get_all("Project-URL") is None

    named = dict(each.split(", ") for each in metadata_of_release.get_all("Project-URL", []))

    assert set(named) == {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(each.startswith(URL) for each in named.values())


def test_an_address_that_is_no_https_url_builds_nothing(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        uv(
            *("build", "--wheel", "--out-dir", str(tmp_path), str(checkout)),
            OCI_MERGE_PROJECT_URL="javascript:alert(1)",
        )


def test_the_sbom_is_valid(sbom: Path) -> None:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom.read_text())

    assert error is None


def test_the_sbom_describes_this_version(sbom: Path) -> None:
    component = json.loads(sbom.read_text())["metadata"]["component"]

    assert component["name"] == "oci-merge"
    assert component["version"] == read_version()
    assert component["purl"] == f"pkg:pypi/oci-merge@{read_version()}"


def test_the_sbom_lists_what_the_package_asks_for_and_nothing_of_the_tests(sbom: Path) -> None:
    document = json.loads(sbom.read_text())
    listed = {canonicalize_name(each["name"]) for each in document["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    asked = {canonicalize_name(Requirement(each).name) for each in project["dependencies"]}

    assert asked <= listed
    # What it brings along is all that hangs on these.
    depends = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    (root,) = [ref for ref in depends if ref == document["metadata"]["component"]["bom-ref"]]
    reached: set[str] = set()
    waiting = [root]
    while waiting:
        reached.add(ref := waiting.pop())
        waiting += [each for each in depends[ref] if each not in reached]
    assert reached - {root} == {each["bom-ref"] for each in document["components"]}


def test_no_path_of_the_machine_is_in_the_sbom(sbom: Path) -> None:
    text = sbom.read_text()

    assert "file:" not in text
    assert str(ROOT) not in text


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()

    done = subprocess.run(
        [sys.executable, "-m", "tools.release", "files", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path} is not empty\n")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
