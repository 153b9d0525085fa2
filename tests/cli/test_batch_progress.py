"""What a batch shows while it runs: lines, JSON for programs, or warnings and errors alone."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image, build_index
from oci_merge import CopyAdvanced, CopyStarted, ImageProgressed
from oci_merge_cli.output.batch import BatchLines
from oci_merge_cli.output.batch_json import BatchJson
from tests.cli.running import Outcome, Program, ended, run_on_terminal, started
from tests.cli.test_signals import Slow

_VERSION = "org.opencontainers.image.version"


@pytest.fixture
def file(host: str, tmp_path: Path) -> Path:
    """A batch of an image that is there, and one that is not."""
    path = tmp_path / "images.yml"
    path.write_text(
        f"""
defaults: {{ target: "{host}/team/${{name}}:1.0" }}
images:
  - {{ name: app, sources: ["{host}/team/img-amd64:1.0"] }}
  - {{ name: broken, sources: ["{host}/team/missing:1.0"] }}
"""
    )
    return path


@pytest.fixture
def kept(registry: EmbeddedRegistry, host: str, tmp_path: Path) -> Path:
    """A batch of an image whose tag stands on a newer one."""
    for repository, version in (("old", "1.2"), ("app", "1.10")):
        image = build_image("linux", "amd64", text=version, labels={_VERSION: version})
        registry.add_image(f"team/{repository}", "latest", build_index([image]))
    path = tmp_path / "kept.yml"
    path.write_text(
        f"""
images:
  - name: app
    target: {host}/team/app:latest
    sources: ["{host}/team/old:latest"]
    only_newer: version
"""
    )
    return path


def events(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the objects on stderr; each line has to be one."""
    return [json.loads(line) for line in outcome.errors]


def test_json_is_an_object_a_line_from_the_start_to_the_counts(
    program: Program, host: str, file: Path
) -> None:
    outcome = program("batch", str(file), "--progress", "json", "--output", "json")
    assert outcome.status == 1
    found = events(outcome)
    assert found[0] == {"event": "batch_started", "total": 2}
    app = {"name": "app", "target": f"{host}/team/app:1.0"}
    assert {"event": "image_started", **app} in found
    moved = {
        "event": "tag_moved",
        "tag": "1.0",
        "changed": True,
        "reference": f"{host}/team/app:1.0",
        "again": False,
    }
    assert {"event": "image_progressed", **app, "progress": moved} in found
    finished = [each["image"] for each in found if each["event"] == "image_finished"]
    document = json.loads(outcome.stdout)
    assert sorted(finished, key=lambda image: str(image["name"])) == document["images"]
    assert found[-1] == {
        "event": "finished",
        "published": 1,
        "unchanged": 0,
        "kept": 0,
        "failed": 1,
        "dry_run": False,
    }


def test_a_plan_is_on_stdout_alone(program: Program, file: Path) -> None:
    outcome = program("batch", str(file), "--progress=json", "--output=json", "--dry-run")
    images = json.loads(outcome.stdout)["images"]
    finished = [each["image"] for each in events(outcome) if each["event"] == "image_finished"]
    assert [("plan" in image) for image in images] == [True, False]
    assert not any("plan" in image for image in finished)


