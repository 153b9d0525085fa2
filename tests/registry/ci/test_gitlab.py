"""The component for GitLab, and every job of docs/ci/gitlab.md and docs/ci/kaniko.md."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from fixtures.images import build_image
from fixtures.named_registries import NamedRegistries
from oci_merge import __version__
from tests.registry.ci.documents import ROOT, block, blocks, refusal
from tests.registry.ci.gitlab import (
    REGISTRY,
    USER,
    InputError,
    Pipeline,
    Ran,
    Runners,
    component,
    expanded,
    interpolated,
    predefined,
)
from tests.registry.ci.running import TWO, Job, listed, push_images

TEMPLATE = (ROOT / "templates/merge.yml").read_text(encoding="utf-8")
COMPONENTS = {"gitlab.example/tools/oci-merge/merge": TEMPLATE}
PAGE, KANIKO = "docs/ci/gitlab.md", "docs/ci/kaniko.md"
DIGESTS = [image.digest for image in TWO.values()]
MERGING = {"template": "$CI_REGISTRY_IMAGE/app-ARCH:1", "target": "$CI_REGISTRY_IMAGE/app:1"}

_projects = itertools.count()


@pytest.fixture(scope="module")
def named(docker_registry: Path) -> Iterator[NamedRegistries]:
    """GitLab's registry and another one, which want a login."""
    with NamedRegistries({REGISTRY: USER, "registry.example": USER}) as registries:
        yield registries


@pytest.fixture
def project() -> str:
    """The path of a project that no other test uses."""
    return f"group/project-{next(_projects)}"


@pytest.fixture
def image(project: str) -> str:
    """What `CI_REGISTRY_IMAGE` is in the project."""
    return f"{REGISTRY}/{project}"


def included(inputs: Mapping[str, object]) -> str:
    """Return a `.gitlab-ci.yml` that includes the component."""
    name = "$CI_SERVER_FQDN/tools/oci-merge/merge@main"
    return yaml.safe_dump({"include": [{"component": name, "inputs": dict(inputs)}]})


def push(text: str, project: str, **more: str) -> Pipeline:
    """Return the pipeline of a push to the main branch, with more variables of the project."""
    return Pipeline(text, predefined(project) | more, COMPONENTS)


def usual(machine: Job) -> None:
    """Put programs onto a machine that images of jobs have.

    `pip` stands for one that installs oci-merge, `apk`, `curl` and `tar` for those that bring
    manifest-tool.
    """
    machine.add_program("python3", f'exec {shlex.quote(sys.executable)} "$@"')
    machine.add_program("pip", 'test "$*" = "install oci-merge"')
    for name in ("apk", "curl", "tar"):
        machine.add_program(name, "")


def with_kubectl(machine: Job) -> None:
    """Put a `kubectl` onto a machine, too, which prints its arguments."""
    usual(machine)
    machine.add_program("kubectl", 'printf "%s " "$@"')


def succeeded(ran: list[Ran]) -> list[Ran]:
    """Return jobs of which the last, and so each, succeeded."""
    assert ran[-1].done.returncode == 0, f"{ran[-1].job.name}\n{ran[-1].done.stderr}"
    return ran


OTHER_PAGES = {
    "README.md": ["app:4f2c1a9b", "app:latest"],
    "docs/credentials.md": ["app:4f2c1a9b"],
    "docs/next-job.md": ["app:4f2c1a9b", "app:latest"],
    "docs/plan.md": ["app:1.0"],
}
"""Pages that show jobs of GitLab among others, and the tags that these publish."""


def gitlab_jobs(page: str) -> list[str]:
    """Return the jobs of GitLab on a page: what has a script and GitLab's variables."""
    return [text for text in blocks(page) if "script:" in text and re.search(r"\$\{?CI_", text)]


# What GitLab says of the files.


