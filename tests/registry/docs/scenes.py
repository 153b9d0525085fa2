"""What each page takes for granted: which images are pushed, which files and programs are there."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping

import trustme

from fixtures.embedded import EmbeddedRegistry, Settings
from fixtures.embedded.quirks.staleness import OldTags
from fixtures.images import (
    BuiltImage,
    BuiltIndex,
    build_attestation,
    build_image,
    build_index,
    build_referrer,
)
from fixtures.playground import PORT, filled_registry
from tests.registry.ci.documents import block
from tests.registry.ci.running import push_images
from tests.registry.docs.console import ROOT
from tests.registry.docs.world import World

Scene = Callable[[World], None]

SCENES: dict[str, Scene] = {}
"""What prepares the world of a page, by the page."""

AMD64 = build_image("linux", "amd64")
ARM64 = build_image("linux", "arm64")
ARMV7 = build_image("linux", "arm", "v7")
S390X = build_image("linux", "s390x")
RISCV64 = build_image("linux", "riscv64")
TWO = {"amd64": AMD64, "arm64": ARM64}
THREE = TWO | {"armv7": ARMV7}


def scene(page: str) -> Callable[[Scene], Scene]:
    """Register what prepares the world of a page."""

    def register(function: Scene) -> Scene:
        assert page not in SCENES
        SCENES[page] = function
        return function

    return register


def push(world: World, template: str, images: Mapping[str, BuiltImage] = TWO) -> None:
    """Push images by a template such as `registry.example/team/app-ARCH:1.0`."""
    push_images(world.named, template, images)


def add_make(world: World) -> None:
    """Put a make on PATH that only looks whether there is such a target."""
    make = shutil.which("make")
    world.job.add_program("make", f'exec {make} --dry-run -C "{ROOT}" "$@" >/dev/null')


def add_installers(world: World) -> None:
    """Put pip, pipx, uv and a Python that makes environments on PATH, which install nothing.

    They check that oci-merge is what is asked for, and give the installed command instead. That an
    installation works is tested in tests/packaging.
    """
    run = f'exec {sys.executable} -m oci_merge_cli "$@"'
    pip = (
        'case "$*" in "install ."|"install oci-merge") ;; '
        '"install git+https://gitlab.example/tools/oci-merge@$COMMIT") ;; *) exit 64 ;; esac'
    )
    world.job.add_program("pip", pip)
    world.job.add_program(
        "python3",
        f"""if [ "$1 $2" != "-m venv" ]; then exec {sys.executable} "$@"; fi
