"""Blobs that are copied: from another registry, or because their mount may be refused."""

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
    descriptor = None
    if attests:
        descriptor = Descriptor(
            mediaType=OCI_MANIFEST,
            digest=manifest.digest,
            size=len(content),
            annotations={
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": attests,
            },
        )
    return Component(Source(Reference(registry, repository, tag="1.0")), manifest, descriptor)


def test_blobs_of_another_registry_are_copied_and_not_mounted() -> None:
    other_registry = component("source.example/app", "a", "b")
    transfers = plan_transfers([other_registry], "app", frozenset(), registry="target.example")
    blobs = (digest("config"), digest("a"), digest("b"))
    assert tuple(copy.digest for copy in transfers.copies) == blobs
    assert {(copy.registry, copy.source) for copy in transfers.copies} == {
        ("source.example", "app")
    }
    assert transfers.mounts == ()
    assert transfers.children[0].source == "source.example/app"
    assert transfers.children[0].blobs == blobs


def test_what_can_be_mounted_is_not_copied() -> None:
    other_registry = component("source.example/app", "base", "a", config="one")
    same_registry = component("target.example/other", "base", config="two")
    transfers = plan_transfers(
        [other_registry, same_registry], "app", frozenset(), registry="target.example"
    )
    assert {mount.digest for mount in transfers.mounts} == {digest("two"), digest("base")}
    assert {copy.digest for copy in transfers.copies} == {digest("one"), digest("a")}


def test_an_image_in_both_registries_is_mounted_from_the_target_s() -> None:
    other_registry, same_registry = (
        component("source.example/app", "a"),
        component("target.example/other", "a"),
    )
    transfers = plan_transfers(
        [other_registry, same_registry], "app", frozenset(), registry="target.example"
    )
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
def test_only_small_documents_are_copied_without_the_flag(
    role: str, size: int, is_document: bool
) -> None:
    mount = Mount(digest("x"), size, "", "app", role)  # type: ignore[arg-type]
    assert mount.is_document is is_document


def test_an_in_toto_layer_is_a_statement_only_in_an_attestation() -> None:
    image = component("target.example/other", "a", layer_type=IN_TOTO)
    attestation = component(
        "target.example/other", "b", config="two", layer_type=IN_TOTO, attests=image.manifest.digest
    )
    transfers = plan_transfers([image, attestation], "app", frozenset(), registry="target.example")
    assert [mount.role for mount in transfers.mounts] == [
        "config",
        "layer",
        "config",
        "attestation",
    ]


def test_the_transfers_of_some_children_are_only_theirs() -> None:
    other_registry = component("source.example/app", "base", "a", config="one")
    same_registry = component("target.example/other", "base", config="two")
    whole = plan_transfers(
        [other_registry, same_registry], "app", frozenset(), registry="target.example"
    )
    mine = whole.only({other_registry.manifest.digest})
    assert [child.manifest.digest for child in mine.children] == [other_registry.manifest.digest]
    assert {mount.digest for mount in mine.mounts} == {digest("base")}
    assert {copy.digest for copy in mine.copies} == {digest("one"), digest("a")}
    assert whole.only(frozenset()) == Transfers()
