"""The command ``apply``, and verification and clean-up on the command line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from tests.cli.running import Program, run_process


@pytest.fixture
def plan(program: Program, merge_arguments: list[str], tmp_path: Path) -> Path:
    """The plan of a merge, as the shell writes it."""
    path = tmp_path / "plan.json"
    path.write_text(program(*merge_arguments, "--dry-run", "--output", "json").stdout)
    return path


def test_a_plan_is_applied_and_the_digest_written(
    program: Program, plan: Path, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    digest = json.loads(plan.read_text())["digest"]
    file = tmp_path / "digest"
    outcome = program("apply", str(plan), "--digest-file", str(file))
    assert outcome.status == 0
    assert outcome.stdout.startswith(f"Digest: {digest} ")
    assert file.read_text() == digest
    assert any(line.endswith("/team/img:1.0 moved") for line in outcome.errors)
    assert registry.storage.repositories["team/img"].tags == {"1.0": digest}


def test_a_second_run_says_unchanged(program: Program, plan: Path) -> None:
    program("apply", str(plan))
    outcome = program("apply", str(plan), "--output", "json", "--verify")
    document = json.loads(outcome.stdout)
    assert (outcome.status, document["changed"], document["verified"]) == (0, False, True)
    assert any(line.endswith("/team/img:1.0 unchanged") for line in outcome.errors)


def test_a_plan_comes_from_stdin(
    program: Program, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(plan.read_bytes())))
    assert program("apply", "-").status == 0


def test_stdin_without_a_plan_is_wrong_usage(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    outcome = program("apply", "-")
    assert outcome.status == 1
    assert outcome.errors[0] == "error: stdin has no plan"
    outcome = program("apply", "-", "--username", "ci", "--password-stdin")
    assert outcome.errors[0] == "error: the plan and the password are both read from stdin"


def test_a_change_since_the_plan_is_named(
    program: Program, plan: Path, registry: EmbeddedRegistry, host: str
) -> None:
    registry.add_image("team/img-amd64", "1.0", build_image("linux", "amd64", text="newer"))
    outcome = program("apply", str(plan), "--output", "json")
    document = json.loads(outcome.stdout)
    assert outcome.status == 1
    assert document["kind"] == "PlanChangedError"
    assert document["changed"] == [f"{host}/team/img-amd64:1.0"]
    assert "team/img" not in registry.storage.repositories


def test_a_plan_that_is_none_is_told(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("Digest: sha256:abc 5\n")
    outcome = program("apply", str(path))
    assert outcome.status == 1
    assert outcome.errors == [
        f"error: the plan {path} is not JSON",
        "hint: make it with oci-merge ... --dry-run --output json > plan.json",
    ]


def test_a_plan_is_applied_by_the_installed_program(plan: Path) -> None:
    assert run_process("apply", str(plan), "-q").stderr == ""


def test_a_merge_says_on_the_command_line_that_it_is_verified(
    program: Program, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--verify", "--output", "json")
    assert json.loads(outcome.stdout)["verified"] is True


def test_deleted_tags_are_shown_and_listed(
    program: Program, merge_arguments: list[str], registry: EmbeddedRegistry, host: str
) -> None:
    outcome = program(*merge_arguments, "--delete-sources", "--output", "json")
    names = [f"{host}/team/img-{arch}:1.0" for arch in ("amd64", "arm64", "armv7")]
    assert json.loads(outcome.stdout)["deleted"] == names
    assert [line for line in outcome.errors if "deleted" in line] == [
        f"tag {name} deleted" for name in names
    ]
    assert registry.storage.repositories["team/img-amd64"].tags == {}


def test_a_dry_run_lists_the_tags_that_would_be_deleted(
    program: Program, merge_arguments: list[str], host: str
) -> None:
    lines = program(*merge_arguments, "--dry-run", "--delete-sources").stdout.splitlines()
    place = lines.index("Tags to delete then")
    assert lines[place + 1 : place + 4] == [
        f"  {host}/team/img-{arch}:1.0" for arch in ("amd64", "arm64", "armv7")
    ]
    assert "Tags to delete then" not in program(*merge_arguments, "--dry-run").stdout