def test_gitlabs_schema_takes_the_component_and_every_pipeline_of_the_pages(tmp_path: Path) -> None:
    header = TEMPLATE[: TEMPLATE.index("---\n")]
    texts = {"header": header, "body": interpolated(TEMPLATE, MERGING)}
    texts["wrong"] = header.replace("type: array", "type: list", 1)
    pages = {page: blocks(page) for page in (PAGE, KANIKO, "docs/coming-from/manifest-tool.md")}
    for page, found in (pages | {page: gitlab_jobs(page) for page in OTHER_PAGES}).items():
        assert found
        texts |= {f"{Path(page).stem}-{number}": text for number, text in enumerate(found)}
    transform = ("--data-transform", "gitlab-ci")
    refused = {
        name: said
        for name, text in texts.items()
        if (said := refusal(text, "vendor.gitlab-ci", tmp_path, *transform))
    }
    assert refused.keys() == {"wrong"}, refused


def test_every_input_is_used_and_every_used_one_is_declared() -> None:
    declared, body = component(TEMPLATE)
    assert set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", body)) == declared.keys()
    assert len(re.findall(r"\$\[\[", body)) == len(re.findall(r"\$\[\[ inputs\.[\w-]+ \]\]", body))


def test_what_the_component_and_its_pages_name_is_this_version() -> None:
    declared, _ = component(TEMPLATE)
    assert declared["requirement"]["default"] == f"oci-merge=={__version__}"
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in (PAGE, KANIKO))
    assert set(re.findall(r"oci-merge/merge@(\S+)", text)) == {f"v{__version__}"}
    assert set(re.findall(r"tools/oci-merge:(\S+)", text)) == {__version__}


def test_the_page_has_every_input_with_what_the_component_says_of_it() -> None:
    rows = ["| input | type | default | |", "| --- | --- | --- | --- |"]
    for name, spec in component(TEMPLATE)[0].items():
        default = "needed"
        if "default" in spec:
            plain = spec["default"]
            default = f"`{plain if isinstance(plain, str) else json.dumps(plain)}`"
        rows.append(
            f"| `{name}` | {spec.get('type', 'string')} | {default} | {spec['description']} |"
        )
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- inputs -->\n\n")
    table, _, _ = rest.partition("\n\n")
    assert table.splitlines() == rows


# What becomes of inputs.


