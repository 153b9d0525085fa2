"""The options that say what has to hold before a tag moves, and what is shown of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image, build_index
from tests.cli.running import Program, run_on_terminal

_LABEL = "org.opencontainers.image.version"


def _stock(registry: EmbeddedRegistry, version: str, *, latest: str) -> None:
    """Put images of a version into the registry, and an index of another one at the target."""
    for name in ("amd64", "arm64"):
        image = build_image("linux", name, text=version, labels={_LABEL: version})
        registry.add_image(f"team/img-{name}", "1.0", image)
    stands = [
        build_image("linux", name, text=latest, labels={_LABEL: latest})
        for name in ("amd64", "s390x")
    ]
    registry.add_image("team/img", "latest", build_index(stands))


def _arguments(host: str) -> list[str]:
    return [
        *("--platforms", "linux/amd64,linux/arm64", "--template", f"{host}/team/img-ARCH:1.0"),
        *("--target", f"{host}/team/img:latest"),
    ]


def test_a_kept_tag_has_a_line_and_the_run_succeeds(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    _stock(registry, "1.2", latest="1.10")
    outcome = program(*_arguments(host), "--tags", "1.2", "--only-newer", "version")
    assert outcome.status == 0
    assert sorted(outcome.errors) == [
        "tag 1.2 moved",
        "tag latest kept: 1.2 is older than 1.10",
    ]
    assert outcome.stdout.startswith("Digest: sha256:")


def test_kept_is_in_the_json_of_the_result(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    _stock(registry, "1.2", latest="1.10")
    outcome = program(*_arguments(host), "--only-newer", "version", "--output", "json")
    assert outcome.status == 0
    result = json.loads(outcome.stdout)
    assert result["tags"] == [{"name": "latest", "changed": False, "kept": True}]
    assert result["changed"] is False


def test_a_dry_run_shows_what_would_be_kept_and_put_again(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    _stock(registry, "1.2", latest="1.10")
    arguments = [*_arguments(host), "--tags", "1.2,1"]
    assert program(*arguments, "--only-newer", "version").status == 0
    outcome = program(*arguments, "--only-newer", "version", "--force", "--dry-run")
    lines = outcome.stdout.splitlines()
    tags = lines[lines.index("Tags") + 1 :][:3]
    assert tags == [
        "  latest  kept: 1.2 is older than 1.10",
        "  1.2     unchanged, to put again",
        "  1       unchanged, to put again",
    ]


def test_a_tag_that_is_put_again_has_a_line(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    _stock(registry, "1.2", latest="1.0")
    program(*_arguments(host))
    assert program(*_arguments(host), "--force").errors == ["tag latest put again, unchanged"]


def test_tags_of_several_targets_are_kept_with_their_repository(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    _stock(registry, "1.2", latest="1.10")
    outcome = program(
        *_arguments(host), "--target", f"{host}/team/other:latest", "--only-newer", "version"
    )
    assert sorted(outcome.errors) == [
        f"tag {host}/team/img:latest kept: 1.2 is older than 1.10",
        f"tag {host}/team/other:latest moved",
    ]


def test_a_loss_is_a_warning_or_an_error(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    _stock(registry, "1.2", latest="1.0")
    refused = program(*_arguments(host), "--no-shrink", "--output", "json")
    assert refused.status == 1
    assert refused.errors == [
        f"error: {host}/team/img:latest would lose linux/s390x, which it has now",
        "hint: join images for these platforms as well, or leave out --no-shrink",
    ]
    assert json.loads(refused.stdout)["lost"] == ["linux/s390x"]
    assert program(*_arguments(host)).errors == [
        f"warning: {host}/team/img:latest loses linux/s390x, which it has now",
        "tag latest moved",
    ]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (["--require", "linux/amd64, linux/s390x"], "RequiredPlatformError"),
        (["--require-same", "vendor.build"], "LabelMismatchError"),
        (["--only-newer", "vendor.build"], "NotComparableError"),
    ],
)
def test_what_does_not_hold_is_an_error_and_nothing_is_written(
    program: Program, registry: EmbeddedRegistry, host: str, options: list[str], kind: str
) -> None:
    _stock(registry, "1.2", latest="1.0")
    outcome = program(*_arguments(host), *options, "--output", "json")
    assert outcome.status == 1
    assert json.loads(outcome.stdout)["kind"] == kind
    assert {record.method for record in registry.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize("option", ["--require", "--require-same", "--only-newer"])
def test_an_empty_value_is_refused_as_it_may_be_an_unset_variable(
    program: Program, registry: EmbeddedRegistry, host: str, option: str
) -> None:
    assert program(*_arguments(host), option, "").status == 2
    assert not registry.requests


def test_a_terminal_shows_kept_tags_above_the_table(registry: EmbeddedRegistry, host: str) -> None:
    _stock(registry, "1.2", latest="1.10")
    outcome = run_on_terminal(*_arguments(host), "--only-newer", "version")
    assert outcome.status == 0
    assert "tag latest kept: 1.2 is older than 1.10" in outcome.stderr


_FILES = ("--digest-file", "--metadata-file", "--dotenv")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all files that the next job reads, named by what names each."""
    for variable in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        (tmp_path / variable).touch()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return tmp_path


