"""Merging what builders' files name, on a real distribution with tags that move."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

import oci_merge
from fixtures.distribution import Distribution
from fixtures.images import build_attestation, build_image, build_index
from tests.cli.running import run_process
from tests.registry.team import THREE, seeder

ONE = {"linux/amd64": THREE["amd64"], "linux/arm64": THREE["arm64"], "linux/arm/v7": THREE["armv7"]}


@pytest.fixture
def repository(plain_registry: Distribution) -> str:
    """A repository with three images that no tag stands on, as ``REPOSITORY`` without the host."""
    name = f"team-{uuid4().hex[:12]}/app"
    with seeder(plain_registry) as push:
        for image in ONE.values():
            push.push_image(name, image.digest, image)
    return name


def listed(skopeo: Path, reference: str) -> list[tuple[str, str]]:
    """Return the platform and digest of each entry of an index, as skopeo reads it."""
    raw = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"],
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    return [
        ("/".join(entry["platform"].values()), entry["digest"])
        for entry in json.loads(raw)["manifests"]
    ]


def test_the_artifacts_of_a_build_matrix_are_merged(
    plain_registry: Distribution, skopeo: Path, repository: str, tmp_path: Path
) -> None:
    for platform, image in ONE.items():
        folder = tmp_path / "digests" / f"digests-{platform.replace('/', '-')}"
        folder.mkdir(parents=True)
        (folder / image.digest.removeprefix("sha256:")).touch()
    app = f"{plain_registry.host}/{repository}"

    outcome = run_process(
        *("--source-file", f"{tmp_path}/digests", "--source-repository", app),
        *("--target", f"{app}:1.0"),
    )

    assert outcome.status == 0, outcome.stderr
    assert dict(listed(skopeo, f"{app}:1.0")) == {
        "amd64/linux": ONE["linux/amd64"].digest,
        "arm64/linux": ONE["linux/arm64"].digest,
        "arm/linux/v7": ONE["linux/arm/v7"].digest,
    }


def test_what_kaniko_built_is_merged_after_a_later_pipeline_has_moved_its_tag(
    plain_registry: Distribution, skopeo: Path, repository: str, tmp_path: Path
) -> None:
    app = f"{plain_registry.host}/{repository}"
    with seeder(plain_registry) as push:
        for suffix, image in (("amd64", THREE["amd64"]), ("arm64", THREE["arm64"])):
            push.push_image(repository, f"1.0-{suffix}", image)
            # --image-name-tag-with-digest-file, before the tag moves
            (tmp_path / suffix).write_text(f"{app}:1.0-{suffix}@{image.digest}\n")
        later = build_image("linux", "amd64", layers=2)
        push.push_image(repository, "1.0-amd64", later)

    result = oci_merge.merge(f"{app}:1.0", source_files=[tmp_path / "amd64", tmp_path / "arm64"])

    assert [digest for _, digest in listed(skopeo, f"{app}:1.0")] == [
        THREE["amd64"].digest,
        THREE["arm64"].digest,
    ]
    assert later.digest not in result.plan.index.content.decode()


def test_what_buildx_built_comes_with_its_attestations(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    name = f"team-{uuid4().hex[:12]}/app"
    files = []
    with seeder(plain_registry) as push:
        for image in (THREE["amd64"], THREE["arm64"]):
            index = build_index([image, build_attestation(image)])
            push.push_index(name, index.digest, index)
            files.append(tmp_path / f"{index.digest[-8:]}.json")
            files[-1].write_text(
                json.dumps(
                    {
                        "containerimage.descriptor": {"digest": index.digest},
                        "containerimage.digest": index.digest,
                        "image.name": f"{plain_registry.host}/{name},docker.io/team/app:1.0",
                    }
                )
            )

    oci_merge.merge(f"{plain_registry.host}/{name}:1.0", source_files=files)

    assert [platform for platform, _ in listed(skopeo, f"{plain_registry.host}/{name}:1.0")] == [
        "amd64/linux",
        "arm64/linux",
        "unknown/unknown",
        "unknown/unknown",
    ]


def test_an_index_and_its_images_in_one_file_are_one(
    plain_registry: Distribution, skopeo: Path, repository: str, tmp_path: Path
) -> None:
    # As ko --image-refs and apko publish --image-refs write it.
    app = f"{plain_registry.host}/{repository}"
    images = [THREE["amd64"], THREE["arm64"]]
    index = build_index(images)
    with seeder(plain_registry) as push:
        push.push_index(repository, index.digest, index)
    refs = tmp_path / "image-refs"
    digests = [index.digest, *(image.digest for image in images)]
    refs.write_text("".join(f"{app}@{digest}\n" for digest in digests))

    oci_merge.merge(f"{app}:1.0", source_files=[refs])

    assert [digest for _, digest in listed(skopeo, f"{app}:1.0")] == [
        image.digest for image in images
    ]


def test_the_id_of_an_image_fails_and_the_hint_says_what_it_is(
    plain_registry: Distribution, repository: str, tmp_path: Path
) -> None:
    (tmp_path / "iidfile").write_text(THREE["amd64"].config.digest)
    app = f"{plain_registry.host}/{repository}"
    # distribution fails with a 500; a registry that has no such blob, and most others, with a 404.
    with pytest.raises(oci_merge.OciMergeError) as caught:
        oci_merge.merge(f"{app}:1.0", source_files=[tmp_path / "iidfile"], source_repository=app)
    assert f"{tmp_path}/iidfile has this digest: check that" in caught.value.hint
    assert "it is no image ID (--iidfile)" in caught.value.hint
