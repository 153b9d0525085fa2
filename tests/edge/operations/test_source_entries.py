"""What counts as one entry: an index is taken as its author made it, and no more is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import oci_merge
from fixtures import media_types
from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.storage import StoredManifest
from fixtures.images import (
    Blob,
    BuiltImage,
    BuiltIndex,
    Child,
    build_attestation,
    build_image,
    build_index,
    digest_of,
)
from fixtures.server import RunningServer
from oci_merge import (
    DuplicatePlatformError,
    MergeResult,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from tests.edge.support import AMD64, ARM64, ARMV7, REPOSITORY, merge, paths, tags, writes

TWIN = build_image("linux", "amd64", text="zstd")
OTHER = build_image("linux", "amd64", text="other")
ZSTD = {"io.github.containers.compression.zstd": "true"}
LINUX_AMD64 = {"architecture": "amd64", "os": "linux"}
UNKNOWN = {"architecture": "unknown", "os": "unknown"}
SOCI = "application/vnd.amazon.soci.index.v2+json"

Entries = list[dict[str, Any]]


def artifact(text: str, config_type: str) -> BuiltImage:
    """Return an artifact: a manifest with one blob and a config of a type of its own."""
    config = Blob(config_type, b"{}")
    blob = Blob("application/octet-stream", text.encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": [blob.descriptor()],
    }
    return BuiltImage(json.dumps(manifest).encode(), media_types.OCI_MANIFEST, config, (blob,))


ZTOC = artifact("ztoc", SOCI)
SIGNATURE = artifact("signature", "application/vnd.oci.empty.v1+json")


def entry(image: BuiltImage | BuiltIndex, **fields: Any) -> dict[str, Any]:
    return {"mediaType": image.media_type, "digest": image.digest, "size": image.size, **fields}


def put_index(
    registry: EmbeddedRegistry,
    place: str,
    entries: Sequence[Mapping[str, Any]],
    images: Sequence[BuiltImage | BuiltIndex],
    **more: Any,
) -> str:
    """Push an index with the entries just as they are, and return its digest."""
    repository, _, tag = place.rpartition(":")
    for image in images:
        registry.add_image(repository, image.digest, image)
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    content = json.dumps(document | more).encode()
    registry.storage.put_manifest(
        repository, StoredManifest(digest_of(content), media_types.OCI_INDEX, content), [tag]
    )
    return digest_of(content)


def join(server: RunningServer, *names: str, **options: Any) -> MergeResult:
    return merge(server.host, sources=[f"{server.host}/{name}" for name in names], **options)


def push(server: RunningServer, *names: str, **options: Any) -> MergeResult:
    """Join by the push form, which leaves what the images declare as it is written."""
    images = [{"image": f"{server.host}/{name}"} for name in names]
    spec = {"image": f"{server.host}/{REPOSITORY}:latest", "manifests": images}
    return oci_merge.push(
        oci_merge.parse_spec(json.dumps(spec), name="spec.yml"), plain_http=True, **options
    )


def document(result: MergeResult) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.plan.index.content)
    return found


def listed(result: MergeResult) -> Entries:
    entries: Entries = document(result)["manifests"]
    return entries


def pulled(registry: EmbeddedRegistry) -> list[str]:
    return [path.rpartition("/")[2] for path in paths(registry.requests, "GET", "/manifests/sha")]


AS_MADE: Mapping[str, tuple[Entries, list[BuiltImage | BuiltIndex]]] = {
    "gzip and zstd twins": (
        [
            entry(AMD64, platform=LINUX_AMD64),
            entry(ARM64, platform={"architecture": "arm64", "os": "linux"}),
            entry(TWIN, platform=LINUX_AMD64, annotations=ZSTD),
        ],
        [AMD64, ARM64, TWIN],
    ),
    "features of the CPU": (
        [
            entry(AMD64, platform=LINUX_AMD64),
            entry(TWIN, platform={**LINUX_AMD64, "features": ["sse4"]}),
        ],
        [AMD64, TWIN],
    ),
    "a SOCI index of the image's platform": (
        [
            entry(
                AMD64,
                annotations={"com.amazon.soci.index-digest": ZTOC.digest},
                platform=LINUX_AMD64,
            ),
            entry(
                ZTOC,
                annotations={"com.amazon.soci.image-manifest-digest": AMD64.digest},
                platform=LINUX_AMD64,
                artifactType=SOCI,
            ),
        ],
        [AMD64, ZTOC],
    ),
    "an artifact by its type, without a platform": (
        [entry(AMD64, platform=LINUX_AMD64), entry(SIGNATURE, artifactType="application/x")],
        [AMD64, SIGNATURE],
    ),
    "an artifact by its config alone": (
        [entry(AMD64, platform=LINUX_AMD64), entry(SIGNATURE)],
        [AMD64, SIGNATURE],
    ),
    "an artifact by its config with the image's platform": (
        [entry(AMD64, platform=LINUX_AMD64), entry(ZTOC, platform=LINUX_AMD64)],
        [AMD64, ZTOC],
    ),
    "unknown platforms without annotations": (
        [
            entry(AMD64, platform=LINUX_AMD64),
            entry(TWIN, platform=UNKNOWN),
            entry(OTHER, platform=UNKNOWN),
        ],
        [AMD64, TWIN, OTHER],
    ),
    "another reference type": (
        [
            entry(AMD64, platform=LINUX_AMD64),
            entry(
                SIGNATURE,
                annotations={
                    "vnd.docker.reference.digest": AMD64.digest,
                    "vnd.docker.reference.type": "signature",
                },
                platform=UNKNOWN,
            ),
        ],
        [AMD64, SIGNATURE],
    ),
    "urls and data": (
        [
            entry(AMD64, urls=["https://elsewhere.example/x"], data="e30=", platform=LINUX_AMD64),
        ],
        [AMD64],
    ),
    "one image for two platforms": (
        [
            entry(AMD64, platform=LINUX_AMD64),
            entry(AMD64, platform={"architecture": "386", "os": "linux"}),
        ],
        [AMD64],
    ),
}


@pytest.mark.parametrize("name", AS_MADE)
def test_one_source_index_is_listed_as_its_author_made_it(
    name: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    entries, images = AS_MADE[name]
    put_index(registry, "team/made:1", entries, images)
    result = join(server, "team/made:1")
    assert listed(result) == entries
    assert not result.warnings


def test_companions_are_no_platform_of_the_result(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    entries, images = AS_MADE["a SOCI index of the image's platform"]
    put_index(registry, "team/made:1", entries, images)
    [image] = join(server, "team/made:1").platforms
    assert (image.digest, image.attestations) == (AMD64.digest, (ZTOC.digest,))


def test_a_companion_is_in_no_conflict_with_an_image_of_another_source(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    soci = entry(ZTOC, platform=LINUX_AMD64, artifactType=SOCI)
    arm64 = entry(ARM64, platform={"architecture": "arm64", "os": "linux"})
    put_index(registry, "team/made:1", [arm64, soci], [ARM64, ZTOC])
    result = join(server, "team/app-amd64:1.0", "team/made:1")
    assert [one["digest"] for one in listed(result)] == [AMD64.digest, ARM64.digest, ZTOC.digest]


def test_a_companion_follows_its_image_out_of_the_index_of_another_source(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    proof = build_attestation(AMD64)
    registry.add_image("team/multi-arm64", "1.0", build_index([ARMV7, ARM64, proof]))
    registry.add_image("team/multi-amd64", "1.0", AMD64)
    template = f"{server.host}/team/multi-ARCH:1.0"
    result = merge(server.host, template=template, platforms=["linux/amd64", "linux/arm64"])
    digests = [one["digest"] for one in listed(result)]
    assert digests == [AMD64.digest, ARM64.digest, proof.digest]


def test_images_of_one_platform_in_different_sources_are_in_conflict(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([TWIN, ARM64]))
    with pytest.raises(DuplicatePlatformError, match="are both linux/amd64"):
        join(server, "team/multi:1", "team/app-amd64:1.0")
    assert tags(registry) == {}


def test_indexes_that_overlap_give_each_image_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    twins = [Child(AMD64, LINUX_AMD64), Child(TWIN, LINUX_AMD64, ZSTD)]
    registry.add_image("team/one", "1", build_index([*twins, ARM64]))
    registry.add_image("team/two", "1", build_index([*twins, ARMV7]))
    result = join(server, "team/one:1", "team/two:1", "team/app-amd64:1.0")
    digests = [one["digest"] for one in listed(result)]
    assert digests == [AMD64.digest, TWIN.digest, ARM64.digest, ARMV7.digest]
    assert len(result.platforms) == 4


@pytest.mark.parametrize("as_index", [False, True])
def test_a_rerun_of_an_append_gives_the_same_index(
    as_index: bool, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image(REPOSITORY, "latest", build_index([AMD64, build_attestation(AMD64)]))
    arm64 = build_index([ARM64, build_attestation(ARM64)]) if as_index else ARM64
    registry.add_image("team/arm", "1", arm64)
    first = join(server, f"{REPOSITORY}:latest", "team/arm:1")
    again = join(server, f"{REPOSITORY}:latest", "team/arm:1")
    assert again.digest == first.digest
    assert not again.tags[0].changed
    assert len(listed(first)) == (4 if as_index else 3)


@pytest.mark.parametrize("order", [1, -1])
def test_what_an_index_says_of_an_image_is_kept_though_it_is_named_by_itself_too(
    order: int, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([Child(AMD64, LINUX_AMD64, ZSTD)]))
    result = join(server, *["team/app-amd64:1.0", "team/multi:1"][::order])
    [only] = listed(result)
    assert only["annotations"] == ZSTD


A, B, C = {"a": "1"}, {"b": "2"}, {"c": "3"}


@pytest.mark.parametrize(
    ("sources", "own", "kept", "left_out"),
    [
        ([A | B], {}, A | B, ""),
        ([A | B], {"a": "mine"}, {"a": "mine"} | B, ""),
        ([A | B, A | C], {}, A, "b and c"),
        ([A | B, A | C], {"c": "mine"}, A | {"c": "mine"}, "annotation b,"),
        ([A, {"a": "other"}], {}, None, "annotation a,"),
        ([A, {}], {}, None, "annotation a,"),
        ([A, None], {}, A, ""),
        ([None, None], {}, None, ""),
    ],
)
def test_annotations_of_the_source_indexes_are_kept_where_all_agree(
    sources: list[dict[str, str] | None],
    own: dict[str, str],
    kept: dict[str, str] | None,
    left_out: str,
    server: RunningServer,
    registry: EmbeddedRegistry,
) -> None:
    for number, (image, notes) in enumerate(zip([AMD64, ARM64], sources, strict=False)):
        content = image if notes is None else build_index([image], annotations=notes)
        registry.add_image("team/noted", str(number), content)
    names = [f"team/noted:{number}" for number in range(len(sources))]
    result = join(server, *names, annotations=own)
    assert document(result).get("annotations") == kept
    assert len(result.warnings) == bool(left_out)
    assert left_out in "".join(result.warnings)


def test_the_push_form_keeps_no_annotations_of_a_source_index(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/noted", "1", build_index([AMD64], annotations=A))
    result = push(server, "team/noted:1", list_type="oci")
    assert "annotations" not in document(result)


@pytest.mark.parametrize("platforms", [[], ["linux/amd64"]])
def test_an_attestation_is_no_source(
    platforms: list[str], server: RunningServer, registry: EmbeddedRegistry
) -> None:
    proof = build_attestation(AMD64)
    registry.add_image("team/multi", "1", build_index([AMD64, proof]))
    name = f"{server.host}/team/multi@{proof.digest}"
    named: dict[str, Any] = (
        {"template": name.replace("multi", "OSmulti"), "platforms": platforms}
        if platforms
        else {"sources": [name]}
    )
    if platforms:
        registry.add_image("team/linuxmulti", proof.digest, proof)
    with pytest.raises(UnsupportedMediaTypeError, match=r"is an attestation .* and no image"):
        merge(server.host, **named)
    assert not writes(registry.requests)


def test_the_platform_of_an_inner_index_serves_where_its_image_says_none(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    bare = build_image("", "", text="bare")
    inner = build_index([Child(bare)])
    s390x = {"architecture": "s390x", "os": "linux"}
    registry.add_image("team/nested", "1", build_index([AMD64, Child(inner, s390x)]))
    result = join(server, "team/nested:1")
    assert listed(result)[1] == entry(bare, platform=s390x)


EIGHT = ["386", "amd64", "arm64", "mips64le", "ppc64le", "riscv64", "s390x", "loong64"]


def test_a_platform_out_of_eight_fetches_its_image_and_attestation_alone(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    images = [build_image("linux", name) for name in EIGHT]
    proofs = [build_attestation(image) for image in images]
    registry.add_image("team/eight-arm64", "1", build_index([*images, *proofs]))
    merge(server.host, template=f"{server.host}/team/eight-ARCH:1", platforms=["linux/arm64"])
    assert sorted(pulled(registry)) == sorted([images[2].digest, proofs[2].digest])


def test_of_nested_indexes_only_those_that_may_list_the_platform_are_fetched(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    inner = {name: build_index([build_image("linux", name)]) for name in EIGHT}
    outer = build_index(
        [Child(index, {"os": "linux", "architecture": name}) for name, index in inner.items()]
    )
    registry.add_image("team/nested-arm64", "1", outer)
    merge(server.host, template=f"{server.host}/team/nested-ARCH:1", platforms=["linux/arm64"])
    assert pulled(registry) == [inner["arm64"].digest, inner["arm64"].children[0].digest]


def test_an_entry_without_a_variant_is_read_where_the_variant_matters(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    sixth, seventh = (build_image("linux", "arm", variant) for variant in ("v6", "v7"))
    plain = {"os": "linux", "architecture": "arm"}
    index = build_index([Child(sixth, plain), Child(seventh, plain), AMD64])
    registry.add_image("team/multi-armv6", "1", index)
    template = f"{server.host}/team/multi-ARCHVARIANT:1"
    result = merge(server.host, template=template, platforms=["linux/arm/v6"])
    assert [one["digest"] for one in listed(result)] == [sixth.digest]
    assert AMD64.digest not in pulled(registry)


def test_a_digest_that_several_entries_name_is_fetched_once(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    entries, images = AS_MADE["one image for two platforms"]
    put_index(registry, "team/made:1", entries, images)
    join(server, "team/made:1")
    assert pulled(registry) == [AMD64.digest]


def test_an_index_works_as_long_as_the_wanted_images_are_there(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    index = build_index([AMD64, ARM64, build_attestation(AMD64)])
    registry.add_image("team/multi-arm64", "1", index)
    for gone in (AMD64, build_attestation(AMD64)):
        registry.storage.remove_manifest("team/multi-arm64", gone.digest)
    template = f"{server.host}/team/multi-ARCH:1"
    result = merge(server.host, template=template, platforms=["linux/arm64"])
    assert [one["digest"] for one in listed(result)] == [ARM64.digest]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (ARM64, "team/multi:1 lists linux/arm64, but "),
        (build_attestation(AMD64), f"team/multi:1 lists the attestation of {AMD64.digest}, but "),
    ],
)
def test_a_missing_entry_is_named_with_its_index_and_left_out_only_on_request(
    gone: BuiltImage, said: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64, build_attestation(AMD64)]))
    registry.storage.remove_manifest("team/multi", gone.digest)
    with pytest.raises(NotFoundError) as caught:
        join(server, "team/multi:1")
    assert said in caught.value.message
    assert f"team/multi@{gone.digest} was not found" in caught.value.message
    assert tags(registry) == {}

    result = push(server, "team/multi:1", ignore_missing=True)
    assert gone.digest not in [one["digest"] for one in listed(result)]
    [warning] = result.warnings
    assert said in warning
    assert warning.endswith("it is left out")


def test_inspect_shows_what_is_there_and_marks_what_is_not(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    registry.add_image("team/multi", "1", build_index([AMD64, ARM64]))
    registry.storage.remove_manifest("team/multi", ARM64.digest)
    found = oci_merge.inspect(f"{server.host}/team/multi:1", plain_http=True)
    assert [image.is_missing for image in found.images] == [False, True]
    assert [image["missing"] for image in found.to_dict()["images"]] == [False, True]
    assert [str(image.platform) for image in found.images] == ["linux/amd64", "linux/arm64"]


NULLS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "annotations": ({"annotations": None}, {}),
    "a value of an annotation": ({"annotations": {"a": None}}, {"annotations": {"a": ""}}),
    "urls": ({"urls": None}, {}),
    "data": ({"data": None}, {}),
    "artifactType": ({"artifactType": None}, {}),
    "platform": ({"platform": None}, {}),
    "fields of the platform": (
        {
            "platform": {
                **LINUX_AMD64,
                "variant": None,
                "os.version": None,
                "os.features": None,
                "features": None,
            }
        },
        {},
    ),
}


@pytest.mark.parametrize("name", NULLS)
def test_null_in_an_index_is_read_as_empty(
    name: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    given, written = NULLS[name]
    put_index(registry, "team/null:1", [entry(AMD64, platform=LINUX_AMD64) | given], [AMD64])
    assert listed(join(server, "team/null:1")) == [entry(AMD64, platform=LINUX_AMD64) | written]


@pytest.mark.parametrize("layers", [{"layers": None}, {}, {"layers": [], "annotations": None}])
def test_an_image_without_layers_is_an_image(
    layers: dict[str, Any], server: RunningServer, registry: EmbeddedRegistry
) -> None:
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": AMD64.config.descriptor(),
        **layers,
    }
    image = BuiltImage(json.dumps(manifest).encode(), media_types.OCI_MANIFEST, AMD64.config, ())
    registry.storage.put_blob("team/empty", AMD64.config.digest, AMD64.config.content)
    held = StoredManifest(image.digest, image.media_type, image.manifest)
    registry.storage.put_manifest("team/empty", held, ["1"])
    assert listed(join(server, "team/empty:1")) == [entry(image, platform=LINUX_AMD64)]
