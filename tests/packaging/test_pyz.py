"""The single file runs wherever there is a Python, and needs nothing else, nor leaves anything.

`make onefile` builds it and names it in `OCI_MERGE_PYZ`; without that, it is built here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fixtures.demo import TARGET, commands, problems, sample_images
from fixtures.distribution import PROGRAM, Distribution, Htpasswd
from fixtures.embedded import EmbeddedRegistry
from fixtures.seed import Seeder
from fixtures.server import serve
from tests.cli.running import Outcome, run_on_terminal
from tests.installed import installed

ROOT = Path(__file__).parents[2]
#: The interpreter that this environment was made of: what is installed here, it does not have.
PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()

# As it was before the tests were cut off from the developer's settings: which index to install
# from may stand in them.
ENVIRONMENT = dict(os.environ)

COMMANDS = (
    *("push", "push from-args", "push from-spec", "inspect", "apply", "batch", "remove"),
    *("annotate", "credentials", "completion", "man"),
)


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The single file that is tested."""
    given = os.environ.get("OCI_MERGE_PYZ")
    if given is not None:
        return ROOT / given
    build = [sys.executable, "tools/pyz/build.py", "--output", str(tmp_path_factory.mktemp("dist"))]
    made = subprocess.run(
        build, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True
    )
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH that has this Python as python3, and nothing else."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "python3").symlink_to(PYTHON)
    return folder


@pytest.fixture
def clean(folder: Path, home: Path) -> dict[str, str]:
    """The variables that a run gets: PATH and HOME."""
    return {"HOME": str(home), "PATH": str(folder)}


@pytest.fixture
def registry() -> EmbeddedRegistry:
    """A registry for the demo's images."""
    return EmbeddedRegistry()


@pytest.fixture
def url(registry: EmbeddedRegistry) -> Iterator[str]:
    """Where it is served, with the images in it."""
    with serve(registry.app) as server:
        push_samples(Seeder(server.url))
        yield server.url


@pytest.fixture
def host(url: str) -> str:
    """The same as references name it."""
    return url.partition("://")[2]


def push_samples(seeder: Seeder) -> None:
    with seeder:
        for repository, image in sample_images().items():
            seeder.push_image(repository, "1.0", image)


def run(program: Path, *arguments: str, environment: Mapping[str, str]) -> Outcome:
    """Run a file as a shell does, with these variables and no others."""
    done = subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def evaluate(pyz: Path, program: str, environment: Mapping[str, str]) -> Outcome:
    """Run lines of Python with the modules of the single file, and with no others."""
    prepared = "import sys; sys.path.insert(0, sys.argv[1])\n"
    prepared += "import oci_merge_pyz; oci_merge_pyz.prepare(sys.argv[1])\n"
    return run(PYTHON, "-c", prepared + program, str(pyz), environment=environment)


def test_it_merges_and_inspects(
    pyz: Path, registry: EmbeddedRegistry, url: str, host: str, clean: dict[str, str]
) -> None:
    for arguments in commands(host):
        outcome = run(pyz, *arguments, environment=clean)
        assert outcome.status == 0, outcome.stderr

    assert problems(registry, url) == []


@pytest.mark.real_registry
def test_it_merges_in_a_real_registry_over_tls_and_leaves_no_file(
    pyz: Path, clean: dict[str, str], home: Path, tmp_path: Path
) -> None:
    installed(PROGRAM)
    with Distribution(tls=True, auth=Htpasswd()) as registry:
        assert registry.credentials is not None
        username, password = registry.credentials
        seeder = Seeder(registry.url, auth=registry.credentials, verify=registry.ssl_context())
        push_samples(seeder)
        clean |= {"OCI_MERGE_USERNAME": username, "OCI_MERGE_PASSWORD": password}
        clean |= {"TMPDIR": str(tmp_path)}
        merge, *inspections = commands(registry.host)

        untrusting = run(pyz, *merge, environment=clean)
        clean |= {"SSL_CERT_FILE": str(registry.ca_pem)}
        outcomes = [run(pyz, *each, environment=clean) for each in (merge, *inspections)]

    assert "certificate" in untrusting.stderr
    assert [outcome.status for outcome in outcomes] == [0, 0, 0], outcomes
    assert "linux/arm/v7" in outcomes[-1].stdout
    assert [*home.iterdir(), *tmp_path.iterdir()] == []