class Recorder:
    """Machines on which `oci-merge` writes its arguments down and does nothing else."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, machine: Job) -> None:
        usual(machine)
        machine.add_program("oci-merge", f'printf "%s\\0" "$@" > {shlex.quote(str(self._file))}')

    def arguments(self) -> list[str]:
        """Return the arguments of the last run."""
        return self._file.read_bytes().decode().split("\0")[:-1]


def recorded(
    inputs: Mapping[str, object], named: NamedRegistries, folder: Path, **variables: str
) -> list[str]:
    """Return the arguments that the component makes of inputs."""
    recorder = Recorder(folder / "arguments")
    folder.mkdir(exist_ok=True)
    runners = Runners(folder, named, {}, recorder)
    succeeded(runners.run(push(included(inputs), "group/any", **variables)))
    return recorder.arguments()


def test_inputs_become_the_options_that_they_are_called_after(
    named: NamedRegistries, tmp_path: Path
) -> None:
    inputs: dict[str, object] = {
        "target": "${CI_REGISTRY}/group/app:1",
        "further-targets": ["registry.example/app:1", "$EMPTY"],
        "tags": ["latest", "1.10"],
        "sources": ["$CI_REGISTRY_IMAGE@sha256:1=linux/arm64"],
        "source-files": ["digests/*.json", "more digests"],
        "source-repository": "$CI_REGISTRY_IMAGE/app",
        "arch-alias": ["amd64=x86_64"],
        "platforms": ["linux/amd64", "linux/arm64"],
        "optional": ["linux/riscv64"],
        "wait": "1h30m",
        "annotations": ['org.opencontainers.image.title=It\'s "A & B", <100 %>'],
        "annotations-from-labels": True,
        "append": True,
        "copy-layers": True,
        "require": ["linux/amd64"],
        "require-same": ["org.opencontainers.image.revision"],
        "no-shrink": True,
        "only-newer": "version",
        "sign": True,
        "sign-key": "env://KEY",
        "verify-keys": ["cosign.pub"],
        "provenance": True,
        "verify": True,
        "dry-run": True,
        "retries": 7,
        "dotenv": "app.env",
        "options": ["--rate=10", "--debug"],
    }
    assert recorded(inputs, named, tmp_path, EMPTY="") == [
        f"--target={REGISTRY}/group/app:1",
        "--target=registry.example/app:1",
        "--tags=latest",
        "--tags=1.10",
        f"--source={REGISTRY}/group/any@sha256:1=linux/arm64",
        "--source-file=digests/*.json",
        "--source-file=more digests",
        f"--source-repository={REGISTRY}/group/any/app",
        "--arch-alias=amd64=x86_64",
        "--platforms=linux/amd64",
        "--platforms=linux/arm64",
        "--optional=linux/riscv64",
        "--wait=1h30m",
        '--annotation=org.opencontainers.image.title=It\'s "A & B", <100 %>',
        "--annotations-from-labels",
        "--append",
        "--copy-layers",
        "--require=linux/amd64",
        "--require-same=org.opencontainers.image.revision",
        "--no-shrink",
        "--only-newer=version",
        "--sign",
        "--sign-key=env://KEY",
        "--verify-key=cosign.pub",
        "--provenance",
        "--verify",
        "--dry-run",
        "--retries=7",
        "--dotenv=app.env",
        "--rate=10",
        "--debug",
    ]
    of_the_program = subprocess.run(
        [sys.executable, "-m", "oci_merge_cli", "--help"],
        env={"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    declared, _ = component(TEMPLATE)
    about_the_job = {"as", "stage", "image", "requirement", "file-url", "file-sha256", "private-ca"}
    assert declared.keys() - inputs.keys() == {*about_the_job, "template"}
    for argument in recorded(inputs, named, tmp_path / "again", EMPTY=""):
        assert argument.partition("=")[0] in of_the_program


HOSTILE = [
    "$(touch owned)",
    "`touch owned`",
    "; touch owned; '",
    '"], "dry-run": true, "x": ["',
    "--insecure",
    "\\\n  script: [touch owned]",
    "a\r\nb",
    "OCI_MERGE\ntouch owned",
    "é € \U0001f40b \u2028",
    "%CI_JOB_TOKEN%",
    "{{ x }} #: - & * ! | > @",
    " ",
]


def test_no_value_becomes_anything_but_a_value(named: NamedRegistries, tmp_path: Path) -> None:
    lines = [text for text in HOSTILE if not {"\r", "\n"} & set(text)]  # others are refused
    branches = {f"REF_{number}": text for number, text in enumerate(lines)}
    inputs: dict[str, object] = {
        "target": "registry.example/app:1",
        "tags": [text.replace("$", "$$") for text in HOSTILE],
        "annotations": [f"key=${name}" for name in branches],
    }
    given = recorded(inputs, named, tmp_path, **branches)
    assert given == [
        "--target=registry.example/app:1",
        *(f"--tags={text}" for text in HOSTILE),
        *(f"--annotation=key={text}" for text in lines),
        "--retries=4",
        "--dotenv=oci-merge.env",
    ]
    assert not list(tmp_path.rglob("owned"))


@pytest.mark.parametrize("text", ["", " ", 'a"b', "a'b", "a\\b", "a\nb", "a: b\n", "a #b", "-x"])
@pytest.mark.parametrize(
    "name", [name for name, spec in component(TEMPLATE)[0].items() if "type" not in spec]
)
def test_an_input_of_one_line_may_not_have_what_means_something_to_yaml(
    name: str, text: str
) -> None:
    harmless = {"as": {"-x"}, "stage": {"-x"}, "image": {"-x"}, "only-newer": {"-x"}}
    if name == "requirement" and text == "a #b":
        return
    if text in harmless.get(name, ()):
        return
    with pytest.raises(InputError, match=f"`{name}` input"):
        interpolated(TEMPLATE, MERGING | {name: text})


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"tags": ["$IMAGE_TAG"]}, "the input tags names the variable IMAGE_TAG, which is not set"),
        ({"tags": [1.1]}, "the input tags has 1.1, which is no text: put it in quotes"),
        (
            {"file-url": "https://files.example/x.pyz", "file-sha256": "${SUM}"},
            "the input file-sha256 names the variable SUM, which is not set",
        ),
    ],
)
def test_a_value_that_cannot_be_meant_is_an_error_that_names_the_input(
    named: NamedRegistries, tmp_path: Path, inputs: dict[str, object], error: str
) -> None:
    [ran] = Runners(tmp_path, named, {}, usual).run(
        push(included({**MERGING, **inputs}), "group/any")
    )
    assert (ran.done.returncode, ran.done.stderr) == (1, f"error: {error}\n")


# Where the program comes from.


@contextmanager
def served(files: Mapping[str, bytes | str]) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Serve files over HTTP; a text is the address to which a request is redirected.

    Yields:
        The address, and the requests: each one's path and its token.
    """
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["JOB-TOKEN"]))
            content = files[self.path]
            if isinstance(content, str):
                self.send_response(302)
                self.send_header("Location", content)
                content = b""
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


