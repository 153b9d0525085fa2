"""What is checked before the first request."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge._keywords import checked
from oci_merge.errors import (
    InvalidPlatformError,
    InvalidReferenceError,
    TemplateError,
    UsageError,
)
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.options import MergeKeywords, PushKeywords
from oci_merge.planning.job import Job, Source
from oci_merge.planning.request import merge_job, spec_job
from oci_merge.planning.spec import Spec, SpecImage

_TEMPLATE = "reg.example/app-ARCHVARIANT:1"
_DIGEST = "sha256:" + "ab" * 32


def _check(**changes: Any) -> Job:
    """Check a merge that is right but for ``changes``."""
    asked: dict[str, Any] = {"target": "reg.example/app:latest"}
    if "sources" not in changes:
        asked |= {"template": _TEMPLATE, "platforms": ["linux/amd64", "linux/arm/v7"]}
    asked |= changes
    return merge_job(asked.pop("target"), checked(MergeKeywords, asked))


def test_a_template_becomes_a_source_for_each_platform_in_their_order() -> None:
    job = _check()
    assert job.target == parse_reference("reg.example/app:latest")
    assert job.tags == ("latest",)
    assert job.sources == (
        Source(parse_reference("reg.example/app-amd64:1"), Platform("linux", "amd64")),
        Source(parse_reference("reg.example/app-armv7:1"), Platform("linux", "arm", "v7")),
    )
    assert job.candidates == ()
    assert job.warnings == ()
    assert (job.as_written, job.ignore_missing) == (False, False)


def test_a_template_without_platforms_becomes_candidates() -> None:
    job = _check(platforms=[])
    assert job.sources == ()
    assert str(job.candidates[0].reference) == "reg.example/app-amd64:1"


def test_sources_by_tag_or_digest_are_kept_in_order_and_ask_for_no_platform() -> None:
    job = _check(sources=["reg.example/b:1", f"reg.example/a@{_DIGEST}"])
    assert [str(source.reference) for source in job.sources] == [
        "reg.example/b:1",
        f"reg.example/a@{_DIGEST}",
    ]
    assert [source.platform for source in job.sources] == [None, None]
    assert job.warnings == ()


def test_the_targets_tag_comes_first_and_each_tag_once() -> None:
    assert _check(tags=["1.0", "latest", "1", "1.0"]).tags == ("latest", "1.0", "1")


def test_the_repositories_that_are_read_are_each_named_once() -> None:
    assert _check().repositories == ("app-amd64", "app-armv7")
    assert _check(template="reg.example/app:ARCH").repositories == ("app",)
    assert "app-s390x" in _check(platforms=[]).repositories


def test_one_registry_may_be_written_in_two_ways() -> None:
    job = _check(target="team/app:1", sources=["index.docker.io/team/a:1", "docker.io/team/b:1"])
    assert {source.reference.registry for source in job.sources} == {"docker.io"}
    _check(target="REG.example/app:1", sources=["reg.EXAMPLE/a:1"])


def test_an_untagged_source_means_latest_and_is_warned_of() -> None:
    job = _check(sources=["reg.example/a", "reg.example/b:1"])
    assert [str(source.reference) for source in job.sources] == [
        "reg.example/a:latest",
        "reg.example/b:1",
    ]
    assert job.warnings == ("reg.example/a has no tag; latest is used",)


@pytest.mark.parametrize("platforms", [["linux/amd64", "linux/arm64"], []])
def test_an_untagged_template_is_warned_of_once(platforms: list[str]) -> None:
    job = _check(template="reg.example/app-ARCH", platforms=platforms)
    references = [source.reference for source in job.sources]
    references += [candidate.reference for candidate in job.candidates]
    assert {reference.tag for reference in references} == {"latest"}
    assert job.warnings == ("reg.example/app-ARCH has no tag; latest is used",)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"target": "reg.example/app"}, InvalidReferenceError, "has no tag"),
        ({"target": f"reg.example/app@{_DIGEST}"}, InvalidReferenceError, "has a digest"),
        ({"target": f"reg.example/app:1@{_DIGEST}"}, InvalidReferenceError, "has a digest"),
        ({"target": ""}, InvalidReferenceError, "is empty"),
        ({"target": "reg.example/App:1"}, InvalidReferenceError, "not an image reference"),
        ({"target": "https://reg.example/app:1"}, InvalidReferenceError, "scheme"),
        ({"target": "other.example/app:1"}, UsageError, "is in the registry reg.example"),
        ({"target": "reg.example:443/app:1"}, UsageError, "is in the registry reg.example"),
        ({"tags": ["1", "-1"]}, InvalidReferenceError, "'-1' is not a tag"),
        ({"tags": ["reg.example/other:1"]}, InvalidReferenceError, "but of reg.example/other"),
        ({"tags": ["app:1"]}, InvalidReferenceError, "but of docker.io/library/app"),
        ({"tags": ["ghcr.io/app:1"]}, InvalidReferenceError, "but of ghcr.io/app"),
        ({"tags": ["reg.example/app"]}, InvalidReferenceError, "no tag behind the name"),
        (
            {"tags": [f"reg.example/app@sha256:{'0' * 64}"]},
            InvalidReferenceError,
            "is not a tag: it has a digest",
        ),
        ({"tags": [""]}, InvalidReferenceError, "is not a tag"),
        ({"template": None}, UsageError, "either by a template or by sources"),
        ({"template": None, "sources": []}, UsageError, "either by a template or by sources"),
        (
            {"template": _TEMPLATE, "sources": ["reg.example/a:1"]},
            UsageError,
            "either by a template or by sources",
        ),
        ({"template": ""}, TemplateError, "none of the placeholders"),
        ({"template": "reg.example/app:1"}, TemplateError, "none of the placeholders"),
        ({"template": "other.example/app-ARCH:1"}, UsageError, "is in the registry other.example"),
        (
            {"template": "other.example/app-ARCH:1", "platforms": []},
            UsageError,
            "is in the registry other.example",
        ),
        ({"template": "app-ARCH:1"}, UsageError, "is in the registry docker.io"),
        ({"sources": ["reg.example/a:1", "b:1"]}, UsageError, "is in the registry docker.io"),
        ({"sources": ["reg.example/A:1"]}, InvalidReferenceError, "not an image reference"),
        (
            {"sources": ["reg.example/a:1=linux/arm64"], "platforms": ["linux/amd64"]},
            UsageError,
            "said to be linux/arm64, which is not among the platforms",
        ),
        ({"sources": ["reg.example/a:1="]}, InvalidPlatformError, "'' is not a platform"),
        ({"sources": ["reg.example/a:1=arm64"]}, InvalidPlatformError, "'arm64' is not"),
        ({"sources": ["=linux/arm64"]}, InvalidReferenceError, "reference is empty"),
        ({"sources": [("reg.example/a:1",)]}, UsageError, "a reference, or one with its platform"),
        ({"sources": [("reg.example/a:1", 1)]}, UsageError, "must be text or a Platform"),
        (
            {"sources": ["reg.example/a:1"], "arch_aliases": {"amd64": "x86_64"}},
            UsageError,
            "go with a template",
        ),
        ({"platforms": ["linux"]}, InvalidPlatformError, "'linux' is not a platform"),
        ({"platforms": ["linux/amd64,linux/arm64"]}, InvalidPlatformError, "is not a platform"),
        ({"arch_aliases": {"amd64": "x86/64"}}, UsageError, "amd64=x86/64"),
        ({"arch_aliases": {"": "x"}}, UsageError, "is not a pair of names"),
        ({"arch_aliases": {"amd64": ""}}, UsageError, "is not a pair of names"),
        ({"format": "OCI"}, UsageError, "'OCI' is not a format"),
        ({"platform_check": "strict"}, UsageError, "'strict' is not a platform check"),
        ({"format": "docker", "annotations": {"a": "b"}}, UsageError, "cannot carry annotations"),
        (
            {"append": True, "annotations_from_labels": True},
            UsageError,
            "the labels of the images that stay are not read",
        ),
        ({"annotations": {"a": "\ud800"}}, UsageError, "the annotation 'a' is not text"),
        ({"annotations": {"a\ud800": "b"}}, UsageError, "is not text"),
        ({"annotations": {"a": 1}}, UsageError, "the annotation 'a' is not text"),
        ({"annotations": {1: "a"}}, UsageError, "the annotation '1' is not text"),
        ({"arch_aliases": {"amd64": 1}}, UsageError, "the architecture alias 'amd64' is not text"),
        ({"tags": "latest"}, UsageError, "the tags are the text 'latest'"),
        ({"platforms": "linux/amd64"}, UsageError, "the platforms are the text 'linux/amd64'"),
        ({"sources": "reg.example/a:1"}, UsageError, "the sources are the text"),
    ],
)
def test_what_is_wrong_is_found_before_the_first_request(
    changes: dict[str, Any], kind: type[UsageError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        _check(**changes)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"target": "reg.example/app"}, "reg.example/app:latest"),
        ({"target": f"reg.example/app:1@{_DIGEST}"}, "for example reg.example/app:1"),
        ({"target": f"reg.example/app@{_DIGEST}"}, "for example reg.example/app:latest"),
        ({"target": "other.example/app:1"}, "within one registry"),
        ({"format": "OCI"}, "auto, oci, docker"),
        ({"platform_check": "strict"}, "warn, error, off"),
        ({"tags": "latest"}, "['latest']"),
        ({"format": "docker", "annotations": {"a": "b"}}, "--format oci"),
    ],
)
def test_the_hint_says_what_to_do(changes: dict[str, Any], hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        _check(**changes)
    assert hint in caught.value.hint


def test_references_and_platforms_may_be_values() -> None:
    values = _check(
        target=parse_reference("reg.example/app:latest"),
        platforms=[Platform("linux", "amd64"), Platform("linux", "arm", "v7")],
    )
    assert values == _check()
    parsed = parse_reference(f"reg.example/a@{_DIGEST}")
    assert _check(sources=[parsed]) == _check(sources=[str(parsed)])


def test_a_platform_that_is_a_value_keeps_its_os_version() -> None:
    windows = Platform("windows", "amd64", os_version="10.0.20348.2227")
    job = _check(template="reg.example/app:OS-ARCH", platforms=[windows])
    assert job.sources == (Source(parse_reference("reg.example/app:windows-amd64"), windows),)


@pytest.mark.parametrize(
    "made", [tuple, list, iter, dict.fromkeys, lambda words: (w for w in words)]
)
def test_several_values_keep_their_order_whatever_holds_them(made: Any) -> None:
    words = ["reg.example/b:1", "reg.example/a:1"]
    held = made(words)
    job = _check(sources=held.keys() if isinstance(held, dict) else held)
    assert [str(source.reference) for source in job.sources] == words


@pytest.mark.parametrize("made", [set, frozenset])
def test_a_set_is_sorted_since_the_index_has_an_order(made: Any) -> None:
    words = [f"reg.example/{name}:1" for name in "cadb"]
    job = _check(sources=made(words))
    assert [str(source.reference) for source in job.sources] == sorted(words)


@pytest.mark.parametrize(
    "platforms",
    [
        ["linux/amd64", "linux/amd64"],
        ["linux/amd64", "linux/arm64", "linux/amd64"],
        ["linux/amd64", "linux/x86_64"],
        ["linux/amd64", "Linux/AMD64"],
        ["linux/arm64", "linux/aarch64"],
        ["linux/arm64/v8", "linux/aarch64/8"],
        ["linux/armhf", "linux/arm/v7"],
    ],
)
def test_a_platform_is_asked_for_once_whatever_its_name(platforms: list[str]) -> None:
    with pytest.raises(UsageError, match="asked for twice") as caught:
        _check(template="reg.example/app:ARCH", platforms=platforms)
    twice = f"the platform {platforms[-1]} is asked for twice"
    also = "" if platforms[0] == platforms[-1] else f", also as {platforms[0]}"
    assert caught.value.message == twice + also


@pytest.mark.parametrize(
    "platforms",
    [
        ["linux/arm/v6", "linux/arm/v7"],
        # The first takes its variant from the image, and that need not be v7.
        ["linux/arm", "linux/arm/v7"],
        ["linux/arm64", "linux/arm64/v8"],
        ["linux/amd64", "linux/amd64/v3"],
        ["linux/amd64", "windows/amd64"],
    ],
)
def test_platforms_that_may_differ_may_stand_side_by_side(platforms: list[str]) -> None:
    job = _check(template="reg.example/app:OS-ARCHVARIANT", platforms=platforms)
    assert len(job.sources) == 2


def test_annotations_are_for_an_index_of_oci_or_one_still_to_be_chosen() -> None:
    for list_format in ("oci", "auto"):
        job = _check(annotations={"k": "v=1", "empty": ""}, format=list_format)
        assert job.annotations == {"k": "v=1", "empty": ""}


def test_aliases_reach_the_template() -> None:
    job = _check(arch_aliases={"amd64": "x86_64"}, template="reg.example/app:ARCHVARIANT")
    assert job.sources[0] == Source(
        parse_reference("reg.example/app:x86_64"), Platform("linux", "amd64")
    )


def test_a_job_does_not_change_with_the_callers_annotations() -> None:
    annotations = {"a": "1"}
    job = _check(annotations=annotations)
    annotations["a"] = "2"
    assert job.annotations == {"a": "1"}


@given(st.text(max_size=40), st.text(max_size=40), st.lists(st.text(max_size=20), max_size=2))
def test_arbitrary_text_is_a_job_or_a_usage_error(
    target: str, template: str, words: list[str]
) -> None:
    pairs = {target: template}
    for asked in (
        {"target": target, "template": template, "platforms": words},
        {"sources": words, "tags": [target]},
        {"template": _TEMPLATE, "arch_aliases": pairs, "annotations": pairs},
    ):
        with contextlib.suppress(UsageError):
            _check(**asked)


def test_a_platform_with_an_unknown_name_is_warned_of_once() -> None:
    job = _check(platforms=["linux/amd46", "linux/amd64"])
    assert job.warnings == ("linux/amd46 is not a platform that is known; did you mean amd64?",)


@pytest.mark.parametrize(
    ("asked", "moved"),
    [
        ({"sources": ["reg.example/app:1", "reg.example/app-arm64:1"]}, ["reg.example/app:1"]),
        ({"sources": ["reg.example/app:1", "reg.example/app:1"]}, ["reg.example/app:1"]),
        ({"sources": ["reg.example/app:2"], "tags": ["2"]}, ["reg.example/app:2"]),
        (
            {"sources": ["reg.example/app:2", "reg.example/app:1"], "tags": ["2"]},
            ["reg.example/app:2", "reg.example/app:1"],
        ),
        ({"sources": ["reg.example/app:2", "reg.example/app-arm64:1"]}, []),
        ({"sources": [f"reg.example/app@sha256:{'a' * 64}"]}, []),
        ({"template": "reg.example/app:ARCH", "tags": ["arm64"]}, []),  # where nothing is known
        (
            {
                "template": "reg.example/app:ARCH",
                "platforms": ["linux/amd64", "linux/arm64"],
                "tags": ["arm64"],
            },
            ["reg.example/app:arm64"],
        ),
    ],
)
def test_an_image_whose_own_tag_moves_is_warned_of(asked: dict[str, Any], moved: list[str]) -> None:
    job = _check(**{"target": "reg.example/app:1", "template": None, "platforms": (), **asked})
    assert job.warnings == tuple(
        f"{reference} is one of the images to join, and its tag moves to the index"
        for reference in moved
    )


def test_an_untagged_image_is_warned_of_where_latest_moves() -> None:
    job = _check(
        target="reg.example/app:latest",
        template=None,
        platforms=(),
        sources=["reg.example/app", "reg.example/app-arm64:1"],
    )
    assert job.warnings == (
        "reg.example/app has no tag; latest is used",
        "reg.example/app:latest is one of the images to join, and its tag moves to the index",
    )


_SPEC_IMAGE = SpecImage("reg.example/a:1", Platform("Linux", "AMD64", "", "10.0.1", ("x",)))


def _check_spec(**changes: Any) -> Job:
    """Check a spec that is right but for ``changes``."""
    fields: dict[str, Any] = {"image": "reg.example/app:latest", "manifests": (_SPEC_IMAGE,)}
    options: dict[str, Any] = {
        name: changes.pop(name) for name in ("list_type", "platform_check") if name in changes
    }
    asked = checked(PushKeywords, {"ignore_missing": True, **options})
    return spec_job(Spec(**fields | changes), asked)


def test_a_specs_platforms_are_kept_as_they_are_written() -> None:
    job = _check_spec(tags=("1", "latest"))
    assert job.sources == (Source(parse_reference("reg.example/a:1"), _SPEC_IMAGE.platform),)
    assert job.tags == ("latest", "1")
    assert (job.as_written, job.ignore_missing, job.candidates) == (True, True, ())


def test_an_image_of_a_spec_may_be_named_by_digest() -> None:
    job = _check_spec(manifests=(SpecImage(f"reg.example/a@{_DIGEST}"),))
    assert job.sources == (Source(parse_reference(f"reg.example/a@{_DIGEST}")),)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"image": "reg.example/app"}, InvalidReferenceError, "has no tag"),
        ({"image": "other.example/app:1"}, UsageError, "is in the registry reg.example"),
        ({"tags": ("-",)}, InvalidReferenceError, "'-' is not a tag"),
        (
            {"manifests": (SpecImage("reg.example/a"),)},
            InvalidReferenceError,
            "has neither a tag nor a digest",
        ),
        (
            {"manifests": (SpecImage("reg.example/A:1"),)},
            InvalidReferenceError,
            "not an image reference",
        ),
        ({"annotations": {"a": "b"}}, UsageError, "cannot carry annotations"),
        ({"list_type": "OCI"}, UsageError, "'OCI' is not a format"),
        ({"platform_check": ""}, UsageError, "'' is not a platform check"),
        (
            {"manifests": (SpecImage("reg.example/a:1", Platform("linux", "\ud800")),)},
            InvalidPlatformError,
            r"linux/\\ud800",
        ),
        (
            {"manifests": (SpecImage("reg.example/a:1", Platform("", "", "", "", ("\x1b",))),)},
            InvalidPlatformError,
            "is not a platform",
        ),
    ],
)
def test_a_spec_is_checked_before_the_first_request(
    changes: dict[str, Any], kind: type[UsageError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        _check_spec(**changes)
    assert message in caught.value.message


def test_an_image_of_a_spec_whose_own_tag_moves_is_warned_of() -> None:
    job = _check_spec(
        image="reg.example/app:1", manifests=(SpecImage("reg.example/app:2", None),), tags=("2",)
    )
    assert job.warnings == (
        "reg.example/app:2 is one of the images to join, and its tag moves to the index",
    )


@pytest.mark.parametrize(
    ("target", "tags"),
    [
        ("reg.example/app:1", ["reg.example/app:1", "reg.example/app:latest", "2"]),
        ("REG.example/app:1", [parse_reference("reg.example/app:latest"), "2"]),
        ("reg.example:5000/app:1", ["reg.example:5000/app:latest", "2"]),
        ("docker.io/library/app:1", ["app:latest", "index.docker.io/app:2"]),
        ("team/app:1", ["docker.io/team/app:latest", "team/app:2"]),
    ],
)
def test_a_tag_may_be_a_reference_of_the_targets_repository(
    target: str, tags: list[str | Reference]
) -> None:
    registry = parse_reference(target).registry
    job = _check(target=target, sources=[f"{registry}/team/a:1"], tags=tags)
    assert job.tags == ("1", "latest", "2")
    spec = Spec(target, (SpecImage(f"{registry}/team/a:1"),), tags=tuple(map(str, tags)))
    assert spec_job(spec, checked(PushKeywords, {})).tags == ("1", "latest", "2")


def test_a_source_may_say_its_platform() -> None:
    arm = Platform("linux", "arm", "v6")
    digest = f"sha256:{'1' * 64}"
    job = _check(
        sources=[
            "reg.example/a:1=linux/arm64",
            f"reg.example/a@{digest}=linux/s390x",
            ("reg.example/a:2", arm),
            (parse_reference("reg.example/a:3"), "linux/386"),
            "reg.example/a:4",
        ]
    )
    assert [(str(source.reference), source.platform) for source in job.sources] == [
        ("reg.example/a:1", Platform("linux", "arm64")),
        (f"reg.example/a@{digest}", Platform("linux", "s390x")),
        ("reg.example/a:2", arm),
        ("reg.example/a:3", Platform("linux", "386")),
        ("reg.example/a:4", None),
    ]


def test_platforms_with_sources_are_those_to_select() -> None:
    job = _check(sources=["reg.example/a:1"], platforms=["linux/amd64", "linux/arm/v7"])
    chosen = (Platform("linux", "amd64"), Platform("linux", "arm", "v7"))
    assert [source.among for source in job.sources] == [chosen]


def _platforms(**changes: Any) -> list[tuple[str, bool]]:
    return [(str(source.platform), source.is_optional) for source in _check(**changes).sources]


def test_optional_platforms_stand_behind_the_others_unless_they_are_among_them() -> None:
    asked = {"platforms": ["linux/amd64", "linux/arm64"]}
    assert _platforms(**asked, optional=["linux/riscv64", "linux/arm64/v8"]) == [
        ("linux/amd64", False),
        ("linux/arm64", True),
        ("linux/riscv64", True),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optional": ["linux/amd64"], "platforms": []}, "so all are optional"),
        ({"wait": 60, "platforms": []}, "is not known"),
        ({"optional": ["linux/amd64"], "platforms": ["linux/amd64"]}, "every image .* optional"),
        (
            {"template": None, "platforms": [], "optional": ["linux/s390x"], "sources": ["a:1"]},
            "linux/s390x is optional, but no image is asked for as that",
        ),
        ({"optional": ["linux/amd64", "linux/x86_64/v1", "amd"]}, "'amd' is not a platform"),
    ],
)
def test_optional_platforms_and_waits_that_make_no_sense_are_errors(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        _check(**changes)


def test_targets_of_one_repository_are_one_with_several_tags() -> None:
    job = _check(
        target="reg.example/app:1",
        targets=["reg.example/mirror:1", "reg.example/app:latest", "reg.example/app:1"],
        tags=["stable", "reg.example/mirror:only"],
    )
    assert [(target.reference.name, target.tags) for target in job.targets] == [
        ("reg.example/app", ("1", "latest", "stable")),
        ("reg.example/mirror", ("1", "stable", "only")),
    ]
    assert job.tags == ("1", "latest", "stable")
    assert job.written_in("reg.example") == ("app", "mirror")


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"targets": ["other.example/app:1"]}, UsageError, "is in the registry other.example"),
        ({"targets": ["reg.example/b"]}, InvalidReferenceError, "has no tag"),
        ({"targets": [""]}, InvalidReferenceError, "is empty"),
        (
            {"targets": ["reg.example/b:1"], "tags": ["reg.example/c:1"]},
            InvalidReferenceError,
            "not a tag of reg.example/app and reg.example/b, but of reg.example/c",
        ),
    ],
)
def test_every_target_is_checked(
    changes: dict[str, Any], kind: type[UsageError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        _check(**changes)


def test_targets_may_be_in_other_registries_where_layers_are_copied() -> None:
    job = _check(targets=["other.example/app:1"], copy_layers=True)
    assert job.registries == ("reg.example", "other.example")
    assert (job.written_in("other.example"), job.read_in("other.example")) == (("app",), ())


def test_an_append_to_several_targets_says_which_referrers_it_does_not_bring() -> None:
    asked = {"append": True, "referrers": True}
    job = _check(targets=["reg.example/mirror:1"], **asked)
    assert [warning for warning in job.warnings if "--append keeps" in warning]
    assert not _check(**asked).warnings
