"""The main job on a real distribution, with skopeo as an independent witness."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest

import oci_merge
from fixtures.distribution import AccessRecord, Distribution
from fixtures.images import build_attestation, build_image, build_index
from tests.registry.team import THREE, THREE_PLATFORMS, push_team, seeder

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def standing(registry: Distribution, reference: str) -> tuple[int, str]:
    """Return status and digest of a tag, read without oci-merge."""
    repository, _, tag = reference.removeprefix(f"{registry.host}/").rpartition(":")
    with seeder(registry) as reader:
        found = reader.get_manifest(repository, tag)
    return found.status, found.digest


def layer_reads(records: list[AccessRecord]) -> list[AccessRecord]:
    layers = {blob.digest for image in THREE.values() for blob in image.layers}
    return [
        record
        for record in records
        if record.method == "GET" and record.path.rpartition("/")[2] in layers
    ]


def copy_with(skopeo: Path, source: str, folder: Path, *, pick: str = "") -> bytes:
    """Copy an image out of the registry with skopeo and return the manifest that it got."""
    chosen = ["--override-os=linux", f"--override-arch={pick}"] if pick else []
    subprocess.run(
        [
            skopeo,
            *chosen,
            "copy",
            *([] if pick else ["--all"]),
            "--src-tls-verify=false",
            f"docker://{source}",
            f"dir:{folder}",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return (folder / "manifest.json").read_bytes()


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_three_platforms_of_other_repositories_become_one_image(
    plain_registry: Distribution, docker: bool
) -> None:
    images = {
        "amd64": build_image("linux", "amd64", docker=docker),
        "arm64": build_image("linux", "arm64", docker=docker),
        "armv7": build_image("linux", "arm", "v7", docker=docker),
    }
    team = push_team(plain_registry, images)

    result = oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        tags=["latest", "1"],
    )

    assert result.media_type == (DOCKER_LIST if docker else OCI_INDEX)
    assert [str(image.platform) for image in result.platforms] == list(THREE_PLATFORMS)
    assert [image.digest for image in result.platforms] == [
        image.digest for image in images.values()
    ]
    for tag in ("1.0", "latest", "1"):
        assert standing(plain_registry, f"{team}/img:{tag}") == (200, result.digest)


def test_no_layer_is_fetched(plain_registry: Distribution) -> None:
    team = push_team(plain_registry)

    with plain_registry.watch() as records:
        oci_merge.merge(f"{team}/img:1.0", template=f"{team}/img-ARCHVARIANT:1.0")

    assert any(record.path.endswith("/img/manifests/1.0") for record in records)
    assert layer_reads(records) == []


def test_skopeo_copies_the_whole_image_and_each_architecture_of_it(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    result = oci_merge.merge(f"{team}/img:1.0", template=f"{team}/img-ARCHVARIANT:1.0")

    assert copy_with(skopeo, f"{team}/img:1.0", tmp_path / "all") == result.plan.index.content
    for architecture, name in (("amd64", "amd64"), ("arm64", "arm64"), ("arm", "armv7")):
        folder = tmp_path / architecture
        manifest = copy_with(skopeo, f"{team}/img:1.0", folder, pick=architecture)
        assert manifest == THREE[name].manifest


def test_buildah_pulls_an_architecture(
    plain_registry: Distribution, buildah: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    oci_merge.merge(f"{team}/img:1.0", template=f"{team}/img-ARCHVARIANT:1.0")

    storage = ["--storage-driver=vfs", f"--root={tmp_path}/root", f"--runroot={tmp_path}/run"]
    pulled = subprocess.run(
        [
            buildah,
            *storage,
            "pull",
            "--quiet",
            "--tls-verify=false",
            "--arch=arm64",
            f"{team}/img:1.0",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout

    assert pulled.strip() == THREE["arm64"].config.digest.removeprefix("sha256:")


def test_components_of_one_repository_are_not_copied(plain_registry: Distribution) -> None:
    name = push_team(plain_registry).partition("/")[2]
    repository = f"{name}/one"
    with seeder(plain_registry) as push:
        for suffix, image in THREE.items():
            push.push_image(repository, f"1.0-{suffix}", image)
    one = f"{plain_registry.host}/{repository}"

    with plain_registry.watch() as records:
        result = oci_merge.merge(f"{one}:1.0", template=f"{one}:1.0-ARCHVARIANT")

    written = [record for record in records if record.method in ("POST", "PUT", "PATCH")]
    assert [record.path for record in written] == [f"/v2/{repository}/manifests/1.0"]
    assert standing(plain_registry, f"{one}:1.0") == (200, result.digest)


def test_an_unchanged_rerun_ends_after_the_reads(plain_registry: Distribution) -> None:
    team = push_team(plain_registry)
    arguments = {"template": f"{team}/img-ARCHVARIANT:1.0", "tags": ["latest"]}
    first = oci_merge.merge(f"{team}/img:1.0", **arguments)  # type: ignore[arg-type]

    with plain_registry.watch() as records:
        second = oci_merge.merge(f"{team}/img:1.0", **arguments)  # type: ignore[arg-type]

    assert second.digest == first.digest
    assert [tag.changed for tag in second.tags] == [False, False]
    assert {record.method for record in records} == {"GET", "HEAD"}


def test_a_rerun_mounts_again_what_the_registry_has_lost(plain_registry: Distribution) -> None:
    team = push_team(plain_registry)
    sources = [f"{team}/img-amd64:1.0", f"{team}/img-arm64:1.0"]
    oci_merge.merge(f"{team}/img:1.0", sources=sources)
    repository, lost = f"{team.partition('/')[2]}/img", THREE["arm64"].digest
    assert httpx.delete(f"{plain_registry.url}/v2/{repository}/manifests/{lost}").is_success

    result = oci_merge.merge(f"{team}/img:1.0", sources=sources, tags=["latest"])

    assert standing(plain_registry, f"{team}/img:latest") == (200, result.digest)
    with seeder(plain_registry) as reader:
        assert reader.get_manifest(repository, lost).status == 200


def test_attestations_of_a_source_index_follow_the_images(plain_registry: Distribution) -> None:
    team = f"{push_team(plain_registry)}"
    name = team.partition("/")[2]
    images = [
        build_image("linux", "amd64", text="prov"),
        build_image("linux", "arm64", text="prov"),
    ]
    with seeder(plain_registry) as push:
        for image, suffix in zip(images, ("amd64", "arm64"), strict=True):
            index = build_index([image, build_attestation(image)])
            push.push_index(f"{name}/prov-{suffix}", "1.0", index)

    result = oci_merge.merge(
        f"{team}/prov:1.0",
        template=f"{team}/prov-ARCH:1.0",
        platforms=["linux/amd64", "linux/arm64"],
    )

    entries = json.loads(result.plan.index.content)["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == [
        "amd64",
        "arm64",
        "unknown",
        "unknown",
    ]
    assert [entry["annotations"]["vnd.docker.reference.digest"] for entry in entries[2:]] == [
        image.digest for image in images
    ]
    assert standing(plain_registry, f"{team}/prov:1.0") == (200, result.digest)


@pytest.mark.parametrize("held", [False, True])
def test_a_foreign_layer_is_mounted_where_the_source_holds_it_and_else_left_where_it_is(
    plain_registry: Distribution, held: bool
) -> None:
    image = build_image("windows", "amd64", docker=True, foreign_layer=True)
    foreign = image.layers[0]
    team = push_team(plain_registry, {"amd64": image})
    if held:
        with seeder(plain_registry) as push:
            push.push_blob(f"{team.partition('/')[2]}/img-amd64", foreign.content)

    result = oci_merge.merge(f"{team}/img:1.0", sources=[f"{team}/img-amd64:1.0"])

    assert standing(plain_registry, f"{team}/img:1.0") == (200, result.digest)
    blob = f"{plain_registry.url}/v2/{team.partition('/')[2]}/img/blobs/{foreign.digest}"
    assert httpx.head(blob).status_code == (200 if held else 404)


def test_a_missing_component_leaves_the_tag_as_it_was(plain_registry: Distribution) -> None:
    team = push_team(plain_registry)
    before = oci_merge.merge(f"{team}/img:1.0", sources=[f"{team}/img-amd64:1.0"])

    with pytest.raises(oci_merge.MissingComponentError, match=r"img-s390x:1\.0 was not found on"):
        oci_merge.merge(
            f"{team}/img:1.0",
            template=f"{team}/img-ARCH:1.0",
            platforms=["linux/amd64", "linux/s390x"],
        )

    assert standing(plain_registry, f"{team}/img:1.0") == (200, before.digest)


def test_a_dry_run_changes_nothing(plain_registry: Distribution) -> None:
    team = push_team(plain_registry)

    with plain_registry.watch() as records:
        result = oci_merge.merge(
            f"{team}/img:1.0", template=f"{team}/img-ARCHVARIANT:1.0", dry_run=True
        )

    assert {record.method for record in records} == {"GET", "HEAD"}
    assert len(result.plan.transfers.children) == 3
    assert standing(plain_registry, f"{team}/img:1.0")[0] == 404
