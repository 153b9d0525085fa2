"""The plan: what is transferred, and the index."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping, Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.images import BuiltImage, build_attestation, build_image
from oci_merge.errors import DuplicatePlatformError, PlanError, PlatformNotFoundError
from oci_merge.model import media_types
from oci_merge.model.index import IndexDocument, IndexEntry, encode_index
from oci_merge.model.manifest import Descriptor, ImageIndex, parse_manifest
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.model.reference import parse_reference
from oci_merge.options import ListFormat
from oci_merge.planning.annotations import EntryAnnotation
from oci_merge.planning.component import Component
from oci_merge.planning.plan import Plan, plan_index
from oci_merge.planning.transfers import Transfers, plan_transfers
from tests.unit.planning.components import UNKNOWN, attestation, component, images, listed

_AMD64, _ARM64 = images("linux/amd64", "linux/arm64")
_ARM = build_image("linux", "arm", "v7", layers=3)
_FOREIGN = build_image("windows", "amd64", foreign_layer=True)
_DOCKER = build_image("linux", "amd64", docker=True)


def _blobs(transfers: Transfers) -> list[str]:
    return [mount.digest for mount in transfers.mounts]


def _children(transfers: Transfers) -> list[str]:
    return [child.manifest.digest for child in transfers.children]


def test_every_blob_is_mounted_from_its_own_repository_and_every_child_waits_for_its_own() -> None:
    transfers = plan_transfers([component(_ARM, "app-arm:1")], "app", frozenset())
    assert [(mount.digest, mount.size, mount.media_type) for mount in transfers.mounts] == [
        (blob.digest, blob.size, blob.media_type) for blob in (_ARM.config, *_ARM.layers)
    ]
    assert {mount.source for mount in transfers.mounts} == {"app-arm"}
    [child] = transfers.children
    assert child.manifest.content == _ARM.manifest
    assert child.source == "app-arm"
    assert list(child.blobs) == _blobs(transfers)


def test_a_layer_that_components_share_is_mounted_once_and_waited_for_by_both() -> None:
    transfers = plan_transfers(
        [component(_AMD64, "app-amd64:1"), component(_ARM64, "app-arm64:1")], "app", frozenset()
    )
    base = _AMD64.layers[0].digest
    assert base == _ARM64.layers[0].digest
    assert _blobs(transfers).count(base) == 1
    assert len(_blobs(transfers)) == len(set(_blobs(transfers))) == 5
    assert all(base in child.blobs for child in transfers.children)


def test_nothing_is_transferred_for_components_in_the_target_s_repository() -> None:
    in_target = [component(_AMD64, "app:amd64"), component(_ARM64, "app:arm64")]
    assert plan_transfers(in_target, "app", frozenset()) == Transfers()


def test_blobs_of_a_component_in_the_target_s_repository_are_not_mounted() -> None:
    transfers = plan_transfers(
        [component(_ARM64, "app-arm64:1"), component(_AMD64, "app:amd64")], "app", frozenset()
    )
    base = _AMD64.layers[0].digest
    assert _blobs(transfers) == [_ARM64.config.digest, _ARM64.layers[1].digest]
    assert _children(transfers) == [_ARM64.digest]
    assert base not in transfers.children[0].blobs


def test_an_image_in_the_target_s_repository_and_elsewhere_is_not_transferred() -> None:
    transfers = plan_transfers(
        [component(_AMD64, "app-amd64:1"), component(_AMD64, "app:amd64")], "app", frozenset()
    )
    assert transfers == Transfers()


def test_an_image_from_two_repositories_is_transferred_once_from_the_first() -> None:
    transfers = plan_transfers(
        [component(_AMD64, "one:1"), component(_AMD64, "two:1")], "app", frozenset()
    )
    assert _children(transfers) == [_AMD64.digest]
    assert {mount.source for mount in transfers.mounts} == {"one"}
    assert transfers.children[0].source == "one"


def test_for_a_child_that_is_present_nothing_is_mounted_or_pushed() -> None:
    parts = [component(_AMD64, "app-amd64:1"), component(_ARM64, "app-arm64:1")]
    transfers = plan_transfers(parts, "app", {_AMD64.digest})
    assert _children(transfers) == [_ARM64.digest]
    assert _AMD64.config.digest not in _blobs(transfers)
    assert plan_transfers(parts, "app", {_AMD64.digest, _ARM64.digest}) == Transfers()


def test_foreign_layers_are_mounted_or_copied_if_the_source_holds_them() -> None:
    part = component(_FOREIGN, "app-win:1")
    foreign = _FOREIGN.layers[0]
    assert foreign.urls
    mounted = plan_transfers([part], "app", frozenset())
    copied = plan_transfers([part], "app", frozenset(), registry="other.example")
    for blobs in (mounted.mounts, copied.copies):
        assert [blob.digest for blob in blobs if blob.is_foreign] == [foreign.digest]
    assert _blobs(mounted) == [blob.digest for blob in (_FOREIGN.config, *_FOREIGN.layers)]


def test_an_attestation_is_transferred_as_an_image_is() -> None:
    parts = [listed(_AMD64, "app-amd64:1", "linux/amd64"), attestation(_AMD64, "app-amd64:1")]
    transfers = plan_transfers(parts, "app", frozenset())
    proof = build_attestation(_AMD64)
    assert _children(transfers) == [_AMD64.digest, proof.digest]
    assert proof.layers[0].digest in _blobs(transfers)


_POOL = [_AMD64, _ARM64, _ARM, _FOREIGN, _DOCKER]


@given(
    st.lists(st.tuples(st.sampled_from(_POOL), st.sampled_from(["app", "one", "two"])), max_size=8),
    st.sets(st.sampled_from([image.digest for image in _POOL])),
)
def test_every_blob_and_manifest_is_transferred_exactly_once(
    parts: list[tuple[BuiltImage, str]], present: set[str]
) -> None:
    components = [component(image, f"{where}:1") for image, where in parts]
    transfers = plan_transfers(components, "app", present)
    mounted, put = _blobs(transfers), _children(transfers)
    assert len(mounted) == len(set(mounted))
    assert len(put) == len(set(put))
    assert all(mount.source != "app" for mount in transfers.mounts)
    assert set(mounted) == set(chain.from_iterable(child.blobs for child in transfers.children))
    home = [part for part in components if part.source.reference.repository == "app"]
    there = {part.manifest.digest for part in home} | present
    assert not there & set(put)
    assert there | set(put) >= {part.manifest.digest for part in components}


def _index(
    parts: Sequence[tuple[Component, str]],
    list_format: ListFormat = "auto",
    annotations: Mapping[str, str] | None = None,
) -> IndexDocument:
    pairs = [(part, parse_platform(text) if text else Platform("", "")) for part, text in parts]
    return plan_index(pairs, list_format=list_format, annotations=annotations or {})


def _entries(document: IndexDocument) -> list[Descriptor]:
    parsed = parse_manifest(
        document.content, content_type=document.media_type, digest=document.digest, what="it"
    ).document
    assert isinstance(parsed, ImageIndex)
    return parsed.manifests


_PAIR = [
    (component(_AMD64, "app-amd64:1"), "linux/amd64"),
    (component(_ARM64, "app-arm64:1"), "linux/arm64"),
]


def test_an_index_lists_the_components_in_their_order_under_the_platforms_decided() -> None:
    document = _index(_PAIR)
    assert document == encode_index(
        [
            IndexEntry(
                media_types.OCI_MANIFEST, _AMD64.digest, _AMD64.size, Platform("linux", "amd64")
            ),
            IndexEntry(
                media_types.OCI_MANIFEST, _ARM64.digest, _ARM64.size, Platform("linux", "arm64")
            ),
        ],
        media_types.OCI_INDEX,
        {},
    )
    assert [entry.digest for entry in _entries(_index(_PAIR[::-1]))] == [
        _ARM64.digest,
        _AMD64.digest,
    ]


def test_attestations_are_listed_last_with_their_annotations_verbatim() -> None:
    proof = attestation(_AMD64, "app-amd64:1")
    document = _index(
        [
            (listed(_AMD64, "app-amd64:1", "linux/amd64"), "linux/amd64"),
            (proof, "unknown/unknown"),
            (component(_ARM64, "app-arm64:1"), "linux/arm64"),
        ]
    )
    *_, last = _entries(document)
    assert [entry.is_attestation for entry in _entries(document)] == [False, False, True]
    assert proof.descriptor is not None
    assert last.annotations == proof.descriptor.annotations
    assert last.platform is not None
    assert last.platform.to_platform() == UNKNOWN


def test_an_attestation_whose_index_says_no_platform_is_listed_as_unknown() -> None:
    proof = attestation(_AMD64, "app-amd64:1", declared=Platform("", ""))
    document = _index([(listed(_AMD64, "app-amd64:1", "linux/amd64"), "linux/amd64"), (proof, "")])
    last = _entries(document)[-1]
    assert last.platform is not None
    assert last.platform.to_platform() == UNKNOWN


def test_an_attestation_that_says_a_platform_keeps_it() -> None:
    proof = attestation(_AMD64, "app-amd64:1", declared=Platform("linux", "amd64"))
    image = listed(_AMD64, "app-amd64:1", "linux/amd64")
    last = _entries(_index([(image, "linux/amd64"), (proof, "linux/amd64")]))[-1]
    assert last.is_attestation
    assert last.platform is not None
    assert last.platform.to_platform() == Platform("linux", "amd64")


def test_several_attestations_of_one_platform_are_no_duplicates() -> None:
    document = _index(
        [
            (listed(_AMD64, "a:1", "linux/amd64"), "linux/amd64"),
            (attestation(_AMD64, "a:1"), "unknown/unknown"),
            (listed(_ARM64, "b:1", "linux/arm64"), "linux/arm64"),
            (attestation(_ARM64, "b:1"), "unknown/unknown"),
        ]
    )
    assert len(_entries(document)) == 4


def test_the_annotations_and_artifact_type_of_a_source_index_are_kept() -> None:
    part = component(
        _AMD64,
        "app:1",
        declared=Platform("linux", "amd64"),
        annotations={"org.example": "<kept>"},
        artifact_type="application/x",
    )
    [entry] = _entries(_index([(part, "linux/amd64")]))
    assert entry.annotations == {"org.example": "<kept>"}
    assert entry.artifact_type == "application/x"


def test_two_images_of_one_platform_are_refused_and_both_are_named() -> None:
    twin = component(build_image(text="other"), "twin:1")
    with pytest.raises(DuplicatePlatformError) as caught:
        _index([*_PAIR, (twin, "linux/amd64")])
    assert caught.value.message == (
        "reg.example/app-amd64:1 and reg.example/twin:1 are both linux/amd64"
    )
    assert caught.value.hint


def test_an_image_of_a_source_index_is_named_with_its_digest() -> None:
    parts = [
        (listed(_AMD64, "one:1", "linux/amd64"), "linux/amd64"),
        (listed(build_image(text="other"), "two:1", "linux/amd64"), "linux/amd64"),
    ]
    with pytest.raises(DuplicatePlatformError) as caught:
        _index(parts)
    assert f"reg.example/one:1 ({_AMD64.digest})" in caught.value.message


def test_versions_of_windows_and_variants_are_platforms_of_their_own() -> None:
    parts = [
        (component(build_image(text=str(n)), f"app:{n}"), Platform("windows", "amd64", "", version))
        for n, version in enumerate(["", "10.0.1", "10.0.2"])
    ]
    parts += [(component(_ARM, "arm:7"), Platform("linux", "arm", "v7"))]
    parts += [(component(_ARM64, "arm:6"), Platform("linux", "arm", "v6"))]
    document = plan_index(parts, list_format="auto", annotations={})
    assert len(_entries(document)) == 5


def test_a_platform_from_a_config_is_escaped_in_the_message() -> None:
    odd = Platform("\x1b[31m", "amd64")
    parts = [(component(_AMD64, "one:1"), odd), (component(_ARM64, "two:1"), odd)]
    with pytest.raises(DuplicatePlatformError) as caught:
        plan_index(parts, list_format="auto", annotations={})
    assert "\x1b" not in caught.value.message


_OCI_PART = (component(_AMD64, "oci:1"), "linux/amd64")
_DOCKER_PART = (component(_DOCKER, "docker:1"), "linux/386")


@pytest.mark.parametrize(
    ("parts", "list_format", "kind"),
    [
        ([_DOCKER_PART], "auto", media_types.DOCKER_LIST),
        ([_OCI_PART], "auto", media_types.OCI_INDEX),
        ([_OCI_PART, _DOCKER_PART], "auto", media_types.OCI_INDEX),
        ([_DOCKER_PART], "oci", media_types.OCI_INDEX),
        ([_OCI_PART], "docker", media_types.DOCKER_LIST),
        ([_OCI_PART, _DOCKER_PART], "docker", media_types.DOCKER_LIST),
    ],
)
def test_the_kind_of_index_follows_the_components_unless_it_is_given(
    parts: list[tuple[Component, str]], list_format: ListFormat, kind: str
) -> None:
    assert _index(parts, list_format).media_type == kind


def test_an_attestation_makes_an_oci_index_of_docker_images() -> None:
    parts = [
        (listed(_DOCKER, "docker:1", "linux/amd64"), "linux/amd64"),
        (attestation(_DOCKER, "docker:1"), "unknown/unknown"),
    ]
    assert _index(parts).media_type == media_types.OCI_INDEX


def test_annotations_are_written_to_an_oci_index_and_refused_for_a_docker_list() -> None:
    assert b'"annotations"' in _index([_OCI_PART], "auto", {"a": "b"}).content
    with pytest.raises(PlanError, match="cannot carry annotations"):
        _index([_DOCKER_PART], "docker", {"a": "b"})


def test_annotations_make_an_oci_index_of_docker_images_where_the_kind_is_left_open() -> None:
    index = _index([_DOCKER_PART], "auto", {"a": "b"})
    assert index.media_type == media_types.OCI_INDEX
    assert b'"annotations"' in index.content


@given(st.permutations(range(4)), st.integers(0, 100))
def test_the_same_components_give_the_same_bytes_every_time(order: list[int], seed: int) -> None:
    parts = [*_PAIR, (component(_ARM, "app-arm:1"), "linux/arm/v7"), _DOCKER_PART]
    chosen = [parts[n] for n in order]
    keys = [f"key{n}" for n in range(5)]
    random.Random(seed).shuffle(keys)
    first = _index(chosen, "oci", dict.fromkeys(sorted(keys), "x"))
    second = _index(chosen, "oci", dict.fromkeys(keys, "x"))
    assert first.content == second.content
    assert first.digest == second.digest


def _plan() -> Plan:
    parts = [part for part, _ in _PAIR]
    return Plan(
        target=parse_reference("reg.example/app:latest"),
        index=_index(_PAIR),
        transfers=plan_transfers(parts, "app", frozenset()),
        tags=("latest", "1.0"),
        unchanged=frozenset({"1.0"}),
    )


def test_a_plan_is_json() -> None:
    plan = _plan()
    document = json.loads(json.dumps(plan.to_dict()))
    assert document == plan.to_dict()
    assert document["target"] == "reg.example/app:latest"
    assert document["tags"] == [
        {"name": "latest", "changed": True},
        {"name": "1.0", "changed": False},
    ]


def test_a_plan_holds_the_exact_bytes_of_all_that_is_written() -> None:
    plan = _plan()
    document = plan.to_dict()
    assert document["index"] == {
        "mediaType": media_types.OCI_INDEX,
        "digest": plan.index.digest,
        "size": len(plan.index.content),
        "document": plan.index.content.decode(),
    }
    written = [base64.b64decode(child["content"]) for child in document["children"]]
    assert written == [_AMD64.manifest, _ARM64.manifest]
    assert document["mounts"][0] == {
        "digest": _AMD64.config.digest,
        "size": _AMD64.config.size,
        "mediaType": _AMD64.config.media_type,
        "from": "app-amd64",
        "role": "config",
        "foreign": False,
    }
    assert document["children"][0] == {
        "digest": _AMD64.digest,
        "size": _AMD64.size,
        "mediaType": media_types.OCI_MANIFEST,
        "from": "app-amd64",
        "blobs": [blob.digest for blob in (_AMD64.config, *_AMD64.layers)],
        "content": base64.b64encode(_AMD64.manifest).decode(),
    }


def test_annotations_of_entries_win_over_those_of_the_source_index() -> None:
    image = images("linux/amd64")[0]
    one = component(
        image,
        "app:1",
        declared=parse_platform("linux/amd64"),
        annotations={"own": "1", "both": "1"},
    )
    index = plan_index(
        [(one, parse_platform("linux/amd64")), (attestation(image, "app:1"), UNKNOWN)],
        list_format="auto",
        annotations={},
        entry_annotations=[EntryAnnotation("both", "2")],
    )
    listed, other = json.loads(index.content)["manifests"]
    assert listed["annotations"] == {"both": "2", "own": "1"}
    assert "both" not in other["annotations"]


def test_annotations_of_entries_make_an_oci_index_and_never_a_docker_list() -> None:
    image = component(build_image(docker=True), "app:1")
    pairs = [(image, parse_platform("linux/amd64"))]
    own = [EntryAnnotation("a", "1")]
    made = plan_index(pairs, list_format="auto", annotations={}, entry_annotations=own)
    assert made.media_type == "application/vnd.oci.image.index.v1+json"
    with pytest.raises(PlanError, match="cannot carry annotations"):
        plan_index(pairs, list_format="docker", annotations={}, entry_annotations=own)


def test_annotations_of_a_platform_that_no_image_has_are_refused() -> None:
    image = component(images("linux/amd64")[0], "app:1")
    with pytest.raises(PlatformNotFoundError) as caught:
        plan_index(
            [(image, parse_platform("linux/amd64"))],
            list_format="auto",
            annotations={},
            entry_annotations=[EntryAnnotation("a", "1", parse_platform("linux/arm64"))],
        )
    assert caught.value.message == (
        "the annotation 'a' is for linux/arm64, which is not among the images to list"
    )
    assert caught.value.hint == "there are linux/amd64"
