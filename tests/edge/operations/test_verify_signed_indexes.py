"""Signatures of indexes and of their images: which of them count for which image that is joined."""

from __future__ import annotations

from pathlib import Path

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import (
    Child,
    build_attestation,
    build_index,
)
from fixtures.server import RunningServer
from oci_merge import SignatureError
from oci_merge.trust import classic
from tests.edge.operations.signed import (
    add_classic,
    attach,
    bundle_of,
    key_file,
    list_by_tag,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    IMAGES,
    merge,
    paths,
    tags,
    writes,
)
from tests.unit.trust.documents import OURS, STRANGER


@pytest.fixture
def ours(tmp_path: Path) -> str:
    """The file of our public key."""
    return key_file(tmp_path)


@pytest.fixture(params=["api", "tag"])
def listing(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> str:
    """Who lists referrers: the registry's API, or the tag that clients maintain."""
    registry.settings.referrers = request.param == "api"
    return str(request.param)


def test_a_signature_of_the_index_counts_for_its_images(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, tmp_path: Path, ours: str
) -> None:
    index = build_index([AMD64, ARM64, build_attestation(AMD64)])
    registry.add_image("team/multi", "1.0", index)
    attach(registry, "team/multi", bundle_of(index))
    list_by_tag(registry, "team/multi", index, bundle_of(index))
    source = f"{server.host}/team/multi:1.0"
    result = merge(server.host, sources=[source], verify_keys=[ours])
    assert [each.digest for each in result.verified_signatures] == [index.digest]
    # Nothing had to be asked about the images.
    asked = paths(registry.requests, "GET", ".sig")
    assert asked == [f"/v2/team/multi/manifests/{classic.tag_of(index.digest)}"]


def test_an_index_whose_images_are_signed_one_by_one_can_be_joined(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    index = build_index([AMD64, ARM64])
    registry.add_image("team/multi", "1.0", index)
    for image in (AMD64, ARM64):
        add_classic(registry, "team/multi", image)
    source = f"{server.host}/team/multi:1.0"
    result = merge(server.host, sources=[source], verify_keys=[ours])
    assert {each.digest for each in result.verified_signatures} == {AMD64.digest, ARM64.digest}
    # But a look at the index itself finds that nobody has signed it.
    with pytest.raises(SignatureError, match="no signature was found"):
        oci_merge.verify(source, keys=[ours])


def test_an_attestation_that_nobody_signed_does_not_come_along_with_signed_images(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    attestation = build_attestation(AMD64)
    registry.add_image("team/multi", "1.0", build_index([AMD64, attestation]))
    add_classic(registry, "team/multi", AMD64)
    source = f"{server.host}/team/multi:1.0"
    with pytest.raises(SignatureError):
        merge(server.host, sources=[source], verify_keys=[ours])
    add_classic(registry, "team/multi", attestation)
    result = merge(server.host, sources=[source], verify_keys=[ours])
    assert {each.digest for each in result.verified_signatures} == {
        AMD64.digest,
        attestation.digest,
    }


def test_an_unsigned_index_cannot_give_a_signed_image_another_platform(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    swapped = build_index([Child(ARM64, {"os": "linux", "architecture": "amd64"})])
    registry.add_image("team/multi", "1.0", swapped)
    add_classic(registry, "team/multi", ARM64)
    source = f"{server.host}/team/multi:1.0"
    with pytest.raises(SignatureError) as caught:
        merge(server.host, sources=[source], verify_keys=[ours])
    assert caught.value.message.endswith(
        " is listed for linux/amd64 by an index that is not signed, but is for linux/arm64"
    )
    assert writes(registry.requests) == []
    add_classic(registry, "team/multi", swapped)
    assert merge(server.host, sources=[source], verify_keys=[ours]).changed


def test_an_unsigned_index_need_not_say_a_platform(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    registry.add_image("team/multi", "1.0", build_index([Child(ARM64), AMD64]))
    for image in (AMD64, ARM64):
        add_classic(registry, "team/multi", image)
    source = f"{server.host}/team/multi:1.0"
    result = merge(server.host, sources=[source], verify_keys=[ours])
    assert {str(entry.platform) for entry in result.platforms} == {"linux/amd64", "linux/arm64"}


def test_the_reason_is_said_of_an_index_and_of_its_images(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    index = build_index([AMD64])
    registry.add_image("team/multi", "1.0", index)
    add_classic(registry, "team/multi", index, STRANGER)
    with pytest.raises(SignatureError) as caught:
        merge(server.host, sources=[f"{server.host}/team/multi:1.0"], verify_keys=[ours])
    assert caught.value.message.endswith(
        "no signature was found; of its index: it is signed by another key"
    )


def test_an_image_of_an_index_that_is_looked_at_may_be_unsigned_with_a_warning(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    index = build_index([AMD64, ARM64])
    registry.add_image("team/multi", "1.0", index)
    add_classic(registry, "team/multi", index)
    add_classic(registry, "team/multi", AMD64)
    events: list[oci_merge.Event] = []
    reference = f"{server.host}/team/multi:1.0"
    found = oci_merge.verify(reference, keys=[ours], on_event=events.append)
    assert [each.digest for each in found.signatures] == [index.digest, AMD64.digest]
    [warning] = [event.message for event in events if isinstance(event, oci_merge.Warned)]
    assert warning == (
        f"{reference} is signed, but not each image that it lists (linux/arm64); podman and CRI-O "
        "look at these alone"
    )


def test_one_image_of_three_without_a_signature_is_named_and_nothing_is_written(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    for repository, image in IMAGES.items():
        if image is not ARM64:
            add_classic(registry, repository, image)
    with pytest.raises(SignatureError) as caught:
        merge(server.host, verify_keys=[ours])
    error = caught.value
    unsigned = f"{server.host}/team/app-arm64:1.0"
    assert error.missing == (unsigned,)
    assert error.message == f"not signed by {ours}: {unsigned}: no signature was found"
    assert writes(registry.requests) == []
    assert tags(registry) == {}


def test_a_dry_run_verifies_too(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    with pytest.raises(SignatureError):
        merge(server.host, verify_keys=[ours], dry_run=True)


def test_images_signed_by_different_keys_of_those_named_are_joined(
    server: RunningServer, registry: EmbeddedRegistry, tmp_path: Path, ours: str
) -> None:
    for (repository, image), signer in zip(IMAGES.items(), (OURS, STRANGER, OURS), strict=True):
        add_classic(registry, repository, image, signer)
    result = merge(server.host, verify_keys=[ours, key_file(tmp_path, STRANGER)])
    assert {each.digest: each.key_id for each in result.verified_signatures} == {
        AMD64.digest: OURS.public.key_id,
        ARM64.digest: STRANGER.public.key_id,
        ARMV7.digest: OURS.public.key_id,
    }
    assert tags(registry) == {"latest": result.digest}
