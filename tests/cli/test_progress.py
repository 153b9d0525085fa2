"""`--progress`: lines, JSON for programs, or nothing but warnings."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from oci_merge import CopyAdvanced, CopyStarted, Event, Warned
from oci_merge_cli.output.json_lines import JsonLines, event_name
from tests.cli.running import Outcome, Program, run_on_terminal

DOCS = Path(__file__).parents[2] / "docs/terminal.md"
ESCAPE = "\x1b"


def events(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the objects on stderr; each line has to be one."""
    return [json.loads(line) for line in outcome.errors]


def test_json_is_an_object_a_line_from_the_first_stage_to_the_end(
    program: Program, merge_arguments: list[str], host: str
) -> None:
    outcome = program(*merge_arguments, "--progress", "json")
    assert outcome.status == 0
    first, *_, last = found = events(outcome)
    assert first == {"event": "stage_started", "stage": "manifests", "total": 3}
    digest, size = outcome.stdout.split()[1:]
    assert last == {"event": "finished", "digest": digest, "size": int(size), "dry_run": False}
    moved = [each for each in found if each["event"] == "tag_moved"]
    assert moved == [
        {
            "event": "tag_moved",
            "tag": "1.0",
            "changed": True,
            "reference": f"{host}/team/img:1.0",
            "again": False,
        }
    ]


def test_json_on_a_terminal_is_the_same_as_in_a_pipe(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments, "--progress", "json", "--dry-run")
    assert ESCAPE not in outcome.stderr
    assert events(outcome)[-1]["dry_run"] is True


def test_an_error_of_a_run_is_an_event_with_its_hint(program: Program, host: str) -> None:
    outcome = program(
        *("--source", f"{host}/team/none:1.0", "--target", f"{host}/team/img:1.0"),
        "--progress=json",
    )
    assert outcome.status == 1
    last = events(outcome)[-1]
    assert last["event"] == "failed"
    assert last["kind"] == "MissingComponentError"
    assert "none:1.0" in last["message"]
    assert last["hint"]


@pytest.mark.parametrize(
    "words",
    [
        ["--progress", "json", "--no-such-option"],
        ["--progress=json", "--template", "a:1", "--template", "b:1"],
        ["--progress=json", "--template", "a:1"],
        ["--progress=json", "--quiet", "--template", "a:1", "--target", "b:1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_an_event_too(program: Program, words: list[str]) -> None:
    outcome = program(*words)
    assert outcome.status == 2
    (only,) = events(outcome)
    assert only["event"] == "failed"


def test_debug_lines_are_events_beside_the_others(
    program: Program, merge_arguments: list[str]
) -> None:
    found = events(program(*merge_arguments, "--progress", "json", "--debug"))
    kinds = {each["event"] for each in found}
    assert {"debug", "stage_started", "tag_moved", "finished"} <= kinds


@pytest.mark.parametrize(
    "evil", [f"amd64{ESCAPE}[2J", "a\nb", "::add-mask::x", "##vso[task]x", '"}']
)
def test_hostile_text_stays_within_its_string(
    registry: EmbeddedRegistry, program: Program, host: str, evil: str
) -> None:
    registry.add_image("team/evil-amd64", "1.0", build_image("linux", evil))
    outcome = program(
        *("--platforms", "linux/amd64", "--template", f"{host}/team/evil-ARCH:1.0"),
        *("--target", f"{host}/team/img:1.0", "--progress", "json"),
    )
    assert outcome.status == 0
    assert any(each["event"] == "warned" for each in events(outcome))
    for marker in (ESCAPE, "::add-mask", "##vso"):
        assert marker not in outcome.stderr


def test_the_warning_about_a_password_is_an_event(
    program: Program, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--username", "u", "--password", "p", "--progress", "json")
    assert events(outcome)[0]["event"] == "warned"


def test_the_bytes_of_a_copy_are_added_up_and_all_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = JsonLines()
    shown.show(CopyStarted("sha256:aa", 300, "reg.example/a"))
    for _ in range(30):
        shown.show(CopyAdvanced("sha256:aa", 10))
    shown.show(oci_merge.BlobCopied("sha256:aa", 300, "reg.example/a"))
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    advanced = [each for each in found if each["event"] == "copy_advanced"]
    assert sum(each["count"] for each in advanced) == 300
    assert found[-1]["event"] == "blob_copied"
    assert len(advanced) < 30


def test_plain_shows_lines_on_a_terminal(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments, "--progress", "plain")
    assert outcome.errors == ["tag 1.0 moved"]


def test_none_shows_warnings_alone(
    registry: EmbeddedRegistry, program: Program, merge_arguments: list[str], host: str
) -> None:
    assert program(*merge_arguments, "--progress", "none").stderr == ""
    registry.add_image("team/odd-amd64", "1.0", build_image("linux", "s390x"))
    outcome = program(
        *("--platforms", "linux/amd64", "--template", f"{host}/team/odd-ARCH:1.0"),
        *("--target", f"{host}/team/img:2.0", "--progress", "none"),
    )
    assert [line.partition(":")[0] for line in outcome.errors] == ["warning"]


def test_none_with_debug_leaves_the_lines_of_debug(
    program: Program, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--progress", "none", "--debug")
    assert outcome.errors
    assert all(line.startswith("debug: ") for line in outcome.errors)


@pytest.mark.parametrize("form", ["auto", "none"])
def test_quiet_goes_before_the_forms_that_show_little(
    program: Program, merge_arguments: list[str], form: str
) -> None:
    assert program(*merge_arguments, "--quiet", "--progress", form).stderr == ""


@pytest.mark.parametrize("form", ["plain", "json"])
def test_quiet_and_progress_that_is_asked_for_contradict(
    program: Program, merge_arguments: list[str], form: str
) -> None:
    outcome = program(*merge_arguments, "--quiet", "--progress", form)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert f"--quiet and --progress {form} are both given" in outcome.stderr


def test_the_docs_list_every_event_with_its_fields() -> None:
    kinds = [
        kind
        for kind in (getattr(oci_merge, name) for name in dir(oci_merge))
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    ]
    assert Warned in kinds
    listed = {
        name: re.findall(r"`(\w+)`", cells)
        for name, cells in re.findall(r"^\| `(\w+)` \| ([^|]*) \|", DOCS.read_text(), re.MULTILINE)
    }
    for kind in kinds:
        assert listed[event_name(kind)] == [field.name for field in fields(kind)], kind


def _moved(outcome: Outcome) -> list[tuple[str, str]]:
    found = [each for each in events(outcome) if each["event"] == "tag_moved"]
    return sorted((each["tag"], each["reference"]) for each in found)


def test_the_tag_of_an_event_is_bare_however_many_targets_there_are(
    program: Program, merge_arguments: list[str], host: str
) -> None:
    arguments = [*merge_arguments, "--target", f"{host}/team/other:2.0", "--progress", "json"]
    assert _moved(program(*arguments)) == [
        ("1.0", f"{host}/team/img:1.0"),
        ("2.0", f"{host}/team/other:2.0"),
    ]


def test_the_tag_of_an_event_of_a_plan_is_bare_too(
    program: Program, merge_arguments: list[str], host: str, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(program(*merge_arguments, "--dry-run", "--output", "json").stdout)
    outcome = program("apply", str(plan), "--progress", "json")
    assert _moved(outcome) == [("1.0", f"{host}/team/img:1.0")]
