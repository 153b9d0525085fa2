"""What stderr shows on a terminal, and that a pipe has none of it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from oci_merge import StageAdvanced, StageStarted
from oci_merge_cli.output.live import Live
from tests.cli.running import run_on_terminal, run_process

ESCAPE = "\x1b"


def test_a_terminal_shows_progress_and_a_closing_table(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments)
    assert outcome.status == 0
    assert outcome.stdout.startswith("Digest: sha256:")
    assert ESCAPE not in outcome.stdout
    for stage in ("reading manifests", "reading configs", "mounting blobs", "moving tags"):
        assert stage in outcome.stderr
    assert "tag 1.0 moved" in outcome.stderr
    *_, heading, amd64, arm64, arm = outcome.errors
    assert "platform" in heading
    assert [row.split()[0] for row in (amd64, arm64, arm)] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    assert build_image("linux", "amd64").digest[:19] in amd64
    assert "/team/img-amd64:1.0" in amd64


def test_a_pipe_shows_lines_alone_and_no_escapes(merge_arguments: list[str]) -> None:
    outcome = run_process(*merge_arguments, environment={"TERM": "xterm", "FORCE_COLOR": "1"})
    assert outcome.errors == ["tag 1.0 moved"]


def test_no_color_takes_the_colours_away(merge_arguments: list[str]) -> None:
    coloured = run_on_terminal(*merge_arguments)
    plain = run_on_terminal(*merge_arguments, environment={"NO_COLOR": "1"})
    assert f"{ESCAPE}[32m" in coloured.stderr
    assert f"{ESCAPE}[32m" not in plain.stderr


def test_a_dumb_terminal_is_treated_as_a_pipe(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments, environment={"TERM": "dumb"})
    assert outcome.errors == ["tag 1.0 moved"]


def test_quiet_leaves_a_terminal_empty(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments, "--quiet")
    assert outcome.stdout.startswith("Digest: sha256:")
    assert outcome.stderr == ""


def test_debug_lines_are_not_mixed_with_live_progress(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments, "--debug")
    assert ESCAPE not in outcome.stderr
    assert all(line.startswith(("debug: ", "tag ")) for line in outcome.errors)


def test_json_on_stdout_leaves_progress_on_stderr(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments, "--output", "json")
    assert json.loads(outcome.stdout)["digest"].startswith("sha256:")
    assert "moving tags" in outcome.stderr


def test_a_dry_run_has_its_table_on_stdout_alone(merge_arguments: list[str]) -> None:
    outcome = run_on_terminal(*merge_arguments, "--dry-run")
    assert "linux/arm/v7" in outcome.stdout
    assert "linux/arm/v7" not in outcome.stderr


def test_an_error_ends_the_progress_and_stands_last(host: str) -> None:
    outcome = run_on_terminal(
        "--source", f"{host}/team/none:1.0", "--target", f"{host}/team/img:1.0"
    )
    assert outcome.status == 1
    assert outcome.errors[-2].endswith("(MANIFEST_UNKNOWN)")
    assert outcome.errors[-1].startswith("hint: ")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_warning_cannot_steer_the_terminal_nor_be_markup(
    registry: EmbeddedRegistry, host: str, terminal: bool
) -> None:
    evil = f"amd64{ESCAPE}[2J[red]x[/red]:boom:"
    registry.add_image("team/evil-amd64", "1.0", build_image("linux", evil))
    run = run_on_terminal if terminal else run_process
    outcome = run(
        *("--platforms", "linux/amd64", "--template", f"{host}/team/evil-ARCH:1.0"),
        *("--target", f"{host}/team/img:1.0"),
    )
    assert outcome.status == 0
    assert f"{ESCAPE}[2J" not in outcome.stderr
    assert "amd64\\x1b[2J[red]x[/red]:boom:" in outcome.stderr


@pytest.mark.parametrize("columns", [40, 60])
def test_a_narrow_terminal_closes_with_a_block_for_each_image(
    merge_arguments: list[str], host: str, columns: int
) -> None:
    outcome = run_on_terminal(*merge_arguments, environment={"COLUMNS": str(columns)})
    lines = outcome.stderr.partition("tag 1.0 moved\n")[2].splitlines()
    # What is not a line of the blocks took the bars away.
    blocks = [re.sub(rf".*{ESCAPE}\[[\d;?]*[A-Za-z]", "", line).strip("\r") for line in lines]
    text = "\n".join(blocks)
    for architecture, variant in (("amd64", ""), ("arm64", ""), ("arm", "v7")):
        image = build_image("linux", architecture, variant)
        name = f"linux/{architecture}" + (f"/{variant}" if variant else "")
        place = blocks.index(name)
        assert blocks[place + 1] == f"  digest  {image.digest[:19]}"
        assert blocks[place + 2] == f"  size    {len(image.manifest)}"
        assert f"{host}/team/img-{architecture}{variant}:1.0" in text
    assert max(map(len, blocks)) <= columns


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_a_table_of_an_index_loses_nothing_on_a_terminal(
    merge_arguments: list[str], host: str, columns: int
) -> None:
    assert run_process(*merge_arguments).status == 0
    words = ("inspect", "--output", "table", f"{host}/team/img:1.0")
    piped = run_process(*words, environment={"COLUMNS": str(columns)}).stdout
    shown = run_on_terminal(*words, stdout_too=True, environment={"COLUMNS": str(columns)}).stdout
    heading, *rows = piped.splitlines()
    assert heading.split()[:2] == ["PLATFORM", "DIGEST"]
    cells = {cell for row in rows for cell in row.split()}
    assert cells <= set(shown.split())
    assert (shown == piped) is (columns == 160)
    # Only a digest and a media type, which are one word each, may be longer than the terminal.
    wide = [line for line in shown.splitlines() if len(line) > columns]
    assert all(len(line.split()) == 1 for line in wide)


def test_a_stage_of_several_targets_has_one_bar_that_counts_all_of_them() -> None:
    bars = Progress(console=Console(file=io.StringIO()))
    shown = Live(bars)
    for event in (
        StageStarted("tags", 1),
        StageStarted("tags", 2),
        *[StageAdvanced("tags", "1.0")] * 3,
        StageStarted("verify", 4),
    ):
        shown.show(event)
    found = [(task.description, task.completed, task.total) for task in bars.tasks]
    assert found == [("moving tags", 3, 3), ("verifying", 0, 4)]


def test_the_bar_of_the_tags_of_two_targets_is_full_at_the_end(
    merge_arguments: list[str], host: str
) -> None:
    outcome = run_on_terminal(*merge_arguments, "--target", f"{host}/team/other:1.0")
    counts = re.findall(r"moving tags[^\n\r]*?(\d+/\d+)", outcome.stderr)
    assert outcome.status == 0
    assert counts[-1] == "2/2"


def test_a_narrow_terminal_shows_the_plan_of_a_dry_run_by_lines(
    merge_arguments: list[str],
) -> None:
    words = (*merge_arguments, "--dry-run")
    narrow = {"COLUMNS": "40"}
    piped = run_process(*words, environment=narrow).stdout
    shown = run_on_terminal(*words, stdout_too=True, environment=narrow).stdout
    assert set(piped.split()) == set(shown.split())
    rows = [line for line in shown.splitlines() if not line.startswith(("Index of", "Digest:"))]
    wide = [line for line in rows if len(line) > 40]
    # A digest, or where an image came from, is longer than the terminal by itself.
    assert all(line.startswith(("sha256:", "from ")) for line in wide)
    assert run_on_terminal(*words, stdout_too=True, environment={"COLUMNS": "200"}).stdout == piped


def test_a_narrow_terminal_shows_a_batch_as_a_block_for_each_image(
    host: str, tmp_path: Path
) -> None:
    file = tmp_path / "images.yml"
    file.write_text(
        f"images: [{{ name: app, target: '{host}/team/b:1', "
        f"sources: ['{host}/team/img-amd64:1.0'] }}]"
    )
    narrow = {"COLUMNS": "40"}
    piped = run_process("batch", str(file), "--dry-run", environment=narrow).stdout
    shown = run_on_terminal(
        "batch", str(file), "--dry-run", stdout_too=True, environment=narrow
    ).stdout
    heading, row, count = piped.splitlines()
    assert heading.split() == ["IMAGE", "STATUS", "DIGEST", "TARGET"]
    assert shown.splitlines()[0] == "app"
    assert set(row.split()) <= set(shown.split())
    assert [line for line in shown.splitlines() if len(line) > 40 and line != count] == [
        next(word for word in row.split() if word.startswith("sha256:"))
    ]
