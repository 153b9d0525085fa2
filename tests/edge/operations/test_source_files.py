"""Merges of what builders' files name, by the library: which requests are sent, and which not."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from pathlib import Path

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import serve

IMAGES = [build_image("linux", "amd64"), build_image("linux", "arm64")]


@pytest.fixture
def registry() -> EmbeddedRegistry:
    registry = EmbeddedRegistry()
    for image in IMAGES:
        registry.add_image("team/app", image.digest, image)
    return registry


def test_an_open_file_is_taken_and_each_image_is_read_once_by_its_digest(
    registry: EmbeddedRegistry,
) -> None:
    text = "\n".join(image.digest for image in (*IMAGES, *IMAGES))
    with serve(registry.app) as server, oci_merge.Client() as client:
        app = f"{server.host}/team/app"
        result = client.merge(f"{app}:1.0", source_files=[io.StringIO(text)], source_repository=app)
    read = [each.path for each in registry.requests if each.method == "GET"]
    assert [image.digest for image in result.platforms] == [image.digest for image in IMAGES]
    assert [path for path in read if "/manifests/sha256:" in path] == [
        f"/v2/team/app/manifests/{image.digest}" for image in IMAGES
    ]


def test_other_merges_go_on_while_a_pipe_is_waited_for(
    registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def merges(app: str) -> None:
        async with oci_merge.AsyncClient() as client:
            waiting = asyncio.create_task(
                client.merge(f"{app}:1.0", source_files=[pipe], source_repository=app)
            )
            other = await client.merge(
                f"{app}:2.0", sources=[IMAGES[0].digest], source_repository=app
            )
            assert other.tags[0].changed
            assert not waiting.done()
            writer = threading.Thread(target=pipe.write_text, args=(IMAGES[1].digest,))
            writer.start()
            assert [each.digest for each in (await waiting).platforms] == [IMAGES[1].digest]
            writer.join()

    with serve(registry.app) as server:
        asyncio.run(merges(f"{server.host}/team/app"))


def test_a_file_that_cannot_be_read_ends_the_merge_before_any_request(
    registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    with serve(registry.app) as server:
        with pytest.raises(oci_merge.UsageError, match="cannot be read: No such file"):
            oci_merge.merge(f"{server.host}/team/app:1.0", source_files=[tmp_path / "gone"])
        assert registry.requests == []


def test_an_image_of_a_batch_is_joined_of_what_its_files_name(
    registry: EmbeddedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    for number, image in enumerate(IMAGES):
        (tmp_path / "app" / f"{number}.txt").write_text(image.digest)
    text = """
defaults: { target: "${HOST}/team/${name}:1.0", template: "${HOST}/team/none-ARCH" }
images:
  - { name: app, source_files: "${name}/*.txt", source_repository: "${HOST}/team/app" }
"""
    with serve(registry.app) as server:
        images = oci_merge.parse_batch(text, name="a.yml", variables={"HOST": server.host})
        (result,) = oci_merge.batch(images).images
        listed = oci_merge.inspect(f"{server.host}/team/app:1.0").images
        assert result.status == "published"
        assert [image.digest for image in listed] == [image.digest for image in IMAGES]

        registry.requests.clear()
        (tmp_path / "app" / "1.txt").write_text("no digest")
        with pytest.raises(oci_merge.UsageError, match=r"^a\.yml, line 4: app/1\.txt "):
            oci_merge.batch(images)
        assert registry.requests == []


def test_append_reads_the_files_of_builders(registry: EmbeddedRegistry) -> None:
    with serve(registry.app) as server, oci_merge.Client() as client:
        app = f"{server.host}/team/app"
        for image in IMAGES:
            named = [io.StringIO(image.digest)]
            result = client.append(f"{app}:1.0", source_files=named, source_repository=app)
    assert {str(image.platform) for image in result.platforms} == {"linux/amd64", "linux/arm64"}
