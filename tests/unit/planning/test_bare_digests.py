"""Images of which only the digest is known, and images that the files of builders name."""

from __future__ import annotations

from typing import Any

import pytest

from oci_merge._keywords import checked
from oci_merge.errors import InvalidReferenceError, UsageError
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.options import MergeKeywords, PushKeywords
from oci_merge.planning.builder_output import BuiltImage
from oci_merge.planning.job import Job, Source, missing_hint
from oci_merge.planning.request import merge_job, spec_job
from oci_merge.planning.spec import Spec, SpecImage

_ONE = "sha256:" + "1" * 64
_TWO = "sha256:" + "2" * 64
_APP = "reg.example/app"


def job(*built: BuiltImage, **asked: Any) -> Job:
    if built:
        asked["source_files"] = ["digests"]  # read already
    return merge_job(f"{_APP}:1.0", checked(MergeKeywords, asked), built)


def references(made: Job) -> list[str]:
    return [str(source.reference) for source in made.sources]


@pytest.mark.parametrize("repository", [_APP, Reference("reg.example", "app")])
def test_a_bare_digest_is_in_the_source_repository(repository: str | Reference) -> None:
    made = job(sources=[_ONE, "reg.example/b:1"], source_repository=repository)
    assert references(made) == [f"{_APP}@{_ONE}", "reg.example/b:1"]
    assert made.warnings == ()


@pytest.mark.parametrize("source", [f"{_ONE}=linux/arm64", (_ONE, "linux/arm64")])
def test_a_bare_digest_may_have_its_platform_beside_it(source: Any) -> None:
    (found,) = job(sources=[source], source_repository=_APP).sources
    assert found == Source(parse_reference(f"{_APP}@{_ONE}"), Platform("linux", "arm64"))


def test_a_bare_digest_without_a_repository_is_not_looked_for_on_docker_hub() -> None:
    with pytest.raises(UsageError, match="says nothing of its repository") as caught:
        job(sources=[_ONE])
    assert "--source-repository" in caught.value.hint


@pytest.mark.parametrize("source", ["sha256:4355", "sha256:", f"{_ONE.upper().lower()}0"])
def test_a_cut_digest_is_called_one(source: str) -> None:
    with pytest.raises(InvalidReferenceError, match="is not a digest"):
        job(sources=[source], source_repository=_APP)


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("", "the source repository is empty"),
        (f"{_APP}:1.0", "the source repository 'reg.example/app:1.0' has a tag"),
        (f"{_APP}@{_ONE}", "has a digest"),
        ("https://reg.example/app", "starts with a scheme"),
        ("reg.example/App", "is not an image reference"),
        ("reg.example/", "is not an image reference"),
        (_ONE, "is a digest, and says nothing of its repository"),
    ],
)
def test_what_is_no_repository_is_refused(repository: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        job(sources=[_ONE], source_repository=repository)
    assert caught.value.hint


@pytest.mark.parametrize("asked", [{"source_repository": _APP}, {"source_files": ["digests"]}])
def test_a_template_needs_neither_a_repository_nor_files(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        job(template="reg.example/app-ARCH:1", **asked)


def test_the_images_of_files_follow_the_sources() -> None:
    built = [
        BuiltImage(_ONE, (parse_reference("reg.example/amd64:1.0"),), "digests/amd64"),
        BuiltImage(_TWO, (), "digests/arm64"),
    ]
    made = job(
        *built, sources=["reg.example/b:1"], source_repository=_APP, platforms=["linux/arm64"]
    )
    assert references(made) == [
        "reg.example/b:1",
        f"reg.example/amd64@{_ONE}",
        f"{_APP}@{_TWO}",
    ]
    assert [source.origin for source in made.sources] == ["", "digests/amd64", "digests/arm64"]
    assert {source.among for source in made.sources} == {(Platform("linux", "arm64"),)}


def test_an_image_whose_tag_moves_is_still_the_one_that_was_built() -> None:
    made = job(BuiltImage(_ONE, (parse_reference(f"{_APP}:1.0"),), "digest"))
    assert references(made) == [f"{_APP}@{_ONE}"]
    assert made.warnings == ()


def test_an_image_that_was_pushed_to_several_registries_is_read_in_a_target_s() -> None:
    names = tuple(map(parse_reference, ["docker.io/team/app:1", "ghcr.io/team/app:1"]))
    made = merge_job(
        None,
        checked(
            MergeKeywords,
            {
                "targets": ["ghcr.io/team/all:1"],
                "source_files": ["x"],
            },
        ),
        [BuiltImage(_ONE, names, "x")],
    )
    assert references(made) == [f"ghcr.io/team/app@{_ONE}"]


def test_a_missing_image_of_a_file_names_the_file() -> None:
    reference = parse_reference(f"{_APP}@{_ONE}")
    hint = missing_hint([Source(reference, origin="digests/amd64")])
    assert hint.startswith("digests/amd64 has this digest: check that the image was pushed there")
    assert missing_hint([Source(reference)]).startswith("check that the image was pushed there")
    assert missing_hint([Source(parse_reference(f"{_APP}:1"))]) == ""


def test_a_spec_with_a_bare_digest_is_refused() -> None:
    spec = Spec(f"{_APP}:1.0", (SpecImage(_ONE),))
    with pytest.raises(InvalidReferenceError, match="says nothing of its repository") as caught:
        spec_job(spec, checked(PushKeywords, {}))
    assert caught.value.hint == "write the repository before it, as in reg.example/app@sha256:…"


@pytest.mark.parametrize("text", [_ONE, "sha256:1.0", "sha512:" + "a" * 128, "sha256:"])
def test_a_digest_is_no_reference_to_an_image_of_docker_hub(text: str) -> None:
    with pytest.raises(InvalidReferenceError, match="is a digest"):
        parse_reference(text)


@pytest.mark.parametrize(
    "text", ["sha256", "sha256:5000/app", "docker.io/library/sha256:1", "sha1:1.0"]
)
def test_other_names_with_such_words_are_references(text: str) -> None:
    assert parse_reference(text).repository
