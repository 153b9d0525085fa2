"""Taking images out of an index, annotating it, and adding images to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fixtures.images import (
    BuiltImage,
    BuiltIndex,
    Child,
    build_attestation,
    build_image,
    build_index,
)
from oci_merge import ManifestError, PlanError, PlatformNotFoundError
from oci_merge.model.manifest import parse_manifest
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.planning.annotations import Annotations, parse_annotations
from oci_merge.planning.append import append_images, replaces
from oci_merge.planning.edit import (
    Edited,
    PresentIndex,
    annotate_index,
    read_index,
    remove_platforms,
)

AMD64 = build_image("linux", "amd64")
ARM64 = build_image("linux", "arm64")
ARMV6 = build_image("linux", "arm", "v6")
ARMV7 = build_image("linux", "arm", "v7")
NEW_ARM64 = build_image("linux", "arm64", text="new")
NONE = Annotations({})


def present(
    index: BuiltIndex | Mapping[str, Any], platforms: Mapping[str, Platform] | None = None
) -> PresentIndex:
    """Return an index as it is read, built or as JSON values."""
    if isinstance(index, BuiltIndex):
        content, media_type = index.manifest, index.media_type
    else:
        content, media_type = json.dumps(index).encode(), str(index["mediaType"])
    return read(content, media_type, platforms)


def read(
    content: bytes, media_type: str = "", platforms: Mapping[str, Platform] | None = None
) -> PresentIndex:
    """Return an index as it is read from its bytes."""
    manifest = parse_manifest(content, content_type=media_type, digest="", what="the index")
    return read_index(manifest, "reg.example/app:1.0", platforms)


def buildx(*images: BuiltImage) -> BuiltIndex:
    """Return an index as buildx writes it: images, then their attestations."""
    return build_index([*images, *map(build_attestation, images)])


def document(edited: Edited) -> dict[str, Any]:
    """Return an index as JSON values."""
    parsed: dict[str, Any] = json.loads(edited.index.content)
    return parsed


def listed(edited: Edited) -> list[str]:
    """Return the digests that an index lists."""
    return [entry["digest"] for entry in document(edited)["manifests"]]


def append(
    index: BuiltIndex | Mapping[str, Any],
    *images: BuiltImage | Child,
    given: Mapping[str, str] | None = None,
    list_format: Any = "auto",
    annotations: Mapping[str, str] | None = None,
    docker: bool = False,
) -> Edited:
    """Add images to an index."""
    fresh = build_index(images, docker=docker, annotations=annotations)
    return append_images(present(index), present(fresh), given=given or {}, list_format=list_format)


class TestRemove:
    """``remove_platforms``."""

    def test_an_image_goes_with_its_attestation_and_the_others_stay_as_they_are(self) -> None:
        index = buildx(AMD64, ARM64)
        edited = remove_platforms(present(index), [parse_platform("linux/arm64")])
        first = json.loads(index.manifest)["manifests"]
        assert document(edited)["manifests"] == [first[0], first[2]]

    def test_a_platform_without_a_variant_takes_every_variant(self) -> None:
        index = build_index([AMD64, ARMV6, ARMV7])
        edited = remove_platforms(present(index), [parse_platform("linux/arm")])
        assert listed(edited) == [AMD64.digest]
        edited = remove_platforms(present(index), [parse_platform("linux/arm/v6")])
        assert listed(edited) == [AMD64.digest, ARMV7.digest]

    def test_twins_of_a_platform_go_together(self) -> None:
        index = build_index([AMD64, ARM64, NEW_ARM64])
        edited = remove_platforms(present(index), [parse_platform("linux/arm64")])
        assert listed(edited) == [AMD64.digest]

    def test_a_platform_that_is_not_there_is_an_error_that_names_what_is(self) -> None:
        asked = [parse_platform("linux/arm64"), parse_platform("linux/s390x")]
        with pytest.raises(PlatformNotFoundError) as caught:
            remove_platforms(present(buildx(AMD64, ARM64)), asked)
        assert caught.value.message == "reg.example/app:1.0 lists no image for linux/s390x"
        assert caught.value.hint == "it lists linux/amd64 and linux/arm64"

    def test_a_second_try_takes_what_is_left(self) -> None:
        asked = [parse_platform("linux/arm64"), parse_platform("linux/s390x")]
        edited = remove_platforms(present(buildx(AMD64, ARM64)), asked, again=True)
        assert listed(edited)[0] == AMD64.digest

    def test_the_last_image_stays(self) -> None:
        asked = [parse_platform("linux/arm64"), parse_platform("linux/amd64")]
        with pytest.raises(PlanError, match="no image any more"):
            remove_platforms(present(buildx(AMD64, ARM64)), asked)

    def test_an_entry_without_a_platform_is_what_its_config_says(self) -> None:
        index = build_index([Child(AMD64), Child(ARM64)])
        places = {
            AMD64.digest: Platform("linux", "amd64"),
            ARM64.digest: Platform("linux", "arm64"),
        }
        edited = remove_platforms(present(index, places), [parse_platform("linux/arm64")])
        assert document(edited)["manifests"] == [json.loads(index.manifest)["manifests"][0]]

    def test_companions_of_companions_go_and_those_of_nothing_stay(self) -> None:
        about = "vnd.docker.reference.digest"
        first, second, alone = (build_image(text=text) for text in ("1", "2", "3"))
        unknown = {"os": "unknown", "architecture": "unknown"}
        index = build_index(
            [
                AMD64,
                ARM64,
                Child(second, unknown, {about: first.digest}),
                Child(first, unknown, {about: ARM64.digest}),
                Child(alone, unknown),
            ]
        )
        edited = remove_platforms(present(index), [parse_platform("linux/arm64")])
        assert listed(edited) == [AMD64.digest, alone.digest]

    def test_companions_that_are_about_each_other_end_the_search(self) -> None:
        about = "vnd.docker.reference.digest"
        first, second = (build_image(text=text) for text in ("1", "2"))
        circle = [
            Child(first, None, {about: second.digest}),
            Child(second, None, {about: first.digest}),
        ]
        edited = remove_platforms(
            present(build_index([AMD64, ARM64, *circle])), [parse_platform("linux/arm64")]
        )
        assert AMD64.digest in listed(edited)

    def test_fields_that_nobody_knows_stay_in_their_place(self) -> None:
        values = json.loads(build_index([AMD64, ARM64]).manifest)
        values = {"x": {"b": 1, "a": [1.5, None]}, **values, "artifactType": "a/b", "zz": "<é>"}
        values["manifests"][0] |= {"data": "e30=", "urls": ["https://x.test"], "own": True}
        edited = remove_platforms(present(values), [parse_platform("linux/arm64")])
        values["manifests"].pop()
        assert list(document(edited)) == list(values)
        assert document(edited) == values
        assert b"\\u003c" in edited.index.content  # as Go writes it

    @pytest.mark.parametrize("value", [b'"\\ud800"', b"1e999", b"9" * 5000, b"NaN"])
    def test_a_value_that_cannot_be_written_again_is_an_error_of_ours(self, value: bytes) -> None:
        content = build_index([AMD64, ARM64]).manifest.rstrip(b"}\n ")
        content += b', "own": ' + value + b"}"
        with pytest.raises(ManifestError):
            remove_platforms(read(content), [parse_platform("linux/arm64")])

    def test_a_docker_official_image_keeps_its_order(self) -> None:
        # Each image is followed by its attestation, and carries annotations.
        marked = Child(AMD64, AMD64.platform, {"com.docker.official-images.bashbrew.arch": "amd64"})
        index = build_index([marked, build_attestation(AMD64), ARM64, build_attestation(ARM64)])
        edited = remove_platforms(present(index), [parse_platform("linux/arm64")])
        assert document(edited)["manifests"] == json.loads(index.manifest)["manifests"][:2]
        edited = append(index, NEW_ARM64, build_attestation(NEW_ARM64))
        assert listed(edited)[2:] == [NEW_ARM64.digest, build_attestation(NEW_ARM64).digest]
        assert document(edited)["manifests"][:2] == json.loads(index.manifest)["manifests"][:2]


class TestAnnotate:
    """``annotate_index``."""

    def test_annotations_come_and_go_on_the_index_and_its_entries(self) -> None:
        index = build_index(
            [
                Child(AMD64, AMD64.platform, {"old": "1", "kept": "2"}),
                ARM64,
                build_attestation(ARM64),
            ],
            annotations={"gone": "1", "stays": "<2>"},
        )
        given = parse_annotations(
            {
                "title": "é",
                "manifest-descriptor:all": "a",
                "manifest-descriptor[linux/arm64]:all": "b",
            }
        )
        removed = parse_annotations({"gone": "", "never": "", "manifest-descriptor:old": ""})
        edited = annotate_index(present(index), given, removed)
        assert document(edited)["annotations"] == {"stays": "<2>", "title": "é"}
        amd64, arm64, attestation = document(edited)["manifests"]
        assert amd64["annotations"] == {"all": "a", "kept": "2"}
        assert arm64["annotations"] == {"all": "b"}
        assert list(arm64) == ["mediaType", "digest", "size", "annotations", "platform"]
        assert "all" not in attestation["annotations"]

    def test_what_is_so_already_keeps_its_bytes(self) -> None:
        values = json.loads(build_index([AMD64], annotations={"a": "1"}).manifest)
        content = json.dumps(values, indent=7).encode()
        edited = annotate_index(
            read(content), parse_annotations({"a": "1"}), parse_annotations({"b": ""})
        )
        assert edited.index.content == content

    def test_the_last_annotation_takes_the_field_with_it(self) -> None:
        index = build_index([AMD64], annotations={"a": "1"})
        edited = annotate_index(present(index), NONE, parse_annotations({"a": ""}))
        assert edited.index.content == build_index([AMD64]).manifest

    def test_a_docker_list_is_refused(self) -> None:
        index = build_index([build_image(docker=True)], docker=True)
        with pytest.raises(PlanError, match="Docker manifest list") as caught:
            annotate_index(present(index), parse_annotations({"a": "1"}), NONE)
        assert "--format oci" in caught.value.hint

    def test_a_platform_that_is_not_there_is_an_error(self) -> None:
        given = parse_annotations({"manifest-descriptor[linux/s390x]:a": "1"})
        with pytest.raises(PlatformNotFoundError, match="linux/s390x") as caught:
            annotate_index(present(buildx(AMD64)), given, NONE)
        assert caught.value.hint == "there are linux/amd64"

    def test_attestations_are_annotated_by_their_own_platform_alone(self) -> None:
        given = parse_annotations({"manifest-descriptor[unknown/unknown]:a": "1"})
        image, attestation = document(annotate_index(present(buildx(AMD64)), given, NONE))[
            "manifests"
        ]
        assert "annotations" not in image
        assert attestation["annotations"]["a"] == "1"


class TestAppend:
    """``append_images``."""

    def test_a_new_platform_goes_behind_with_its_attestation(self) -> None:
        index = buildx(AMD64)
        edited = append(index, ARM64, build_attestation(ARM64))
        assert document(edited)["manifests"][:2] == json.loads(index.manifest)["manifests"]
        assert listed(edited)[2:] == [ARM64.digest, build_attestation(ARM64).digest]
        assert [entry.digest for entry in edited.kept] == listed(edited)[:2]

    def test_an_image_is_replaced_in_its_place_and_its_attestation_in_its_own(self) -> None:
        edited = append(buildx(ARM64, AMD64), NEW_ARM64, build_attestation(NEW_ARM64))
        assert listed(edited) == [
            NEW_ARM64.digest,
            AMD64.digest,
            build_attestation(NEW_ARM64).digest,
            build_attestation(AMD64).digest,
        ]

    def test_the_attestation_of_an_image_that_is_replaced_goes_even_if_no_other_comes(self) -> None:
        edited = append(buildx(ARM64, AMD64), NEW_ARM64)
        assert listed(edited) == [NEW_ARM64.digest, AMD64.digest, build_attestation(AMD64).digest]

    def test_twins_are_all_replaced_and_come_together(self) -> None:
        gzip, zstd = build_image(text="gzip"), build_image(text="zstd")
        index = build_index([gzip, ARM64, zstd])
        assert listed(append(index, AMD64)) == [AMD64.digest, ARM64.digest]
        assert listed(append(build_index([ARM64, AMD64]), gzip, zstd)) == [
            ARM64.digest,
            gzip.digest,
            zstd.digest,
        ]

    def test_a_rerun_changes_no_byte(self) -> None:
        index = build_index([Child(ARM64, ARM64.platform, {"own": "1"}), AMD64])
        edited = append(index, ARM64)
        assert edited.index.content == index.manifest
        assert edited.index.digest == index.digest

    def test_what_is_listed_already_keeps_its_descriptor_and_gets_new_annotations(self) -> None:
        index = build_index([Child(ARM64, ARM64.platform, {"own": "1", "both": "1"}), AMD64])
        new = Child(ARM64, ARM64.platform, {"both": "2"})
        annotations = document(append(index, new))["manifests"][0]["annotations"]
        assert annotations == {"own": "1", "both": "2"}

    def test_a_newer_attestation_of_the_same_image_replaces_the_old_one(self) -> None:
        # A build that can be reproduced has the same image, and a provenance with another time.
        marks = {
            "vnd.docker.reference.digest": AMD64.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        }
        other = build_attestation(ARM64)
        edited = append(buildx(AMD64), AMD64, Child(other, other.platform, marks))
        assert listed(edited) == [AMD64.digest, other.digest]

    def test_annotations_of_the_index_stay_and_the_given_ones_win(self) -> None:
        index = build_index([AMD64], annotations={"a": "1", "b": "1"})
        edited = append(index, ARM64, given={"b": "3"}, annotations={"a": "2", "b": "3", "c": "2"})
        assert document(edited)["annotations"] == {"a": "1", "b": "3", "c": "2"}

    def test_artifact_type_and_subject_of_the_index_stay(self) -> None:
        values = json.loads(build_index([AMD64]).manifest)
        subject = {"mediaType": "a/b", "digest": ARM64.digest, "size": 1}
        values |= {"artifactType": "c/d", "subject": subject}
        edited = document(append(values, ARM64))
        assert (edited["artifactType"], edited["subject"]) == ("c/d", subject)

    def test_artifact_type_and_subject_of_the_new_index_win_and_stand_where_go_writes_them(
        self,
    ) -> None:
        fresh = json.loads(build_index([ARM64]).manifest)
        subject = {"mediaType": "a/b", "digest": ARM64.digest, "size": 1}
        fresh |= {"artifactType": "c/d", "subject": subject}
        edited = append_images(
            present(build_index([AMD64], annotations={"a": "1"})),
            present(fresh),
            given={},
            list_format="auto",
        )
        assert list(document(edited)) == [
            *("schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations")
        ]
        assert document(edited)["subject"] == subject

    def test_a_docker_list_stays_one_for_docker_images(self) -> None:
        images = [build_image("linux", arch, docker=True) for arch in ("amd64", "arm64")]
        edited = append(build_index(images[:1], docker=True), images[1], docker=True)
        assert edited.index.content == build_index(images, docker=True).manifest
        assert edited.warnings == ()

    def test_a_docker_list_becomes_an_oci_index_for_an_oci_image(self) -> None:
        index = build_index([build_image(docker=True)], docker=True)
        edited = append(index, ARM64)
        assert edited.index.media_type == "application/vnd.oci.image.index.v1+json"
        assert document(edited)["mediaType"] == edited.index.media_type
        assert edited.warnings == (
            "reg.example/app:1.0 is a Docker manifest list and becomes an OCI index, "
            "for OCI images or annotations",
        )

    def test_a_format_that_is_given_decides(self) -> None:
        index = build_index([AMD64], annotations={"a": "1"})
        edited = append(index, ARM64, list_format="docker")
        assert "annotations" not in document(edited)
        assert edited.warnings == (
            "reg.example/app:1.0 is an OCI index and becomes a Docker manifest list; "
            "left out: annotation a",
        )

    def test_an_index_within_the_index_is_kept_with_a_warning(self) -> None:
        inner = build_index([AMD64])
        edited = append(build_index([inner, AMD64]), ARM64)
        assert listed(edited) == [inner.digest, AMD64.digest, ARM64.digest]
        assert inner.digest in edited.warnings[0]

    def test_one_digest_for_two_platforms_is_two_entries(self) -> None:
        edited = append(
            build_index([AMD64]), Child(ARM64, {"os": "linux", "architecture": "riscv64"}), ARM64
        )
        assert listed(edited) == [AMD64.digest, ARM64.digest, ARM64.digest]

    def test_entries_that_are_listed_twice_stay_so(self) -> None:
        assert listed(append(build_index([AMD64, AMD64]), ARM64)) == [
            AMD64.digest,
            AMD64.digest,
            ARM64.digest,
        ]


@pytest.mark.parametrize(
    ("new", "old", "does"),
    [
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v8"), True),
        (Platform("linux", "arm", "v7"), Platform("linux", "arm"), True),
        (Platform("linux", "arm", "v7"), Platform("linux", "arm", "v6"), False),
        (Platform("linux", "x86_64"), Platform("linux", "amd64"), True),
        (Platform("linux", "amd64", "v3"), Platform("linux", "amd64"), False),
        (
            Platform("windows", "amd64", "", "10.0.20348.9"),
            Platform("windows", "amd64", "", "10.0.17763.1"),
            False,
        ),
        (
            Platform("windows", "amd64", "", "10.0.20348.9"),
            Platform("windows", "amd64", "", "10.0.20348.1"),
            True,
        ),
        (
            Platform("windows", "amd64", "", "10.0.20348.9"),
            Platform("windows", "amd64"),
            True,
        ),
        (
            Platform("windows", "amd64", "", "", ("win32k",)),
            Platform("windows", "amd64", "", "", ("other",)),
            False,
        ),
    ],
)
def test_which_platforms_replace_each_other(new: Platform, old: Platform, does: bool) -> None:
    assert replaces(new, old) is does
