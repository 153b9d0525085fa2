"""The command batch: one progress display, one table, one JSON result, and shards."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from oci_merge_cli.options.shard import resolve_shard
from tests.cli.running import Program, ended, run_on_terminal, run_process, started
from tests.cli.test_signals import Slow

FILE = """
defaults:
  template: ${HOST}/team/img-ARCHVARIANT:1.0
  target: ${HOST}/team/${name}:1.0
  platforms: [linux/amd64, linux/arm64]
images:
  - name: app
    tags: [latest]
  - name: web
  - name: broken
    template: ${HOST}/team/missing-ARCH:1.0
"""


@pytest.fixture
def file(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A batch of two images that are there, and one that is not."""
    monkeypatch.setenv("HOST", host)
    path = tmp_path / "images.yml"
    path.write_text(FILE)
    return path


@pytest.fixture
def good(file: Path) -> Path:
    """The same without the image that is not there."""
    file.write_text(FILE.partition("  - name: broken")[0])
    return file


def test_a_batch_ends_with_a_table_and_a_count(program: Program, host: str, file: Path) -> None:
    outcome = program("batch", str(file))
    assert outcome.status == 1
    heading, app, web, broken, count = outcome.stdout.splitlines()
    assert heading.split() == ["IMAGE", "STATUS", "DIGEST", "TARGET"]
    digest = oci_merge.inspect(f"{host}/team/app:1.0").digest
    assert app.split() == ["app", "published", digest, f"{host}/team/app:1.0"]
    assert web.split()[:2] == ["web", "published"]
    assert broken.split() == ["broken", "failed", "-", f"{host}/team/broken:1.0"]
    assert count == "3 images: 2 published, 0 unchanged, 1 failed"
    assert f"app: published {digest}" in outcome.errors
    assert any(line.startswith("error: broken: ") for line in outcome.errors)


def test_an_unchanged_rerun_exits_with_0(program: Program, good: Path) -> None:
    assert program("batch", str(good)).status == 0
    again = program("batch", str(good))
    assert again.status == 0
    assert again.stdout.splitlines()[-1] == "2 images: 0 published, 2 unchanged, 0 failed"


def test_json_is_one_document_of_results_and_errors(program: Program, file: Path) -> None:
    outcome = program("batch", str(file), "--output", "json", "--quiet")
    assert outcome.status == 1
    document = json.loads(outcome.stdout)
    assert [image["status"] for image in document["images"]] == ["published", "published", "failed"]
    assert document["images"][2]["error"]["kind"] == "MissingComponentError"
    assert (document["published"], document["failed"], document["left"]) == (2, 1, 0)
    assert all(line.startswith(("error: broken: ", "hint: ")) for line in outcome.errors)


def test_a_hint_is_said_once(program: Program, file: Path) -> None:
    file.write_text(f"{FILE}  - name: worse\n    template: ${{HOST}}/team/missing-ARCH:1.0\n")
    errors = program("batch", str(file)).errors
    assert sum(line.startswith("error: ") for line in errors) == 2
    hints = [line for line in errors if line.startswith("hint: ")]
    assert len(hints) == len(set(hints)) > 0


def test_a_dry_run_writes_nothing(program: Program, registry: EmbeddedRegistry, good: Path) -> None:
    outcome = program("batch", str(good), "--dry-run")
    assert outcome.status == 0
    assert outcome.stdout.splitlines()[-1] == "2 images: 2 to publish, 0 unchanged, 0 failed"
    assert {request.method for request in registry.requests} <= {"GET", "HEAD"}


def test_a_shard_merges_its_images(program: Program, host: str, good: Path) -> None:
    outcome = program("batch", str(good), "--shard", "2/2", "--output", "json")
    document = json.loads(outcome.stdout)
    assert [image["name"] for image in document["images"]] == ["web"]
    assert document["shard"] == "2/2"


