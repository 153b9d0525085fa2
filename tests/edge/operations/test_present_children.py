"""Children that the target's present index lists are looked for before they are relied on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.faults import BreakOff, On
from fixtures.images import build_image
from fixtures.server import RunningServer
from oci_merge import MountRefusedError
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    IMAGES,
    OLD,
    REPOSITORY,
    Answers,
    Holds,
    add_old,
    asks,
    merge,
    paths,
    tags,
    writes,
)

_CHILDREN = [image.digest for image in IMAGES.values()]
_HEADS = f"/v2/{REPOSITORY}/manifests/sha256:"


def _lose(registry: EmbeddedRegistry, *digests: str) -> None:
    """Delete children, and the config of the first, as a clean-up does."""
    repository = registry.storage.repositories[REPOSITORY]
    for digest in digests:
        del repository.manifests[digest]
    repository.blobs.discard(ARM64.config.digest)


def _put(registry: EmbeddedRegistry) -> Sequence[str]:
    return [path.rpartition("/")[2] for path in paths(registry.requests, "PUT")]


@pytest.fixture
def loose(registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry that takes an index whatever it lists."""
    registry.settings.children = "anything"
    return registry


def test_a_missing_child_is_transferred_even_if_the_registry_accepts_the_index(
    server: RunningServer, loose: EmbeddedRegistry
) -> None:
    first = merge(server.host)
    _lose(loose, ARM64.digest)
    loose.requests.clear()
    again = merge(server.host, tags=["1.0"])
    repository = loose.storage.repositories[REPOSITORY]
    assert ARM64.digest in repository.manifests
    assert ARM64.config.digest in repository.blobs
    assert _put(loose) == [ARM64.digest, "1.0"]
    mounted = {blob.digest for blob in ARM64.blobs}
    assert len(paths(loose.requests, "POST")) == len(mounted)
    assert tags(loose) == dict.fromkeys(["latest", "1.0"], first.digest)
    assert again.plan.transfers.children[0].manifest.digest == ARM64.digest


def test_a_missing_child_is_transferred_even_if_no_tag_moves(
    server: RunningServer, loose: EmbeddedRegistry
) -> None:
    merge(server.host)
    _lose(loose, ARM64.digest, AMD64.digest)
    loose.requests.clear()
    again = merge(server.host)
    assert not again.tags[0].changed
    assert sorted(_put(loose)) == sorted([ARM64.digest, AMD64.digest])


def test_a_missing_child_that_cannot_be_mounted_is_an_error_before_a_tag_moves(
    server: RunningServer, loose: EmbeddedRegistry
) -> None:
    first = merge(server.host)
    _lose(loose, ARM64.digest)
    loose.storage.repositories[REPOSITORY].blobs.discard(ARM64.layers[-1].digest)
    loose.settings.refuse_mounts = True
    add_old(loose, "1.0")
    with pytest.raises(MountRefusedError) as caught:
        merge(server.host, tags=["1.0"])
    assert caught.value.digests == (ARM64.layers[-1].digest,)
    assert tags(loose) == {"latest": first.digest, "1.0": OLD.digest}
    assert loose.open_uploads == []


def test_each_child_is_looked_for_once_and_an_unchanged_rerun_only_reads(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    registry.requests.clear()
    merge(server.host)
    assert writes(registry.requests) == []
    assert sorted(paths(registry.requests, "HEAD")) == sorted(
        f"/v2/{REPOSITORY}/manifests/{digest}" for digest in _CHILDREN
    )


def test_children_are_looked_for_beside_the_configs_and_delay_no_mount(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    changed = build_image("linux", "arm64", text="changed")
    registry.add_image("team/app-arm64", "1.0", changed)
    registry.requests.clear()

    def is_under_way() -> bool:
        put = paths(registry.requests, "PUT", changed.digest)
        return bool(put) and len(paths(registry.requests, "GET", "/blobs/")) == 3

    held = Holds(asks("HEAD", _HEADS), is_under_way)
    registry.hooks.append(held)
    result = merge(server.host)
    order = [record.path.rpartition("/")[2] for record in registry.requests]
    heads = [place for place, record in enumerate(registry.requests) if record.method == "HEAD"]
    assert {order[place] for place in heads} == {AMD64.digest, ARMV7.digest}
    assert order.index(changed.digest) < min(heads)
    assert tags(registry) == {"latest": result.digest}


def test_images_of_the_target_s_own_repository_are_not_looked_for_again(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    for tag, image in (("a", AMD64), ("b", ARM64)):
        registry.add_image(REPOSITORY, tag, image)
    own = [f"{server.host}/{REPOSITORY}:{tag}" for tag in "ab"]
    merge(server.host, sources=own)
    registry.requests.clear()
    merge(server.host, sources=own)
    assert not paths(registry.requests, "HEAD")


@pytest.mark.parametrize("status", [400, 401, 403, 405, 429, 500, 503])
def test_a_child_counts_as_present_unless_the_answer_is_404(
    status: int, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    odd = Answers(asks("HEAD", _HEADS), lambda: Response(status_code=status))
    registry.hooks.append(odd)
    registry.requests.clear()
    assert not merge(server.host).tags[0].changed
    assert writes(registry.requests) == []
    assert odd.count == len(_CHILDREN)  # and no more: nothing depends on the answer


def test_a_child_without_an_answer_counts_as_present(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    merge(server.host)
    registry.hooks.append(On("HEAD", f"{_HEADS}*", BreakOff()))
    assert not merge(server.host).tags[0].changed


def test_a_dry_run_shows_a_missing_child_and_transfers_none(
    server: RunningServer, loose: EmbeddedRegistry
) -> None:
    merge(server.host)
    _lose(loose, ARM64.digest)
    loose.requests.clear()
    planned = merge(server.host, dry_run=True)
    assert [child.manifest.digest for child in planned.plan.transfers.children] == [ARM64.digest]
    assert {mount.digest for mount in planned.plan.transfers.mounts} == {
        blob.digest for blob in ARM64.blobs
    }
    assert writes(loose.requests) == []