def _files(told: Path) -> list[str]:
    return [word for option in _FILES for word in (option, str(told / option))]


def test_the_next_job_is_told_of_no_tag_that_was_kept(
    program: Program, registry: EmbeddedRegistry, host: str, told: Path
) -> None:
    _stock(registry, "1.2", latest="1.10")
    outcome = program(*_arguments(host), "--tags", "1.2", "--only-newer", "version", *_files(told))
    assert outcome.status == 0
    published = f"{host}/team/img:1.2"
    assert json.loads((told / "--metadata-file").read_text())["image.name"] == published
    assert f"OCI_MERGE_TAGS={published}\n" in (told / "--dotenv").read_text()
    outputs = (told / "GITHUB_OUTPUT").read_text().splitlines()
    place = next(at for at, line in enumerate(outputs) if line.startswith("tags<<"))
    assert outputs[place + 1 : place + 3] == [published, outputs[place].removeprefix("tags<<")]
    rows = (told / "GITHUB_STEP_SUMMARY").read_text().splitlines()
    assert [row.split()[-2] for row in rows if row.startswith("| <code>") and "img&#58;" in row][
        -2:
    ] == ["kept", "moved"]
    assert not any(line.startswith("warning") for line in outcome.errors)


def test_the_reference_is_of_the_first_target_that_was_published_to(
    program: Program, registry: EmbeddedRegistry, host: str, told: Path
) -> None:
    _stock(registry, "1.2", latest="1.10")
    arguments = [*_arguments(host), "--target", f"{host}/team/other:latest"]
    assert program(*arguments, "--only-newer", "version", *_files(told)).status == 0
    digest = (told / "--digest-file").read_text()
    assert f"OCI_MERGE_REFERENCE={host}/team/other@{digest}\n" in (told / "--dotenv").read_text()
    assert registry.storage.manifest("team/other", digest) is not None
    assert registry.storage.manifest("team/img", digest) is None


def test_a_warning_says_that_every_tag_was_kept_where_the_next_job_is_told(
    program: Program, registry: EmbeddedRegistry, host: str, told: Path
) -> None:
    _stock(registry, "1.2", latest="1.10")
    arguments = [*_arguments(host), "--only-newer", "version"]
    outcome = program(*arguments, *_files(told))
    digest = (told / "--digest-file").read_text()
    assert outcome.status == 0
    assert outcome.errors[-1] == (
        f"warning: every tag was kept, so nothing was published: {digest}, which the next job is "
        "told, may not be in the registry"
    )
    assert "OCI_MERGE_TAGS=\n" in (told / "--dotenv").read_text()
    assert "OCI_MERGE_CHANGED=false\n" in (told / "--dotenv").read_text()
    assert not any("warning" in line for line in program(*arguments, "--no-github").errors)


def test_a_plan_whose_tags_are_partly_kept_is_applied_and_told_so(
    program: Program, registry: EmbeddedRegistry, host: str, told: Path
) -> None:
    _stock(registry, "1.2", latest="1.10")
    arguments = [*_arguments(host), "--tags", "1.2", "--only-newer", "version"]
    plan = told / "plan.json"
    plan.write_text(program(*arguments, "--dry-run", "--output", "json").stdout)
    outcome = program("apply", str(plan), *_files(told))
    assert outcome.status == 0, outcome.stderr
    assert f"OCI_MERGE_TAGS={host}/team/img:1.2\n" in (told / "--dotenv").read_text()


@pytest.mark.parametrize("key", ["no_shrink: true", "require_same: [vendor.build]"])
def test_an_error_in_a_batch_is_the_same_as_that_of_a_merge(
    program: Program, registry: EmbeddedRegistry, host: str, tmp_path: Path, key: str
) -> None:
    _stock(registry, "1.2", latest="1.0")
    file = tmp_path / "images.yml"
    sources = ", ".join(f'"{host}/team/img-{name}:1.0"' for name in ("amd64", "arm64"))
    file.write_text(
        f"images: [{{ target: '{host}/team/img:latest', sources: [{sources}], {key} }}]"
    )
    option, _, value = key.replace("_", "-").partition(": ")
    words = [f"--{option}", *([value.strip("[]")] if "[" in value else [])]
    merged = json.loads(program(*_arguments(host), *words, "--output", "json").stdout)
    batch = json.loads(program("batch", str(file), "--output", "json").stdout)
    assert batch["images"][0]["error"] == merged["error"]
    assert {"lost", "label"} & merged["error"].keys()
