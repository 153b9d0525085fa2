"""``--append``, ``remove`` and ``annotate`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.embedded import EmbeddedRegistry
from tests.cli.running import Program

pytestmark = pytest.mark.usefixtures("_quick")


@pytest.fixture
def _quick(set_timings: Any) -> None:
    """Wait for no other writer."""
    set_timings(settling=0.001)


@pytest.fixture
def index(program: Program, merge_arguments: list[str], host: str) -> str:
    """An index of three platforms at ``team/img:1.0``."""
    assert program(*merge_arguments).status == 0
    return f"{host}/team/img:1.0"


def document(registry: EmbeddedRegistry, tag: str = "1.0") -> dict[str, Any]:
    """Return the index as JSON values."""
    held = registry.storage.manifest("team/img", tag)
    assert held is not None
    parsed: dict[str, Any] = json.loads(held.content)
    return parsed


def platforms(registry: EmbeddedRegistry, tag: str = "1.0") -> list[str]:
    """Return the architectures that the index lists."""
    return [entry["platform"]["architecture"] for entry in document(registry, tag)["manifests"]]


def test_append_keeps_what_the_target_lists(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    target = ["--target", f"{host}/team/img:2.0", "--append"]
    for name in ("amd64", "arm64", "arm64"):
        outcome = program("--source", f"{host}/team/img-{name}:1.0", *target)
        assert outcome.status == 0
    assert platforms(registry, "2.0") == ["amd64", "arm64"]
    assert outcome.stderr.splitlines()[-1] == "tag 2.0 unchanged"


def test_remove_takes_platforms_out(
    program: Program, registry: EmbeddedRegistry, index: str, tmp_path: Path
) -> None:
    file = tmp_path / "digest"
    outcome = program(
        "remove",
        index,
        "--platform",
        "linux/arm64",
        "--platform",
        "linux/arm/v7",
        "--digest-file",
        str(file),
    )
    assert platforms(registry) == ["amd64"]
    digest = file.read_text()
    assert outcome == (0, f"Digest: {digest} 374\n", "tag 1.0 moved\n")
    assert registry.storage.repositories["team/img"].tags["1.0"] == digest


def test_remove_names_what_is_there(program: Program, index: str) -> None:
    outcome = program("remove", index, "--platform", "linux/s390x")
    assert outcome.status == 1
    assert outcome.errors == [
        f"error: {index} lists no image for linux/s390x",
        "hint: it lists linux/amd64, linux/arm64 and linux/arm/v7",
    ]


def test_remove_wants_a_platform(program: Program, index: str) -> None:
    outcome = program("remove", index)
    assert outcome.status == 1
    assert "--platform" in outcome.stderr


def test_annotate_sets_and_removes(
    program: Program, registry: EmbeddedRegistry, index: str
) -> None:
    first = program("annotate", index, "--annotation", "a=1", "--annotation", "b=x=y")
    assert first.status == 0
    second = program(
        *("annotate", index, "--remove-annotation", "a", "--output", "json", "--quiet"),
        *("--annotation", "index,manifest-descriptor[linux/amd64]:c=3"),
    )
    assert second.stderr == ""
    shown = json.loads(second.stdout)
    assert (shown["changed"], shown["target"]) == (True, index)
    assert document(registry)["annotations"] == {"b": "x=y", "c": "3"}
    assert [entry.get("annotations") for entry in document(registry)["manifests"]] == [
        {"c": "3"},
        None,
        None,
    ]


def test_annotate_in_a_dry_run_prints_the_plan(
    program: Program, registry: EmbeddedRegistry, index: str
) -> None:
    before = document(registry)
    outcome = program("annotate", index, "--annotation", "a=1", "--dry-run")
    assert outcome.status == 0
    assert f"Index of {index}: application/vnd.oci.image.index.v1+json" in outcome.stdout
    assert "1.0  to move" in outcome.stdout
    assert document(registry) == before


def test_annotate_without_an_annotation_is_an_error(program: Program, index: str) -> None:
    outcome = program("annotate", index)
    assert outcome.status == 1
    assert outcome.errors[0] == "error: no annotation is given"


def test_a_merge_annotates_entries(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--annotation", "manifest-descriptor:all=1\nindex:own=2")
    assert outcome.status == 0
    assert document(registry)["annotations"] == {"own": "2"}
    assert {json.dumps(entry["annotations"]) for entry in document(registry)["manifests"]} == {
        '{"all": "1"}'
    }


def test_options_of_a_merge_before_the_command_are_refused(program: Program, index: str) -> None:
    outcome = program("--append", "remove", index, "--platform", "linux/arm64")
    assert outcome.status == 1
    assert "--append" in outcome.stderr


def test_append_is_no_command(program: Program) -> None:
    outcome = program("append", "x")
    assert "--append" in outcome.stderr


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_an_empty_key_to_remove_is_refused_as_it_may_be_an_unset_variable(
    program: Program, registry: EmbeddedRegistry, index: str, value: str
) -> None:
    registry.requests.clear()
    outcome = program("annotate", index, "--remove-annotation", value)
    assert outcome.status == 1
    assert outcome.errors == [
        "error: an annotation to remove has an empty key",
        "hint: name its key; perhaps the variable for it is empty",
    ]
    assert not registry.requests


def test_keys_to_remove_may_stand_in_lines(
    program: Program, registry: EmbeddedRegistry, index: str
) -> None:
    assert program("annotate", index, "--annotation", "a=1", "--annotation", "b=2").status == 0
    assert program("annotate", index, "--remove-annotation", "a\n\nb\n").status == 0
    assert not document(registry).get("annotations")
