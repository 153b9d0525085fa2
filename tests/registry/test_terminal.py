"""What a terminal, and a program in its place, is shown of a merge on a real distribution."""

from __future__ import annotations

import json

from fixtures.distribution import Distribution
from tests.cli.running import run_on_terminal, run_process
from tests.registry.team import THREE, push_team
from tests.registry.test_merge import standing


def test_json_tells_of_a_merge_and_its_search_counts_to_the_end(
    plain_registry: Distribution,
) -> None:
    team = push_team(plain_registry, THREE)
    outcome = run_process(
        *("--template", f"{team}/img-ARCHVARIANT:1.0", "--target", f"{team}/img:1.0"),
        *("--progress", "json"),
    )
    assert outcome.status == 0, outcome.stderr
    events = [json.loads(line) for line in outcome.errors]
    totals = {each["stage"]: each["total"] for each in events if each["event"] == "stage_started"}
    advanced = [each["stage"] for each in events if each["event"] == "stage_advanced"]
    assert totals["probe"] > len(THREE)
    assert advanced.count("probe") == totals["probe"]
    last = events[-1]
    assert last["event"] == "finished"
    assert standing(plain_registry, f"{team}/img:1.0") == (200, last["digest"])


def test_a_terminal_of_40_columns_shows_every_image_whole(plain_registry: Distribution) -> None:
    team = push_team(plain_registry, THREE)
    outcome = run_on_terminal(
        *("--template", f"{team}/img-ARCHVARIANT:1.0", "--target", f"{team}/img:1.0"),
        environment={"COLUMNS": "40"},
    )
    assert outcome.status == 0, outcome.stderr
    for name, image in THREE.items():
        assert f"{team}/img-{name}:1.0" in outcome.stderr
        assert f"  digest  {image.digest[:19]}" in outcome.stderr
