"""Batches: images that get in each other's way, and what a caller hands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from oci_merge.errors import UsageError
from oci_merge.model.reference import parse_reference
from oci_merge.options import MergeKeywords
from oci_merge.planning.batch import BatchImage, BatchJob, batch_jobs, check_one_registry
from oci_merge.planning.builder_output import BuiltImage


def image(target: str, **more: Any) -> dict[str, Any]:
    return {"target": target, "template": f"{target.partition(':')[0]}-ARCH:1", **more}


def jobs_of(images: Any, shard: str | None) -> Sequence[BatchJob]:
    return batch_jobs(images, shard, lambda asked: ())


def test_mappings_and_images_are_checked_alike() -> None:
    keywords = image("reg.example/app:1")
    first, second = jobs_of(
        [{**image("reg.example/web:1"), "name": "web"}, BatchImage(keywords=keywords)], None
    )
    assert (first.name, first.target) == ("web", "reg.example/web:1")
    assert (second.name, second.target) == ("reg.example/app:1", "reg.example/app:1")


def test_a_shard_has_its_images_and_all_are_checked() -> None:
    images = [image(f"reg.example/app{number}:1") for number in range(5)]
    assert [job.target for job in jobs_of(images, "2/2")] == [
        "reg.example/app1:1",
        "reg.example/app3:1",
    ]
    with pytest.raises(UsageError):
        jobs_of([*images, {"target": "reg.example/app9:1"}], "2/2")


@pytest.mark.parametrize(
    "second",
    [
        image("reg.example/app:1"),
        image("reg.example/app:2", tags=["1"]),
        image("reg.example/other:1", targets=["reg.example/app:1"]),
    ],
)
def test_two_images_that_publish_one_tag_are_refused(second: dict[str, Any]) -> None:
    images = [
        BatchImage(keywords=image("reg.example/app:1"), name="one", place="f.yml, line 2"),
        BatchImage(keywords=second, name="two", place="f.yml, line 5"),
    ]
    with pytest.raises(UsageError) as raised:
        jobs_of(images, None)
    assert raised.value.message == (
        "one (f.yml, line 2) and two (f.yml, line 5) both publish reg.example/app:1"
    )


def test_an_image_that_joins_what_another_one_publishes_is_refused() -> None:
    images = [
        image("reg.example/app:1"),
        {"target": "reg.example/all:1", "sources": ["reg.example/app:1"]},
    ]
    with pytest.raises(UsageError, match=r"the first joins reg\.example/app:1"):
        jobs_of(images, None)


def test_an_image_may_join_another_ones_repository_by_digest() -> None:
    by_digest = f"reg.example/app:1@sha256:{'0' * 64}"
    images = [
        image("reg.example/app:1"),
        {"target": "reg.example/all:1", "sources": [by_digest]},
    ]
    assert len(jobs_of(images, None)) == 2


@pytest.mark.parametrize("keyword", ["dry_run", "on_event"])
def test_keywords_of_the_whole_batch_are_refused_for_an_image(keyword: str) -> None:
    with pytest.raises(UsageError, match=f"{keyword} is for a whole batch"):
        jobs_of([image("reg.example/app:1", **{keyword: None})], None)


def test_a_misspelt_keyword_is_a_type_error_as_in_a_merge() -> None:
    with pytest.raises(TypeError, match="did you mean 'template'"):
        jobs_of([{"target": "reg.example/app:1", "tamplate": "a"}], None)


@pytest.mark.parametrize("images", ["images.yml", {"target": "a"}, 3, None, [3], ["a"]])
def test_what_is_no_list_of_images_is_refused(images: Any) -> None:
    with pytest.raises(UsageError):
        jobs_of(images, None)


def test_a_given_login_is_for_one_registry() -> None:
    one = jobs_of([image("a.example/app:1"), image("a.example/web:1")], None)
    check_one_registry(one)
    two = jobs_of([image("a.example/app:1"), image("b.example/web:1")], None)
    with pytest.raises(UsageError, match=r"2 registries: a\.example, b\.example"):
        check_one_registry(two)


def test_files_of_builders_are_read_for_the_image_that_names_them() -> None:
    digest = f"sha256:{'0' * 64}"

    def read(asked: MergeKeywords) -> Sequence[BuiltImage]:
        files = asked["source_files"]
        return [BuiltImage(digest, (parse_reference("reg.example/web:2"),))] if files else ()

    first, second = batch_jobs(
        [image("reg.example/app:1"), {"target": "reg.example/web:1", "source_files": ["web.txt"]}],
        None,
        read,
    )
    assert first.job.sources == ()
    assert [str(source.reference) for source in second.job.sources] == [f"reg.example/web@{digest}"]


def test_an_error_of_a_builders_file_says_which_image_named_it() -> None:
    def read(asked: MergeKeywords) -> Sequence[BuiltImage]:
        raise UsageError("web.txt cannot be read", hint="check the path")

    keywords = {"target": "reg.example/web:1", "source_files": ["web.txt"]}
    named = BatchImage(keywords=keywords, place="images.yml, line 3")
    with pytest.raises(UsageError, match=r"^images\.yml, line 3: web\.txt cannot be read\n"):
        batch_jobs([named], None, read)
