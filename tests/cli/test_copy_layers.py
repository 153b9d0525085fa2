"""``--copy-layers`` on the command line: what it says on a terminal, in a pipe and in a plan."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import serve
from tests.cli.running import Program, run_on_terminal, run_process


@pytest.fixture
def other_host() -> Iterator[str]:
    """The authority of another registry, with `team/one:1.0` and `team/amd64:1.0`."""
    registry = EmbeddedRegistry()
    for name in ("one", "amd64"):
        registry.add_image(f"team/{name}", "1.0", build_image("linux", "amd64"))
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
    assert outcome.errors[-1].startswith("hint: copy the blobs with --copy-layers")


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
    words = (*arguments, "--copy-layers", "--dry-run", "--output", "json")
    plan = json.loads(program(*words).stdout)["plan"]
    assert {copy["digest"] for copy in plan["copies"]} == {
        blob.digest for blob in build_image("linux", "amd64").blobs
    }
    assert plan["mounts"] == []


def _from_args(images: str, host: str, folder: Path) -> list[str]:
    template = ("--template", f"{images}/team/ARCH:1.0")
    target = ("--target", f"{host}/team/img:1.0")
    return ["from-args", "--platforms", "linux/amd64", *template, *target]


def _from_spec(images: str, host: str, folder: Path) -> list[str]:
    spec = folder / "spec.yml"
    image = f"{images}/team/amd64:1.0"
    spec.write_text(f"image: {host}/team/img:1.0\nmanifests: [{{image: '{image}'}}]\n")
    return ["from-spec", str(spec)]


Form = Callable[[str, str, Path], list[str]]
_forms = pytest.mark.parametrize("form", [_from_args, _from_spec], ids=["from-args", "from-spec"])


@_forms
def test_manifest_tool_s_form_copies_what_is_not_mounted_on_demand(
    form: Form, program: Program, registry: EmbeddedRegistry, host: str, tmp_path: Path
) -> None:
    registry.add_image("team/amd64", "1.0", build_image("linux", "amd64"))
    registry.settings.refuse_mounts = True
    arguments = form(host, host, tmp_path)
    refused = program("push", *arguments)
    assert refused.status == 1
    assert refused.errors[-1].startswith("hint: copy the blobs with --copy-layers")
    done = program("push", *arguments, "--copy-layers")
    assert done.status == 0
    assert done.stdout.startswith("Digest: sha256:")
    layer = build_image("linux", "amd64").layers[1]
    assert any(line.startswith(f"copied {layer.digest}") for line in done.errors)


@_forms
def test_manifest_tool_s_form_takes_images_of_another_registry_on_demand(
    form: Form, program: Program, host: str, other_host: str, tmp_path: Path
) -> None:
    arguments = form(other_host, host, tmp_path)
    refused = program("push", *arguments)
    assert refused.status == 1  # as there, where wrong usage is no 2
    assert "--copy-layers" in refused.errors[-1]
    options = ("-copy-layers=true", "--source-plain-http", "--source-insecure")
    assert program("push", *arguments, *options).status == 0
    assert program("push", *arguments, "--copy-layers", "-copy-layers=false").status == 1
