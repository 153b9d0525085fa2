"""Runs the script of a job as a CI system's runner runs it: one shell, the job's variables, no
terminal, and registries that are reached by their names."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fixtures.images import BuiltImage, build_image
from fixtures.named_registries import NamedRegistries

SHELL = ("sh", "-e", "-c")
BASH = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c")
SECONDS = 120

TWO = {name: build_image("linux", name) for name in ("amd64", "arm64")}
"""The images that most jobs join, by their architectures."""


class Job:
    """A machine on which scripts of jobs run.

    Args:
        folder: an empty folder; programs, home and working directory of the jobs are put into it.
        named: the registries that the job reaches.
    """

    def __init__(self, folder: Path, named: NamedRegistries) -> None:
        self._named = named
        self._programs, self.home = folder / "bin", folder / "home"
        self.workspace = folder / "workspace"
        for made in (self._programs, self.home, self.workspace):
            made.mkdir()
        for name in ("oci-merge", "manifest-tool"):
            self.add_program(name, f'exec {shlex.quote(sys.executable)} -P -m oci_merge_cli "$@"')

    def add_program(self, name: str, script: str) -> None:
        """Put a program on PATH.

        Args:
            name: what it is called.
            script: what it does, as lines of sh. Say in the test what it stands for.
        """
        program = self._programs / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def run(
        self,
        script: str | Sequence[str],
        variables: Mapping[str, str],
        *,
        shell: Sequence[str] = SHELL,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in the workspace.

        Args:
            script: its text, or its lines.
            variables: what the CI system sets, and the job's own variables, expanded. Nothing else
                of this machine's environment is there.
            shell: the shell and its options, to which the script is added.

        Returns:
            What it printed, and its status.
        """
        text = script if isinstance(script, str) else "\n".join(script)
        own = {
            "HOME": str(self.home),
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
        }
        return subprocess.run(
            [*shell, text],
            env=own | self._named.environment | dict(variables),
            cwd=self.workspace,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def push_images(
    named: NamedRegistries, template: str, images: Mapping[str, BuiltImage] = TWO
) -> None:
    """Push images as a pipeline's builders do.

    Args:
        named: the registries.
        template: `REGISTRY/NAME-ARCH:TAG`; ARCH is replaced by the key of each image.
        images: the images.
    """
    for architecture, image in images.items():
        named.push(template.replace("ARCH", architecture), image)


def listed(named: NamedRegistries, reference: str) -> list[str]:
    """Return the digests that the index under a reference `REGISTRY/NAME:TAG` lists.

    An empty list means that there is no such tag.
    """
    found = named.fetch(reference)
    if found.status == 404:
        return []
    return [str(entry["digest"]) for entry in json.loads(found.body)["manifests"]]