mkdir -p "$3/bin"
printf '#!/bin/sh\\n%s\\n' '{pip}' > "$3/bin/pip"
printf '#!/bin/sh\\n%s\\n' '{run}' > "$3/bin/oci-merge"
chmod +x "$3"/bin/pip "$3"/bin/oci-merge
touch "$3"/bin/activate""",
    )


@scene("README.md")
def _readme(world: World) -> None:
    push(world, "registry.example/team/app-ARCH:1.0")
    world.before("linux/arm/v7", lambda: world.push("registry.example/team/app-armv7:1.0", ARMV7))
    world.push("registry.example/team/app:1.0-intel", AMD64)
    world.push("registry.example/team/app:1.0-arm", ARM64)
    add_installers(world)


@scene("docs/batch.md")
def _batch(world: World) -> None:
    page = "docs/batch.md"
    world.file("images.yml", block(page, "# yaml-language-server: $schema=batch.schema.json"))
    for name in ("api", "web"):
        push(world, f"registry.example/team/{name}-ARCH:1.4.0")
    world.push("registry.example/team/tools:intel", AMD64)
    done = world.job.run(
        "oci-merge --template registry.example/team/web-ARCH:1.4.0"
        " --platforms linux/amd64,linux/arm64 --target registry.example/team/web:1.4.0"
        " --annotation org.opencontainers.image.vendor=Example",
        {},
    )
    assert done.returncode == 0, done.stderr
    world.preamble = (
        "import os\nfrom pathlib import Path\nimport oci_merge\nnote = print\n"
        'os.environ |= {"REGISTRY": "registry.example/team", "VERSION": "1.4.0"}\n'
    )


@scene("docs/benchmarks/README.md")
def _benchmarks(world: World) -> None:
    add_make(world)


@scene("docs/copying.md")
def _copying(world: World) -> None:
    # GHCR mounts nothing, which distribution cannot be told.
    ghcr = EmbeddedRegistry(Settings(refuse_mounts=True))
    for name, image in TWO.items():
        ghcr.add_image(f"acme/app-{name}", "1.0", image)
    world.named.add("ghcr.io", ghcr)
    push(world, "build.example/app-ARCH:1.0")


@scene("docs/credentials.md")
def _credentials(world: World) -> None:
    world.variables["XDG_RUNTIME_DIR"] = "/run/user/1000"
    auth = base64.b64encode(b"ci:registry-password").decode()
    config = world.job.home / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {"registry.example": {"auth": auth}}}))
    world.variables["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {"other.example": {"auth": auth}}})
    push(world, "registry.example/base/app-ARCH:1.0")
    for name in ("reader", "writer"):
        world.file(f"{name}.password", "a password\n")
    # podman is not among the programs that the tests install; buildah's login is the same code.
    world.job.add_program("podman", 'exec buildah "$@"')
    password = "printf 'a password'"
    world.job.add_program("aws", f'test "$*" = "ecr get-login-password" && {password}')
    world.job.add_program("gcloud", f'test "$*" = "auth print-access-token" && {password}')


@scene("docs/indexes.md")
def _indexes(world: World) -> None:
    app = "registry.example/team/app"
    world.push(f"{app}:1", build_index([AMD64, build_attestation(AMD64)]))
    world.push(f"{app}-arm64:1", ARM64)
    push(world, f"{app}-ARCH:1.0", TWO)
    world.push(f"{app}-riscv64:1.0", RISCV64)
    world.before("--append", lambda: world.push(f"{app}:1.0", _draft()))
    for architecture, image in _labelled().items():
        world.push(f"ghcr.io/acme/app:1.0-{architecture}", image)
        eleven = build_image("linux", architecture, text="1.1")
        world.push(f"{app}:1.1-{architecture}", eleven)
    world.before("registry.example/public/app:1.0", lambda: _refer(world))


def _refer(world: World) -> None:
    """Let something refer to an image, by the tag that clients keep where no list is kept."""
    referrer = build_referrer(AMD64)
    tag = AMD64.digest.replace(":", "-")
    world.push(f"registry.example/team/app-amd64:{tag}", build_index([referrer]))


def _draft() -> BuiltIndex:
    armv6 = build_image("linux", "arm", "v6")
    images = [AMD64, ARM64, S390X, armv6]
    return build_index(images, annotations={"com.example.draft": "yes"})


def _labelled() -> dict[str, BuiltImage]:
    description = {"org.opencontainers.image.description": "An example"}
    created = "org.opencontainers.image.created"
    return {
        name: build_image(
            "linux", name, labels=description | {created: f"2026-11-26T18:0{number}:00Z"}
        )
        for number, name in enumerate(TWO)
    }


@scene("docs/index.md")
def _index(world: World) -> None:
    push(world, "registry.example/team/app-ARCH:1.0")


@scene("docs/get-started.md")
def _get_started(world: World) -> None:
    add_installers(world)
    # What `make registry` serves in a second terminal.
    port = world.named.listen(filled_registry())
    world.aliases[f"localhost:{PORT}"] = f"localhost:{port}"


@scene("docs/install.md")
def _install(world: World) -> None:
    world.variables["COMMIT"] = "4f2c1a9" * 6
    add_installers(world)
    add_make(world)
    run = f"exec {sys.executable} -m oci_merge_cli --version"
    world.job.add_program("uvx", f'test "$*" = "--from . oci-merge --version" && {run}')
    world.job.add_program("uv", 'test "$*" = "tool install ."')
    words = f'"run --spec . oci-merge --version") {run} ;; "install .") ;; *) exit 64'
    world.job.add_program("pipx", f'case "$*" in {words} ;; esac')


@scene("docs/library.md")
def _library(world: World) -> None:
    app = "registry.example/team/app"
    push(world, f"{app}-ARCH:1.0", THREE | {"riscv64": RISCV64})
    push(world, "other.example/team/app-ARCH:1.0")
    world.before("oci_merge.append", lambda: world.push(f"{app}:1.0", _draft()))
    world.file(
        "spec.yml",
        f"image: {app}:spec\nmanifests:\n"
        f"  - image: {app}-amd64:1.0\n    platform: {{os: linux, architecture: amd64}}\n"
        f"  - image: {app}-arm64:1.0\n    platform: {{os: linux, architecture: arm64}}\n",
    )
    shutil.copy(world.named.ca_pem, world.job.workspace / "ca.pem")
    client = trustme.CA().issue_cert("ci.test").private_key_and_cert_chain_pem
    client.write_to_path(world.job.workspace / "ci.pem")
    world.preamble = (
        "import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "from pathlib import Path\nimport oci_merge\n"
        'names = ["app"]\ntoken = other = "a password"\n'
    )


@scene("docs/next-job.md")
def _next_job(world: World) -> None:
    push(world, "registry.example/team/app-ARCH:1.0")
    command = (
        "oci-merge --template registry.example/team/app-ARCH:1.0"
        " --platforms linux/amd64,linux/arm64"
        " --target registry.example/team/app:1.0 --tags latest --metadata-file metadata.json"
    )
    done = world.job.run(command, {})
    assert done.returncode == 0, done.stderr
    shown = json.loads(block("docs/next-job.md", '{\n  "containerimage.descriptor": {', "json"))
    assert json.loads((world.job.workspace / "metadata.json").read_text()) == shown
    add_installers(world)


@scene("docs/pipelines.md")
def _pipelines(world: World) -> None:
    app = "registry.example/team/app"
    world.variables["CI_COMMIT_SHORT_SHA"] = "4f2c1a9"
    world.variables["CI_COMMIT_TIMESTAMP"] = "2026-11-26T18:00:00Z"
    world.variables["CI_PIPELINE_IID"] = "7"
    world.push(f"{app}-amd64:4f2c1a9", AMD64)
    world.before("--wait", lambda: _push_late(world, "team/app-arm64", "4f2c1a9", ARM64))
    push(world, f"{app}-ARCH:1.0")
    for name, image in TWO.items():
        world.push(f"{app}:build-{name}", image)
        world.file(f"digests/{name}", image.digest)
    world.file("digests/arm64.json", json.dumps({"containerimage.digest": ARM64.digest}))
    world.file("arm64/digest", ARM64.digest)
    world.push(f"{app}:nightly", build_index([AMD64, ARM64, S390X]))
    world.before("1.9.1", lambda: _two_releases(world, app))
    world.job.add_program("docker", 'test "$1 $2" = "buildx build"')
    world.preamble = "import pathlib\nimport oci_merge"


def _push_late(world: World, repository: str, tag: str, image: BuiltImage) -> None:
    """Push an image as soon as the command has asked for it twice, and so says that it waits."""
    registry = world.named.registries["registry.example"]
    path = f"/v2/{repository}/manifests/{tag}"

    def late() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if sum(record.path == path for record in registry.access_log()) > 1:
                break
            time.sleep(0.1)
        world.push(f"registry.example/{repository}:{tag}", image)

    threading.Thread(target=late).start()


def _two_releases(world: World, app: str) -> None:
    version = "org.opencontainers.image.version"
    newer = [build_image("linux", name, labels={version: "2.0.1"}) for name in TWO]
    world.push(f"{app}:latest", build_index(newer))
    for name in TWO:
        labels = {version: "1.9.1", "com.example.pipeline": "7"}
        world.push(f"{app}-{name}:1.9.1", build_image("linux", name, labels=labels))


@scene("docs/plan.md")
def _plan(world: World) -> None:
    app = "registry.example/team/app"
    push(world, f"{app}-ARCH:1.0")
    rebuilt = build_image("linux", "arm64", text="built again")
    world.before(f"{app}:1.0 --verify", lambda: world.push(f"{app}-arm64:1.0", ARM64))
    world.before("oci-merge apply plan.json", lambda: _plan_anew(world, rebuilt))
    # distribution 2 deletes no tag; what is shown is a registry that does.
    embedded = EmbeddedRegistry()
    for name, image in TWO.items():
        embedded.add_image(f"team/app-{name}", "1.0", image)
    world.named.add("zot.example", embedded)
    # A registry behind a cache.
    cached = EmbeddedRegistry(hooks=[OldTags(reads=1000)])
    for name, image in TWO.items():
        cached.add_image(f"team/app-{name}", "1.0", image)
    cached.add_image("team/app", "1.0", AMD64)
    world.named.add("cached.example", cached)
    world.preamble = (
        "import oci_merge\n"
        f'target = "{app}:1.0"\n'
        f'template = "{app}-ARCH:1.0"\n'
        "digest = oci_merge.inspect(target).digest\n"
    )


def _plan_anew(world: World, rebuilt: BuiltImage) -> None:
    """Plan with an image that is built once more, before the plan is applied."""
    app = "registry.example/team/app"
    world.push(f"{app}-arm64:1.0", rebuilt)
    done = world.job.run(
        f"oci-merge --template {app}-ARCH:1.0 --target {app}:1.0 --tags latest"
        " --dry-run --output json > plan.json",
        {},
    )
    assert done.returncode == 0, done.stderr
    world.push(f"{app}-arm64:1.0", ARM64)


@scene("docs/single-file.md")
def _single_file(world: World) -> None:
    name = "oci-merge-0.1.0-cp312-linux_x86_64.pyz"
    content = f'#!/bin/sh\nexec {sys.executable} -m oci_merge_cli "$@"\n'
    world.file(f"dist/{name}", content)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    world.file(f"dist/{name}.sha256", f"{sha256}  {name}\n")
    world.variables["OCI_MERGE_SHA256"] = sha256
    add_make(world)
    world.job.add_program("curl", f'cp "{world.job.workspace}/dist/${{2##*/}}" .')
    world.job.add_program("python3.12", 'exec sh "$@"')


@scene("docs/terminal.md")
def _terminal(world: World) -> None:
    (world.job.home / ".config" / "fish" / "completions").mkdir(parents=True)
    push(world, "reg.example/app-ARCH:1.0")


@scene("docs/trust.md")
def _trust(world: World) -> None:
    push(world, "reg.example/app-ARCH:1.0")
    # cosign is in no package of Debian's. What it stands for here is that the signature verifies.
    world.job.add_program(
        "cosign", 'exec oci-merge verify --quiet --key "$3" --output json "$5" >/dev/null'
    )
    world.before("team.pub", lambda: _sign_by_the_team(world))


def _sign_by_the_team(world: World) -> None:
    sign = "oci-merge sign --key team.key reg.example/app"
    done = world.job.run(
        "export COSIGN_PASSWORD=; oci-merge generate-key-pair --output-key-prefix team"
        f" && {sign}-amd64:1.0 && {sign}-arm64:1.0",
        {},
    )
    assert done.returncode == 0, done.stderr


def _add_kubectl(world: World) -> None:
    """Put a kubectl on PATH that only looks whether there is such a file."""
    for file in (ROOT / "docs" / "ci").glob("*.yaml"):
        shutil.copy(file, world.job.workspace)
    world.job.add_program("kubectl", 'if [ "$1 $2" = "apply -f" ]; then test -f "$3"; fi')


@scene("docs/ci/kubernetes.md")
def _kubernetes(world: World) -> None:
    _add_kubectl(world)


@scene("docs/ci/tekton.md")
def _tekton(world: World) -> None:
    _add_kubectl(world)


@scene("docs/image.md")
def _image(world: World) -> None:
    # What is built is tried in tests/registry/test_image.py. Here the installed command runs.
    world.job.add_program(
        "docker",
        """case $1 in
build) ;;
run) while [ "$1" != oci-merge ]; do shift; done && exec "$@" ;;
*) exit 64 ;;
esac""",
    )
    shutil.copytree(ROOT / "tools" / "image", world.job.workspace / "tools" / "image")
    labels = {"org.opencontainers.image.version": "0.1.0"}
    images = {name: build_image("linux", name, labels=labels) for name in TWO}
    push(world, "registry.example/tools/oci-merge:0.1.0-ARCH", images)
    push(world, "registry.example/team/app-ARCH:1.0")
    password = "a password"
    done = world.job.run("oci-merge generate-key-pair", {"COSIGN_PASSWORD": password})
    assert done.returncode == 0, done.stderr
    key = (world.job.workspace / "cosign.key").read_text()
    world.variables |= {"COSIGN_PRIVATE_KEY": key, "COSIGN_PASSWORD": password}
