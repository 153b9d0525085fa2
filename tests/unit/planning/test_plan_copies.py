"""Which blobs are copied from another registry, and which a refused mount may be made up for."""

from __future__ import annotations

import json

import pytest

from oci_merge.model.digest import sha256_digest
from oci_merge.model.manifest import MAX_DOCUMENT, Descriptor, parse_manifest
from oci_merge.model.media_types import IN_TOTO, OCI_CONFIG, OCI_MANIFEST
from oci_merge.model.reference import Reference
from oci_merge.planning.component import Component
from oci_merge.planning.job import Source
from oci_merge.planning.transfers import Mount, Transfers, plan_transfers


def digest(name: str) -> str:
    return sha256_digest(name.encode())


def component(
    at: str, *layers: str, config: str = "config", layer_type: str = "layer", attests: str = ""
) -> Component:
    registry, _, repository = at.partition("/")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest(config), "size": 2},
        "layers": [
            {"mediaType": layer_type, "digest": digest(layer), "size": 3} for layer in layers
        ],
    }
    content = json.dumps(document).encode()
    manifest = parse_manifest(
        content, content_type=OCI_MANIFEST, digest=sha256_digest(content), what=at
    )
    listed = None
    if attests:
        listed = Descriptor(
            mediaType=OCI_MANIFEST,
            digest=manifest.digest,
            size=len(content),
            annotations={
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": attests,
            },
        )
    return Component(Source(Reference(registry, repository, tag="1.0")), manifest, listed)


def test_blobs_of_another_registry_are_copied_and_not_mounted() -> None:
    far = component("far.example/app", "a", "b")
    transfers = plan_transfers([far], "app", frozenset(), registry="near.example")
    blobs = (digest("config"), digest("a"), digest("b"))
    assert tuple(copy.digest for copy in transfers.copies) == blobs
    assert {(copy.registry, copy.source) for copy in transfers.copies} == {("far.example", "app")}
    assert transfers.mounts == ()
    assert transfers.children[0].source == "far.example/app"
    assert transfers.children[0].blobs == blobs


def test_what_can_be_mounted_is_not_copied() -> None:
    far = component("far.example/app", "base", "a", config="one")
    near = component("near.example/other", "base", config="two")
    transfers = plan_transfers([far, near], "app", frozenset(), registry="near.example")
    assert {mount.digest for mount in transfers.mounts} == {digest("two"), digest("base")}
    assert {copy.digest for copy in transfers.copies} == {digest("one"), digest("a")}


def test_an_image_that_is_in_both_registries_comes_from_the_near_one() -> None:
    far, near = component("far.example/app", "a"), component("near.example/other", "a")
    transfers = plan_transfers([far, near], "app", frozenset(), registry="near.example")
    assert transfers.copies == ()
    assert [child.source for child in transfers.children] == ["other"]


@pytest.mark.parametrize(
    ("role", "size", "is_document"),
    [
        ("config", MAX_DOCUMENT, True),
        ("attestation", 1, True),
        ("config", MAX_DOCUMENT + 1, False),
        ("layer", 1, False),
    ],
)
def test_only_small_documents_are_copied_without_leave(
    role: str, size: int, is_document: bool
) -> None:
    mount = Mount(digest("x"), size, "", "app", role)  # type: ignore[arg-type]
    assert mount.is_document is is_document


def test_a_statement_is_one_only_in_an_attestation() -> None:
    image = component("near.example/other", "a", layer_type=IN_TOTO)
    attestation = component(
        "near.example/other", "b", config="two", layer_type=IN_TOTO, attests=image.manifest.digest
    )
    transfers = plan_transfers([image, attestation], "app", frozenset(), registry="near.example")
    assert [mount.role for mount in transfers.mounts] == [
        "config",
        "layer",
        "config",
        "attestation",
    ]


def test_what_some_children_take_is_theirs_alone() -> None:
    far = component("far.example/app", "base", "a", config="one")
    near = component("near.example/other", "base", config="two")
    whole = plan_transfers([far, near], "app", frozenset(), registry="near.example")
    mine = whole.only({far.manifest.digest})
    assert [child.manifest.digest for child in mine.children] == [far.manifest.digest]
    assert {mount.digest for mount in mine.mounts} == {digest("base")}
    assert {copy.digest for copy in mine.copies} == {digest("one"), digest("a")}
    assert whole.only(frozenset()) == Transfers()
