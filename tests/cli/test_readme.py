"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import serve

README = Path(__file__).parents[2] / "README.md"


def test_the_script_of_the_readme_does_the_main_job_in_ten_lines() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
    registry = EmbeddedRegistry()
    for suffix, variant in (("amd64", ""), ("arm64", ""), ("armv7", "v7")):
        architecture = suffix.removesuffix(variant)
        image = build_image("linux", architecture, variant)
        registry.add_image(f"team/app-{suffix}", "1.0", image)

    with serve(registry.app) as server:
        script = script.replace("registry.example", server.host)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
        )

    assert done.returncode == 0, done.stderr
    digest, *images = done.stdout.splitlines()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert [line.split()[0] for line in images] == ["linux/amd64", "linux/arm64", "linux/arm/v7"]
