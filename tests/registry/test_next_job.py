"""A job after the merge: it reads what the merge wrote, and finds the image by it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from fixtures.distribution import Distribution
from tests.cli.running import Outcome, run_process
from tests.registry.team import push_team

#: What a deploy job of GitLab does with the variables that the merge job reported.
_DEPLOY = """
set -eu
. ./merge.env
test "$OCI_MERGE_CHANGED" = true
for tag in $(echo "$OCI_MERGE_TAGS" | tr , ' '); do
  "$SKOPEO" inspect --raw --tls-verify=false "docker://$tag" | sha256sum
done
"$SKOPEO" inspect --raw --tls-verify=false "docker://$OCI_MERGE_REFERENCE"
"""


@pytest.fixture
def merged(
    plain_registry: Distribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Outcome:
    """A merge on a runner, with a file of each kind for the next job in ``tmp_path``."""
    team = push_team(plain_registry)
    for name in ("outputs", "summary"):
        (tmp_path / name).touch()
    return run_process(
        *("--template", f"{team}/img-ARCHVARIANT:1.0", "--target", f"{team}/img:1.0"),
        *("--tags", "latest", "--metadata-file", str(tmp_path / "metadata.json")),
        *("--dotenv", str(tmp_path / "merge.env"), "--output", "json"),
        environment={
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(tmp_path / "outputs"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        },
    )


def test_the_next_job_finds_what_was_published(
    merged: Outcome, skopeo: Path, tmp_path: Path
) -> None:
    digest = json.loads(merged.stdout)["digest"]
    done = subprocess.run(
        ["sh", "-c", _DEPLOY],
        cwd=tmp_path,
        env={**os.environ, "SKOPEO": str(skopeo)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    first, second, index = done.stdout.split(b"\n", 2)
    assert {first.split()[0], second.split()[0]} == {digest.partition(":")[2].encode()}
    assert f"sha256:{hashlib.sha256(index).hexdigest()}" == digest
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert metadata["containerimage.digest"] == digest
    assert metadata["containerimage.descriptor"]["size"] == len(index)
    assert f"\n{digest}\n" in (tmp_path / "outputs").read_text()
    assert (tmp_path / "summary").read_text().count("<code>linux/") == 3


def test_a_rerun_tells_the_next_job_that_nothing_changed(merged: Outcome, tmp_path: Path) -> None:
    team = json.loads(merged.stdout)["target"].removesuffix("/img:1.0")
    again = run_process(
        *("--template", f"{team}/img-ARCHVARIANT:1.0", "--target", f"{team}/img:1.0"),
        *("--dotenv", str(tmp_path / "merge.env"), "--output", "json"),
    )
    assert json.loads(again.stdout)["changed"] is False
    assert "OCI_MERGE_CHANGED=false\n" in (tmp_path / "merge.env").read_text()
