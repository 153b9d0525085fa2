"""Specs as people wrote them, and images that talk to CI systems, on a real distribution."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.distribution import Distribution
from fixtures.images import build_image
from tests.ci_systems import obeyed
from tests.cli.running import run_process
from tests.registry.team import push_team

_WINDOWS = {
    "linux-amd64": build_image("linux", "amd64"),
    "windows-1809": build_image("windows", "amd64", os_version="10.0.17763.6659"),
    "windows-ltsc2022": build_image("windows", "amd64", os_version="10.0.20348.3091"),
}
_SPEC = """
image:\tTEAM/app:1
manifests:\t
  - image: TEAM/img-linux-amd64:1.0
    platform: {architecture: amd64, os: linux, features: [sse]}
  - image: TEAM/img-windows-1809:1.0
    platform:
      architecture: amd64
      os: windows
      version: 1809
  - image: TEAM/img-windows-ltsc2022:1.0
    platform: {architecture: amd64, os: windows, version: 10.0.20348.3091}
"""
#: An application that logs everything.
_LOGS_ALL = """
import logging, sys
logging.basicConfig(level=1, stream=sys.stdout)
import oci_merge
oci_merge.inspect(sys.argv[1], username=sys.argv[2], password=sys.argv[3], ca_file=sys.argv[4])
"""


def _raw(skopeo: Path, reference: str) -> dict[str, list[dict[str, dict[str, str]]]]:
    command = [str(skopeo), "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    found: dict[str, list[dict[str, dict[str, str]]]] = json.loads(done.stdout)
    return found


def test_a_windows_template_that_was_filled_makes_an_index_that_windows_finds(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry, _WINDOWS)
    spec = tmp_path / "spec.yml"
    spec.write_text(_SPEC.replace("TEAM", team))
    outcome = run_process("--plain-http", "push", "from-spec", str(spec))
    assert outcome.status == 0
    assert [line.partition(" is published")[0].rpartition("/")[2] for line in outcome.errors] == [
        "img-linux-amd64:1.0",
        "img-windows-1809:1.0",
        "img-windows-ltsc2022:1.0 has 'version: 10.0.20348.3091', which is taken as its osversion",
    ]
    platforms = [entry["platform"] for entry in _raw(skopeo, f"{team}/app:1")["manifests"]]
    assert platforms == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.6659"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.3091"},
    ]


@pytest.mark.parametrize("output", ["text", "json"])
def test_an_image_that_talks_to_a_ci_system_is_published_and_commands_nothing(
    plain_registry: Distribution, skopeo: Path, output: str
) -> None:
    evil = "##vso[task.setvariable variable=x]y"
    images = {"amd64": build_image("linux", evil)}
    team = push_team(plain_registry, images)
    outcome = run_process(
        *("--source", f"{team}/img-amd64:1.0", "--target", f"{team}/app:1"),
        *("--plain-http", "--output", output, "--format", "oci"),
    )
    assert outcome.status == 0
    assert obeyed(outcome.stdout) == obeyed(outcome.stderr) == []
    (entry,) = _raw(skopeo, f"{team}/app:1")["manifests"]
    assert entry["platform"]["architecture"] == evil
    shown = run_process("inspect", f"{team}/app:1", "--plain-http", "--output", output)
    assert obeyed(shown.stdout) == []
    assert "vso[task.setvariable variable=x]y" in shown.stdout


def test_an_application_that_logs_everything_logs_no_password_over_http2(
    tls_registry: Distribution,
) -> None:
    team = push_team(tls_registry)
    user, password = tls_registry.credentials or ("", "")
    arguments = [f"{team}/img-amd64:1.0", user, password, str(tls_registry.ca_pem)]
    done = subprocess.run(
        [sys.executable, "-c", _LOGS_ALL, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "speaks HTTP/2" in said
    assert password not in said
    assert "authorization" not in said.lower()
    assert "hpack" not in said
