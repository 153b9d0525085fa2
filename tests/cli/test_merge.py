"""The command without a word: what it publishes and what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from tests.cli.running import Program

THREE = ["linux/amd64", "linux/arm64", "linux/arm/v7"]


def tags_of(registry: EmbeddedRegistry) -> dict[str, str]:
    """Return the target's tags and the digests that they stand on."""
    held = registry.storage.repositories.get("team/img")
    return dict(held.tags) if held else {}


def index_of(registry: EmbeddedRegistry, tag: str = "1.0") -> dict[str, Any]:
    """Return the index that a tag of the target stands on."""
    manifest = registry.storage.manifest("team/img", tag)
    assert manifest is not None
    document: dict[str, Any] = json.loads(manifest.content)
    return document


def platforms_of(index: dict[str, Any]) -> list[str]:
    """Return the platforms that an index lists."""
    said = [entry["platform"] for entry in index["manifests"]]
    return [
        "/".join(one[key] for key in ("os", "architecture", "variant") if key in one)
        for one in said
    ]


def test_stdout_is_exactly_the_digest_and_the_size(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments)
    published = registry.storage.manifest("team/img", "1.0")
    assert published is not None
    assert outcome.status == 0
    assert outcome.stdout == f"Digest: {published.digest} {len(published.content)}\n"


def test_stderr_of_a_pipe_has_one_line_for_each_tag(
    program: Program, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--tags", "latest")
    assert sorted(outcome.errors) == ["tag 1.0 moved", "tag latest moved"]
    outcome = program(*merge_arguments, "--tags", "latest,1")
    assert sorted(outcome.errors) == ["tag 1 moved", "tag 1.0 unchanged", "tag latest unchanged"]


@pytest.mark.parametrize(
    "platforms",
    [
        ["--platforms", ",".join(THREE)],
        ["--platforms", ", ".join(THREE)],
        [word for platform in THREE for word in ("--platforms", platform)],
        ["--platforms=linux/amd64, linux/arm64", "--platforms", "linux/arm/v7"],
    ],
)
def test_platforms_are_a_comma_list_or_repeated(
    program: Program, registry: EmbeddedRegistry, host: str, platforms: list[str]
) -> None:
    template = f"{host}/team/img-ARCHVARIANT:1.0"
    outcome = program(*platforms, "--template", template, "--target", f"{host}/team/img:1.0")
    assert outcome.status == 0
    assert platforms_of(index_of(registry)) == THREE


@pytest.mark.parametrize("tags", [["--tags", "latest, 1"], ["--tags", "latest", "--tags", "1"]])
def test_tags_are_a_comma_list_or_repeated(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], tags: list[str]
) -> None:
    assert program(*merge_arguments, *tags).status == 0
    assert set(tags_of(registry)) == {"1.0", "latest", "1"}
    assert len(set(tags_of(registry).values())) == 1


@pytest.mark.parametrize("option", ["--platforms", "--tags"])
def test_an_empty_entry_of_a_list_is_refused_as_it_may_be_an_unset_variable(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], option: str
) -> None:
    outcome = program(*merge_arguments, option, "")
    assert outcome.status == 2
    assert outcome.errors[0].startswith("error: ''")
    assert not registry.requests


def test_without_platforms_the_found_images_are_named_with_what_would_pin_them(
    program: Program, host: str
) -> None:
    template = f"{host}/team/img-ARCHVARIANT:1.0"
    outcome = program("--template", template, "--target", f"{host}/team/img:1.0")
    assert outcome.status == 0
    images = [f"{host}/team/img-{name}:1.0" for name in ("amd64", "arm64", "armv7")]
    assert outcome.errors == [
        f"found {', '.join(images)}; --platforms {','.join(THREE)} selects the same images",
        "tag 1.0 moved",
    ]


