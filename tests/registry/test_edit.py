"""An index on a real distribution is changed, with skopeo and buildah as independent witnesses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import oci_merge
from fixtures.distribution import Distribution
from fixtures.images import build_attestation, build_image, build_index
from tests.registry.team import THREE, push_team, seeder

ARM64 = THREE["arm64"]
ARMV7 = THREE["armv7"]
AMD64 = THREE["amd64"]
#: As buildx writes it.
_BUILDX = build_index(
    [AMD64, ARM64, build_attestation(AMD64), build_attestation(ARM64)],
    annotations={"title": "an app"},
)


@pytest.fixture
def team(plain_registry: Distribution) -> str:
    """A team with an image by buildx at ``app:1.0``, and images of three architectures."""
    team = push_team(plain_registry)
    with seeder(plain_registry) as push:
        push.push_index(f"{team.partition('/')[2]}/app", "1.0", _BUILDX)
    return team


def raw(skopeo: Path, reference: str) -> dict[str, Any]:
    """Return a manifest as skopeo reads it."""
    done = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def listed(found: dict[str, Any]) -> list[str]:
    """Return the digests that an index lists."""
    return [entry["digest"] for entry in found["manifests"]]


def copied(skopeo: Path, reference: str, folder: Path) -> None:
    """Copy everything that an index lists, which fails where something is not there."""
    source = f"docker://{reference}"
    subprocess.run(
        [skopeo, "copy", "--all", "--src-tls-verify=false", source, f"dir:{folder}"],
        check=True,
        capture_output=True,
        timeout=60,
    )


def test_a_platform_is_appended_to_an_index_of_buildx(
    team: str, skopeo: Path, tmp_path: Path
) -> None:
    result = oci_merge.append(f"{team}/app:1.0", sources=[f"{team}/img-armv7:1.0"])

    found = raw(skopeo, f"{team}/app:1.0")
    before = json.loads(_BUILDX.manifest)
    assert found["manifests"][:4] == before["manifests"]
    assert listed(found)[4:] == [ARMV7.digest]
    assert found["annotations"] == {"title": "an app"}
    assert [str(image.platform) for image in result.platforms] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    copied(skopeo, f"{team}/app:1.0", tmp_path)
    again = oci_merge.append(f"{team}/app:1.0", sources=[f"{team}/img-armv7:1.0"])
    assert (again.digest, again.changed) == (result.digest, False)


def test_an_image_of_an_index_is_replaced_and_its_attestation_goes(
    team: str, plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    new = build_image("linux", "arm64", text="new")
    with seeder(plain_registry) as push:
        push.push_image(f"{team.partition('/')[2]}/img-new", "1.0", new)

    oci_merge.append(f"{team}/app:1.0", sources=[f"{team}/img-new:1.0"], tags=["latest"])

    for tag in ("1.0", "latest"):
        assert listed(raw(skopeo, f"{team}/app:{tag}")) == [
            AMD64.digest,
            new.digest,
            build_attestation(AMD64).digest,
        ]
    copied(skopeo, f"{team}/app:1.0", tmp_path)


def test_an_index_goes_to_another_repository_with_what_it_had(
    team: str, skopeo: Path, tmp_path: Path
) -> None:
    oci_merge.append(
        targets=[f"{team}/app:1.0", f"{team}/mirror:1.0"], sources=[f"{team}/img-armv7:1.0"]
    )
    assert raw(skopeo, f"{team}/mirror:1.0") == raw(skopeo, f"{team}/app:1.0")
    copied(skopeo, f"{team}/mirror:1.0", tmp_path)


def test_a_platform_is_removed_with_its_attestation(
    team: str, skopeo: Path, tmp_path: Path
) -> None:
    oci_merge.remove(f"{team}/app:1.0", platforms=["linux/arm64"])

    found = raw(skopeo, f"{team}/app:1.0")
    assert listed(found) == [AMD64.digest, build_attestation(AMD64).digest]
    assert found["annotations"] == {"title": "an app"}
    copied(skopeo, f"{team}/app:1.0", tmp_path)
    # The image itself stays.
    assert raw(skopeo, f"{team}/app@{ARM64.digest}")


def test_an_index_and_its_entries_are_annotated(
    team: str, skopeo: Path, buildah: Path, tmp_path: Path
) -> None:
    oci_merge.annotate(
        f"{team}/app:1.0",
        annotations={
            "org.opencontainers.image.description": "an example",
            "manifest-descriptor[linux/arm64]:com.example.tested": "yes",
        },
        remove_annotations=["title"],
    )

    found = raw(skopeo, f"{team}/app:1.0")
    assert found["annotations"] == {"org.opencontainers.image.description": "an example"}
    amd64, arm64, *_ = found["manifests"]
    assert "annotations" not in amd64
    assert arm64["annotations"] == {"com.example.tested": "yes"}
    storage = ["--storage-driver=vfs", f"--root={tmp_path}/root", f"--runroot={tmp_path}/run"]
    subprocess.run(
        [
            buildah,
            *storage,
            "pull",
            "--quiet",
            "--tls-verify=false",
            "--os=linux",
            "--arch=arm64",
            f"docker://{team}/app:1.0",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )


def test_a_merge_annotates_the_index_and_one_entry(team: str, skopeo: Path) -> None:
    oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        annotations={
            "index:org.opencontainers.image.title": "an app",
            "manifest-descriptor[linux/arm/v7]:com.example.board": "pi2",
        },
    )
    found = raw(skopeo, f"{team}/img:1.0")
    assert found["annotations"] == {"org.opencontainers.image.title": "an app"}
    assert [entry.get("annotations") for entry in found["manifests"]] == [
        None,
        None,
        {"com.example.board": "pi2"},
    ]


def test_a_platform_that_another_job_appends_meanwhile_is_kept(
    team: str, plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    other = build_image("linux", "s390x")
    found = raw(skopeo, f"{team}/app:1.0")
    found["manifests"].append(other.descriptor(other.platform))
    done: list[str] = []

    def append_as_well(event: oci_merge.Event) -> None:
        # The target has been read by now, and the tag is not written yet.
        if isinstance(event, oci_merge.StageStarted) and event.stage == "configs" and not done:
            repository = f"{team.partition('/')[2]}/app"
            with seeder(plain_registry) as push:
                push.push_image(repository, other.digest, other)
                content = json.dumps(found).encode()
                done.append(push.push_manifest(repository, "1.0", _BUILDX.media_type, content))

    oci_merge.append(f"{team}/app:1.0", sources=[f"{team}/img-armv7:1.0"], on_event=append_as_well)

    assert done
    assert listed(raw(skopeo, f"{team}/app:1.0"))[4:] == [other.digest, ARMV7.digest]
    copied(skopeo, f"{team}/app:1.0", tmp_path)