def test_an_empty_shard_is_no_failure(program: Program, good: Path) -> None:
    outcome = program("batch", str(good), "--shard", "3/3")
    assert (outcome.status, outcome.stdout) == (0, "0 images: 0 published, 0 unchanged, 0 failed\n")


def test_the_shard_may_come_from_the_environment(
    program: Program, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    outcome = program("batch", str(good), "--shard", "auto")
    assert outcome.status == 1
    assert outcome.errors == [
        "error: --shard auto finds JOB_COMPLETION_INDEX, but no JOB_COMPLETIONS",
        "hint: set JOB_COMPLETIONS to the Job's completions",
    ]
    monkeypatch.setenv("JOB_COMPLETIONS", "2")
    assert "app: published" in program("batch", str(good), "--shard", "auto").stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "images:\n  - {target: a, template: '${NOT_SET}'}\n",
            "line 2: the variable NOT_SET is not set",
        ),
        ("images:\n  - tamplate: a\n", "did you mean 'template'?"),
        ("images:\n  - {target: 'a:1', template: 'a-ARCH:1', tags: ['no tag']}\n", "line 2: "),
    ],
)
def test_a_wrong_file_is_one_error_and_no_request(
    program: Program, registry: EmbeddedRegistry, file: Path, text: str, words: str
) -> None:
    file.write_text(text)
    outcome = program("batch", str(file))
    assert outcome.status == 1
    assert outcome.stdout == ""
    assert str(file) in outcome.stderr
    assert words in outcome.stderr
    assert registry.requests == []