def test_it_merges_the_images_of_a_yaml_file(
    pyz: Path, host: str, clean: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "images.yml"
    file.write_text(
        "images:\n"
        f"  - template: {host}/{TARGET}-ARCHVARIANT:1.0\n"
        f"    target: {host}/{TARGET}:1.0\n"
        "    platforms: [linux/amd64, linux/arm64]\n"
    )

    outcome = run(pyz, "batch", str(file), environment=clean)

    assert outcome.status == 0, outcome.stderr
    assert "1 published" in outcome.stdout


def test_it_draws_on_a_terminal(pyz: Path, host: str, folder: Path) -> None:
    outcome = run_on_terminal(*commands(host)[0], program=[str(folder / "python3"), str(pyz)])

    assert outcome.status == 0, outcome.stderr
    assert "\x1b[" in outcome.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_its_help(pyz: Path, clean: dict[str, str], command: str) -> None:
    outcome = run(pyz, *command.split(), "--help", environment=clean)

    assert outcome.status == 0, outcome.stderr
    assert "--help" in outcome.stdout


@pytest.mark.parametrize(
    "arguments", ["man", "completion bash", "completion zsh", "completion fish"]
)
def test_it_prints_what_the_shell_and_man_want(
    pyz: Path, clean: dict[str, str], arguments: str
) -> None:
    outcome = run(pyz, *arguments.split(), environment=clean)

    assert outcome.status == 0, outcome.stderr
    assert "oci-merge" in outcome.stdout


@pytest.mark.parametrize("name", ["oci-merge", "manifest-tool"])
def test_its_name_decides_which_program_it_is(
    pyz: Path, clean: dict[str, str], tmp_path: Path, name: str
) -> None:
    link, copy = tmp_path / name, tmp_path / "copy" / name
    link.symlink_to(pyz)
    copy.parent.mkdir()
    shutil.copy(pyz, copy)

    said = {run(program, "--version", environment=clean) for program in (link, copy)}

    assert len(said) == 1
    assert said.pop().stdout.startswith(f"{name} version ")


def test_it_leaves_no_file_behind(
    pyz: Path, host: str, clean: dict[str, str], home: Path, tmp_path: Path
) -> None:
    outcome = run(pyz, *commands(host)[0], environment={**clean, "TMPDIR": str(tmp_path)})

    assert outcome.status == 0, outcome.stderr
    assert [*home.iterdir(), *tmp_path.iterdir()] == []


@pytest.mark.parametrize("variables", [{}, {"HOME": "/nonexistent"}, {"HOME": "/proc"}])
def test_it_needs_no_home(pyz: Path, host: str, folder: Path, variables: dict[str, str]) -> None:
    outcome = run(pyz, *commands(host)[0], environment={"PATH": str(folder), **variables})

    assert outcome.status == 0, outcome.stderr


@pytest.mark.parametrize("place", ["PYTHONPATH", "user site"])
def test_packages_of_the_users_do_not_disturb_it(
    pyz: Path, host: str, clean: dict[str, str], home: Path, tmp_path: Path, place: str
) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = home / ".local" / "lib" / version / "site-packages"
    planted = site if place == "user site" else tmp_path
    planted.mkdir(parents=True, exist_ok=True)
    # httpx loads click where it is there, and typing_extensions is in the file itself.
    for module in ("click", "httpx", "typing_extensions"):
        (planted / f"{module}.py").write_text("raise SystemExit('loaded')\n")
    if place == "PYTHONPATH":
        clean["PYTHONPATH"] = str(tmp_path)

    outcome = run(pyz, *commands(host)[0], environment=clean)

    assert outcome.status == 0, outcome.stderr


def test_every_module_of_ours_can_be_loaded_from_it(pyz: Path, clean: dict[str, str]) -> None:
    program = """
import importlib, pkgutil, oci_merge, oci_merge_cli, rich.markdown, yaml
assert yaml.__with_libyaml__
for package in (oci_merge, oci_merge_cli):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
print(len(sys.modules))
"""
    outcome = evaluate(pyz, program, clean)

    assert outcome.status == 0, outcome.stderr
    assert int(outcome.stdout) > 200


def test_native_modules_are_loaded_from_files_where_memory_has_none(
    pyz: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    program = "import os; del os.memfd_create\nimport pydantic_core, yaml\nprint(pydantic_core)"

    outcome = evaluate(pyz, program, {**clean, "TMPDIR": str(tmp_path)})

    assert outcome.status == 0, outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_native_modules_are_loaded_from_files_where_memory_is_refused(
    pyz: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    program = """
import os, tempfile
def refuse(name):
    raise PermissionError(1, "Operation not permitted")
os.memfd_create = refuse
import pydantic_core
"""
    assert evaluate(pyz, program, {**clean, "TMPDIR": str(tmp_path)}).status == 0


def test_another_python_is_told_which_one_it_is_for(
    pyz: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    tag = f"cpython-{sys.version_info.major}{sys.version_info.minor}-"
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(pyz) as archive, zipfile.ZipFile(other, "w") as changed:
        text = archive.read("__main__.py").decode()
        assert tag in text
        changed.writestr("__main__.py", text.replace(tag, "cpython-399-"))

    outcome = run(PYTHON, str(other), "--version", environment=clean)

    assert outcome.status == 1
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    page = (ROOT / "docs" / "single-file.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```\n(error: .*?\nhint: .*?\n)```", page)
    printed = "".join(f"{line}\n" for line in outcome.errors).replace(str(other), "oci-merge")
    assert _without_versions(printed) == _without_versions(shown)


def _without_versions(message: str) -> str:
    tags = re.sub(r"cpython-\d+-[\w-]+", "TAG", message)
    return re.sub(r"3\.\d+", "VERSION", tags)


def test_nothing_in_it_has_to_be_compiled(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
        bytecode = [archive.read(name) for name in names if name.endswith(".pyc")]

    assert [name for name in names if name.endswith(".py")] == ["__main__.py"]
    # PEP 552: the hash of a source that is not looked at, so no time stamp can make it stale.
    assert {content[4:8] for content in bytecode} == {b"\1\0\0\0"}


def test_it_has_the_licenses_of_all_that_is_in_it(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
    metadata = [name.split("/") for name in names if ".dist-info/" in name]

    licensed = {
        folder for folder, *_, name in metadata if name.upper().startswith(("LICEN", "COPYING"))
    }

    assert len(licensed) > 15
    assert licensed == {folder for folder, *_ in metadata}


def test_it_is_small(pyz: Path) -> None:
    assert pyz.stat().st_size <= 15_000_000


def test_its_checksum_is_as_sha256sum_reads_it(pyz: Path) -> None:
    digest = hashlib.sha256(pyz.read_bytes()).hexdigest()

    assert pyz.with_name(f"{pyz.name}.sha256").read_text() == f"{digest}  {pyz.name}\n"


def test_its_name_says_what_it_is_for(pyz: Path) -> None:
    version = f"{sys.version_info.major}{sys.version_info.minor}"

    assert pyz.name.startswith("oci-merge-")
    assert f"-cp{version}-" in pyz.name