@pytest.mark.parametrize(
    "aliases",
    [
        ["--arch-alias", "amd64=x86_64,arm64=aarch64"],
        ["--arch-alias", "amd64=x86_64", "--arch-alias", "arm64=aarch64"],
    ],
)
def test_architecture_aliases_are_a_comma_list_or_repeated(
    program: Program, registry: EmbeddedRegistry, host: str, aliases: list[str]
) -> None:
    registry.add_image("team/img", "x86_64", build_image("linux", "amd64"))
    registry.add_image("team/img", "aarch64", build_image("linux", "arm64"))
    template = f"{host}/team/img:ARCH"
    outcome = program(
        *("--platforms", "linux/amd64,linux/arm64", *aliases),
        *("--template", template, "--target", f"{host}/team/img:1.0"),
    )
    assert outcome.status == 0
    assert platforms_of(index_of(registry)) == ["linux/amd64", "linux/arm64"]


def test_sources_are_joined_in_their_order(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    outcome = program(
        *("--source", f"{host}/team/img-arm64:1.0", "--source", f"{host}/team/img-amd64:1.0"),
        *("--target", f"{host}/team/img:1.0"),
    )
    assert outcome.status == 0
    assert platforms_of(index_of(registry)) == ["linux/arm64", "linux/amd64"]


def test_the_value_of_an_annotation_may_have_commas_and_equals_signs(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--annotation", "a=b=c, d", "--annotation", "e=")
    assert outcome.status == 0
    assert index_of(registry)["annotations"] == {"a": "b=c, d", "e": ""}


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        ("oci", "application/vnd.oci.image.index.v1+json"),
        ("docker", "application/vnd.docker.distribution.manifest.list.v2+json"),
        ("auto", "application/vnd.oci.image.index.v1+json"),
    ],
)
def test_the_format_of_the_index_can_be_chosen(
    program: Program,
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    value: str,
    media_type: str,
) -> None:
    assert program(*merge_arguments, "--format", value).status == 0
    assert index_of(registry)["mediaType"] == media_type


@pytest.mark.parametrize(
    ("check", "status", "word"), [("warn", 0, "warning:"), ("error", 1, "error:"), ("off", 0, "")]
)
def test_an_image_of_another_platform_is_warned_of_refused_or_taken(
    program: Program, registry: EmbeddedRegistry, host: str, check: str, status: int, word: str
) -> None:
    registry.add_image("team/wrong-s390x", "1.0", build_image("linux", "amd64"))
    outcome = program(
        *("--platforms", "linux/s390x", "--template", f"{host}/team/wrong-ARCH:1.0"),
        *("--target", f"{host}/team/img:1.0", f"--platform-check={check}"),
    )
    assert outcome.status == status
    lines = [line for line in outcome.errors if "linux/s390x" in line]
    assert [line.partition(" ")[0] for line in lines] == [word] * bool(word)