SINGLE_FILE = (
    b"import runpy; runpy.run_module('oci_merge_cli', run_name='__main__', alter_sys=True)"
)
"""What stands for the single file: it starts the program that is installed here."""


def test_the_jobs_that_take_the_program_of_an_image_and_of_a_file_publish(
    named: NamedRegistries, tmp_path: Path, project: str, image: str
) -> None:
    push_images(named, f"{image}/app-ARCH:4f2c1a9b")
    name = "/oci-merge-0.1.0-cp312-linux_x86_64.pyz"
    with served({name: SINGLE_FILE}) as (address, asked):
        text = block(PAGE, "# programs").replace("https://files.example", address)
        checksum = hashlib.sha256(SINGLE_FILE).hexdigest()
        pipeline = push(text, project, OCI_MERGE_SHA256=checksum)
        ran = succeeded(Runners(tmp_path, named, {}, usual).run(pipeline))
    assert [job.job.name for job in ran] == ["merge-by-image", "merge-by-file"]
    assert asked == [(name, None)]  # a host that is not GitLab's gets no token
    assert listed(named, f"{image}/app:by-image") == DIGESTS
    assert listed(named, f"{image}/app:by-file") == DIGESTS


def test_a_file_with_another_checksum_is_not_run(named: NamedRegistries, tmp_path: Path) -> None:
    content = b"open('owned', 'w')"
    with served({"/x.pyz": content}) as (address, _):
        inputs = {"file-url": f"{address}/x.pyz", "file-sha256": "0" * 64}
        [ran] = Runners(tmp_path, named, {}, usual).run(
            push(included({**MERGING, **inputs}), "group/any")
        )
    assert ran.done.returncode == 1
    found = hashlib.sha256(content).hexdigest()
    assert f"has the SHA-256 {found}, and file-sha256 is {'0' * 64}" in ran.done.stderr
    assert not list(tmp_path.rglob("owned"))


def test_gitlab_gets_the_jobs_token_and_the_host_that_it_redirects_to_does_not(
    named: NamedRegistries, tmp_path: Path
) -> None:
    content = b"print('started')"
    with (
        served({"/file": content}) as (store, at_store),
        served({"/api/v4/x.pyz": f"{store}/file"}) as (gitlab, at_gitlab),
    ):
        inputs = {
            "file-url": "$CI_API_V4_URL/x.pyz",
            "file-sha256": hashlib.sha256(content).hexdigest(),
        }
        pipeline = push(
            included({**MERGING, **inputs}), "group/any", CI_API_V4_URL=f"{gitlab}/api/v4"
        )
        [ran] = succeeded(Runners(tmp_path, named, {}, usual).run(pipeline))
    assert ran.done.stdout == "started\n"
    assert (at_gitlab, at_store) == ([("/api/v4/x.pyz", USER.password)], [("/file", None)])


