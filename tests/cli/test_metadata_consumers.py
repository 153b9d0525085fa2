"""Lines that pipelines read buildx's metadata and outputs with do the same with ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import Program
from tests.installed import installed

#: Lines as they stand in public pipelines, each with what it prints.
_LINES = [
    ("""jq -r '."containerimage.digest"' metadata.json""", "DIGEST"),
    ("""jq -er '."containerimage.descriptor".digest' metadata.json""", "DIGEST"),
    (
        """python3 -c 'import json; print(json.load(open("metadata.json"))"""
        """["containerimage.digest"])'""",
        "DIGEST",
    ),
    (
        """grep '"containerimage.digest"' metadata.json | """
        r"""sed 's/.*"containerimage.digest"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/'""",
        "DIGEST",
    ),
    (
        """grep -o '"digest": *"sha256:[0-9a-f]*"' metadata.json | head -n1 | """
        "grep -o 'sha256:[0-9a-f]*'",
        "DIGEST",
    ),
    (
        r"""jq -r '{digest: .["containerimage.digest"], names: .["image.name"] | split(",")} """
        r"""| "\(.names[0])@\(.digest)"' metadata.json""",
        "NAME:1.0@DIGEST",
    ),
    ("""jq -r '."image.name"' metadata.json | cut -d, -f2""", "NAME:latest"),
    ("""jq -r '."containerimage.descriptor".mediaType' metadata.json""", "TYPE"),
    (
        """digest=$(jq -r '."containerimage.digest"' metadata.json); """
        """mkdir -p digests; touch "digests/${digest#sha256:}"; ls digests | sed s/^/sha256:/""",
        "DIGEST",
    ),
    (
        """. ./build.env; echo "image: ${OCI_MERGE_IMAGE}@${OCI_MERGE_DIGEST}" """,
        "image: REFERENCE",
    ),
]


@pytest.mark.parametrize(("line", "printed"), _LINES)
def test_a_line_of_a_pipeline_finds_what_it_looks_for(
    line: str,
    printed: str,
    program: Program,
    merge_arguments: list[str],
    host: str,
    tmp_path: Path,
) -> None:
    if "jq" in line:
        installed("jq")
    outcome = program(
        *(*merge_arguments, "--tags", "latest"),
        *("--metadata-file", str(tmp_path / "metadata.json")),
        *("--dotenv", str(tmp_path / "build.env")),
    )
    digest = outcome.stdout.split()[1]
    expected = (
        printed.replace("REFERENCE", f"{host}/team/img@DIGEST")
        .replace("NAME", f"{host}/team/img")
        .replace("DIGEST", digest)
        .replace("TYPE", "application/vnd.oci.image.index.v1+json")
    )
    done = subprocess.run(
        ["sh", "-euc", line], cwd=tmp_path, env=os.environ, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (expected, "")