def test_the_bytes_of_a_copy_are_added_up_for_each_image(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = BatchJson()
    for event in (
        CopyStarted("sha256:aa", 300, "reg.example/a"),
        *[CopyAdvanced("sha256:aa", 10)] * 30,
        oci_merge.BlobCopied("sha256:aa", 300, "reg.example/a"),
    ):
        for name in ("one", "two"):
            shown.show(ImageProgressed(name, f"reg.example/{name}:1", event))
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    for name in ("one", "two"):
        inner = [each["progress"] for each in found if each["name"] == name]
        advanced = [each for each in inner if each["event"] == "copy_advanced"]
        assert sum(each["count"] for each in advanced) == 300
        assert len(advanced) < 30


@pytest.mark.parametrize("text", ["images: [", "images: [{target: 'a:1'}]"])
def test_a_wrong_file_is_an_event_too(program: Program, file: Path, text: str) -> None:
    file.write_text(text)
    outcome = program("batch", str(file), "--progress", "json")
    assert outcome.status == 1
    (only,) = events(outcome)
    assert only["event"] == "failed"
    assert only["hint"]


def test_debug_lines_and_warnings_are_events_too(program: Program, file: Path) -> None:
    outcome = program(
        *("batch", str(file), "--progress", "json", "--debug"),
        *("--username", "u", "--password", "p"),
    )
    assert {"warned", "debug", "batch_started"} <= {each["event"] for each in events(outcome)}


def test_a_signal_is_the_last_event(registry: EmbeddedRegistry, file: Path, host: str) -> None:
    slow = Slow("PUT", "/team/app/manifests/1.0")
    registry.hooks.append(slow)
    with started("batch", str(file), "--concurrency", "1", "--progress", "json") as process:
        assert slow.reached.wait(30)
        process.send_signal(signal.SIGTERM)
        outcome = ended(process)
    last = events(outcome)[-1]
    assert (last["event"], last["code"]) == ("failed", "interrupted")
    assert last["message"] == "interrupted by SIGTERM after 0 of 2 images"
    assert (last["moved"], last["under_way"]) == ([], [f"{host}/team/app:1.0"])


def test_plain_shows_lines_on_a_terminal(file: Path) -> None:
    outcome = run_on_terminal("batch", str(file), "--progress", "plain")
    assert "merging images" not in outcome.stderr
    assert any(line.startswith("app: published sha256:") for line in outcome.errors)


def test_none_shows_warnings_and_errors_alone(
    program: Program, registry: EmbeddedRegistry, host: str, file: Path
) -> None:
    registry.add_image("team/img-amd64", "latest", build_image("linux", "amd64"))
    file.write_text(file.read_text().replace("img-amd64:1.0", "img-amd64"))
    outcome = program("batch", str(file), "--progress", "none")
    assert sorted(line.partition(f" {host}")[0] for line in outcome.errors) == [
        "error: broken:",
        *[line for line in outcome.errors if line.startswith("hint: ")],
        "warning: app:",
    ]


@pytest.mark.parametrize("form", ["plain", "json"])
def test_quiet_and_progress_that_is_asked_for_contradict(
    program: Program, registry: EmbeddedRegistry, file: Path, form: str
) -> None:
    outcome = program("batch", str(file), "--quiet", "--progress", form)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert f"--quiet and --progress {form} are both given" in outcome.stderr
    assert registry.requests == []


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_an_image_whose_every_tag_is_on_what_is_newer_is_kept(
    program: Program, kept: Path, dry: list[str]
) -> None:
    outcome = program("batch", str(kept), *dry)
    assert outcome.status == 0
    _, row, count = outcome.stdout.splitlines()
    assert row.split()[:2] == ["app", "kept"]
    published = "to publish" if dry else "published"
    assert count == f"1 image: 0 {published}, 0 unchanged, 1 kept, 0 failed"
    assert outcome.errors[-1] == "app: kept, since what stands there is newer"
    if not dry:
        assert "app: tag latest kept: 1.2 is older than 1.10" in outcome.errors


def test_an_image_with_a_kept_tag_and_a_moved_one_is_published(
    program: Program, kept: Path
) -> None:
    kept.write_text(f"{kept.read_text()}    tags: ['1.2']\n")
    outcome = program("batch", str(kept), "--output", "json")
    document = json.loads(outcome.stdout)
    assert (document["published"], document["kept"]) == (1, 0)
    assert [tag.get("kept", False) for tag in document["images"][0]["tags"]] == [True, False]
    assert json.loads(program("batch", str(kept), "--output", "json").stdout)["unchanged"] == 1


def test_kept_is_in_the_events_and_in_the_document(program: Program, kept: Path) -> None:
    outcome = program("batch", str(kept), "--output", "json", "--progress", "json")
    document = json.loads(outcome.stdout)
    assert document["images"][0]["status"] == "kept"
    assert (document["published"], document["unchanged"], document["kept"]) == (0, 0, 1)
    found = events(outcome)
    assert [
        each["progress"]["reason"]
        for each in found
        if each["event"] == "image_progressed" and each["progress"]["event"] == "tag_kept"
    ] == ["1.2 is older than 1.10"]
    assert found[-1]["kept"] == 1


def test_a_wait_of_an_image_has_a_line_a_minute_and_not_one_for_each_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = BatchLines()
    for second in range(0, 121, 15):
        for name in ("one", "two"):
            missing = (f"reg.example/{name}:arm",)
            waiting = oci_merge.Waiting(missing, second, 1200 - second)
            shown.show(ImageProgressed(name, f"reg.example/{name}:1", waiting))
    lines = capsys.readouterr().err.splitlines()
    for name in ("one", "two"):
        own = [line for line in lines if line.startswith(f"{name}: waiting")]
        assert len(own) == 3  # at once, and after one and two minutes
