"""``--source-file``, ``--source-repository`` and bare digests on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import BuiltImage, build_image
from tests.cli.running import Outcome, Program, run_process
from tests.cli.test_merge import index_of, platforms_of

AMD64, ARM64 = build_image("linux", "amd64"), build_image("linux", "arm64")
NEWER = build_image("linux", "amd64", layers=3)


@pytest.fixture
def repository(registry: EmbeddedRegistry, host: str) -> str:
    """A repository with two images by digest; its tag ``amd64`` stands on a newer one."""
    for image in (AMD64, ARM64):
        registry.add_image("team/app", image.digest, image)
    registry.add_image("team/app", "amd64", NEWER)
    return f"{host}/team/app"


Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file, by its path and content, in a folder in which the program runs."""
    monkeypatch.chdir(tmp_path)

    def write(path: str, content: str = "") -> None:
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    return write


def published(registry: EmbeddedRegistry) -> list[str]:
    """Return the digests of the images that the target lists."""
    return [entry["digest"] for entry in index_of(registry)["manifests"]]


def digests_of(*images: BuiltImage) -> list[str]:
    return [image.digest for image in images]


def refused(outcome: Outcome) -> str:
    """Return the error of a run that was refused as wrong usage, its hint behind it."""
    assert outcome.status == 2
    assert outcome.stdout == ""
    return outcome.stderr


def test_what_kaniko_built_is_merged_although_its_tag_has_moved(
    program: Program, registry: EmbeddedRegistry, host: str, repository: str, write: Write
) -> None:
    write("digests/amd64", f"{repository}:amd64@{AMD64.digest}\n")
    write("digests/arm64", f"{repository}@{ARM64.digest}\n")
    outcome = program("--source-file", "digests", "--target", f"{host}/team/img:1.0")
    assert outcome.status == 0, outcome.stderr
    assert published(registry) == digests_of(AMD64, ARM64)


@pytest.mark.parametrize("files", ["digests", "digests/*", "digests/**"])
def test_the_artifacts_of_a_build_matrix_are_a_folder_or_a_pattern(
    files: str,
    program: Program,
    registry: EmbeddedRegistry,
    host: str,
    repository: str,
    write: Write,
) -> None:
    write(f"digests/digests-linux-arm64/{ARM64.digest[7:]}")
    write(f"digests/digests-linux-amd64/{AMD64.digest[7:]}")
    outcome = program(
        *("--source-file", files, "--source-repository", repository),
        *("--target", f"{host}/team/img:1.0"),
    )
    assert outcome.status == 0, outcome.stderr
    assert published(registry) == digests_of(AMD64, ARM64)


def test_files_and_sources_add_up(
    program: Program, registry: EmbeddedRegistry, host: str, repository: str, write: Write
) -> None:
    write("amd64.json", json.dumps({"containerimage.digest": AMD64.digest}))
    write("again", AMD64.digest)
    outcome = program(
        *("--source-file", "amd64.json", "--source-file", "again"),
        *("--source", ARM64.digest, "--source", f"{host}/team/img-armv7:1.0"),
        *("--source-repository", repository, "--target", f"{host}/team/img:1.0"),
    )
    assert outcome.status == 0, outcome.stderr
    assert platforms_of(index_of(registry)) == ["linux/arm64", "linux/arm/v7", "linux/amd64"]


def test_a_bare_digest_may_name_its_platform(
    program: Program, registry: EmbeddedRegistry, host: str, repository: str
) -> None:
    outcome = program(
        *("--source", f"{ARM64.digest}=linux/arm64/v9", "--source-repository", repository),
        *("--platform-check", "off", "--target", f"{host}/team/img:1.0"),
    )
    assert outcome.status == 0, outcome.stderr
    assert platforms_of(index_of(registry)) == ["linux/arm64/v9"]


def test_stdin_is_a_file(registry: EmbeddedRegistry, host: str, repository: str) -> None:
    outcome = run_process(
        *("--source-file", "-", "--source-repository", repository),
        *("--target", f"{host}/team/img:1.0"),
        stdin=(AMD64.digest + ARM64.digest).encode(),
    )
    assert outcome.status == 0, outcome.stderr
    assert published(registry) == digests_of(AMD64, ARM64)


def test_stdin_that_names_nothing_is_called_stdin(host: str) -> None:
    outcome = run_process("--source-file", "-", "--target", f"{host}/team/img:1.0")
    assert refused(outcome).startswith("error: stdin is empty\nhint: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--source-file", "-", "--password-stdin", "--username", "ci"],
            "error: --source-file - and --password-stdin both read stdin",
        ),
        (["--source-file", "-", "--source-file", "-"], "stdin is read once"),
        (["--source-file", "gone"], "gone cannot be read: No such file or directory"),
        (["--source-file", "gone/*"], "no file matches 'gone/*'"),
        (["--source-file", ""], "a source file has an empty name"),
        (
            ["--source-file", "bare"],
            "error: bare has a digest, but not the repository that it is in\n"
            "hint: name the repository with --source-repository reg.example/app",
        ),
        (
            ["--source", AMD64.digest],
            f"error: the source {AMD64.digest} is a digest, and says nothing of its repository",
        ),
        (
            ["--source-file", "gone", "--template", "reg.example/app-ARCH:1"],
            "error: the images to join are named either by a template or by sources",
        ),
        (
            ["--source-repository", "reg.example/app", "--template", "reg.example/app-ARCH:1"],
            "error: a source repository goes with images of which only the digest is known",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_a_hint(
    arguments: list[str], words: str, program: Program, registry: EmbeddedRegistry, write: Write
) -> None:
    write("bare", AMD64.digest)
    error = refused(program(*arguments, "--target", "reg.example/app:1.0"))
    assert words in error
    assert len(error.splitlines()) == 2
    assert registry.requests == []


def test_a_pattern_that_the_shell_expanded_is_to_be_quoted(program: Program) -> None:
    outcome = program(*("--target", "reg.example/app:1", "--source-file", "digests/a", "digests/b"))
    assert outcome.errors[-1] == (
        "hint: digests/b is not a command: quote a pattern, as in --source-file 'digests/*'"
    )


def test_an_image_that_was_not_pushed_is_missing_and_its_file_is_named(
    program: Program, host: str, repository: str, write: Write
) -> None:
    write("image-id", AMD64.config.digest)
    outcome = program(
        *("--source-file", "image-id", "--source-repository", repository),
        *("--target", f"{host}/team/img:1.0"),
    )
    missing = f"{repository}@{AMD64.config.digest}"
    assert outcome.status == 1
    assert outcome.errors == [
        f"error: {missing} was not found on {host}: manifest unknown {AMD64.config.digest} "
        "(MANIFEST_UNKNOWN)",
        "hint: image-id has this digest: check that the image was pushed there, that it is no "
        "image ID (--iidfile), and that the credentials may see it",
    ]


def test_a_spec_with_a_bare_digest_is_refused(program: Program, host: str, write: Write) -> None:
    write("spec.yml", f"image: {host}/a:1\nmanifests:\n  - image: {AMD64.digest}\n")
    outcome = program("push", "from-spec", "spec.yml")
    assert outcome.status == 1
    assert "is a digest, and says nothing of its repository" in outcome.errors[0]
