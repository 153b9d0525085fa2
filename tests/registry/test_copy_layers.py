"""Layers between two real registries: what is read, what is checked, how much memory it takes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import oci_merge
from fixtures.distribution import Distribution
from fixtures.images import Blob, BuiltImage, build_image
from tests.registry.team import THREE, push_team, seeder

LARGE = 64 * 2**20
TEMPLATE = "img-ARCHVARIANT:1.0"

#: Merges as told, and prints by how much its memory grew at most, in bytes.
_MEASURED = """
import json, resource, sys
import oci_merge
oci_merge.merge(**json.loads(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
oci_merge.merge(**json.loads(sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def docker_config(folder: Path, *registries: Distribution) -> str:
    auths = {
        registry.host: {"auth": base64.b64encode(":".join(registry.credentials).encode()).decode()}
        for registry in registries
        if registry.credentials
    }
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    return str(folder)


def layer_reads(registry_reads: list[str]) -> list[str]:
    layers = {blob.digest for image in THREE.values() for blob in image.layers}
    return [path for path in registry_reads if path.rpartition("/")[2] in layers]


def assert_skopeo_reads(skopeo: Path, registry: Distribution, reference: str, to: Path) -> None:
    """Check that skopeo, which checks every digest, copies the whole image out."""
    flags = [f"--src-creds={':'.join(registry.credentials)}"] if registry.credentials else []
    where = [f"docker://{reference}", f"dir:{to}"]
    subprocess.run(
        [skopeo, "copy", "--all", *flags, "--src-tls-verify=false", *where],
        check=True,
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("to_tls", [True, False], ids=["plain to TLS", "TLS to plain"])
def test_images_are_copied_between_registries_with_different_credentials(
    plain_registry: Distribution,
    tls_registry: Distribution,
    skopeo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    to_tls: bool,
) -> None:
    source, target = plain_registry, tls_registry
    if not to_tls:
        source, target = target, source
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca_pem))
    team = push_team(source)
    name = f"{target.host}/{team.partition('/')[2]}/img:1.0"

    with source.watch() as read, target.watch() as written:
        result = oci_merge.merge(
            name,
            template=f"{team}/{TEMPLATE}",
            copy_layers=True,
            docker_config=docker_config(tmp_path, tls_registry),
        )

    assert {record.method for record in read} <= {"GET", "HEAD"}
    copied = layer_reads([record.path for record in read if record.method == "GET"])
    assert len(copied) == len(set(copied)) == len(result.plan.transfers.copies) - len(THREE)
    streamed = [r for r in written if r.method == "PUT" and "/blobs/uploads/" in r.path]
    assert {record.protocol for record in streamed} == {"HTTP/1.1"}
    assert not [record for record in written if record.method == "PATCH"]
    assert_skopeo_reads(skopeo, target, name, tmp_path / "image")


def test_without_the_flag_no_registry_gives_a_layer_away(
    plain_registry: Distribution, tls_registry: Distribution
) -> None:
    team = push_team(plain_registry)
    with plain_registry.watch() as read, pytest.raises(oci_merge.UsageError, match="registry"):
        oci_merge.merge(f"{tls_registry.host}/x/img:1.0", template=f"{team}/{TEMPLATE}")
    assert read == []
    with plain_registry.watch() as read:
        oci_merge.merge(f"{team}/img:1.0", template=f"{team}/{TEMPLATE}")
        oci_merge.merge(f"{team}/two:1.0", template=f"{team}/{TEMPLATE}", copy_layers=True)
    assert layer_reads([record.path for record in read if record.method == "GET"]) == []


def test_a_rerun_copies_nothing_again(plain_registry: Distribution, docker_registry: Path) -> None:
    team = push_team(plain_registry)
    with Distribution() as target:
        name = f"{target.host}/team/img"
        first = oci_merge.merge(f"{name}:1.0", template=f"{team}/{TEMPLATE}", copy_layers=True)
        with plain_registry.watch() as read:
            again = oci_merge.merge(f"{name}:2.0", template=f"{team}/{TEMPLATE}", copy_layers=True)
    assert again.digest == first.digest
    assert layer_reads([record.path for record in read if record.method == "GET"]) == []


def test_a_large_layer_goes_through_a_small_memory(
    plain_registry: Distribution, docker_registry: Path
) -> None:
    small = build_image("linux", "amd64", text="small")
    large = with_layer(small, os.urandom(LARGE))
    with seeder(plain_registry) as push:
        push.push_image("memory/small", "1.0", small)
        push.push_image("memory/large", "1.0", large)
    with Distribution() as target:
        calls = [
            json.dumps(
                {
                    "target": f"{target.host}/memory/{name}:1.0",
                    "sources": [f"{plain_registry.host}/memory/{name}:1.0"],
                    "copy_layers": True,
                }
            )
            for name in ("small", "large")
        ]
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, *calls], check=True, capture_output=True, timeout=120
        )
        with seeder(target) as reader:
            assert reader.get_manifest("memory/large", large.digest).status == 200
    assert int(done.stdout) < LARGE // 4


def with_layer(image: BuiltImage, content: bytes) -> BuiltImage:
    """Return an image with one layer more, of which its config says nothing."""
    layer = Blob(image.layers[0].media_type, content)
    document = json.loads(image.manifest)
    document["layers"].append(layer.descriptor())
    manifest = json.dumps(document).encode()
    return BuiltImage(
        manifest, image.media_type, image.config, (*image.layers, layer), image.platform
    )