def test_the_file_may_come_from_stdin(
    good: Path, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    class Stdin:
        buffer = io.BytesIO(good.read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin())
    assert program("batch", "-").status == 0
    outcome = program("batch", "-", "--username", "a", "--password-stdin")
    assert "cannot both come from stdin" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the batch has no file"),
        (("missing.yml",), "the batch file missing.yml cannot be read: No such file"),
        (("/dev/zero",), "the batch file /dev/zero has more than"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(
    program: Program, arguments: tuple[str, ...], words: str
) -> None:
    outcome = program("batch", *arguments)
    assert outcome.status == 1
    assert words in outcome.stderr


def test_several_files_are_one_batch(program: Program, host: str, good: Path) -> None:
    spec = good.with_name("spec.yml")
    spec.write_text(
        f"image: {host}/team/spec:1.0\nmanifests: [{{image: '{host}/team/img-amd64:1.0'}}]\n"
    )
    outcome = program("batch", str(good), str(spec), str(good))
    assert outcome.status == 0
    assert outcome.stdout.splitlines()[-1] == "3 images: 3 published, 0 unchanged, 0 failed"

    spec.write_text(spec.read_text().replace("team/spec:1.0", "team/web:1.0"))
    outcome = program("batch", str(good), str(spec))
    assert outcome.status == 1
    assert f"web ({good}, line 9) and {host}/team/web:1.0 ({spec}, line 1) both" in outcome.stderr


def test_a_signal_ends_a_batch_and_says_what_is_done(
    registry: EmbeddedRegistry, good: Path, host: str
) -> None:
    slow = Slow("PUT", "/team/web/manifests/1.0")
    registry.hooks.append(slow)
    with started("batch", str(good), "--concurrency", "1", "--output", "json") as process:
        assert slow.reached.wait(30)
        process.send_signal(signal.SIGINT)
        outcome = ended(process)
    assert outcome.status == 130
    document = json.loads(outcome.stdout)
    assert document["interrupted"] == "SIGINT"
    assert document["left"] == 1
    assert [image["name"] for image in document["images"]] == ["app"]
    assert outcome.errors[-3:] == [
        "error: interrupted by SIGINT after 1 of 2 images",
        f"{host}/team/web:1.0 was under way, and is not known to have moved a tag",
        "hint: run it again; what is published already is only read",
    ]


def test_a_terminal_shows_one_bar(good: Path) -> None:
    outcome = run_on_terminal("batch", str(good), environment={"HOST": os.environ["HOST"]})
    assert outcome.status == 0
    assert "merging images" in outcome.stderr
    assert "reading manifests" not in outcome.stderr
    assert outcome.stdout.splitlines()[-1] == "2 images: 2 published, 0 unchanged, 0 failed"


def test_the_schema_is_printed_without_a_file() -> None:
    outcome = run_process("batch", "--schema")
    assert outcome.status == 0
    assert json.loads(outcome.stdout) == oci_merge.batch_schema()


ENVIRONMENTS: list[tuple[dict[str, str], str]] = [
    ({"CI_NODE_INDEX": "3", "CI_NODE_TOTAL": "10"}, "3/10"),
    ({"CI_NODE_TOTAL": "1"}, "1/1"),
    ({"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "4"}, "1/4"),
    ({"BUILDKITE_PARALLEL_JOB": "3", "BUILDKITE_PARALLEL_JOB_COUNT": "4"}, "4/4"),
    ({"SYSTEM_JOBPOSITIONINPHASE": "2", "SYSTEM_TOTALJOBSINPHASE": "4"}, "2/4"),
    ({"BITBUCKET_PARALLEL_STEP": "0", "BITBUCKET_PARALLEL_STEP_COUNT": "2"}, "1/2"),
    ({"SEMAPHORE_JOB_INDEX": "1", "SEMAPHORE_JOB_COUNT": "2"}, "1/2"),
    ({"CLOUD_RUN_TASK_INDEX": "1", "CLOUD_RUN_TASK_COUNT": "2"}, "2/2"),
    ({"JOB_COMPLETION_INDEX": "9", "JOB_COMPLETIONS": "10"}, "10/10"),
    # A GitLab job of its own that runs as one of several pods.
    ({"CI_NODE_TOTAL": "1", "JOB_COMPLETION_INDEX": "9", "JOB_COMPLETIONS": "10"}, "10/10"),
]


@pytest.mark.parametrize(("environ", "shard"), ENVIRONMENTS)
def test_the_shard_is_read_from_what_ci_systems_say(environ: Mapping[str, str], shard: str) -> None:
    assert resolve_shard("auto", environ) == shard


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "finds no variables of a parallel job"),
        ({"CI_NODE_INDEX": "3"}, "finds CI_NODE_INDEX, but no CI_NODE_TOTAL"),
        ({"CI_NODE_TOTAL": "3"}, "finds CI_NODE_TOTAL, but no CI_NODE_INDEX"),
        ({"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "3"}, "are not a shard"),
        ({"CI_NODE_INDEX": "4", "CI_NODE_TOTAL": "3"}, "are not a shard"),
        ({"CIRCLE_NODE_INDEX": "4", "CIRCLE_NODE_TOTAL": "4"}, "are not a shard"),
        ({"JOB_COMPLETION_INDEX": "x", "JOB_COMPLETIONS": "4"}, "are not a shard"),
        (
            {
                "CI_NODE_INDEX": "1",
                "CI_NODE_TOTAL": "3",
                "JOB_COMPLETION_INDEX": "1",
                "JOB_COMPLETIONS": "4",
            },
            "GitLab says 1/3 and Kubernetes says 2/4",
        ),
    ],
)
def test_a_wrong_or_missing_pair_of_variables_is_an_error(
    environ: Mapping[str, str], words: str
) -> None:
    with pytest.raises(oci_merge.UsageError) as raised:
        resolve_shard("auto", environ)
    assert words in raised.value.message
    assert raised.value.hint


def test_no_shard_and_a_given_one_ask_no_environment() -> None:
    environ: dict[str, Any] = {"CI_NODE_INDEX": "broken"}
    assert resolve_shard(None, environ) is None
    assert resolve_shard("3/10", environ) == "3/10"
