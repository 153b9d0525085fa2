"""The image of the Containerfile, built by buildah from Debian's packages and run with its user.

Its containers share the network of this machine, so a registry on loopback is theirs, too.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import yaml

import oci_merge
from fixtures.containers import Containers, missing_packages, pip_settings
from fixtures.distribution import Distribution
from fixtures.images import build_image, digest_of
from oci_merge import __version__, generate_key_pair
from tests.registry.ci.documents import blocks, refusal
from tests.registry.ci.running import TWO
from tests.registry.team import push_team, seeder

_ROOT = Path(__file__).parents[2]
_PAGE = "docs/image.md"
_BASE = "localhost/base:1"
_IMAGE = "localhost/oci-merge:1"
_USER = "65532:65532"
_LABEL = "org.opencontainers.image"
_SOURCE = "https://gitlab.example/tools/oci-merge"
_LOADED = re.compile(r"^# code object from '?(/[^'\n]+)", re.MULTILINE)
_SECONDS = 120

# As it was before the tests were cut off from the developer's settings: which index to install
# from may stand in them.
_ENVIRONMENT = dict(os.environ)


class Built(NamedTuple):
    """The image, and a container of it that is not running."""

    storage: Containers
    container: str
    files: Path

    def config(self) -> dict[str, Any]:
        described = json.loads(self.storage.call("inspect", "--type", "image", _IMAGE))
        found: dict[str, Any] = described["OCIv1"]["config"]
        return found

    def run(
        self, script: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script as a runner of GitLab does: by the image's user, in a shell."""
        given = [f"--env={name}={value}" for name, value in (variables or {}).items()]
        command = [*self.storage.command, "run", "--isolation=chroot", *given, self.container]
        return _run([*command, "--", "sh", "-c", script])

    def run_read_only(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script where no file can be written, with PATH as the only variable."""
        seal = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
        enter = f'exec chroot --userspec={_USER} "$0" /usr/bin/env -i "$PATH_INSIDE" sh -c "$1"'
        command = ["unshare", "--mount", "sh", "-c", f"{seal} && {enter}", str(self.files), script]
        (path,) = [each for each in self.config()["Env"] if each.startswith("PATH=")]
        return _run(command, {"PATH_INSIDE": path})


def _run(
    command: list[str], variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


@pytest.fixture(scope="session")
def storage(buildah: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """The image, built as docs/image.md says, with the labels that a release gives.

    The processes among which tests are divided share it: the first one builds it, and the last one
    takes it away.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can make chroots")
    if missing := missing_packages():
        pytest.skip(f"not installed: {', '.join(missing)} (apt-get install python3-venv)")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    lock, users, kept = folder / "image.lock", folder / "image-users", folder / "image"
    with Containers(buildah, kept) as containers:
        with locked(lock):
            if not kept.exists():
                _build(containers, tmp_path_factory.mktemp("pip"))
            _add(users, 1)
        yield containers
        with locked(lock):
            if _add(users, -1) == 0:
                shutil.rmtree(kept)


def _build(containers: Containers, folder: Path) -> None:
    containers.image_of_packages(_BASE)
    containers.build(
        _ROOT,
        _IMAGE,
        arguments={"BASE": _BASE},
        labels={f"{_LABEL}.version": __version__, f"{_LABEL}.source": _SOURCE},
        volumes=pip_settings(folder, _ENVIRONMENT),
        variables=_ENVIRONMENT,
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time do what is within."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _add(path: Path, change: int) -> int:
    """Change the number in a file, and return it."""
    number = (int(path.read_text()) if path.exists() else 0) + change
    path.write_text(str(number))
    return number


@pytest.fixture(scope="session")
def built(storage: Containers) -> Built:
    """The image with a container of it."""
    container = storage.call("from", "--pull-never", _IMAGE)
    return Built(storage, container, Path(storage.call("mount", container)))


def test_both_programs_are_on_the_path_of_a_user_who_is_not_root(built: Built) -> None:
    done = built.run("oci-merge --version; manifest-tool --version; id -u; id -g")
    assert done.stdout.splitlines() == [
        f"oci-merge version {__version__}",
        f"manifest-tool version {__version__}",
        *_USER.split(":"),
    ]


def test_a_shell_can_be_started_and_nobody_takes_the_user_for_root(built: Built) -> None:
    config = built.config()
    assert not config.get("Entrypoint")
    assert config["Cmd"] == ["oci-merge", "--help"]
    # Kubernetes' runAsNonRoot believes a number alone.
    assert config["User"] == _USER


def test_the_labels_say_what_it_is(built: Built) -> None:
    labels = {key: value for key, value in built.config()["Labels"].items() if _LABEL in key}
    assert labels.pop(f"{_LABEL}.description")
    assert labels == {
        f"{_LABEL}.title": "oci-merge",
        f"{_LABEL}.licenses": "Apache-2.0",
        f"{_LABEL}.version": __version__,
        f"{_LABEL}.source": _SOURCE,
        f"{_LABEL}.base.name": _BASE,
    }


def test_it_has_what_runs_and_nothing_that_only_the_build_needs(built: Built) -> None:
    environment = built.files / "opt/oci-merge"
    packages = next((environment / "lib").glob("python3*")) / "site-packages"
    names = {path.name for path in packages.iterdir()}
    assert {"oci_merge", "oci_merge_cli", "pydantic", "cryptography"} <= names
    assert not names & {"pip", "setuptools", "hatchling", "tests"}
    there = {path.name for path in built.files.iterdir()}
    assert not there & {"source", "pip", "files", "root"}
    assert list((built.files / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "--template TEAM/img-ARCHVARIANT:1.0 --target TEAM/img:1.0 --progress plain",
        "--template TEAM/img-ARCHVARIANT:1.0 --target TEAM/img:2.0 --sign --output json",
        "inspect TEAM/img-arm64:1.0",
        "--help",
    ],
    ids=["merge", "sign", "inspect", "help"],
)
def test_all_that_is_loaded_is_bytecode(
    built: Built, plain_registry: Distribution, arguments: str
) -> None:
    private, _ = generate_key_pair(b"")
    words = arguments.replace("TEAM", push_team(plain_registry))
    done = built.run(
        f"/opt/oci-merge/bin/python -v /usr/local/bin/oci-merge {words}",
        {"COSIGN_PRIVATE_KEY": private.decode(), "COSIGN_PASSWORD": ""},
    )
    assert done.returncode == 0, done.stderr
    loaded = _LOADED.findall(done.stderr)
    assert len(loaded) > 100
    assert [path for path in loaded if not path.endswith(".pyc")] == []
    # Python says so where it compiles something, and finds nobody to write it.
    assert "# could not create" not in done.stderr
    assert "# wrote" not in done.stderr


def test_bytecode_of_packages_counts_whatever_time_a_builder_gives_their_files(
    built: Built,
) -> None:
    module = next(built.files.glob("opt/oci-merge/lib/python3*/site-packages/oci_merge/errors.py"))
    bytecode = next((module.parent / "__pycache__").glob("errors.*.pyc"))
    # PEP 552: based on a hash, and not checked.
    assert bytecode.read_bytes()[4:8] == (1).to_bytes(4, "little")


def test_the_job_for_gitlab_joins_images_from_inside(
    built: Built, plain_registry: Distribution, tmp_path: Path
) -> None:
    gitlab, _ = blocks(_PAGE)
    assert refusal(gitlab, "vendor.gitlab-ci", tmp_path, "--data-transform", "gitlab-ci") == ""
    job = yaml.safe_load(gitlab)["merge"]
    assert job["image"].endswith(f"/oci-merge:{__version__}")
    name = push_two(plain_registry, "/app-{}", "5f2a")
    variables = {"CI_REGISTRY_IMAGE": name, "CI_COMMIT_SHORT_SHA": "5f2a"}
    done = built.run("\n".join(job["script"]), variables)
    assert done.returncode == 0, done.stderr
    for tag in ("5f2a", "latest"):
        assert listed(plain_registry, f"{name}/app", tag) == [
            image.digest for image in TWO.values()
        ]


def test_the_job_for_github_joins_images_from_inside(
    built: Built, plain_registry: Distribution, tmp_path: Path
) -> None:
    _, github = blocks(_PAGE)
    assert refusal(f"on: push\n{github}", "vendor.github-workflows", tmp_path) == ""
    (step,) = yaml.safe_load(github)["jobs"]["merge"]["steps"]
    name = push_two(plain_registry, "", "1.0-{}")
    done = built.run(step["run"], {"IMAGE": name})
    assert done.returncode == 0, done.stderr
    assert listed(plain_registry, name, "1.0") == [image.digest for image in TWO.values()]


def push_two(registry: Distribution, repository: str, tag: str) -> str:
    """Push two images as the build jobs do, and return the name before `repository`."""
    name = f"group-{uuid4().hex[:12]}"
    with seeder(registry) as push:
        for architecture, image in TWO.items():
            full = f"{name}{repository.format(architecture)}"
            push.push_image(full, tag.format(architecture), image)
    return f"{registry.host}/{name}"


def listed(registry: Distribution, repository: str, tag: str) -> list[str]:
    """Return the digests that an index lists."""
    with seeder(registry) as read:
        found = read.get_manifest(repository.partition("/")[2], tag)
    return [each["digest"] for each in json.loads(found.body)["manifests"]]


def test_the_page_names_the_arguments_of_the_build() -> None:
    page = (_ROOT / _PAGE).read_text(encoding="utf-8")
    recipe = (_ROOT / "Containerfile").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\| (?:`([^`]+)`|[^|]+) \|$", page, re.MULTILINE)
    arguments = dict(re.findall(r"^ARG (\w+)(?:=(.*))?$", recipe, re.MULTILINE)[::-1])
    assert dict(rows) == arguments
    used = re.findall(r"--build-arg (\w+)=", page)
    assert used
    assert set(used) <= arguments.keys()


def test_it_joins_images_where_nothing_can_be_written_and_nobody_is_at_home(
    built: Built, plain_registry: Distribution
) -> None:
    team = push_team(plain_registry)
    done = built.run_read_only(
        "touch /tmp/file 2>/dev/null && exit 9\n"
        'test -z "$HOME" || exit 8\n'
        f"oci-merge --template {team}/img-ARCHVARIANT:1.0 --target {team}/img:1.0"
    )
    assert done.returncode == 0, done.stderr
    assert oci_merge.inspect(f"{team}/img:1.0").digest in done.stdout


class Release(NamedTuple):
    """A repository to release in, and a key."""

    registry: Distribution
    repository: str
    private: str
    public: str

    @property
    def path(self) -> str:
        return self.repository.partition("/")[2]

    def publish(self, version: str) -> subprocess.CompletedProcess[str]:
        """Run the script of a release."""
        variables = {
            "COSIGN_PRIVATE_KEY": self.private,
            "COSIGN_PUBLIC_KEY": self.public,
            "COSIGN_PASSWORD": "a password",
            "OCI_MERGE_PROGRAM": str(Path(sys.executable).with_name("oci-merge")),
        }
        return _run([str(_ROOT / "tools/image/release.sh"), self.repository, version], variables)


@pytest.fixture
def release(plain_registry: Distribution) -> Release:
    """A repository of its own, and a key."""
    private, public = generate_key_pair(b"a password")
    name = push_team(plain_registry, {})
    return Release(plain_registry, f"{name}/oci-merge", private.decode(), public.decode())


def test_the_images_of_a_release_are_joined_and_signed_by_oci_merge_itself(
    built: Built, release: Release, skopeo: Path, tmp_path: Path
) -> None:
    target = f"{release.repository}:{__version__}"
    built.storage.call("push", "--tls-verify=false", _IMAGE, f"docker://{target}-amd64")
    with seeder(release.registry) as push:
        # Another machine builds the other one. Here it is the same but for what the config says.
        manifest = json.loads(push.get_manifest(release.path, f"{__version__}-amd64").body)
        read = push.get(f"/v2/{release.path}/blobs/{manifest['config']['digest']}")
        config = json.dumps(json.loads(read) | {"architecture": "arm64"}).encode()
        manifest["config"] |= {"digest": push.push_blob(release.path, config), "size": len(config)}
        body = json.dumps(manifest).encode()
        push.push_manifest(release.path, f"{__version__}-arm64", manifest["mediaType"], body)

    done = release.publish(__version__)
    assert done.returncode == 0, done.stderr

    public = tmp_path / "cosign.pub"
    public.write_text(release.public)
    program = Path(sys.executable).with_name("oci-merge")
    for tag in (__version__, "latest"):
        reference = f"{release.repository}:{tag}"
        verified = _run([str(program), "verify", "--key", str(public), reference])
        assert verified.returncode == 0, verified.stderr
        for architecture in ("amd64", "arm64"):
            command = [
                str(skopeo),
                "inspect",
                "--tls-verify=false",
                f"--override-arch={architecture}",
            ]
            read = json.loads(_run([*command, f"docker://{reference}"]).stdout)
            assert read["Architecture"] == architecture
            assert read["Labels"][f"{_LABEL}.version"] == __version__


def push_small(release: Release, version: str, *labels: str) -> None:
    """Push images that are built in no time, as those of a release.

    Args:
        release: has the repository.
        version: the version in the tags.
        labels: the version in the label of each image, if not the same.
    """
    with seeder(release.registry) as push:
        for position, architecture in enumerate(("amd64", "arm64")):
            label = {f"{_LABEL}.version": labels[position] if labels else version}
            image = build_image("linux", architecture, labels=label)
            push.push_image(release.path, f"{version}-{architecture}", image)


def tags(release: Release) -> dict[str, str]:
    """Return the digests of the tags that a release moves."""
    with seeder(release.registry) as read:
        listed = json.loads(read.get(f"/v2/{release.path}/tags/list"))["tags"]
        return {
            tag: digest_of(read.get_manifest(release.path, tag).body)
            for tag in listed
            if "-" not in tag
        }


def test_a_later_release_takes_the_tag_latest_and_an_older_one_leaves_it(release: Release) -> None:
    for version in ("1.9.0", "1.10.0", "1.9.1"):
        push_small(release, version)
        done = release.publish(version)
        assert done.returncode == 0, done.stderr
    found = tags(release)
    assert found.keys() == {"1.9.0", "1.9.1", "1.10.0", "latest"}
    assert found["latest"] == found["1.10.0"]


def test_a_version_before_a_final_one_is_never_the_latest(release: Release) -> None:
    push_small(release, "1.0rc1")
    assert release.publish("1.0rc1").returncode == 0
    assert tags(release).keys() == {"1.0rc1"}


def test_images_of_two_versions_are_not_released(release: Release) -> None:
    push_small(release, "1.0", "1.0", "0.9")
    done = release.publish("1.0")
    assert done.returncode != 0
    assert "version" in done.stderr
    assert tags(release) == {}


def test_what_cannot_be_signed_is_not_released(release: Release) -> None:
    push_small(release, "1.0")
    done = release._replace(private="no key").publish("1.0")
    assert done.returncode != 0
    assert "COSIGN_PRIVATE_KEY" in done.stderr
    assert tags(release) == {}
