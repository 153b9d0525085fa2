"""Programs reach registries by the names that documents use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from fixtures.distribution import Htpasswd
from fixtures.images import build_image
from fixtures.named_registries import NamedRegistries


def test_the_command_and_skopeo_reach_each_registry_by_its_name(
    docker_registry: Path, skopeo: Path
) -> None:
    images = {name: build_image("linux", name) for name in ("amd64", "arm64")}
    with NamedRegistries({"registry.example": None, "ghcr.io": Htpasswd()}) as named:
        for registry in named.registries:
            with named.seeder(registry) as push:
                for architecture, image in images.items():
                    push.push_image(f"team/app-{architecture}", "1.0", image)
        environment = os.environ | named.environment
        login = {"OCI_MERGE_USERNAME": "ci", "OCI_MERGE_PASSWORD": "registry-password"}
        for registry in named.registries:
            command = ["--template", f"{registry}/team/app-ARCH:1.0"]
            command += ["--platforms", "linux/amd64,linux/arm64"]
            command += ["--target", f"{registry}/team/app:1.0"]
            done = subprocess.run(
                [sys.executable, "-m", "oci_merge_cli", *command],
                env=environment | (login if registry == "ghcr.io" else {}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        raw = subprocess.run(
            [skopeo, "inspect", "--raw", "docker://registry.example/team/app:1.0"],
            env=environment,
            capture_output=True,
            timeout=60,
            check=True,
        )
    entries = json.loads(raw.stdout)["manifests"]
    assert [entry["digest"] for entry in entries] == [image.digest for image in images.values()]
