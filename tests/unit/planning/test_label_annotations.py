"""Annotations of the index from the labels of its images."""

from __future__ import annotations

from dataclasses import replace

from oci_merge.model.labels import ImageLabels
from oci_merge.planning.component import Component
from oci_merge.planning.label_annotations import add_labels
from tests.unit.planning.components import attestation, component, images

_PREFIX = "org.opencontainers.image."
_BUILT = images("linux/amd64", "linux/arm64", "linux/s390x")


def labelled(*values: dict[str, str] | None) -> list[Component]:
    """Return an image for each set of labels, given without their prefix; None is no config."""
    return [
        replace(
            component(built, f"app-{number}:1"),
            labels=None
            if labels is None
            else ImageLabels({f"{_PREFIX}{name}": value for name, value in labels.items()}),
        )
        for number, (labels, built) in enumerate(zip(values, _BUILT, strict=False))
    ]


def test_labels_on_which_all_images_agree_become_annotations() -> None:
    same = {"description": "An app.", "licenses": "MIT"}
    found, warning = add_labels({}, [*labelled(same, same), attestation(_BUILT[0], "app-0:1")])
    assert found == {f"{_PREFIX}description": "An app.", f"{_PREFIX}licenses": "MIT"}
    assert warning == ""


def test_labels_that_differ_or_are_not_everywhere_are_named_in_one_warning() -> None:
    found, warning = add_labels(
        {}, labelled({"created": "1", "title": "app", "url": "u"}, {"created": "2", "title": "app"})
    )
    assert found == {f"{_PREFIX}title": "app"}
    assert warning == (
        f"left out of the index: label {_PREFIX}created and {_PREFIX}url, "
        "since the images do not agree on it"
    )


def test_annotations_that_there_are_win_and_are_no_reason_for_a_warning() -> None:
    given = {f"{_PREFIX}title": "mine", f"{_PREFIX}created": "now", "org.example.key": "1"}
    found, warning = add_labels(
        given, labelled({"title": "app", "created": "1"}, {"title": "app", "created": "2"})
    )
    assert (found, warning) == (given, "")


def test_what_is_said_of_one_image_or_its_base_is_not_said_of_the_index() -> None:
    same = {"ref.name": "ubuntu", "base.name": "ubuntu:24.04", "base.digest": "sha256:1"}
    assert add_labels({}, labelled(same, same)) == ({}, "")


def test_other_prefixes_and_empty_labels_are_left_alone() -> None:
    image = replace(
        component(_BUILT[0], "app:1"),
        labels=ImageLabels(
            {"maintainer": "me", f"{_PREFIX}url": "", "org.opencontainers.imagex": "1"}
        ),
    )
    assert add_labels({}, [image]) == ({}, "")


def test_an_image_without_a_config_agrees_on_nothing() -> None:
    found, warning = add_labels({}, labelled({"title": "app"}, None))
    assert found == {}
    assert f"label {_PREFIX}title" in warning


def test_a_warning_names_a_few_labels_and_a_huge_value_is_no_annotation() -> None:
    many = {f"n{number}": str(number) for number in range(1000)}
    _, warning = add_labels({}, labelled(many, {}))
    assert warning.count(_PREFIX) == 8
    assert "and 992 more" in warning
    huge = {"title": "x" * 10_000}
    found, warning = add_labels({}, labelled(huge, huge))
    assert found == {}
    assert warning == (
        f"left out of the index: label {_PREFIX}title, since it has more than 8192 characters"
    )


def test_hostile_keys_are_escaped() -> None:
    _, warning = add_labels({}, labelled({"\x1b[31m": "1"}, {}))
    assert "\x1b" not in warning
