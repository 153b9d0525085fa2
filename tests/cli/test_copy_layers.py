"""``--copy-layers`` on the command line: what it says on a terminal, in a pipe and in a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import serve
from tests.cli.running import Program, run_on_terminal, run_process


@pytest.fixture
def other_host() -> Iterator[str]:
    """The authority of another registry, with `team/one:1.0`."""
    registry = EmbeddedRegistry()
    registry.add_image("team/one", "1.0", build_image("linux", "amd64"))
    with serve(registry.app) as server:
        yield server.host


def test_a_pipe_gets_a_line_for_each_blob_copied(
    registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    registry.settings.refuse_mounts = True
    outcome = run_process(*merge_arguments, "--copy-layers")
    assert outcome.status == 0
    layer = build_image("linux", "amd64").layers[1]
    *copies, moved = outcome.errors
    assert moved == "tag 1.0 moved"
    assert all(line.startswith("copied sha256:") for line in copies)
    assert any(line.startswith(f"copied {layer.digest} ({layer.size} bytes)") for line in copies)


def test_a_terminal_gets_bars_by_bytes(
    registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    registry.settings.refuse_mounts = True
    outcome = run_on_terminal(*merge_arguments, "--copy-layers")
    assert outcome.status == 0
    assert "copying sha256:" in outcome.stderr
    assert "bytes" in outcome.stderr


def test_without_it_the_hint_of_a_refused_mount_names_it(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    registry.settings.refuse_mounts = True
    outcome = program(*merge_arguments)
    assert outcome.status == 1
    assert outcome.errors[-1].startswith("hint: copy them with --copy-layers")


def test_images_of_another_registry_are_wrong_usage_without_it(
    program: Program, host: str, other_host: str
) -> None:
    arguments = ("--source", f"{other_host}/team/one:1.0", "--target", f"{host}/team/img:1.0")
    refused = program(*arguments)
    assert refused.status == 2
    assert "--copy-layers" in refused.errors[-1]
    assert program(*arguments, "--copy-layers").status == 0


def test_a_dry_run_lists_the_blobs_to_copy_with_their_registry(
    program: Program, host: str, other_host: str
) -> None:
    arguments = ("--source", f"{other_host}/team/one:1.0", "--target", f"{host}/team/img:1.0")
    text = program(*arguments, "--copy-layers", "--dry-run").stdout.splitlines()
    place = text.index("Blobs to copy")
    assert text[place + 1].endswith(f"from {other_host}/team/one")
    assert text[text.index("Blobs to mount") + 1] == "  none"
    plan = json.loads(program(*arguments, "--copy-layers", "--dry-run", "--output", "json").stdout)
    assert {copy["digest"] for copy in plan["copies"]} == {
        blob.digest for blob in build_image("linux", "amd64").blobs
    }
    assert plan["mounts"] == []