def test_the_digest_file_gets_the_digest(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "digest"
    assert program(*merge_arguments, "--digest-file", str(file)).status == 0
    assert file.read_text() == tags_of(registry)["1.0"]


def test_the_digest_file_is_not_written_after_a_failure(
    program: Program, host: str, tmp_path: Path
) -> None:
    file = tmp_path / "digest"
    outcome = program(
        *("--source", f"{host}/team/none:1.0", "--target", f"{host}/team/img:1.0"),
        *("--digest-file", str(file)),
    )
    assert outcome.status == 1
    assert not file.exists()


@pytest.mark.parametrize("path", [".", "none/digest", "x" * 300, "file/digest", "/dev/null/x"])
def test_a_digest_file_that_cannot_be_written_is_refused_before_the_first_request(
    program: Program,
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    outcome = program(*merge_arguments, "--digest-file", path)
    assert outcome.status == 2
    assert outcome.errors[0].startswith(f"error: the digest file {path} cannot be written: ")
    assert not registry.requests
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_digest_file_that_fails_after_all_leaves_the_digest_in_the_error(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--digest-file", "/dev/full", "--output", "json")
    assert outcome.status == 1
    assert tags_of(registry)["1.0"] in outcome.errors[-1]
    assert tags_of(registry)["1.0"] in json.loads(outcome.stdout)["message"]


def test_quiet_leaves_stderr_empty(program: Program, registry: EmbeddedRegistry, host: str) -> None:
    registry.add_image("team/wrong-s390x", "1.0", build_image("linux", "amd64"))
    outcome = program(
        *("--quiet", "--template", f"{host}/team/wrong-ARCH:1.0", "--platforms", "linux/s390x"),
        *("--target", f"{host}/team/img:1.0", "--username", "u", "--password", "p"),
    )
    assert outcome.status == 0
    assert outcome.stdout.startswith("Digest: sha256:")
    assert outcome.stderr == ""


def test_quiet_leaves_errors_on_stderr(program: Program, host: str) -> None:
    outcome = program(
        "--quiet", "--source", f"{host}/team/none:1.0", "--target", f"{host}/team/img:1.0"
    )
    assert [line.partition(":")[0] for line in outcome.errors] == ["error", "hint"]


def test_json_has_the_whole_result_and_nothing_else(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], host: str
) -> None:
    outcome = program(*merge_arguments, "--tags", "latest", "--output", "json")
    document = json.loads(outcome.stdout)
    assert outcome.status == 0
    assert document["target"] == f"{host}/team/img:1.0"
    assert document["digest"] == tags_of(registry)["1.0"]
    assert [image["platform"] for image in document["platforms"]] == THREE
    assert document["tags"] == [
        {"name": "1.0", "changed": True},
        {"name": "latest", "changed": True},
    ]
    assert document["warnings"] == []


def test_a_dry_run_sends_nothing_but_reads(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "digest"
    outcome = program(*merge_arguments, "--dry-run", "--digest-file", str(file))
    assert outcome.status == 0
    assert {request.method for request in registry.requests} <= {"GET", "HEAD"}
    assert tags_of(registry) == {}
    assert not file.exists()


def test_a_dry_run_prints_a_plan_that_ends_with_the_digest_of_the_real_run(
    program: Program, merge_arguments: list[str], host: str
) -> None:
    planned = program(*merge_arguments, "--dry-run").stdout.splitlines()
    done = program(*merge_arguments).stdout.splitlines()
    assert planned[-1:] == done
    assert planned[0] == (f"Index of {host}/team/img:1.0: application/vnd.oci.image.index.v1+json")
    assert [line.split()[0] for line in planned[1:4]] == THREE
    assert planned[-4:-1] == ["Tags", "  1.0  to move", ""]
    assert "Blobs to mount" in planned
    assert "Manifests to put" in planned


def test_a_dry_run_of_what_is_done_says_that_there_is_nothing_to_do(
    program: Program, merge_arguments: list[str]
) -> None:
    program(*merge_arguments)
    planned = program(*merge_arguments, "--dry-run").stdout.splitlines()
    assert planned[planned.index("Blobs to mount") + 1] == "  none"
    assert planned[planned.index("Manifests to put") + 1] == "  none"
    assert "  1.0  unchanged" in planned


def test_a_dry_run_as_json_is_the_result_with_the_plan_beside_it(
    program: Program, merge_arguments: list[str]
) -> None:
    words = [*merge_arguments, "--output", "json", "--annotation", "key=value"]
    planned = json.loads(program(*words, "--dry-run").stdout)
    done = json.loads(program(*words).stdout)
    plan = planned.pop("plan")
    assert (planned.pop("dryRun"), done.pop("dryRun")) == (True, False)
    assert planned == done
    assert set(done) == {
        *("target", "targets", "digest", "size", "mediaType", "platforms", "tags", "changed"),
        *("warnings", "verified", "deleted", "signatures", "verifiedSignatures"),
    }
    assert set(plan) == {
        *("version", "target", "index", "mounts", "copies", "children", "expected", "own", "tags"),
        *("stays", "standing", "sources", "options"),
    }
    assert plan["index"]["digest"] == done["digest"]
    assert len(plan["children"]) == 3
    assert plan["tags"] == done["tags"]
