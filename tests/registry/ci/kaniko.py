"""A stand-in for kaniko's executor: it pushes an image that was made before, by skopeo.

It logs in as kaniko does, by the docker config in its own folder, and writes the files that kaniko
writes. Where it runs decides which image it "builds": `CI_RUNNER_EXECUTABLE_ARCH`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixtures.images import BuiltImage


def install(folder: Path, images: dict[str, BuiltImage]) -> None:
    """Put `executor` into a folder that stands for `/kaniko`, with the images of architectures."""
    folder.mkdir(parents=True)
    for architecture, image in images.items():
        layout = folder / "layouts" / architecture
        layout.mkdir(parents=True)
        (layout / "version").write_text("Directory Transport Version: 1.1\n")
        (layout / "manifest.json").write_bytes(image.manifest)
        for blob in image.blobs:
            (layout / blob.digest.removeprefix("sha256:")).write_bytes(blob.content)
        (layout / "digest").write_text(image.digest)
    executor = folder / "executor"
    program = f"{shlex.quote(sys.executable)} -P {shlex.quote(__file__)}"
    executor.write_text(f'#!/bin/sh\nexec {program} "$0" "$@"\n')
    executor.chmod(0o755)


def _build() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("program", type=Path)
    parser.add_argument("--context", type=Path, required=True)
    parser.add_argument("--dockerfile")
    parser.add_argument("--destination", action="append", required=True)
    parser.add_argument("--digest-file", type=Path)
    parser.add_argument("--image-name-with-digest-file", type=Path)
    parser.add_argument("--image-name-tag-with-digest-file", type=Path)
    given = parser.parse_args()
    folder: Path = given.program.parent
    layout = folder / "layouts" / os.environ["CI_RUNNER_EXECUTABLE_ARCH"].rpartition("/")[2]
    digest = (layout / "digest").read_text()
    login = folder / ".docker" / "config.json"
    json.loads(login.read_text())
    for destination in given.destination:
        command = ["skopeo", "copy", "--quiet", "--preserve-digests", "--authfile", str(login)]
        subprocess.run([*command, f"dir:{layout}", f"docker://{destination}"], check=True)
    names = [destination.rpartition(":")[0] for destination in given.destination]
    if given.digest_file:
        given.digest_file.write_text(digest)
    if given.image_name_with_digest_file:
        lines = [f"{name}@{digest}\n" for name in names]
        given.image_name_with_digest_file.write_text("".join(lines))
    if given.image_name_tag_with_digest_file:
        lines = [f"{destination}@{digest}\n" for destination in given.destination]
        given.image_name_tag_with_digest_file.write_text("".join(lines))


if __name__ == "__main__":
    _build()