def test_pip_installs_what_is_required_where_the_image_has_no_oci_merge(
    named: NamedRegistries, tmp_path: Path
) -> None:
    wheel = tmp_path / "oci_merge-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("oci_merge_cli/__init__.py", "")
        archive.writestr("oci_merge_cli/__main__.py", "import sys; print(__file__, *sys.argv[1:])")
        archive.writestr("json.py", "raise ImportError")
        archive.writestr("oci_merge-0.1.0.dist-info/METADATA", "Name: oci-merge\nVersion: 0.1.0\n")
        archive.writestr("oci_merge-0.1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("oci_merge-0.1.0.dist-info/RECORD", "")

    def bare(machine: Job) -> None:
        usual(machine)
        (machine.home.parent / "bin" / "oci-merge").unlink()
        # Modules of the repository are no part of the program.
        for module in ("oci_merge_cli", "json", "pip"):
            (machine.workspace / f"{module}.py").write_text("raise SystemExit('not the program')")

    inputs = {"requirement": str(wheel), "options": ["--quiet"]}
    pipeline = push(included({**MERGING, **inputs}), "group/any", PIP_NO_INDEX="1")
    [ran] = succeeded(Runners(tmp_path, named, {}, bare).run(pipeline))
    started, *arguments = ran.done.stdout.split()
    assert re.search(r"/oci-merge-\w+/oci_merge_cli/__main__\.py$", started)
    assert arguments == [
        f"--target={REGISTRY}/group/any/app:1",
        f"--template={REGISTRY}/group/any/app-ARCH:1",
        "--retries=4",
        "--dotenv=oci-merge.env",
        "--quiet",
    ]


# The pipelines of the pages.


def test_kanikos_pipeline_builds_on_two_kinds_of_nodes_and_publishes_both_tags(
    named: NamedRegistries, tmp_path: Path, project: str, image: str
) -> None:
    ran = succeeded(
        Runners(tmp_path, named, prepare=usual).run(push(block(KANIKO, "# pipeline"), project))
    )
    assert [job.job.group for job in ran] == ["build-php", "build-php", "php"]
    assert listed(named, f"{image}/php:latest") == DIGESTS
    assert listed(named, f"{image}/php:4f2c1a9b") == DIGESTS


def test_what_kaniko_pushed_is_joined_by_digest_even_where_its_tags_have_moved(
    named: NamedRegistries, tmp_path: Path, project: str, image: str
) -> None:
    pipeline = block(KANIKO, "# digests")
    builds = yaml.safe_dump({"build": yaml.safe_load(pipeline)["build"]})
    for name, text in (("job", pipeline), ("component", builds + block(KANIKO, "# component"))):
        folder = tmp_path / name
        folder.mkdir()
        mover = Mover(named, image)
        runners = Runners(folder, named, prepare=mover)
        succeeded(runners.run(push(text, f"{project}-{name}")))
        assert mover.machines == 3
        assert sorted(listed(named, f"{image}-{name}/app:main")) == sorted(DIGESTS)


class Mover:
    """Machines, before the last of which the tags of a later pipeline arrive."""

    def __init__(self, named: NamedRegistries, image: str) -> None:
        self._named, self._image = named, image
        self.machines = 0

    def __call__(self, machine: Job) -> None:
        usual(machine)
        self.machines += 1
        if self.machines == 3:
            later = {name: build_image("linux", name, text="later") for name in TWO}
            for suffix in ("job", "component"):
                push_images(self._named, f"{self._image}-{suffix}/app:main-ARCH", later)


def test_an_index_of_one_platform_is_not_published_where_a_build_wrote_no_digest(
    named: NamedRegistries, tmp_path: Path, project: str, image: str
) -> None:
    loaded = yaml.safe_load(block(KANIKO, "# digests"))
    loaded["build"]["parallel"]["matrix"] = [{"ARCH": ["amd64"]}]
    ran = Runners(tmp_path, named, prepare=usual).run(push(yaml.safe_dump(loaded), project))
    assert (ran[-1].job.name, ran[-1].done.returncode) == ("merge", 1)
    assert "linux/arm64" in ran[-1].done.stderr
    assert listed(named, f"{image}/app:main") == []


@pytest.mark.parametrize(
    ("first_line", "template", "tags"),
    [
        ("# job", "app-ARCH:4f2c1a9b", ["app:4f2c1a9b", "app:latest"]),
        ("# component", "app-ARCH:4f2c1a9b", ["app:4f2c1a9b", "app:latest"]),
        ("# template", "php-ARCH:4f2c1a9b", ["php:latest", "php:4f2c1a9b"]),
    ],
)
def test_a_job_of_the_page_publishes_its_tags(
    named: NamedRegistries,
    tmp_path: Path,
    project: str,
    image: str,
    first_line: str,
    template: str,
    tags: list[str],
) -> None:
    push_images(named, f"{image}/{template}")
    push_images(named, f"{image}/nginx-ARCH:4f2c1a9b")
    pipeline = push(block(PAGE, first_line), project)
    succeeded(Runners(tmp_path, named, {}, usual).run(pipeline))
    assert [listed(named, f"{image}/{tag}") for tag in tags] == [DIGESTS, DIGESTS]


def test_the_authority_that_the_runner_knows_is_trusted_where_the_job_asks_for_it(
    named: NamedRegistries, tmp_path: Path, project: str, image: str
) -> None:
    push_images(named, f"{image}/app-ARCH:4f2c1a9b")
    empty = tmp_path / "no-authorities.pem"
    empty.write_text("")
    runners = Runners(tmp_path, named, {}, usual, system={"SSL_CERT_FILE": str(empty)})
    own = block(PAGE, "# private")
    by_component = block(PAGE, "# overrides").replace("./build-image", "true")
    for text in (own, by_component):
        succeeded(runners.run(push(text, project)))
        assert listed(named, f"{image}/app:4f2c1a9b") == DIGESTS
    without = by_component.replace("private-ca: true", "private-ca: false")
    ran = runners.run(push(without, project))
    assert ran[-1].done.returncode == 1
    assert "certificate" in ran[-1].done.stderr


def test_there_is_no_merge_on_a_branch_that_the_rules_leave_out(project: str) -> None:
    text = block(PAGE, "# overrides")
    assert [job.name for job in push(text, project).jobs()] == [
        *("build-amd64", "build-arm64", "merge-app")
    ]
    feature = Pipeline(text, predefined(project, branch="feature"), COMPONENTS)
    assert [job.name for job in feature.jobs()] == ["build-amd64", "build-arm64"]


def test_latest_moves_on_the_default_branch_alone_and_never_back(
    named: NamedRegistries, tmp_path: Path, project: str, image: str
) -> None:
    def built(number: str) -> list[str]:
        label = {"com.example.pipeline": number}
        images = {name: build_image("linux", name, labels=label) for name in TWO}
        push_images(named, f"{image}/app-ARCH:4f2c1a9b", images)
        return [made.digest for made in images.values()]

    runners = Runners(tmp_path, named, {}, usual)
    text = block(PAGE, "# latest")
    feature = Pipeline(text, predefined(project, branch="feature/x"), COMPONENTS)
    eighth = built("8")
    succeeded(runners.run(feature))
    assert listed(named, f"{image}/app:feature-x") == eighth
    assert listed(named, f"{image}/app:latest") == []
    succeeded(runners.run(push(text, project)))
    built("7")
    [ran] = succeeded(runners.run(push(text, project)))
    assert "tag latest kept" in ran.done.stderr
    assert listed(named, f"{image}/app:latest") == eighth
    assert listed(named, f"{image}/app:main") == eighth


def test_the_next_job_gets_the_digest_of_what_was_signed_and_verified(
    named: NamedRegistries, tmp_path: Path, project: str, image: str
) -> None:
    push_images(named, f"{image}/app-ARCH:4f2c1a9b")
    command = [sys.executable, "-m", "oci_merge_cli", "generate-key-pair"]
    subprocess.run(command, cwd=tmp_path, env={"COSIGN_PASSWORD": "long"}, timeout=60, check=True)
    key = {"COSIGN_PASSWORD": "long", "COSIGN_PRIVATE_KEY": (tmp_path / "cosign.key").read_text()}

    pipeline = push(block(PAGE, "# next"), project, **key)
    merge, deploy = succeeded(Runners(tmp_path, named, {}, with_kubectl).run(pipeline))
    with named.seeder(REGISTRY) as reader:
        digest = reader.get_manifest(f"{project}/app", "4f2c1a9b").digest
        signature = reader.get_manifest(f"{project}/app", f"{digest.replace(':', '-')}.sig")
    assert signature.status == 200
    assert merge.reported["OCI_MERGE_DIGEST"] == digest
    assert deploy.done.stdout == f"set image deployment/app app={image}/app@{digest} "


# Names of architectures, and merge jobs that are in use.

HELPERS = {
    "x86_64": build_image("linux", "amd64"),
    "arm64": build_image("linux", "arm64", "v8"),
    "arm": build_image("linux", "arm", "v7"),
    "s390x": build_image("linux", "s390x"),
    "ppc64le": build_image("linux", "ppc64le"),
}


@pytest.mark.parametrize("first_line", ["# helper, before", "# helper, after"])
def test_the_helper_images_of_the_runner_are_joined_for_the_platforms_that_they_are(
    named: NamedRegistries, tmp_path: Path, project: str, image: str, first_line: str
) -> None:
    helper = f"{image}/gitlab-runner-helper"
    push_images(named, f"{helper}:alpine-latest-ARCH-v18.7.1", HELPERS)
    pipeline = push(block(PAGE, first_line), project, RUNNER_VERSION="v18.7.1")
    [ran] = succeeded(Runners(tmp_path, named, {}, usual).run(pipeline))
    assert listed(named, f"{helper}:alpine-v18.7.1") == [made.digest for made in HELPERS.values()]
    with named.seeder(REGISTRY) as reader:
        found = reader.get_manifest(f"{project}/gitlab-runner-helper", "alpine-v18.7.1")
    platforms = [entry["platform"] for entry in json.loads(found.body)["manifests"]]
    assert [platform["architecture"] for platform in platforms] == [
        *("amd64", "arm64", "arm", "s390x", "ppc64le")
    ]
    assert platforms[2]["variant"] == "v7"
    assert ("linux/x86_64" in ran.done.stderr) == (first_line == "# helper, before")


IN_USE = [
    ("$CI_REGISTRY_IMAGE:$CI_COMMIT_SHA-ARCH", TWO, '--template "{}"'),
    ("$CI_REGISTRY_IMAGE/ARCH:$CI_COMMIT_SHA", TWO, '--template "{}"'),
    (
        "$CI_REGISTRY_IMAGE/ARCH/server:1",
        {"amd64": TWO["amd64"], "aarch64": TWO["arm64"], "arm32v7": HELPERS["arm"]},
        '--template "{}" --arch-alias arm64=aarch64,arm=arm32v7',
    ),
    (
        "$CI_REGISTRY_IMAGE:$CI_COMMIT_REF_SLUG-ARCH",
        {"x86": TWO["amd64"], "arm": TWO["arm64"]},
        '--source "$IMAGE-x86" --source "$IMAGE-arm"',
    ),
    ("$CI_REGISTRY_IMAGE:tool--ARCH--$CI_COMMIT_SHA", TWO, '--template "{}"'),
]
"""Where merge jobs of others have their images, and what the page gives for it."""


def test_images_are_joined_wherever_the_merge_jobs_of_others_have_them(
    named: NamedRegistries, tmp_path: Path, project: str
) -> None:
    script = ["export IMAGE=$CI_REGISTRY_IMAGE:$CI_COMMIT_REF_SLUG"]
    variables = predefined(project)
    for number, (where, images, options) in enumerate(IN_USE):
        push_images(named, expanded(where, variables), images)
        script.append(f'oci-merge {options.format(where)} --target "$CI_REGISTRY_IMAGE:{number}"')
    done = Job(tmp_path, named).run(script, variables)
    assert done.returncode == 0, done.stderr
    for number, (_, images, _) in enumerate(IN_USE):
        digests = [image.digest for image in images.values()]
        assert listed(named, f"{REGISTRY}/{project}:{number}") == digests


def test_the_page_gives_what_was_tried_on_the_images_of_others() -> None:
    _, _, table = (ROOT / PAGE).read_text().partition("## What else is in use")
    for where, _, options in IN_USE[:2]:
        assert f"`{options.format(where)}`" in table
    assert "`--arch-alias arm64=aarch64,arm=arm32v7`" in table
    assert f"`{IN_USE[3][2]}`" in table


def test_the_ten_jobs_of_the_page_on_many_images_publish_each_image_once(
    named: NamedRegistries, tmp_path: Path, image: str
) -> None:
    [text] = gitlab_jobs("docs/batch.md")
    assert refusal(text, "vendor.gitlab-ci", tmp_path, "--data-transform", "gitlab-ci") == ""
    described = yaml.safe_load(text)["merge"]
    host = Job(tmp_path, named)
    usual(host)
    entries = "".join(
        f"  - {{ name: {name}, template: '${{REGISTRY}}/app-ARCH:4f2c1a9b',"
        f" target: '${{REGISTRY}}/{name}:${{VERSION}}', platforms: [linux/amd64, linux/arm64] }}\n"
        for name in ("api", "web", "worker")
    )
    (host.workspace / "images.yml").write_text(f"images:\n{entries}")
    push_images(named, f"{image}/app-ARCH:4f2c1a9b")
    login = {"OCI_MERGE_USERNAME": USER.username, "OCI_MERGE_PASSWORD": USER.password}
    own = {"REGISTRY": image, "VERSION": "4f2c1a9b", "CI_NODE_TOTAL": str(described["parallel"])}
    published = []
    for index in range(described["parallel"]):
        node = {"CI": "true", "CI_NODE_INDEX": str(index + 1)}
        done = host.run(described["script"], own | login | node)
        assert done.returncode == 0, done.stderr
        result = json.loads((host.workspace / f"result-{index + 1}.json").read_text())
        published += [each["name"] for each in result["images"]]
    assert sorted(published) == ["api", "web", "worker"]
    assert listed(named, f"{image}/worker:4f2c1a9b") == DIGESTS


@pytest.mark.parametrize(
    ("inputs", "value"),
    [
        ({"tags": ["$REF"]}, "x,latest"),
        ({"sources": ["registry.example/app:$REF"]}, "x,y"),
        ({"annotations": ["title=$REF"]}, "fix\norg.opencontainers.image.version=99.0"),
    ],
)
def test_a_variable_cannot_begin_another_tag_image_or_annotation(
    named: NamedRegistries, tmp_path: Path, inputs: dict[str, object], value: str
) -> None:
    [name] = inputs
    text = included({**MERGING, **inputs})
    [ran] = Runners(tmp_path, named, {}, usual).run(push(text, "group/any", REF=value))
    assert ran.done.returncode == 1
    said = (
        f"error: the input {name} names the variable REF, which has a comma or more than one line"
    )
    assert ran.done.stderr.startswith(said)


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_the_jobs_of_gitlab_on_other_pages_publish_their_tags(
    named: NamedRegistries, tmp_path: Path, project: str, image: str, page: str
) -> None:
    push_images(named, f"{image}/app-ARCH:4f2c1a9b")
    push_images(named, "registry.example/team/app-ARCH:1.0")
    login = {"registry.example": {"username": USER.username, "password": USER.password}}
    runners = Runners(tmp_path, named, {}, with_kubectl)
    for text in gitlab_jobs(page):
        pipeline = f"stages: [test, merge, deploy]\n{text}"
        logins = json.dumps({"auths": login})
        succeeded(runners.run(push(pipeline, project, REGISTRY_LOGINS=logins)))
    assert [listed(named, f"{image}/{tag}") for tag in OTHER_PAGES[page]] == [
        DIGESTS for _ in OTHER_PAGES[page]
    ]
